// A lead's history as one list, newest first; bursts of equal events become one entry. Pure data in and out:
// knows nothing of the page or the API.

import {dayKey, parseTime} from './format.js';

const kBurstGapMs = 10 * 60_000;  // Equal events closer than this fold,
const kBurstMin = 3;              // from this many on.
const kOwnTimeGapMs = 60_000;     // The CRM's own time is shown where it differs by more.
const kRank = {crm: 2, form: 1, lead: 0};  // The order of equal times.

// With `moreOlder`, what is older than the last loaded event waits, so that nothing ever appears in the middle.
// kind: '' for all, or 'crm', 'form', 'lead'.
export function tellStory({lead = null, submissions = [], events, moreOlder = false, kind = ''}) {
  const crm = readEvents(events);
  const horizon = moreOlder && kind === '' && crm.length ? crm[crm.length - 1].at : -Infinity;
  const others = [
    ...submissions.map((row) => ({kind: 'form', key: `s${row.id}`, id: row.id, at: timeOf(row.submitted_at), time: row.submitted_at, row})),
    ...(lead ? [{kind: 'lead', key: 'lead', id: 0, at: timeOf(lead.created_at), time: lead.created_at, row: lead}] : []),
  ];
  const entries = [...crm, ...others.filter((entry) => !moreOlder || entry.at >= horizon)]
    .filter((entry) => kind === '' || entry.kind === kind);
  return foldBursts(entries.sort((one, other) => descending(one.at, other.at) || kRank[other.kind] - kRank[one.kind] || other.id - one.id));
}

// Times that cannot be read are together at the end, day ''.
export function groupByDay(entries) {
  const days = [];
  for (const entry of entries) {
    const day = Number.isFinite(entry.at) ? dayKey(entry.at) : '';
    if (days.at(-1)?.day !== day) days.push({day, at: entry.at, entries: []});
    days.at(-1).entries.push(entry);
  }
  return days;
}

const kExcerptKeys = ['note', 'notes', 'comment', 'message', 'reason', 'summary', 'subject', 'text', 'title'];

export function excerptOf(payload) {
  const key = kExcerptKeys.find((each) => typeof own(payload, each) === 'string' && payload[each].trim());
  return key ? payload[key].trim() : '';
}

function readEvents(events) {
  const entries = events.map((event) => ({
    kind: 'crm', key: `e${event.id}`, id: event.id, at: timeOf(event.received_at), time: event.received_at,
    type: event.event_type ?? 'updated', items: [event], from: null, to: text(own(event.payload, 'status')), ownTime: ownTimeOf(event),
  }));
  entries.sort((one, other) => descending(one.at, other.at) || other.id - one.id);
  let last = null;
  for (const entry of entries.toReversed()) {
    const {payload} = entry.items[0];
    entry.from = text(own(payload, 'old_status')) ?? text(own(payload, 'previous_status')) ?? last;
    if (!entry.to || entry.from === entry.to) entry.from = null;
    last = entry.to ?? last;
  }
  return entries;
}

function foldBursts(entries) {
  const folded = [];
  for (let first = 0; first < entries.length;) {
    let end = first + 1;
    while (end < entries.length && sameBurst(entries[end - 1], entries[end])) end++;
    const run = entries.slice(first, end);
    if (run.length < kBurstMin) folded.push(...run);
    else folded.push({...run[0], from: run.at(-1).from, ownTime: null, items: run.map((entry) => entry.items[0]), parts: run});
    first = end;
  }
  return folded;
}

function sameBurst(newer, older) {
  return newer.kind === 'crm' && older.kind === 'crm' && newer.type === older.type && newer.to === older.to && newer.from === null &&
    newer.items[0].crm_lead_id === older.items[0].crm_lead_id &&
    newer.at - older.at <= kBurstGapMs && dayKey(newer.at) === dayKey(older.at);
}

// The time that the CRM gave, where it is another than that of receipt; else null.
function ownTimeOf(event) {
  for (const key of ['updated_at', 'occurred_at', 'timestamp']) {
    const at = instant(own(event.payload, key));
    if (Number.isFinite(at)) return Math.abs(at - parseTime(event.received_at)) > kOwnTimeGapMs ? at : null;
  }
  return null;
}

function instant(value) {
  if (typeof value === 'string') return /^\d{9,13}$/.test(value) ? instant(Number(value)) : parseTime(value);
  if (typeof value !== 'number' || value < 1e8) return NaN;
  return value < 1e11 ? value * 1000 : value < 1e14 ? value : NaN;
}

function own(object, key) {
  return object !== null && typeof object === 'object' && Object.hasOwn(object, key) ? object[key] : undefined;
}

function timeOf(time) {
  const at = parseTime(time);
  return Number.isNaN(at) ? -Infinity : at;
}

const text = (value) => (typeof value === 'string' && value !== '' ? value : null);
const descending = (one, other) => (one === other ? 0 : other > one ? 1 : -1);
