// Rows by cursor, newest first, while they are looked at: they are renewed in place, and new ones wait.

import {createLatest} from './api.js';
import {plural} from './format.js';
import {announce, button, createEnd, el} from './parts.js';

const kPageRows = 50;

// ask({limit, cursor}, signal) gives {rows, next}; timeOf(row) sorts them; render(changed) draws rows().
export function createFeed({ask, timeOf, noun, polledMax, render, errorWays = () => null}) {
  const latest = createLatest();
  const end = createEnd(() => load({more: next !== null}));
  const marker = button('', () => load({toTop: true}), {class: 'marker', hidden: true});
  let rows = [];
  let next = null;

  function load({more = false, toTop = false} = {}) {
    marker.hidden = true;
    if (more || !rows.length) end.say('Loading…');
    const before = more ? rows : [];
    latest.run((signal) => ask({limit: kPageRows, cursor: more ? next : null}, signal), (page) => {
      const known = new Set(before.map((row) => row.id));
      take([...before, ...page.rows.filter((row) => !known.has(row.id))], page);
      if (toTop) window.scrollTo({top: Math.min(window.scrollY, marker.parentNode.offsetTop - 120)});
      announce(`${words()} shown`);
    }, (error) => {
      if (!more) take([], {next: null});
      end.fail(error, errorWays());
    });
  }

  function take(all, page, changed = null) {
    rows = all;
    next = page.next;
    render(changed);
  }

  // True where anything changed.
  async function poll() {
    if (latest.busy()) return false;
    const was = rows;
    const page = await ask({limit: Math.min(polledMax, Math.max(kPageRows, rows.length))});
    if (latest.busy() || was !== rows) return false;
    const found = new Map(page.rows.map((row) => [row.id, row]));
    const seen = page.next ? timeOf(page.rows.at(-1)) : '';  // Older was not asked for.
    const reach = next && rows.length ? timeOf(rows.at(-1)) : '';  // Older is yet to be loaded.
    const known = new Set(rows.map((row) => row.id));
    const fresh = page.rows.filter((row) => !known.has(row.id) && timeOf(row) >= reach).length;
    const changed = rows.filter((row) => found.has(row.id) && JSON.stringify(row) !== JSON.stringify(found.get(row.id)));
    const left = rows.filter((row) => found.has(row.id) || timeOf(row) <= seen);
    if (!left.length && fresh) take(page.rows, page);
    else if (changed.length || left.length < rows.length) take(left.map((row) => found.get(row.id) ?? row), {next}, changed);
    const news = rows === page.rows ? '' : mark(fresh);
    if (news || changed.length) announce([news, changed.length && `${plural(changed.length, ...noun)} changed`].filter(Boolean).join(', '));
    return Boolean(news) || was !== rows;
  }

  function mark(fresh) {
    const text = `${formatNew(fresh)} · Show`;
    const told = marker.textContent === text && !marker.hidden;
    marker.textContent = text;
    marker.hidden = fresh === 0;
    return fresh && !told ? formatNew(fresh) : '';
  }

  const formatNew = (count) => plural(count, `new ${noun[0]}`, `new ${noun[1]}`);
  const words = () => (next ? `${rows.length}+ ${noun[1]}` : plural(rows.length, ...noun));

  return {
    end, load, poll, words,
    marker: el('div.marker-rail', marker),
    rows: () => rows,
    more: () => next !== null,
    keep(wanted) {
      take(rows.filter(wanted), {next});
    },
    close() {
      latest.stop();
      end.stop();
    },
  };
}
