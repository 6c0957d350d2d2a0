// The key: asked for and tried, kept while the tab lives, never in a URL; new tabs ask the others for it.

import {createApi} from './api.js';
import {el, requestLine} from './parts.js';

const kPlace = 'leadline.key';
const kAnswerMs = 150;

let kept = null;  // Where sessionStorage is switched off.
let onEnd = () => {};
const channel = new BroadcastChannel('leadline.session');

channel.addEventListener('message', ({data}) => {
  if (data === 'ask' && readKey()) channel.postMessage({key: readKey()});
  if (data === 'end' && readKey()) {
    drop();
    onEnd();
  }
});

export const readKey = () => inStorage((storage) => storage.getItem(kPlace)) ?? kept;

export function keepKey(key) {
  kept = key;
  inStorage((storage) => storage.setItem(kPlace, key));
}

export function forgetKey({everywhere}) {
  drop();
  if (everywhere) channel.postMessage('end');
}

export function whenSessionEnds(callback) {
  onEnd = callback;
}

export function askOtherTabs() {
  return new Promise((resolve) => {
    const hear = ({data}) => {
      if (typeof data?.key === 'string') finish(data.key);
    };
    const timer = setTimeout(() => finish(null), kAnswerMs);
    function finish(key) {
      clearTimeout(timer);
      channel.removeEventListener('message', hear);
      resolve(key);
    }
    channel.addEventListener('message', hear);
    channel.postMessage('ask');
  });
}

function drop() {
  kept = null;
  inStorage((storage) => storage.removeItem(kPlace));
}

function inStorage(use) {
  try {
    return use(sessionStorage);
  } catch {
    return null;
  }
}

export function signInView({reason, onKey}) {
  const trouble = el('div.trouble', {role: 'alert'});
  // Without a name, no form can put the key into an address.
  const field = el('input', {
    type: 'password', id: 'key', autocomplete: 'current-password', required: true, 'aria-describedby': 'key-hint',
  });
  const button = el('button.main', 'Sign in');
  if (reason) trouble.append(el('p', reason));

  async function submit(event) {
    event.preventDefault();
    const key = field.value.trim();
    if (!key || button.disabled) return;
    button.disabled = true;
    button.textContent = 'Trying the key…';
    trouble.replaceChildren();
    try {
      await createApi(key).tryKey();
      field.value = '';
      onKey(key);
    } catch (error) {
      trouble.append(el('p', explain(error)), requestLine(error) ?? '');
      field.setAttribute('aria-invalid', 'true');
      field.select();
    } finally {
      button.disabled = false;
      button.textContent = 'Sign in';
    }
  }

  return {
    title: 'Sign in',
    node: el('form.signin', {method: 'post', onsubmit: submit},
      el('h1', el('img', {src: 'favicon.svg', alt: '', width: 26, height: 26}), 'Leadline'),
      el('label', {for: 'key'}, 'Analytics key'),
      field,
      el('p.muted', {id: 'key-hint'}, 'The server’s ANALYTICS_API_KEY. It is kept until this tab is closed, or you sign out.'),
      trouble,
      button),
    focus: () => field.focus(),
  };
}

function explain(error) {
  if (error.status === 401) return 'This key is not the right one. Compare it with ANALYTICS_API_KEY on the server.';
  if (error.status === 503 && /configur|ANALYTICS_API_KEY/i.test(error.message)) {
    return 'The server has no analytics key yet: set ANALYTICS_API_KEY there and restart the service.';
  }
  if ([502, 503, 504].includes(error.status)) {
    const wait = error.retryAfterMs ? ` It asks to wait ${Math.ceil(error.retryAfterMs / 1000)} s.` : '';
    return `The service is not reachable at the moment: ${error.message}${wait}`;
  }
  return error.message;
}
