// Writes docs/screenshots/*.png: list, lead and unmatched, light, dark and on a phone, from the demo data behind the real service.
// Called by scripts/screenshots. Knows what is worth showing; how it is started is service.mjs's.

import {mkdirSync, statSync} from 'node:fs';
import {join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {kZone, openSite, signIn, startBrowser} from './browser.mjs';
import {demoData, transaction} from './seed.mjs';
import {kKey, startLeadline} from './service.mjs';

process.env.TZ = kZone;

const kPeople = 180;
const kBytesMax = 250_000;
const kFolder = fileURLToPath(new URL('../../docs/screenshots', import.meta.url));
const kLooks = {
  light: {colorScheme: 'light'},
  dark: {colorScheme: 'dark'},
  phone: {
    colorScheme: 'light',
    viewport: {width: 360, height: 740},
    deviceScaleFactor: 2,
    isMobile: true,
    hasTouch: true,
  },
};

const views = {
  async list(page) {
    await page.locator('tbody td.name a').first().waitFor();
    await page.locator('.figure').first().waitFor();
  },
  async lead(page, url) {
    await page.goto(`${url}/dashboard/#/leads/1`);
    await page.locator('summary.line').filter({hasText: 'Offer for B-14'}).click();
  },
  async unmatched(page, url) {
    await page.goto(`${url}/dashboard/#/unmatched`);
    await page.getByRole('button', {name: 'Link to a lead…'}).first().click();
    await page.locator('.choices button').first().waitFor();
  },
};

mkdirSync(kFolder, {recursive: true});
const service = await startLeadline();
const browser = await startBrowser();
try {
  service.sql(transaction(demoData(Date.now(), kPeople)));
  for (const [look, options] of Object.entries(kLooks)) {
    const site = await openSite(browser, service.url, options);
    const page = await site.open();
    await signIn(page, kKey);
    for (const [view, arrange] of Object.entries(views)) {
      await arrange(page, service.url);
      await page.mouse.move(2, 400);
      await page.waitForTimeout(300); // For what a picture must not catch half-way.
      const path = join(kFolder, `${view}-${look}.png`);
      await page.screenshot({path, caret: 'hide'});
      const {size} = statSync(path);
      if (size > kBytesMax) throw new Error(`${path} has ${size} bytes, more than ${kBytesMax}`);
      console.log(`docs/screenshots/${view}-${look}.png ${size} bytes`);
    }
    if (site.troubles().length) throw new Error(site.troubles().join('\n'));
    await site.close();
  }
} finally {
  await browser.close();
  await service.stop();
}
