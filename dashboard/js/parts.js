// Builds elements, and the small parts that views share. Data becomes text only: nothing here parses markup.

import {formatFull, formatMoment, formatStamp, parseTime} from './format.js';

const kSvgNamespace = 'http://www.w3.org/2000/svg';

// el('a.row', {onclick: open}, 'Ada', node)
export function el(name, ...rest) {
  const [tag, ...classes] = name.split('.');
  const node = document.createElement(tag);
  if (classes.length) node.className = classes.join(' ');
  return fill(node, rest);
}

export function svg(tag, ...rest) {
  return fill(document.createElementNS(kSvgNamespace, tag), rest);
}

function fill(node, [first, ...others]) {
  const hasProps = first?.constructor === Object;
  const children = hasProps ? others : [first, ...others];
  for (const [name, value] of Object.entries(hasProps ? first : {})) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === 'function') node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? '' : value);
  }
  node.append(...children.flat(3).filter((child) => child !== null && child !== undefined && child !== false && child !== ''));
  return node;
}

export function button(label, onclick, props) {
  return el('button', {type: 'button', ...props, onclick}, label);
}

// Leaves alone the nodes that are in their place: focus and scroll survive.
export function place(parent, nodes) {
  const wanted = new Set(nodes);
  for (const child of [...parent.childNodes]) if (!wanted.has(child)) child.remove();
  let at = parent.firstChild;
  for (const node of nodes) {
    if (node === at) at = at.nextSibling;
    else parent.insertBefore(node, at);
  }
}

// Replaces a node, and takes the focus along.
export function swap(old, fresh) {
  const held = old.contains(document.activeElement);
  old.replaceWith(fresh);
  if (held) (fresh.matches('[data-step]') ? fresh : fresh.querySelector('[data-step]'))?.focus({preventScroll: true});
  return fresh;
}

export function announce(text) {
  const region = document.getElementById('announcer');
  region.textContent = '';
  setTimeout(() => { region.textContent = text; }, 50);
}

// Calls `reached` whenever the node comes near the viewport, until the returned function is called.
function whenNear(node, reached) {
  const observer = new IntersectionObserver((entries) => {
    if (entries.some((entry) => entry.isIntersecting)) reached();
  }, {rootMargin: '600px'});
  observer.observe(node);
  return () => observer.disconnect();
}

const kTones = {
  good: ['won', 'qualified', 'converted', 'customer', 'closed_won', 'sold', 'active'],
  bad: ['lost', 'unqualified', 'disqualified', 'junk', 'spam', 'closed_lost', 'rejected', 'bounced'],
  fresh: ['new', 'open', 'created'],
  warm: ['contacted', 'in_progress', 'working', 'proposal', 'negotiation', 'meeting', 'meeting_scheduled', 'viewing', 'offer', 'nurturing'],
};

export function toneOf(status) {
  const key = status.toLowerCase().replace(/[\s-]+/g, '_');
  return Object.keys(kTones).find((tone) => kTones[tone].includes(key)) ?? 'plain';
}

export function statusBadge(status) {
  return status ? el('span', {class: `badge ${toneOf(status)}`}, status) : el('span.none', '–');
}

// style: 'moment' or 'clock' (see formatMoment), 'stamp': "20 Nov, 14:03".
export function timeTag(time, style = 'moment') {
  const ms = typeof time === 'number' ? time : parseTime(time);
  if (!Number.isFinite(ms)) return el('span.none', time || '–');
  const iso = new Date(ms).toISOString();
  const tag = el('time', {datetime: iso, title: `${formatFull(ms)}\n${iso}`, 'data-style': style});
  writeTime(tag);
  return tag;
}

export function refreshTimes() {
  for (const tag of document.querySelectorAll('time[data-style]')) writeTime(tag);
}

function writeTime(tag) {
  const ms = Date.parse(tag.dateTime);
  const style = tag.dataset.style;
  const words = style === 'stamp' ? formatStamp(ms, Date.now()) : formatMoment(ms, Date.now(), style === 'clock');
  if (tag.textContent !== words) tag.textContent = words;
}

export function copyButton(textOf, label = 'Copy') {
  const node = button('Copy', async () => {
    node.textContent = await copy(textOf()) ? 'Copied' : 'Not allowed';
    announce(node.textContent);
    setTimeout(() => { node.textContent = 'Copy'; }, 1500);
  }, {class: 'quiet small', 'aria-label': label});
  return node;
}

async function copy(text) {
  if (navigator.clipboard) {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      return false;
    }
  }
  // Over plain http there is no clipboard object.
  const field = el('textarea.unseen', {'aria-hidden': 'true'});
  field.value = text;
  document.body.append(field);
  field.select();
  const done = document.execCommand('copy');
  field.remove();
  return done;
}

// A call that can be copied, with this site's address and the name of the variable that holds the secret.
export function curlLine(path, secret, body) {
  const command = `curl ${location.origin}${path} \\\n  -H "Authorization: Bearer $${secret}" \\\n  -d '${body}'`;
  return el('div.command', el('pre', {tabindex: '0'}, command), copyButton(() => command, 'Copy the command'));
}

export const webhookCommand = (crmId) => curlLine('/webhooks/crm/lead', 'CRM_WEBHOOK_SECRET',
  `{"crm_lead_id":"${crmId}","event_type":"status_changed","status":"contacted"}`);

export function errorPanel(error, retry, ...ways) {
  return el('div.panel.error', {role: 'alert'},
    el('strong', 'That did not work'),
    el('p', error.message),
    error.retryAfterMs > 0 && el('p.muted', `The service asks to wait ${Math.ceil(error.retryAfterMs / 1000)} s.`),
    requestLine(error),
    el('p.ways', retry && button('Retry', retry, {class: 'main'}), ways));
}

// The end of a list: loads more when it comes near or by its button, or says why not.
export function createEnd(load) {
  const node = el('div.below');
  let more = false;
  const stop = whenNear(node, () => { if (more) load(); });
  const show = (...children) => {
    more = false;
    node.replaceChildren(...children);
  };
  return {
    node, show, stop,
    say: (words) => show(el('p.muted', words)),
    fail: (error, ...ways) => show(errorPanel(error, load, ...ways)),
    offer(label) {
      show(button(label, load, {class: 'more'}));
      more = true;
    },
  };
}

export function requestLine(error) {
  return error.requestId && el('p.muted', 'Request id ', el('code', error.requestId));
}

export function emptyPanel(title, ...children) {
  return el('div.panel.empty', el('strong', title), children);
}

// A link to an address out of the data: only http and https, and it is told nothing of this page.
export function outsideLink(address) {
  const url = URL.canParse(address) ? new URL(address) : null;
  if (!/^https?:$/.test(url?.protocol)) return el('span', address);
  return el('a', {href: url.href, target: '_blank', rel: 'noopener noreferrer nofollow'}, url.host + url.pathname);
}

export function searchField(props) {
  return el('div.field',
    svg('svg', {viewBox: '0 0 16 16', width: 14, height: 14, class: 'icon', 'aria-hidden': 'true'},
      svg('circle', {cx: 7, cy: 7, r: 4.5}), svg('path', {d: 'M10.5 10.5 14 14'})),
    el('input', {type: 'search', autocomplete: 'off', spellcheck: 'false', ...props}));
}

export function segments(label, choices) {
  return el('div.segments', {role: 'group', 'aria-label': label},
    choices.map(([href, name, chosen]) => el('a', {href, 'aria-current': chosen ? 'true' : null}, name)));
}
