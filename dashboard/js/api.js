// Speaks with /analytics, one function a call. Gives each payload as a value and as the bytes that were stored.
// Keeps no data; knows nothing of the page.

import {memberSources} from './payload.js';

const kBase = '/analytics/leads';
const kTimeoutMs = 20_000;

class ApiError extends Error {
  constructor(kind, message, {status = 0, requestId = null, retryAfterMs = null} = {}) {
    super(message);
    Object.assign(this, {name: 'ApiError', kind, status, requestId, retryAfterMs});
  }
}

export function createApi(key, onRefused) {
  async function call(path, {query, method = 'GET', body, signal} = {}) {
    const search = new URLSearchParams(Object.entries(query ?? {}).filter(([, value]) => ![null, undefined, ''].includes(value)));
    const timeout = AbortSignal.timeout(kTimeoutMs);
    let response;
    let text;
    try {
      response = await fetch(kBase + path + (search.size ? `?${search}` : ''), {
        method,
        headers: {Authorization: `Bearer ${key}`, ...(body && {'Content-Type': 'application/json'})},
        body: body && JSON.stringify(body),
        signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
        cache: 'no-store',
        credentials: 'omit',
      });
      text = await response.text();
    } catch {
      if (signal?.aborted) throw new DOMException('superseded', 'AbortError');
      if (timeout.aborted) throw new ApiError('timeout', `The service did not answer within ${kTimeoutMs / 1000} seconds.`);
      throw new ApiError('network', 'The service cannot be reached. Is this computer online, and the service running?');
    }
    const answer = parse(text);
    if (!response.ok || answer === undefined) {
      if (response.status === 401) onRefused?.();
      throw refusal(response, answer);
    }
    return {answer, text};
  }

  const read = async (path, options) => (await call(path, options)).answer;

  return {
    tryKey: () => read('', {query: {limit: 1}}),
    readSummary: (days, signal) => read('/summary', {query: {days}, signal}),
    listProjects: async () => (await read('/projects')).projects,
    listSources: async () => (await read('/sources')).sources,
    linkLead: async (id, crmLeadId) => (await read(`/${encodeURIComponent(id)}`, {method: 'PATCH', body: {crm_lead_id: crmLeadId}})).lead,

    async listLeads(query, signal) {
      const answer = await read('', {query, signal});
      return {rows: answer.leads, next: answer.next_cursor};
    },

    async readLead(id, {cursor, limit} = {}, signal) {
      const {answer, text} = await call(`/${encodeURIComponent(id)}`, {query: {activity_cursor: cursor, activity_limit: limit}, signal});
      return withSources(answer, text, ['submissions', 'crm_activity']);
    },

    async listUnmatched(query, signal) {
      const {answer, text} = await call('/unmatched', {query, signal});
      return {rows: withSources(answer, text, ['unmatched']).unmatched, next: answer.next_cursor};
    },
  };
}

// Of overlapping calls only the last counts: run() aborts the one before.
export function createLatest() {
  let current = null;
  return {
    busy: () => current !== null,
    stop() {
      current?.abort();
      current = null;
    },
    async run(ask, done, failed) {
      current?.abort();
      const own = current = new AbortController();
      let answer;
      try {
        answer = await ask(own.signal);
      } catch (error) {
        if (own !== current) return;
        current = null;
        failed(error);
        return;
      }
      if (own !== current) return;
      current = null;
      done(answer);
    },
  };
}

function parse(text) {
  try {
    const value = JSON.parse(text);
    return value !== null && typeof value === 'object' ? value : undefined;
  } catch {
    return undefined;
  }
}

function withSources(answer, text, lists) {
  const sources = memberSources(text, 'payload');
  for (const list of lists) {
    answer[list].forEach((row, index) => { row.source = sources[list]?.[index] ?? JSON.stringify(row.payload) ?? ''; });
  }
  return answer;
}

function refusal(response, answer) {
  const {status, headers} = response;
  const seconds = Number(headers.get('Retry-After'));
  const why = typeof answer?.error === 'string' ? answer.error : `The service answered with status ${status} and no reason.`;
  return new ApiError('http', why, {
    status,
    requestId: headers.get('X-Request-Id'),
    retryAfterMs: headers.has('Retry-After') && seconds >= 0 ? seconds * 1000 : null,
  });
}
