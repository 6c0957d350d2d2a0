// Times, numbers and types in words, by the browser's locale and zone; the clock comes in as `now`.
// Knows nothing of the page.

const kMinuteMs = 60_000;
const kHourMs = 60 * kMinuteMs;
const kDayMs = 24 * kHourMs;

const kNumber = new Intl.NumberFormat();
const kRelative = new Intl.RelativeTimeFormat(undefined, {style: 'narrow', numeric: 'auto'});
const kRelativeDay = new Intl.RelativeTimeFormat(undefined, {numeric: 'auto'});
const kClock = new Intl.DateTimeFormat(undefined, {timeStyle: 'short'});
const kShortDay = new Intl.DateTimeFormat(undefined, {day: 'numeric', month: 'short'});
const kShortDayAndYear = new Intl.DateTimeFormat(undefined, {day: 'numeric', month: 'short', year: 'numeric'});
const kLongDay = new Intl.DateTimeFormat(undefined, {weekday: 'long', day: 'numeric', month: 'long'});
const kLongDayAndYear = new Intl.DateTimeFormat(undefined, {weekday: 'long', day: 'numeric', month: 'long', year: 'numeric'});
const kFull = new Intl.DateTimeFormat(undefined, {
  weekday: 'short', day: 'numeric', month: 'long', year: 'numeric',
  hour: '2-digit', minute: '2-digit', second: '2-digit', timeZoneName: 'short',
});
const kUtcDay = new Intl.DateTimeFormat(undefined, {weekday: 'short', day: 'numeric', month: 'short', timeZone: 'UTC'});
const kUtcShortDay = new Intl.DateTimeFormat(undefined, {day: 'numeric', month: 'short', timeZone: 'UTC'});

export const formatNumber = (value) => kNumber.format(value);
const formatClock = (ms) => kClock.format(ms);
export const formatFull = (ms) => kFull.format(ms);
export const formatUtcDay = (date) => kUtcDay.format(Date.parse(date));
export const formatUtcShortDay = (date) => kUtcShortDay.format(Date.parse(date));

// Milliseconds or NaN; without an offset it is UTC, as in the database.
export function parseTime(text) {
  if (typeof text !== 'string') return NaN;
  const match = /^(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?))?\s*(Z|[+-]\d{2}:?\d{2})?$/i.exec(text.trim());
  if (!match) return NaN;
  return Date.parse(`${match[1]}T${match[2] ?? '00:00'}${match[3]?.toUpperCase() ?? 'Z'}`);
}

function formatRelative(ms, now) {
  const away = ms - now;
  const size = Math.abs(away);
  if (size < 45_000) return kRelative.format(0, 'second');
  if (size < kHourMs) return kRelative.format(Math.sign(away) * Math.max(1, Math.trunc(size / kMinuteMs)), 'minute');
  if (size < kDayMs) return kRelative.format(Math.trunc(away / kHourMs), 'hour');
  if (size < 60 * kDayMs) return kRelative.format(daysAway(ms, now), 'day');
  if (size < 730 * kDayMs) return kRelative.format(Math.trunc(away / kDayMs / 30.44), 'month');
  return kRelative.format(Math.trunc(away / kDayMs / 365.25), 'year');
}

// "2h ago · 14:03" within a day or with `clock`, else "3d ago · 20 Nov".
export function formatMoment(ms, now, clock) {
  if (clock || Math.abs(ms - now) < kDayMs) return `${formatRelative(ms, now)} · ${formatClock(ms)}`;
  return `${formatRelative(ms, now)} · ${shortDay(ms, now)}`;
}

// By the calendar: what was on the day before is "yesterday", and nothing else.
const daysAway = (ms, now) => Math.round((new Date(ms).setHours(0, 0, 0, 0) - new Date(now).setHours(0, 0, 0, 0)) / kDayMs);

const sameYear = (one, other) => new Date(one).getFullYear() === new Date(other).getFullYear();
const shortDay = (ms, now) => (sameYear(ms, now) ? kShortDay : kShortDayAndYear).format(ms);

export function formatStamp(ms, now) {
  return `${shortDay(ms, now)}, ${formatClock(ms)}`;
}

// The local day: "2026-11-23".
export function dayKey(ms) {
  const date = new Date(ms);
  const two = (value) => String(value).padStart(2, '0');
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
}

// {name: 'Today', date: 'Monday, 23 November'}; no name before yesterday.
export function formatDay(ms, now) {
  const away = daysAway(ms, now);
  const name = away === 0 || away === -1 ? kRelativeDay.format(away, 'day') : '';
  return {
    name: name.charAt(0).toLocaleUpperCase() + name.slice(1),
    date: (sameYear(ms, now) ? kLongDay : kLongDayAndYear).format(ms),
  };
}

// A day of a person's calendar as instants; what is no date is left for the API to judge.
export function dayStart(date) {
  const match = /^(\d{4})-(\d\d)-(\d\d)$/.exec(date);
  return match ? new Date(+match[1], match[2] - 1, +match[3]).toISOString() : date;
}

export function dayEnd(date) {
  const match = /^(\d{4})-(\d\d)-(\d\d)$/.exec(date);
  return match ? new Date(new Date(+match[1], match[2] - 1, +match[3] + 1).getTime() - 1).toISOString() : date;
}

export function formatZone() {
  const {timeZone} = new Intl.DateTimeFormat().resolvedOptions();
  const offset = new Intl.DateTimeFormat('en', {timeZoneName: 'shortOffset'}).formatToParts().find((part) => part.type === 'timeZoneName');
  return `${timeZone} (${offset?.value ?? 'UTC'})`;
}

export function formatBytes(count) {
  return count < 1024 ? `${formatNumber(count)} B` : `${formatNumber(Math.round(count / 102.4) / 10)} KB`;
}

// "lead.statusChanged" -> "Lead status changed".
export function formatType(type) {
  const words = type.replace(/([a-z0-9])([A-Z])/g, '$1 $2').replace(/[\s_.:/-]+/g, ' ').trim();
  if (!words) return type;
  const plain = words.split(' ').map((word) => (/^[A-Z0-9]{2,4}$/.test(word) ? word : word.toLowerCase())).join(' ');
  return plain.charAt(0).toUpperCase() + plain.slice(1);
}

export function plural(count, one, many) {
  return `${formatNumber(count)} ${count === 1 ? one : many}`;
}
