// The list of leads. Its filters come from the address and go to the address only.
// Knows nothing of timelines.

import {createFeed} from './feed.js';
import {dayEnd, dayStart, formatNumber, formatZone} from './format.js';
import {button, curlLine, el, emptyPanel, place, searchField, statusBadge, swap, timeTag, webhookCommand} from './parts.js';
import {createPoller} from './poller.js';
import {kFilterNames, leadHref, leadsHref, navigate} from './router.js';
import {createSummary} from './summary.js';

const kPolledRowsMax = 200;      // The API's largest page.
const kSearchDelayMs = 250;
const kSearchPollMs = 30_000;    // A search may be slow: ask seldom.
const kLabels = {q: 'Search', project: 'Project', source: 'Source', status: 'Status', from: 'From', to: 'To'};
const kColumns = [['Name', 'name'], ['Contact', 'contact'], ['Project', 'project'], ['Source', 'source'], ['Status', 'status'],
  ['CRM status', 'crm'], ['Events', 'events'], ['Last activity', 'activity']];

export function leadsView({api, setLive}) {
  let params = {};
  let filterKey = null;
  let scrollTop = 0;
  let lastOpened = null;
  let typing = false;         // One entry in the history a search, not a letter.
  let poller = null;
  const rowNodes = new Map(); // id -> {signature, node}
  const seenStatuses = new Set(['new']);

  const summary = createSummary({api, hrefOf: (days) => leadsHref({...params, days: days === 30 ? '' : String(days)})});
  const filters = createFilters({apply, seenStatuses, onTypingEnds: () => { typing = false; }});
  const chips = el('div.chips');
  const count = el('p.muted.count');
  const feed = createFeed({
    ask: (page, signal) => api.listLeads({...query(), ...page}, signal),
    timeOf: (row) => row.created_at, noun: ['lead', 'leads'], polledMax: kPolledRowsMax, render,
    errorWays: () => active().length > 0 && clearLink(),
  });
  const body = el('tbody', {role: 'rowgroup'});
  const table = el('table.leads', {role: 'table', 'aria-labelledby': 'leads-title'},
    el('thead', {role: 'rowgroup'}, el('tr', {role: 'row'},
      kColumns.map(([name, key]) => el('th', {role: 'columnheader', scope: 'col', class: key}, name)))), body);
  const title = el('h1', {id: 'leads-title', tabindex: '-1'}, 'Leads');
  const node = el('div.view',
    el('div.head', title, count), summary.node, filters.node, chips, feed.marker, table, feed.end.node,
    el('p.muted.foot', `Times are in ${formatZone()}; the days of the overview are UTC.`));
  const query = () => ({q: params.q, project: params.project, source: params.source, status: params.status,
    from: params.from && dayStart(params.from), to: params.to && dayEnd(params.to)});
  const active = () => kFilterNames.filter((name) => params[name]);

  function apply(change, {typed = false} = {}) {
    const href = leadsHref({...params, ...change});
    navigate(href, {replace: typed && typing});
    typing = typed;
  }

  async function poll() {
    if (params.q && !feed.rows().length) return false;
    const moved = await feed.poll();
    if (moved) summary.refresh();
    return moved;
  }

  function render(changed) {
    const rows = feed.rows();
    table.classList.remove('stale');
    for (const row of rows) if (row.status) seenStatuses.add(row.status);
    filters.suggest();
    count.textContent = rows.length ? feed.words() : '';
    table.hidden = rows.length === 0;
    const ids = new Set(rows.map((row) => row.id));
    for (const id of rowNodes.keys()) if (!ids.has(id)) rowNodes.delete(id);
    place(body, rows.map(rowNode));
    for (const row of changed ?? []) rowNodes.get(row.id).node.classList.add('is-new');
    if (!rows.length) feed.end.show(active().length ? nothingFound() : noLeadsYet());
    else if (feed.more()) feed.end.offer('Load more');
    else feed.end.show();
  }

  function rowNode(row) {
    const signature = JSON.stringify(row);
    const had = rowNodes.get(row.id);
    if (had?.signature === signature) return had.node;
    const fresh = leadRow(row, () => { lastOpened = row.id; });
    if (had?.node.isConnected) swap(had.node, fresh);
    rowNodes.set(row.id, {signature, node: fresh});
    return fresh;
  }

  function nothingFound() {
    return emptyPanel('No lead matches',
      el('p', 'Looked for leads with ',
        active().map((name, index) => [index ? ', ' : '', `${kLabels[name].toLowerCase()} `, el('b', params[name])]), '.'),
      params.q && el('p.muted', 'The search looks for this text within name, email, phone and CRM id.'),
      el('p.ways', clearLink()));
  }

  const clearLink = () => el('a.button', {href: leadsHref({days: params.days})}, 'Clear all filters');

  function renderChips() {
    const cross = () => el('span.cross', {'aria-hidden': 'true'}, '×');
    const buttons = active().map((name) => button([el('span.muted', kLabels[name]), ' ', params[name], cross()], () => {
      apply({[name]: ''});
      (chips.querySelector('button') ?? filters.search).focus();
    }, {class: 'chip', 'aria-label': `Remove filter ${kLabels[name]}: ${params[name]}`}));
    place(chips, buttons.length > 1 ? [...buttons, el('a.chip.clear', {href: leadsHref({days: params.days})}, 'Clear all')] : buttons);
  }

  return {
    title: 'Leads',
    node,
    show(route) {
      params = route.params;
      const key = JSON.stringify(kFilterNames.map((name) => params[name] ?? ''));
      const same = key === filterKey;
      filterKey = key;
      filters.write(params);
      renderChips();
      summary.show(params.days === '90' ? 90 : 30);
      if (!poller || poller.forSearch !== Boolean(params.q)) {
        poller?.stop();
        poller = createPoller({run: poll, onState: setLive, baseMs: params.q ? kSearchPollMs : undefined});
        poller.forSearch = Boolean(params.q);
      }
      poller.start();
      filters.loadChoices(api);
      if (!same) {
        table.classList.add('stale');
        feed.load({toTop: true});
      } else if (node.dataset.hidden) {
        poller.now();
      }
      delete node.dataset.hidden;
    },
    shown() {  // Back from a lead.
      window.scrollTo(0, scrollTop);
      const link = lastOpened !== null && rowNodes.get(lastOpened)?.node.querySelector('a');
      (link || title).focus({preventScroll: true});
    },
    hide() {
      scrollTop = window.scrollY;
      node.dataset.hidden = 'yes';
      poller?.stop();
    },
    close() {
      poller?.stop();
      feed.close();
      summary.close();
    },
    search: () => filters.search.focus(),
  };
}

function leadRow(row, onOpen) {
  const contact = [row.email, row.phone].filter(Boolean);
  const name = row.name ?? contact[0] ?? row.crm_lead_id ?? `Lead ${row.id}`;
  const cell = (key, ...children) => el('td', {class: key, role: 'cell'}, children);
  const textCell = (key, value) => cell(key, value ? el('span', {title: value}, value) : el('span.none', '–'));
  return el('tr', {role: 'row'},
    cell('name', el('a', {href: leadHref(row.id), 'data-step': true, title: name, onclick: onOpen}, name)),
    cell('contact', contact.length ? contact.map((value) => el('span', {title: value}, value)) : el('span.none', '–')),
    textCell('project', row.project), textCell('source', row.source),
    cell('status', statusBadge(row.status)), cell('crm', statusBadge(row.crm_status)),
    cell('events', formatNumber(row.crm_event_count)),
    cell('activity', row.last_activity_at ? timeTag(row.last_activity_at) : [timeTag(row.created_at), el('span.unseen', ' (created)')]));
}

function createFilters({apply, seenStatuses, onTypingEnds}) {
  let timer = null;
  let choicesAsked = false;
  const field = searchField({
    'aria-label': 'Search name, email, phone or CRM id', placeholder: 'Name, email, phone, CRM id',
    oninput() {
      clearTimeout(timer);
      timer = setTimeout(commit, kSearchDelayMs);
    },
    onblur() {
      if (timer) commit();
      onTypingEnds();
    },
    onkeydown(event) {
      if (event.key === 'Enter') commit();
    },
  });
  const search = field.querySelector('input');
  function commit() {
    clearTimeout(timer);
    timer = null;
    apply({q: search.value.trim()}, {typed: true});
  }
  const control = (name, tag, more) => el(tag, {
    id: `filter-${name}`, ...more, onchange: (event) => apply({[name]: event.target.value.trim()}),
  });
  const statusList = el('datalist', {id: 'statuses'});
  const controls = {
    project: control('project', 'select'),
    source: control('source', 'select'),
    status: control('status', 'input', {list: 'statuses', placeholder: 'Any', autocomplete: 'off', spellcheck: 'false'}),
    from: control('from', 'input', {type: 'date'}),
    to: control('to', 'input', {type: 'date'}),
  };
  const labels = {...kLabels, from: 'Created from', to: 'to'};
  const options = {project: [], source: []};
  const details = el('details.filters-more', el('summary', 'Filters'));
  const fields = el('div.fields', statusList, Object.entries(controls).map(
    ([name, node]) => el('label', {class: name, for: node.id}, el('span', labels[name]), node)));
  const wide = matchMedia('(min-width: 761px)');
  const arrange = () => { details.open = wide.matches; };
  wide.addEventListener('change', arrange);
  arrange();
  details.append(fields);

  function fillSelect(name, value) {
    const values = [...new Set([...(value ? [value] : []), ...options[name]])];
    controls[name].replaceChildren(el('option', {value: ''}, 'Any'), ...values.map((each) => el('option', {value: each}, each)));
    controls[name].value = value ?? '';
  }

  return {
    node: el('div.filters', {role: 'search', 'aria-label': 'Leads'}, field, details),
    search,
    write(params) {
      if (document.activeElement !== search || !timer) search.value = params.q ?? '';
      for (const name of ['project', 'source']) fillSelect(name, params[name]);
      for (const name of ['status', 'from', 'to']) controls[name].value = params[name] ?? '';
    },
    suggest() {
      if (statusList.childElementCount === seenStatuses.size) return;
      statusList.replaceChildren(...[...seenStatuses].sort().map((value) => el('option', {value})));
    },
    async loadChoices(api) {
      if (choicesAsked) return;
      choicesAsked = true;
      try {
        [options.project, options.source] = await Promise.all([api.listProjects(), api.listSources()]);
      } catch {
        choicesAsked = false;  // Asked again when the list is shown next.
      }
      for (const name of ['project', 'source']) fillSelect(name, controls[name].value);
    },
  };
}

function noLeadsYet() {
  return emptyPanel('No leads yet',
    el('p', 'A form handler sends each lead with one call. Try it from a shell on the server, where ',
      el('code', 'ANALYTICS_API_KEY'), ' is set:'),
    curlLine('/analytics/leads', 'ANALYTICS_API_KEY',
      '{"name":"Ada Example","email":"ada@example.org","project":"Seaside","source":"website","crm_lead_id":"crm-1"}'),
    el('p', 'And the CRM sends its events here:'),
    webhookCommand('crm-1'),
    el('p.muted', 'The list shows new leads by itself.'));
}
