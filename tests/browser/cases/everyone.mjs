// For every person: keyboard, phone width, dark, reduced motion, screen readers (axe-core). And safe: markup stays text, the policy
// holds, and the whole is small.

import {readFileSync, readdirSync} from 'node:fs';
import {gzipSync} from 'node:zlib';
import {expect, expectEqual, test, until} from '../check.mjs';
import {eventRow, leadRow, transaction} from '../seed.mjs';

const kAxe = readFileSync(new URL('../node_modules/axe-core/axe.min.js', import.meta.url), 'utf8');
const kMarkup = '<img src=x onerror=alert(1)>';
const kBytesMax = 40_000;
const focused = (page) => page.evaluate(() => document.activeElement.textContent);

test('keyboard: / searches, j and k move, Enter opens, Esc goes back, ? helps', {}, async ({page}) => {
  const names = page.locator('tbody td.name a');
  await names.first().waitFor();
  await page.keyboard.press('/');
  await page.keyboard.type('example.org');
  await until(() => page.url().includes('q=example.org'), 'the search is in the address');
  await page.keyboard.press('Escape');
  await until(async () => (await page.locator('table.stale').count()) === 0, 'the list has settled');
  await page.keyboard.press('j');
  expectEqual(await focused(page), await names.nth(0).textContent(), 'j: the first');
  await page.keyboard.press('j');
  await page.keyboard.press('j');
  await page.keyboard.press('k');
  const second = await names.nth(1).textContent();
  expectEqual(await focused(page), second, 'j, j, k: the second');
  await page.keyboard.press('Enter');
  await page.getByRole('heading', {name: second}).waitFor();
  await page.locator('.entry').first().waitFor();
  await page.keyboard.press('j');
  expect(await page.evaluate(() => document.activeElement.matches('summary.line')), 'j: an event');
  await page.keyboard.press('Enter');
  await page.locator('.payload pre').first().waitFor();
  await page.keyboard.press('Escape');
  await names.first().waitFor();
  expectEqual(await focused(page), second, 'Esc: the list, at the same row');
  expect(page.url().includes('q=example.org'), 'with its search');
  await page.keyboard.press('?');
  await page.getByRole('dialog').waitFor();
  await page.keyboard.press('Escape');
  await until(() => page.getByRole('dialog').isHidden(), 'Esc closes the help');
  expect(page.url().includes('q=example.org'), 'and nothing else');
});

test(
  'keyboard: Tab reaches everything, the focus can be seen, and the first stop skips to the content',
  {},
  async ({page}) => {
    await page.locator('tbody td.name a').first().waitFor();
    await page.reload();
    await page.locator('tbody td.name a').first().waitFor();
    await page.keyboard.press('Tab');
    expectEqual(await focused(page), 'Skip to content', 'the first stop');
    await page.keyboard.press('Enter');
    expectEqual(await page.evaluate(() => document.activeElement.id), 'main', 'the content');
    expect(!page.url().includes('#main'), 'the address is left alone');
    const unseen = [];
    for (let stop = 0; stop < 25; stop++) {
      await page.keyboard.press('Tab');
      const seen = await page.evaluate(() => {
        const node = document.activeElement;
        const style = getComputedStyle(node);
        const after = getComputedStyle(node, '::after');
        return {
          what: node.outerHTML.slice(0, 80),
          marked: style.outlineStyle !== 'none' || after.outlineStyle !== 'none',
        };
      });
      if (!seen.marked) unseen.push(seen.what);
    }
    expectEqual(unseen, [], 'stops without a visible focus');
  },
);

test(
  'phone: at 360 px no view is wider than the screen, and all of them work',
  {site: {viewport: {width: 360, height: 740}, hasTouch: true, isMobile: true}},
  async ({page, service}) => {
    const fits = async (view) => {
      const wide = await page.evaluate(() => document.documentElement.scrollWidth);
      expect(wide <= 360, `${view} is ${wide} px wide`);
    };
    await page.locator('tbody td.name a').first().waitFor();
    await fits('the list');
    await page.getByText('Filters', {exact: true}).click();
    await page.getByLabel('Project').selectOption('Riverside');
    await until(() => page.url().includes('project=Riverside'), 'filtered');
    await fits('the open filters');
    await page.getByRole('link', {name: 'Marta Kowalska'}).click();
    await page.locator('.entry').first().waitFor();
    await page.locator('summary.line').nth(1).click();
    await fits('the lead');
    await page.goto(`${service.url}/dashboard/#/unmatched`);
    await page.getByRole('button', {name: 'Link to a lead…'}).first().click();
    await page.locator('.choices button').first().waitFor();
    await fits('unmatched');
    await page.getByRole('button', {name: 'Sign out'}).click();
    await page.getByLabel('Analytics key').waitFor();
    await fits('sign in');
  },
);

test(
  'dark: follows the system, can be switched, and the choice is kept',
  {site: {colorScheme: 'dark'}},
  async ({page}) => {
    const canvas = () => page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
    await page.locator('tbody td.name a').first().waitFor();
    const dark = await canvas();
    expectEqual(dark, 'rgb(13, 15, 19)', 'the canvas');
    await page.emulateMedia({colorScheme: 'light'});
    const light = await canvas();
    expect(light !== dark, 'light with the system');
    await page.getByRole('button', {name: /^Theme: Auto/}).click();
    await page.getByRole('button', {name: /^Theme: Light/}).click();
    expectEqual(await canvas(), dark, 'switched to dark');
    await page.reload();
    await page.getByRole('button', {name: /^Theme: Dark/}).waitFor();
    expectEqual(await canvas(), dark, 'kept');
  },
);

test(
  'motion: none for those who ask for less',
  {site: {reducedMotion: 'reduce'}, path: '#/leads/1'},
  async ({page}) => {
    await page.locator('.entry').first().waitFor();
    const moving = await page.evaluate(() => {
      document.querySelector('.entry').classList.add('is-new');
      return document.getAnimations().length;
    });
    expectEqual(moving, 0, 'animations');
  },
);

test(
  'locale: numbers, dates and times are the browser’s',
  {site: {locale: 'de-DE', timezoneId: 'America/New_York'}, path: '#/leads/1'},
  async ({page}) => {
    await page.locator('.entry').first().waitFor();
    const words = await page.locator('.days').textContent();
    expect(
      /November|Oktober|Dezember|Januar|Februar|März|April|Mai|Juni|Juli|August|September/.test(words) &&
        /vor \d+ T/.test(words),
      words.slice(0, 200),
    );
  },
);

for (const colorScheme of ['light', 'dark']) {
  test(
    `axe: no serious or critical violation on any view, ${colorScheme}`,
    {site: {colorScheme, bypassCSP: true}, signedIn: false},
    async ({page, site, service, key, newSite}) => {
      site.allow(/status of 400/);
      const violations = [];
      const look = async (view, on = page) => {
        await on.evaluate(kAxe);
        const found = await on.evaluate(() => window.axe.run());
        for (const each of found.violations) {
          if (['serious', 'critical'].includes(each.impact))
            violations.push(
              `${view}: ${each.id} at ${each.nodes
                .slice(0, 3)
                .map((node) => `${node.target} ${node.any[0]?.message ?? ''}`)
                .join(' | ')}`,
            );
        }
      };
      const go = (hash) => page.goto(`${service.url}/dashboard/${hash}`);
      await page.getByLabel('Analytics key').waitFor();
      await look('sign in');
      await page.getByLabel('Analytics key').fill(key);
      await page.keyboard.press('Enter');
      await page.locator('tbody td.name a').first().waitFor();
      await page.locator('.figure').first().waitFor();
      await page.getByText('Figures as a table').click();
      await look('list');
      await page.keyboard.press('?');
      await look('help');
      await page.keyboard.press('Escape');
      await go('#/leads?q=nobody-at-all&project=Riverside');
      await page.getByText('No lead matches').waitFor();
      await look('nothing found');
      await go('#/leads/1');
      await page.locator('.entry').first().waitFor();
      await page.locator('summary.line').nth(0).click();
      await page.locator('summary.line').filter({hasText: 'Offer for B-14'}).click();
      await look('lead');
      await go('#/unmatched');
      await page.getByRole('button', {name: 'Link to a lead…'}).first().click();
      await page.locator('.choices button').first().waitFor();
      await page.locator('summary.line').first().click();
      await look('unmatched');
      await page.route('**/analytics/leads/2?*', (route) =>
        route.fulfill({status: 400, headers: {'X-Request-Id': 'req-1'}, json: {ok: false, error: 'activity_limit'}}),
      );
      await go('#/leads/2');
      await page.getByRole('alert').waitFor();
      await look('error');
      const phone = await newSite({viewport: {width: 360, height: 740}});
      const small = await phone.open('#/leads/1');
      await small.getByLabel('Analytics key').fill(key);
      await small.keyboard.press('Enter');
      await small.locator('.entry').first().waitFor();
      await look('lead on a phone', small);
      await small.goto(`${service.url}/dashboard/#/leads`);
      await small.locator('tbody td.name a').first().waitFor();
      await look('list on a phone', small);
      expectEqual(violations, [], 'violations');
    },
  );
}

test('safe: a lead and a payload full of markup show as text', {}, async ({page, service}) => {
  const now = Date.now();
  service.sql(
    transaction([
      leadRow(801, {
        CrmLeadId: kMarkup,
        Name: kMarkup,
        Email: '"><script>alert(2)</script>',
        Phone: "'><b>",
        Project: '</option><script>',
        Source: '<svg onload=alert(3)>',
        Status: '<i>new</i>',
      }),
      eventRow(
        'LeadCrmActivity',
        801,
        kMarkup,
        '<b>type</b>',
        {
          status: '<u>won</u>',
          note: '<script>alert(4)</script>',
          nested: {'<a href=x>': '</pre><img src=y onerror=alert(5)>'},
        },
        now,
      ),
    ]),
  );
  await service.post({crm_lead_id: '<em>held</em>', event_type: '<img src=z>', note: '<iframe src=//example.net>'});
  await page.reload();
  await page.getByRole('link', {name: kMarkup}).waitFor();
  expectEqual(
    await page.locator('main :is(img, script, iframe, b, u, i, em)').count(),
    0,
    'elements out of data in the list',
  );
  await page.getByRole('link', {name: kMarkup}).click();
  await page.getByRole('heading', {level: 1, name: kMarkup}).waitFor(); // Until it has come, the heading is the lead's id.
  expectEqual(await page.getByRole('heading', {level: 1}).textContent(), kMarkup, 'the name');
  await page.locator('summary.line').first().click();
  expect(
    (await page.locator('.payload pre').textContent()).includes('</pre><img src=y onerror=alert(5)>'),
    'the payload',
  );
  expectEqual(
    await page.locator('main :is(img, script, iframe, b, u, i, em)').count(),
    0,
    'elements out of data in the lead',
  );
  await page.goto(`${service.url}/dashboard/#/unmatched`);
  await page.getByText('<em>held</em>').waitFor();
  expectEqual(
    await page.locator('main :is(img, script, iframe, u, i, em)').count(),
    0,
    'elements out of data in unmatched',
  );
  service.sql("DELETE FROM Leads WHERE Id = 801; DELETE FROM UnmatchedCrmEvents WHERE CrmLeadId = '<em>held</em>';");
});

test(
  'safe: nginx sends the policy with every file, and files refer to this site only',
  {signedIn: false},
  async ({service}) => {
    const files = ['', ...filesOf('dashboard')];
    for (const file of files) {
      const answer = await fetch(`${service.url}/dashboard/${file}`);
      const policy = answer.headers.get('Content-Security-Policy') ?? '';
      expect(
        answer.status === 200 &&
          policy.startsWith("default-src 'none'; script-src 'self'") &&
          !policy.includes('unsafe'),
        `${file}: ${answer.status} ${policy}`,
      );
      expectEqual(
        [answer.headers.get('X-Content-Type-Options'), answer.headers.get('Referrer-Policy')],
        ['nosniff', 'no-referrer'],
        file,
      );
    }
  },
);

test('small: the whole dashboard is less than 40 KB, gzipped file by file', {signedIn: false}, async () => {
  const sizes = filesOf('dashboard').map(
    (file) => gzipSync(readFileSync(new URL(`../../../dashboard/${file}`, import.meta.url))).length,
  );
  const sum = sizes.reduce((total, size) => total + size, 0);
  expect(sum < kBytesMax, `${sum} bytes in ${sizes.length} files`);
  console.log(`  ${sum} bytes gzipped in ${sizes.length} files`);
});

function filesOf(folder) {
  return readdirSync(new URL(`../../../${folder}/`, import.meta.url), {withFileTypes: true, recursive: true})
    .filter((entry) => entry.isFile())
    .map((entry) => `${entry.parentPath ?? entry.path}/${entry.name}`.split('/dashboard/').at(-1));
}
