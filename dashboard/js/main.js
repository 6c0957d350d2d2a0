// The frame: sign-in or the view that the address names, the bar, theme and keys.
// Knows nothing of what is in a view.

import {createApi} from './api.js';
import {leadView} from './lead.js';
import {leadsView} from './leads.js';
import {refreshTimes} from './parts.js';
import {currentRoute, leadsHref, navigate} from './router.js';
import {askOtherTabs, forgetKey, keepKey, readKey, signInView, whenSessionEnds} from './session.js';
import {unmatchedView} from './unmatched.js';

const kTimesRefreshMs = 20_000;
const kHeldAgeMaxMs = 60_000;

const byId = (id) => document.getElementById(id);
const main = byId('main');
let api = null;
let context = null;
let list = null;            // Lives as long as the session: Back finds it as it was.
let view = null;
let viewKey = '';
let lastListHref = leadsHref();
let heldAskedAt = 0;
let searchWhenShown = false;

function startSession(key) {
  keepKey(key);
  api = createApi(key, () => endSession('The key is no longer accepted. Sign in again; you will be where you were.'));
  context = {api, setLive, listHref: () => lastListHref, onHeld: (held) => { byId('held').hidden = !held; }};
  byId('bar').hidden = false;
  showRoute();
}

function endSession(reason, {everywhere = false} = {}) {
  forgetKey({everywhere});
  view?.close();
  list?.close();
  list = view = api = context = null;
  viewKey = '';
  byId('bar').hidden = true;
  byId('held').hidden = true;
  heldAskedAt = 0;
  showSignIn(reason);
}

function showSignIn(reason) {
  const form = signInView({reason, onKey: startSession});
  main.replaceChildren(form.node);
  document.title = 'Sign in · Leadline';
  form.focus();
}

function showRoute() {
  if (!api) return;
  const route = currentRoute();
  const key = route.view === 'lead' ? `lead ${route.id}` : route.view;
  const first = viewKey === '';
  const changed = key !== viewKey;
  if (route.view === 'leads') lastListHref = leadsHref(route.params);
  if (changed) {
    view?.hide();
    setLive('');
    view = openView(route);
    viewKey = key;
    main.replaceChildren(view.node);
    view.onTitle = writeTitle;
  }
  view.show(route);
  writeTitle();
  for (const link of document.querySelectorAll('nav [data-view]')) {
    const here = link.dataset.view === (route.view === 'lead' ? 'leads' : route.view);
    if (here) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  }
  if (changed && !first) view.shown();
  if (searchWhenShown && viewKey === 'leads') list.search();
  searchWhenShown = false;
  lookForHeld();
}

function openView(route) {
  if (route.view === 'leads') return list ??= leadsView(context);
  if (route.view === 'lead') return leadView(context, route.id);
  return unmatchedView(context);
}

function writeTitle() {
  if (view) document.title = `${view.title} · Leadline`;
}

function setLive(state, ms) {
  const words = {live: 'Live', paused: 'Paused', offline: `Offline · next try in ${Math.ceil((ms ?? 0) / 1000)} s`}[state] ?? '';
  const mark = byId('live');
  mark.className = `live ${state}`;
  if (mark.textContent !== words) mark.textContent = words;
}

async function lookForHeld() {
  if (Date.now() - heldAskedAt < kHeldAgeMaxMs) return;
  heldAskedAt = Date.now();
  const asked = api;
  try {
    const page = await asked.listUnmatched({limit: 1});
    if (asked === api) context.onHeld(page.rows.length > 0);
  } catch {
    heldAskedAt = 0;  // The view says what is wrong.
  }
}

function writeTheme() {
  const name = window.leadlineTheme.name();
  const words = {system: 'Auto', light: 'Light', dark: 'Dark'}[name];
  byId('theme').textContent = words;
  byId('theme').setAttribute('aria-label', `Theme: ${words}. Change`);
}

function goBack() {
  if (!view || viewKey === 'leads') return;
  navigate(lastListHref);
}

function listenForKeys({search, back, help}) {
  document.addEventListener('keydown', (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || document.querySelector('dialog[open]')) return;
    const field = event.target.closest?.('input, select, textarea');
    if (event.key === 'Escape') {
      if (field) field.blur();
      else back();
      return;
    }
    if (field) return;
    const action = {'/': search, '?': help, j: () => step(1), k: () => step(-1)}[event.key];
    if (!action) return;
    event.preventDefault();
    action();
  });
}

function step(by) {
  const steps = [...document.querySelectorAll('#main [data-step]')].filter((node) => node.checkVisibility());
  const from = steps.indexOf(document.activeElement);
  const to = from >= 0 ? from + by : by > 0 ? firstInView(steps) : steps.length - 1;
  steps[Math.max(0, Math.min(to, steps.length - 1))]?.focus();
}

function firstInView(steps) {
  const index = steps.findIndex((node) => node.getBoundingClientRect().top >= 0);
  return Math.max(0, index);
}

byId('theme').addEventListener('click', () => {
  window.leadlineTheme.next();
  writeTheme();
});
byId('keys').addEventListener('click', () => byId('help').showModal());
byId('signout').addEventListener('click', () => endSession('', {everywhere: true}));
byId('skip').addEventListener('click', (event) => {
  event.preventDefault();  // The '#' is the page's state.
  main.focus();
});
listenForKeys({
  back: goBack,
  help: () => byId('help').showModal(),
  search() {
    if (!api) return undefined;
    if (viewKey === 'leads') return list.search();
    searchWhenShown = true;
    return navigate(lastListHref);
  },
});
whenSessionEnds(() => endSession('You signed out in another tab.'));
window.addEventListener('hashchange', showRoute);
history.scrollRestoration = 'manual';
setInterval(() => {
  if (document.visibilityState !== 'visible') return;
  refreshTimes();
  if (api) lookForHeld();
}, kTimesRefreshMs);
writeTheme();
const key = readKey() ?? await askOtherTabs();
if (key) startSession(key);
else showSignIn('');
