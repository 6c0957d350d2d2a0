// One lead: its facts, its timeline, older events and new ones. Fetches;
// how the story is told is story.js's, how it is drawn timeline.js's.

import {createLatest} from './api.js';
import {plural} from './format.js';
import {announce, copyButton, el, errorPanel, statusBadge, timeTag} from './parts.js';
import {createPoller} from './poller.js';
import {leadHref} from './router.js';
import {tellStory} from './story.js';
import {createTimeline} from './timeline.js';

const kPageEvents = 100;
const kCatchUpPagesMax = 5;  // More between two polls: begin anew.

export function leadView({api, setLive, listHref}, id) {
  let kind = '';
  let lead = null;
  let submissions = [];
  let events = [];
  let nextCursor = null;
  let version = '';
  let factsVersion = '';
  const latest = createLatest();
  const facts = el('aside.facts', {'aria-label': 'Contact and facts'});
  const timeline = createTimeline({hrefOf: (value) => leadHref(id, {kind: value}), loadOlder});
  const content = el('div.lead');
  const title = el('h1', {tabindex: '-1'}, `Lead ${id}`);
  const back = el('a.back', {href: listHref()}, '← Leads');
  const node = el('div.view', el('div.head', back, title), content);
  const poller = createPoller({run: poll, onState: setLive});
  const view = {title: `Lead ${id}`, node};

  function load() {
    content.replaceChildren(el('p.muted.waiting-line', {role: 'status'}, 'Loading the lead…'));
    latest.run((signal) => api.readLead(id, {limit: kPageEvents}, signal), (answer) => {
      take(answer);
      events = answer.crm_activity;
      nextCursor = answer.crm_activity_next;
      content.replaceChildren(facts, timeline.node);
      render();
      poller.start();
    }, (error) => {
      const unknown = error.status === 404;
      if (unknown) error.message = `No lead has the id ${id}.`;
      content.replaceChildren(errorPanel(error, unknown ? null : load, el('a.button', {href: listHref()}, 'To the list')));
    });
  }

  function loadOlder() {
    timeline.end.say('Loading older events…');
    latest.run((signal) => api.readLead(id, {limit: kPageEvents, cursor: nextCursor}, signal), (answer) => {
      const known = new Set(events.map((event) => event.id));
      events = [...events, ...answer.crm_activity.filter((event) => !known.has(event.id))];
      nextCursor = answer.crm_activity_next;
      render();
      announce(`${plural(events.length, 'event', 'events')} loaded`);
    }, timeline.end.fail);
  }

  async function poll() {
    if (latest.busy()) return false;
    const known = new Set(events.map((event) => event.id));
    const before = new Set(submissions.map((row) => row.id));
    const was = version;
    const fresh = [];
    let answer = await api.readLead(id, {limit: kPageEvents});
    const first = answer;
    for (let page = 1; ; page++) {
      const unknown = answer.crm_activity.filter((event) => !known.has(event.id));
      fresh.push(...unknown);
      if (unknown.length < answer.crm_activity.length || !answer.crm_activity_next || events.length === 0) break;
      if (page === kCatchUpPagesMax) {
        load();
        return true;
      }
      answer = await api.readLead(id, {limit: kPageEvents, cursor: answer.crm_activity_next});
    }
    if (latest.busy()) return false;
    take(first);
    if (fresh.length === 0 && version === was) return false;
    if (events.length === 0) nextCursor = first.crm_activity_next;
    events = [...fresh, ...events];
    const arrived = [...fresh.map((event) => `e${event.id}`),
      ...submissions.filter((row) => !before.has(row.id)).map((row) => `s${row.id}`)];
    render(arrived);
    if (arrived.length) announce(plural(arrived.length, 'new event', 'new events'));
    return true;
  }

  function take(answer) {
    ({lead, submissions} = answer);
    version = JSON.stringify([lead, submissions.map((row) => row.id)]);
  }

  function render(arrived = []) {
    const name = lead.name ?? lead.email ?? lead.phone ?? `Lead ${lead.id}`;
    if (title.textContent !== name) title.textContent = name;
    view.title = name;
    view.onTitle?.();
    if (factsVersion !== JSON.stringify(lead)) facts.replaceChildren(...drawFacts(lead));
    factsVersion = JSON.stringify(lead);
    const entries = tellStory({lead, submissions, events, moreOlder: nextCursor !== null, kind});
    timeline.render(entries, {kind, arrived});
    if (nextCursor !== null && (kind === '' || kind === 'crm')) timeline.end.offer('Load older events');
    else timeline.end.say(endWords(entries));
  }

  function endWords(entries) {
    if (entries.length) return '';
    return {crm: 'No event from the CRM yet. They appear here by themselves.', form: 'This lead sent no form.'}[kind] ?? 'Nothing yet.';
  }

  return Object.assign(view, {
    show(route) {
      kind = ['crm', 'form', 'lead'].includes(route.params.kind) ? route.params.kind : '';
      if (lead) render();
      else if (!latest.busy()) load();
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
      latest.stop();
      timeline.close();
    },
  });
}

function drawFacts(lead) {
  const fact = (name, ...value) => el('div', el('dt', name), el('dd', value));
  const text = (value) => value ?? el('span.none', '–');
  const copied = (value, shown, what) => (value ? [shown, copyButton(() => value, `Copy the ${what}`)] : text(null));
  return [
    el('h2.unseen', 'Contact and facts'),
    el('dl',
      fact('CRM status', statusBadge(lead.crm_status)),
      fact('Status', statusBadge(lead.status)),
      fact('Email', copied(lead.email, el('a', {href: `mailto:${encodeURIComponent(lead.email ?? '').replace(/%40/g, '@')}`}, lead.email), 'email')),
      fact('Phone', copied(lead.phone, el('a', {href: `tel:${(lead.phone ?? '').replace(/[^+\d]/g, '')}`}, lead.phone), 'phone')),
      fact('Project', text(lead.project)),
      fact('Source', text(lead.source)),
      fact('CRM id', copied(lead.crm_lead_id, el('code', lead.crm_lead_id), 'CRM id')),
      fact('Created', timeTag(lead.created_at)),
      fact('Updated', timeTag(lead.updated_at)),
      fact('Lead id', String(lead.id))),
  ];
}
