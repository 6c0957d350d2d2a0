// The state of the page is its address, after the '#': so a search stays out of the server's log.
// Knows the addresses, not the views.

export const kFilterNames = ['q', 'project', 'source', 'status', 'from', 'to'];

export function currentRoute() {
  const [path, search = ''] = location.hash.replace(/^#/, '').split(/\?(.*)/s);
  const params = Object.fromEntries(new URLSearchParams(search));
  const parts = path.split('/').filter(Boolean).map(decode);
  if (parts.length === 2 && parts[0] === 'leads') return {view: 'lead', id: parts[1], params};
  if (parts.length === 1 && parts[0] === 'unmatched') return {view: 'unmatched', params};
  return {view: 'leads', params};
}

export function leadsHref(params = {}) {
  return '#/leads' + searchOf(params);
}

export function leadHref(id, params = {}) {
  return `#/leads/${encodeURIComponent(id)}` + searchOf(params);
}

export function navigate(href, {replace = false} = {}) {
  if (href === location.hash) return;
  if (replace) {
    history.replaceState(null, '', href);
    window.dispatchEvent(new Event('hashchange'));
  } else {
    location.hash = href;
  }
}

function searchOf(params) {
  const search = new URLSearchParams(Object.entries(params).filter(([, value]) => value));
  return search.size ? `?${search}` : '';
}

function decode(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
