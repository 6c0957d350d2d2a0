// Runs the cases one after the other: one service with the demo data for most, one of its own for those that ask. Each page must
// also have stayed free of console errors, refused content and requests to another host. Ends with "N passed, N failed".

import {readdirSync} from 'node:fs';
import {kZone, openSite, signIn, startBrowser} from './browser.mjs';
import {cases} from './check.mjs';
import {demoData, transaction} from './seed.mjs';
import {kKey, startLeadline} from './service.mjs';

process.env.TZ = kZone;

const kCaseMs = 120_000;

for (const file of readdirSync(new URL('cases/', import.meta.url)).sort()) await import(`./cases/${file}`);
const pattern = new RegExp(process.argv[2] ?? '', 'i');
const chosen = cases.filter(({name}) => pattern.test(name));

let passed = 0;
let failed = 0;
const browser = await startBrowser();
let shared = null;
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(130)); // service.mjs then ends what it began.

try {
  shared = await startLeadline();
  shared.sql(transaction(demoData(Date.now())));
  for (const each of chosen) {
    const started = Date.now();
    try {
      await withTimeout(runCase(each));
      passed++;
      console.log(`ok ${each.name} (${Date.now() - started} ms)`);
    } catch (error) {
      failed++;
      console.log(`FAIL ${each.name}\n  ${error.stack.replaceAll('\n', '\n  ')}`);
    }
  }
} finally {
  await browser.close();
  await shared?.stop();
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed || !passed ? 1 : 0;

async function runCase({options, run}) {
  const service = options.service ? await startLeadline(options.service) : shared;
  const sites = [];
  const newSite = async (more) => {
    const site = await openSite(browser, service.url, {...options.site, ...more});
    sites.push(site);
    return site;
  };
  try {
    if (options.seed) service.sql(options.seed());
    const site = await newSite();
    const page = await site.open(options.path);
    if (options.signedIn) {
      await signIn(page, kKey);
      await page.locator('#bar').waitFor();
    }
    await run({service, site, page, newSite, key: kKey});
    const troubles = sites.flatMap((each) => each.troubles());
    if (troubles.length) throw new Error(`the page had troubles:\n${troubles.join('\n')}`);
  } finally {
    for (const each of sites) await each.close();
    if (service !== shared) await service.stop();
  }
}

function withTimeout(promise) {
  let timer;
  const late = new Promise((_, failedWith) => {
    timer = setTimeout(() => failedWith(new Error(`took longer than ${kCaseMs} ms`)), kCaseMs);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
