// The picture above the list, from one call.
// Knows nothing of the list.

import {createLatest} from './api.js';
import {formatNumber, formatUtcDay, formatUtcShortDay, plural} from './format.js';
import {el, errorPanel, segments, svg, toneOf} from './parts.js';

const kStatusesShown = 4;
const kHeight = 56;
const kLabelHeight = 16;
const kAgeMaxMs = 30_000;

export function createSummary({api, hrefOf}) {
  const choice = el('div.summary-bar');
  const cards = el('div.cards');
  const node = el('section.summary', {'aria-labelledby': 'summary-title'}, choice, cards);
  let days = 0;
  let drawn = '';
  let loadedAt = 0;
  const latest = createLatest();

  function load() {
    loadedAt = Date.now();
    latest.run((signal) => api.readSummary(days, signal), (answer) => {
      const text = JSON.stringify(answer);
      if (text === drawn) return;
      drawn = text;
      draw(answer);
    }, (error) => {
      if (!drawn) cards.replaceChildren(errorPanel(error, load));  // An old picture is better than none.
    });
  }

  function draw(answer) {
    const open = cards.querySelector('details')?.open;
    cards.replaceChildren(
      seriesCard('New leads', 'lead', 'leads', answer.days, 'leads'),
      seriesCard('CRM events', 'event', 'events', answer.days, 'events'),
      statusCard(answer.crm_statuses),
      el('details.figures-box', {open: Boolean(open)}, el('summary', 'Figures as a table'),
        el('div.scroll', {tabindex: '0', role: 'region', 'aria-label': 'Figures per day'},
          figuresTable([['New leads', 'leads'], ['CRM events', 'events']], answer.days))));
  }

  return {
    node,
    show(wanted) {
      if (wanted === days) return;
      days = wanted;
      drawn = '';
      choice.replaceChildren(el('h2', {id: 'summary-title'}, 'Overview'),
        segments('Days shown', [[hrefOf(30), '30 days', days === 30], [hrefOf(90), '90 days', days === 90]]));
      if (!cards.firstChild) cards.append(...[1, 2, 3].map(() => el('div.card.waiting')));
      load();
    },
    refresh() {
      if (days && Date.now() - loadedAt > kAgeMaxMs) load();
    },
    close: latest.stop,
  };
}

function seriesCard(title, one, many, days, key) {
  const total = days.reduce((sum, day) => sum + day[key], 0);
  const peak = days.reduce((best, day) => (day[key] > best[key] ? day : best), days[0]);
  const figure = el('span.figure');
  const note = el('span.muted');
  const say = (day) => {
    figure.textContent = formatNumber(day ? day.value : total);
    note.textContent = day ? formatUtcDay(day.date) : `in ${formatNumber(days.length)} days`;
  };
  say(null);
  const most = total ? `, most on ${formatUtcDay(peak.date)} (${formatNumber(peak[key])})` : '';
  const label = `${title} per day: ${plural(total, one, many)} in ${days.length} days${most}`;
  return el('div.card', el('h3', title), el('p.total', figure, ' ', note),
    barChart({days: days.map((day) => ({date: day.date, value: day[key]})), label, tone: key, onPoint: say}));
}

function statusCard(statuses) {
  const sum = (rows) => rows.reduce((total, row) => total + row.leads, 0);
  const named = statuses.filter((row) => row.status !== null).sort((one, other) => other.leads - one.leads);
  const shown = named.length > kStatusesShown + 1 ? named.slice(0, kStatusesShown) : named;
  const rows = shown.map(({status, leads}) => [status, toneOf(status), leads]);
  if (shown.length < named.length) rows.push([`${named.length - shown.length} others`, 'plain', sum(named.slice(shown.length))]);
  const unset = sum(statuses.filter((row) => row.status === null));
  if (unset) rows.push(['No CRM status', 'unset', unset]);
  const top = Math.max(1, ...rows.map(([, , leads]) => leads));
  return el('div.card.statuses', el('h3', 'Leads by CRM status'),
    rows.length === 0 ? el('p.muted', 'No leads yet.') : el('ul', rows.map(([name, tone, leads]) => {
      const bar = el('span', {class: `share ${tone}`});
      bar.style.width = `${Math.max(1.5, leads / top * 100)}%`;
      return el('li', el('span.name', {title: name}, name), el('span.track', bar),
        el('span.value', formatNumber(leads)));
    })));
}

// days: [{date: '2026-11-23', value: 3}], oldest first. onPoint(day or null): the day under the pointer.
function barChart({days, label, tone, onPoint}) {
  const host = el('div', {class: `chart of-${tone}`, role: 'img', 'aria-label': label});
  let width = 0;
  const observer = new ResizeObserver(([entry]) => {
    const fresh = Math.floor(entry.contentRect.width);
    if (fresh > 0 && fresh !== width) draw(width = fresh);
  });
  observer.observe(host);

  function draw() {
    const top = Math.max(1, ...days.map((day) => day.value));
    const step = width / days.length;
    const gap = step > 6 ? 2 : 1;
    const slots = days.map((day, index) => {
      const height = day.value === 0 ? 1 : Math.max(2, Math.round(day.value / top * (kHeight - 4)));
      const bar = svg('rect', {
        class: day.value === 0 ? 'col zero' : 'col', x: round(index * step + gap / 2), y: kHeight - height,
        width: round(Math.max(1, step - gap)), height, rx: Math.min(2, step / 4),
      });
      return svg('g', {}, svg('rect', {class: 'slot', x: round(index * step), y: 0, width: round(step), height: kHeight}), bar);
    });
    host.replaceChildren(svg('svg', {
      width, height: kHeight + kLabelHeight, viewBox: `0 0 ${width} ${kHeight + kLabelHeight}`, 'aria-hidden': 'true',
      onpointermove: (event) => point(Math.floor((event.clientX - host.getBoundingClientRect().left) / step), slots),
      onpointerleave: () => point(-1, slots),
    }, slots, axis(step)));
  }

  function axis(step) {
    const middle = Math.floor((days.length - 1) / 2);
    const marks = width > 220 ? [[0, 'start'], [middle, 'middle'], [days.length - 1, 'end']] : [[0, 'start'], [days.length - 1, 'end']];
    return marks.map(([index, anchor]) => svg('text', {
      x: anchor === 'start' ? 0 : anchor === 'end' ? width : round((index + 0.5) * step), y: kHeight + 12, 'text-anchor': anchor,
    }, formatUtcShortDay(days[index].date)));
  }

  function point(index, slots) {
    slots.forEach((slot, each) => slot.classList.toggle('on', each === index));
    onPoint(days[index] ?? null);
  }

  return host;
}

function figuresTable(columns, days) {
  return el('table.figures',
    el('thead', el('tr', ['Day (UTC)', ...columns.map(([name]) => name)].map((name) => el('th', {scope: 'col'}, name)))),
    el('tbody', days.toReversed().map((day) => el('tr',
      el('th', {scope: 'row'}, formatUtcDay(day.date)), columns.map(([, key]) => el('td', formatNumber(day[key])))))));
}

const round = (value) => Math.round(value * 100) / 100;
