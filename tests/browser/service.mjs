// The real service behind the real nginx, in a directory of its own that is gone afterwards, on a free port of the loopback
// address; and the ways to put data in: sqlite3 and the webhook. Used by the tests and by the screenshots. Knows no browser.

import {execFileSync, spawn} from 'node:child_process';
import {closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {createServer} from 'node:net';
import {tmpdir} from 'node:os';
import {join, resolve} from 'node:path';
import {fileURLToPath} from 'node:url';

const kRoot = fileURLToPath(new URL('../../', import.meta.url));
const kStartMs = 10_000;
const kStopMs = 10_000;

export const kSecret = 'browser-test-secret';
export const kKey = 'browser-test-key';

const started = new Set(); // Children that have not ended,
const folders = new Set(); // and folders that are not removed.
process.on('exit', () => {
  // Only where a run was broken off: otherwise there is none.
  for (const child of started) child.kill('SIGTERM');
  for (const folder of folders) rmSync(folder, {recursive: true, force: true});
});

// {url, sql(text), rows(text), post(event), restartService(), stopService(), stop(), log()}. `environment` adds to or replaces the settings.
export async function startLeadline(environment = {}) {
  const dir = mkdtempSync(join(tmpdir(), 'leadline-browser-'));
  folders.add(dir);
  const database = join(dir, 'leadline.db');
  const binary = resolve(process.env.LEADLINE_BIN ?? join(kRoot, 'build/leadline'));
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const settings = {
    PATH: `${process.env.PATH}:/usr/sbin:/sbin`,
    DATABASE_URL: `sqlite:${database}`,
    CRM_WEBHOOK_SECRET: kSecret,
    ANALYTICS_API_KEY: kKey,
    ...environment,
  };
  const logs = {service: join(dir, 'leadline.log'), nginx: join(dir, 'nginx-error.log')};
  const children = {service: null, nginx: null};

  function start(name, command, args) {
    const log = openSync(logs[name], 'a');
    children[name] = spawn(command, args, {env: settings, stdio: ['ignore', 'ignore', log], detached: true});
    closeSync(log);
    const child = children[name];
    started.add(child);
    child.once('exit', () => started.delete(child));
  }

  // By its id and no other; SIGKILL where it does not end.
  async function end(name, signal) {
    const child = children[name];
    children[name] = null;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolvePromise) => child.once('exit', resolvePromise));
    const timer = setTimeout(() => child.kill('SIGKILL'), kStopMs);
    child.kill(signal);
    await ended;
    clearTimeout(timer);
  }

  const startService = () => start('service', binary, ['serve', '--listen', `unix:${join(dir, 'leadline.sock')}`]);
  const log = () =>
    Object.values(logs)
      .map((path) => readFileSync(path, 'utf8'))
      .join('');

  async function answers() {
    for (const until = Date.now() + kStartMs; Date.now() < until; await pause(50)) {
      try {
        if ((await fetch(`${url}/analytics/leads?limit=1`)).status < 500 || settings.ANALYTICS_API_KEY === '') return;
      } catch {
        continue;
      }
    }
    throw new Error(`no answer from ${url} within ${kStartMs} ms:\n${log()}`);
  }

  const sql = (text) =>
    execFileSync('sqlite3', ['-batch', '-bail', '-cmd', '.timeout 10000', database], {
      input: text,
      encoding: 'utf8',
      maxBuffer: 1 << 26,
    });

  const self = {
    url,
    sql,
    rows: (text) => JSON.parse(sql(`.mode json\n${text}`) || '[]'),
    async post(event) {
      const answer = await fetch(`${url}/webhooks/crm/lead`, {
        method: 'POST',
        headers: {Authorization: `Bearer ${kSecret}`},
        body: typeof event === 'string' ? event : JSON.stringify(event),
      });
      if (answer.status !== 200) throw new Error(`the webhook answered ${answer.status}: ${await answer.text()}`);
      return answer.json();
    },
    stopService: () => end('service', 'SIGTERM'),
    async restartService() {
      startService();
      await answers();
    },
    async stop() {
      await end('nginx', 'SIGQUIT');
      await end('service', 'SIGTERM');
      rmSync(dir, {recursive: true, force: true});
      folders.delete(dir);
    },
    log,
  };

  try {
    execFileSync(binary, ['migrate'], {env: settings});
    const fill = {
      DIR: dir,
      PORT: port,
      SOCKET: join(dir, 'leadline.sock'),
      USER: process.getuid() === 0 ? 'user root;' : '',
      DASHBOARD: join(kRoot, 'dashboard'),
    };
    const conf = readFileSync(join(kRoot, 'nginx/dev.conf.in'), 'utf8').replace(
      /@(DIR|PORT|SOCKET|USER|DASHBOARD)@/g,
      (_, name) => fill[name],
    );
    writeFileSync(join(dir, 'nginx.conf'), conf);
    startService();
    start('nginx', 'nginx', ['-p', dir, '-e', logs.nginx, '-c', join(dir, 'nginx.conf')]);
    await answers();
  } catch (error) {
    await self.stop();
    throw error;
  }
  return self;
}

export const pause = (ms) => new Promise((done) => setTimeout(done, ms));

function freePort() {
  return new Promise((done, failed) => {
    const server = createServer();
    server.once('error', failed);
    server.listen(0, '127.0.0.1', () => {
      const {port} = server.address();
      server.close(() => done(port));
    });
  });
}
