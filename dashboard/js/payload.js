// A payload's source text, where its digits count: JSON.parse turns 9007199254740993 into ...992 and drops equal keys. Cuts it
// out of an answer, and shows it indented or as the bytes that were stored. Does not know what it means.

import {formatBytes} from './format.js';
import {button, copyButton, el} from './parts.js';

const kColouredLengthMax = 60_000;  // Beyond it, one text node.

export function payloadPanel(source, label) {
  const box = el('pre', {tabindex: '0', role: 'region', 'aria-label': `Payload of ${label}`});
  const bytes = new TextEncoder().encode(source).length;
  const views = {Formatted: () => formatted(source), Raw: () => [source]};
  let shown = 'Formatted';
  const buttons = Object.keys(views).map((name) => button(name, () => show(name)));

  function show(name) {
    shown = name;
    box.replaceChildren(...views[name]());
    for (const each of buttons) each.setAttribute('aria-pressed', String(each.textContent === name));
  }

  show(shown);
  return el('div.payload',
    el('div.payload-bar',
      el('div.segments', {role: 'group', 'aria-label': 'Payload view'}, buttons),
      el('span.muted', formatBytes(bytes)),
      copyButton(() => box.textContent, 'Copy the payload')),
    box);
}

// A stored payload that is no JSON comes as a JSON string: shown as the text that it is.
function formatted(source) {
  const start = source.trimStart();
  if (start.startsWith('"')) return [JSON.parse(source)];
  const pieces = indentedPieces(source);
  if (source.length > kColouredLengthMax) return [pieces.map(([, text]) => text).join('')];
  return pieces.map(([kind, text]) => (kind === 'blank' ? text : el('span', {class: kind}, text)));
}

// The source of member `name` of every element of every array in the outer object: {"crm_activity": ["{…}"]}.
export function memberSources(text, name) {
  const found = {};
  for (const outer of members(text, skipBlank(text, 0))) {
    if (text[outer.start] !== '[') continue;
    found[outer.key] = elements(text, outer.start).map((start) => {
      const member = text[start] === '{' ? members(text, start).find((each) => each.key === name) : null;
      return member ? text.slice(member.from, member.until) : null;
    });
  }
  return found;
}

// [kind, text] pieces, two blanks a level; kind is key, string, number, word or blank (what is between).
function indentedPieces(source) {
  const pieces = [];
  let depth = 0;
  let blank = '';
  const flush = () => {
    if (blank) pieces.push(['blank', blank]);
    blank = '';
  };
  let at = skipBlank(source, 0);
  while (at < source.length) {
    const letter = source[at];
    if (letter === '{' || letter === '[') {
      const inside = skipBlank(source, at + 1);
      if (source[inside] === '}' || source[inside] === ']') {
        blank += letter + source[inside];
        at = inside + 1;
      } else {
        depth++;
        blank += letter + newLine(depth);
        at++;
      }
    } else if (letter === '}' || letter === ']') {
      depth--;
      blank += newLine(depth) + letter;
      at++;
    } else if (letter === ',') {
      blank += ',' + newLine(depth);
      at++;
    } else if (letter === ':') {
      blank += ': ';
      at++;
    } else {
      const end = letter === '"' ? skipString(source, at) : skipWord(source, at);
      const isKey = letter === '"' && source[skipBlank(source, end)] === ':';
      flush();
      pieces.push([isKey ? 'key' : letter === '"' ? 'string' : /[-\d]/.test(letter) ? 'number' : 'word', source.slice(at, end)]);
      at = end;
    }
    at = skipBlank(source, at);
  }
  flush();
  return pieces;
}

const newLine = (depth) => '\n' + '  '.repeat(Math.max(depth, 0));

// The object's members: the value starts at `start`; with the blanks around it is [from, until).
function members(text, at) {
  const found = [];
  if (text[at] !== '{') return found;
  at = skipBlank(text, at + 1);
  while (at < text.length && text[at] === '"') {
    const keyEnd = skipString(text, at);
    const key = JSON.parse(text.slice(at, keyEnd));
    const from = skipBlank(text, keyEnd) + 1;  // Past the colon.
    const start = skipBlank(text, from);
    const until = skipBlank(text, skipValue(text, start));
    found.push({key, from, start, until});
    at = skipBlank(text, until + 1);
  }
  return found;
}

function elements(text, at) {
  const starts = [];
  at = skipBlank(text, at + 1);
  while (at < text.length && text[at] !== ']') {
    starts.push(at);
    at = skipBlank(text, skipValue(text, at));
    if (text[at] === ',') at = skipBlank(text, at + 1);
  }
  return starts;
}

function skipValue(text, at) {
  if (text[at] === '"') return skipString(text, at);
  if (text[at] !== '{' && text[at] !== '[') return skipWord(text, at);
  let depth = 0;
  while (at < text.length) {
    const letter = text[at];
    if (letter === '"') {
      at = skipString(text, at);
      continue;
    }
    if (letter === '{' || letter === '[') depth++;
    if (letter === '}' || letter === ']') depth--;
    at++;
    if (depth === 0) break;
  }
  return at;
}

function skipString(text, at) {
  for (;;) {
    const quote = text.indexOf('"', at + 1);
    if (quote < 0) return text.length;
    let slashes = 0;
    while (text[quote - 1 - slashes] === '\\') slashes++;
    if (slashes % 2 === 0) return quote + 1;
    at = quote;
  }
}

function skipWord(text, at) {
  const start = at;
  while (at < text.length && !/[\s,:{}[\]"]/.test(text[at])) at++;
  return Math.max(at, start + 1);  // Ends on any text.
}

function skipBlank(text, at) {
  while (text[at] === ' ' || text[at] === '\n' || text[at] === '\r' || text[at] === '\t') at++;
  return at;
}
