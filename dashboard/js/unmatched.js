// Events that no lead claimed, grouped by CRM id, each group to be linked to a lead.
// That the events then move is the service's affair.

import {createLatest} from './api.js';
import {createFeed} from './feed.js';
import {plural} from './format.js';
import {announce, button, copyButton, el, emptyPanel, place, requestLine, searchField, timeTag, webhookCommand} from './parts.js';
import {createPoller} from './poller.js';
import {leadHref} from './router.js';
import {tellStory} from './story.js';
import {drawEntry} from './timeline.js';

const kPolledMax = 50;       // They bring their payloads.
const kEventsShown = 5;
const kChoices = 8;
const kSearchDelayMs = 250;

export function unmatchedView({api, setLive, onHeld}) {
  let only = '';              // A CRM id of the address.
  const groupNodes = new Map();
  const notice = el('div.notices', {role: 'status'});
  const feed = createFeed({
    ask: (page, signal) => api.listUnmatched({crm_lead_id: only, ...page}, signal),
    timeOf: (event) => event.received_at, noun: ['event', 'events'], polledMax: kPolledMax, render,
  });
  const list = el('div.groups');
  const title = el('h1', {tabindex: '-1'}, 'Unmatched events');
  const node = el('div.view',
    el('div.head', title),
    el('p.muted.lead-in', 'The CRM sent these, but no lead and no submission has their CRM id. ',
      'They move by themselves as soon as one has it; or link them to a lead here.'),
    notice, feed.marker, list, feed.end.node);
  const poller = createPoller({run: feed.poll, onState: setLive});

  function render() {
    const events = feed.rows();
    const groups = Map.groupBy(events, (event) => event.crm_lead_id ?? '');
    for (const key of groupNodes.keys()) if (!groups.has(key)) groupNodes.delete(key);
    place(list, [...groups].map(([crmId, members]) => groupNode(crmId, members)));
    onHeld(events.length > 0 || Boolean(only));
    if (!events.length) feed.end.show(only ? nothingFor(only) : nothingHeld());
    else if (feed.more()) feed.end.offer('Load more');
    else feed.end.show();
  }

  function groupNode(crmId, members) {
    const signature = members.map((event) => event.id).join();
    let group = groupNodes.get(crmId);
    if (!group) groupNodes.set(crmId, group = createGroup({api, crmId, onLinked: (lead) => linked(crmId, lead)}));
    if (group.signature !== signature) group.draw(members, feed.more());
    group.signature = signature;
    return group.node;
  }

  function linked(crmId, lead) {
    const count = feed.rows().filter((event) => event.crm_lead_id === crmId).length;
    feed.keep((event) => event.crm_lead_id !== crmId);
    const link = el('a', {href: leadHref(lead.id), 'data-step': true}, 'Open the lead');
    const words = `${plural(count, 'event', 'events')} of ${crmId} moved to ${nameOf(lead)}.`;
    notice.replaceChildren(el('p.notice', el('span', words), link));
    link.focus({preventScroll: true});
    feed.load();  // More may have been held than were loaded.
  }

  return {
    title: 'Unmatched events',
    node,
    show(route) {
      only = route.params.crm_lead_id ?? '';
      feed.load();
      poller.start();
    },
    shown() {
      window.scrollTo(0, 0);
      title.focus({preventScroll: true});
    },
    hide() {
      this.close();
    },
    close() {
      poller.stop();
      feed.close();
    },
  };
}

const nameOf = (lead) => lead.name ?? lead.email ?? lead.phone ?? `lead ${lead.id}`;

function createGroup({api, crmId, onLinked}) {
  const head = el('div.group-head');
  const list = el('ol.held');
  const linkPlace = el('div.link-place');
  const node = el('section.panel.group', head, list, linkPlace);
  let all = false;
  let payloads = [];

  function draw(members, more) {
    payloads = members.map((event) => event.payload);
    const opener = button('Link to a lead…', openLinker, {class: 'link', 'data-step': true});
    head.replaceChildren(
      el('h2', el('code', crmId)), copyButton(() => crmId, 'Copy the CRM id'),
      el('span.muted', `${plural(members.length, 'event', 'events')}${more ? ' so far' : ''}, latest `, timeTag(members[0].received_at)),
      opener);
    const shown = all ? members : members.slice(0, kEventsShown);
    list.replaceChildren(...tellStory({events: shown}).map((entry) => drawEntry(entry, 'moment')));
    if (shown.length < members.length) {
      list.append(el('li', button(`Show all ${members.length}`, () => {
        all = true;
        draw(members, more);
      }, {class: 'quiet'})));
    }
  }

  function openLinker() {
    const linker = createLinker({api, crmId, guess: guessContact(payloads), onLinked, onClose() {
      linkPlace.replaceChildren();
      head.querySelector('.link').focus();
    }});
    linkPlace.replaceChildren(linker.node);
    linker.focus();
  }

  return {node, draw, signature: ''};
}

// The search for the lead begins with what the payload says of the person.
function createLinker({api, crmId, guess, onLinked, onClose}) {
  let timer = null;
  const latest = createLatest();
  const results = el('ul.choices');
  const state = el('p.muted', {role: 'status'});
  const trouble = el('div', {role: 'alert'});
  const box = searchField({
    placeholder: 'Name, email or phone of the lead', 'aria-label': `Find the lead for ${crmId}`, value: guess,
    oninput() {
      clearTimeout(timer);
      timer = setTimeout(find, kSearchDelayMs);
    },
    onkeydown(event) {
      if (event.key !== 'Escape') return;
      event.preventDefault();
      onClose();
    },
  });

  const field = box.querySelector('input');
  box.append(button('Cancel', onClose, {class: 'quiet'}));

  function find() {
    trouble.replaceChildren();
    state.textContent = 'Searching…';
    const q = field.value.trim();
    latest.run((signal) => api.listLeads({q, limit: kChoices}, signal), ({rows: leads}) => {
      results.replaceChildren(...leads.map(choice));
      state.textContent = !leads.length ? 'No lead matches. Try a part of the name, email or phone.' : q ? '' : 'The latest leads:';
    }, (error) => {
      state.textContent = '';
      complain(error);
    });
  }

  const complain = (error) => trouble.replaceChildren(el('p', error.message), requestLine(error) ?? '');

  function choice(lead) {
    const chosen = button([el('b', nameOf(lead)), el('span.muted', [lead.email, lead.phone, lead.project].filter(Boolean).join(' · ')),
      el('span.end.muted', lead.crm_lead_id ? ['has CRM id ', el('code', lead.crm_lead_id)] : 'no CRM id yet')],
    () => (lead.crm_lead_id && !chosen.dataset.sure ? askSure() : link()), {'data-step': true});
    function askSure() {
      chosen.dataset.sure = 'yes';
      chosen.classList.add('sure');
      chosen.querySelector('.end').replaceChildren('Replace ', el('code', lead.crm_lead_id), '? Press again');
      announce(`This lead has the CRM id ${lead.crm_lead_id}. Press again to replace it.`);
    }
    async function link() {
      chosen.disabled = true;
      trouble.replaceChildren();
      try {
        onLinked(await api.linkLead(lead.id, crmId));
      } catch (error) {
        chosen.disabled = false;
        complain(error);
      }
    }
    return el('li', chosen);
  }

  return {
    node: el('div.linker',
      box, trouble, state, results),
    focus() {
      field.focus();
      field.select();
      find();
    },
  };
}

// The newest email, else phone, else name in the payloads, two levels deep.
function guessContact(payloads) {
  for (const wanted of [/e-?mail/i, /phone|mobile/i, /^(full_?)?name$/i]) {
    for (const payload of payloads) {
      const found = findText(payload, wanted, 2);
      if (found) return found;
    }
  }
  return '';
}

function findText(value, wanted, depth) {
  if (value === null || typeof value !== 'object') return '';
  const entries = Object.entries(value);
  const hit = entries.find(([key, each]) => wanted.test(key) && typeof each === 'string' && each.trim());
  if (hit) return hit[1].trim();
  return depth > 1 ? entries.map(([, each]) => findText(each, wanted, depth - 1)).find(Boolean) ?? '' : '';
}

function nothingHeld() {
  return emptyPanel('Nothing is held', el('p', 'Every CRM event found its lead. One whose CRM id no lead has would wait here:'),
    webhookCommand('crm-unknown'));
}

function nothingFor(crmId) {
  return emptyPanel('Nothing is held for this CRM id', el('p', el('code', crmId), ' has no waiting events. '),
    el('p.ways', el('a.button', {href: '#/unmatched'}, 'Show all')));
}
