// Draws a story. Entries that did not change keep their elements, so that what is open or focused stays so.
// Does not fetch.

import {formatDay, formatType, plural} from './format.js';
import {button, createEnd, el, outsideLink, place, segments, statusBadge, timeTag} from './parts.js';
import {payloadPanel} from './payload.js';
import {excerptOf, groupByDay} from './story.js';

const kKinds = [['', 'All'], ['crm', 'CRM'], ['form', 'Forms'], ['lead', 'Created']];
const kExcerptLengthMax = 160;

export function createTimeline({hrefOf, loadOlder}) {
  const filter = el('div');
  const marker = button('', toTop, {class: 'marker', hidden: true});
  const bar = el('div.timeline-bar', el('h2', {id: 'timeline-title'}, 'Timeline'), marker, filter);
  const days = el('div.days');
  const end = createEnd(loadOlder);
  const node = el('section.timeline', {'aria-labelledby': 'timeline-title'}, bar, days, end.node);
  const entryNodes = new Map();  // key -> {signature, node}
  const dayNodes = new Map();    // day -> {node, list, title}
  const fresh = new Set();       // Keys of what came while the page was open.
  let unread = 0;

  function toTop() {
    unread = 0;
    marker.hidden = true;
    window.scrollTo({top: Math.max(0, node.getBoundingClientRect().top + window.scrollY - 60)});
    days.querySelector('summary')?.focus({preventScroll: true});
  }

  window.addEventListener('scroll', settle, {passive: true});
  function settle() {
    if (unread && days.getBoundingClientRect().top >= bar.getBoundingClientRect().top) {
      unread = 0;
      marker.hidden = true;
    }
  }

  function entryNode(entry) {
    const signature = JSON.stringify([entry.items?.map((item) => item.id), entry.from, entry.row]);
    const had = entryNodes.get(entry.key);
    if (had?.signature === signature) return had.node;
    const made = drawEntry(entry);
    if (fresh.has(entry.key)) made.classList.add('is-new');
    if (had) {
      const open = had.node.querySelector('details')?.open;
      if (open) made.querySelector('details').open = true;
      if (had.node.contains(document.activeElement)) queueMicrotask(() => made.querySelector('summary')?.focus({preventScroll: true}));
    }
    entryNodes.set(entry.key, {signature, node: made});
    return made;
  }

  function dayNode(group) {
    let day = dayNodes.get(group.day);
    if (!day) {
      const list = el('ol');
      const title = el('h3');
      dayNodes.set(group.day, day = {list, title, node: el('section.day', title, list)});
    }
    const {name, date} = group.day ? formatDay(group.at, Date.now()) : {name: 'Time unknown', date: ''};
    const words = [name, date].filter(Boolean).join(' · ');
    if (day.title.textContent !== words) day.title.replaceChildren(el('span', name || date), name && date ? ` · ${date}` : '');
    place(day.list, group.entries.map(entryNode));
    return day.node;
  }

  return {
    node,
    end,
    // `arrived`: the keys that a poll brought.
    render(entries, {kind, arrived = []}) {
      for (const key of arrived) fresh.add(key);
      const held = arrived.length ? holdPlace(days, bar) : null;
      filter.replaceChildren(segments('Show', kKinds.map(([value, name]) => [hrefOf(value), name, value === kind])));
      const keys = new Set(entries.map((entry) => entry.key));
      for (const key of entryNodes.keys()) if (!keys.has(key)) entryNodes.delete(key);
      place(days, groupByDay(entries).map(dayNode));
      const seen = new Set(entries.flatMap((entry) => [entry, ...(entry.parts ?? [])]).map((entry) => entry.key));
      const count = arrived.filter((key) => seen.has(key)).length;
      if (!count) return;
      unread += count;
      marker.textContent = `${plural(unread, 'new', 'new')} ↑`;
      marker.setAttribute('aria-label', `${plural(unread, 'new event', 'new events')}: go to the top`);
      marker.hidden = false;
      if (held) held();
      else setTimeout(settle, 20_000);
    },
    close() {
      window.removeEventListener('scroll', settle);
      end.stop();
    },
  };
}

// Keeps what is being read where it is: call the returned function after entries came. Null: they may simply appear.
function holdPlace(days, bar) {
  const edge = bar.getBoundingClientRect().bottom;
  const scrolled = days.getBoundingClientRect().top < edge - 8;
  const busy = days.querySelector('details[open]') || days.contains(document.activeElement);
  if (!scrolled && !busy) return null;
  const read = [...days.querySelectorAll('.entry')].find((entry) => entry.getBoundingClientRect().bottom > edge);
  if (!read) return null;
  const before = read.getBoundingClientRect().top;
  return () => window.scrollBy({top: read.getBoundingClientRect().top - before, behavior: 'instant'});
}

export function drawEntry(entry, style = 'clock') {
  if (entry.kind === 'lead') {
    return el('li.entry.lead', el('div.line',
      el('span.label', 'Lead'), el('span.what', 'Lead created'),
      el('span.excerpt', [entry.row.source, entry.row.project].filter(Boolean).join(' · ')), when(entry, style)));
  }
  return entry.kind === 'form' ? drawSubmission(entry, style) : drawEvents(entry, style);
}

function drawSubmission(entry, style) {
  const {row} = entry;
  return el('li.entry.form', disclosure(
    [el('span.label', 'Form'), el('span.what', row.form ?? 'Form submission'),
      excerpt(row.payload) ?? el('span.excerpt', pathOf(row.page_url)), when(entry, style)],
    () => [
      row.page_url && el('p.sub', 'Sent from ', outsideLink(row.page_url)),
      row.crm_lead_id && el('p.sub', 'CRM id ', el('code', row.crm_lead_id)),
      payloadPanel(row.source, 'the submission'),
    ]));
}

function drawEvents(entry, style) {
  const many = entry.items.length > 1;
  const [event] = entry.items;
  const line = [
    el('span.label', 'CRM'),
    el('span.what', {title: entry.type}, formatType(entry.type)),
    change(entry),
    many ? el('span.count', {title: 'equal events'}, `×${entry.items.length}`) : excerpt(event.payload),
    when(entry, style),
  ];
  const own = entry.ownTime !== null && el('p.own',
    'At the CRM ', timeTag(entry.ownTime, 'stamp'), ' · received ', timeTag(entry.time, 'stamp'));
  if (!many) return el('li.entry.crm', disclosure(line, () => [payloadPanel(event.source, `event ${event.id}`)], own));
  return el('li.entry.crm.burst', disclosure(line, () => [el('ol', entry.parts.map((part) => drawEvents(part, style)))]));
}

function change({from, to}) {
  if (!to) return null;
  const arrow = [el('span.muted', {'aria-hidden': 'true'}, '→'), el('span.unseen', ' to ')];
  return el('span.change', from && [statusBadge(from), arrow], statusBadge(to));
}

function excerpt(payload) {
  const words = excerptOf(payload);
  if (!words) return null;
  return el('span.excerpt', words.length > kExcerptLengthMax ? `${words.slice(0, kExcerptLengthMax)}…` : words);
}

const when = (entry, style) => el('span.when', timeTag(entry.time, style));

function disclosure(line, inside, always) {
  const detail = el('div.detail');
  const node = el('details', {
    ontoggle() {
      if (node.open && !detail.firstChild) detail.append(...inside().filter(Boolean));
    },
  }, el('summary.line', {'data-step': true}, line, always), detail);
  return node;
}

const pathOf = (address) => (URL.canParse(address) ? new URL(address).pathname : address ?? '');
