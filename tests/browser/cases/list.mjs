// The list: what a row says, filters and their address, paging, the overview, and what stands there when nothing does.

import {expect, expectEqual, test, until} from '../check.mjs';
import {leadRow, transaction} from '../seed.mjs';

const rowNames = (page) => page.locator('tbody td.name a').allTextContents();
const settled = (page) =>
  until(async () => (await page.locator('table.stale, tr.waiting').count()) === 0, 'the list has settled');
const manyLeads = (count) =>
  transaction(
    Array.from({length: count}, (_, index) =>
      leadRow(index + 1, {
        Name: `Person ${String(index + 1).padStart(3, '0')}`,
        Email: `p${index + 1}@example.org`,
        Project: index % 2 ? 'Even' : 'Odd',
        CreatedAt: new Date(Date.now() - (count - index) * 60_000).toISOString(),
      }),
    ),
  );

test('list: rows are newest first and say who, where from, how far and when', {}, async ({page, service}) => {
  const marta = page.getByRole('row', {name: /Marta Kowalska/});
  await marta.waitFor();
  const cells = await marta.getByRole('cell').allTextContents();
  expect(
    cells[1].includes('marta.kowalska@example.org') && cells[1].includes('+48 601 555 010'),
    `contact: ${cells[1]}`,
  );
  expectEqual(
    cells.slice(2, 6),
    ['Riverside', 'google-ads', 'active', 'proposal'],
    'project, source, status, CRM status',
  );
  expect(cells[6].startsWith('13'), `events: ${cells[6]}`);
  expect(/·/.test(cells[7]), `last activity: ${cells[7]}`);
  expectEqual(
    await rowNames(page),
    service.rows('SELECT Name FROM Leads ORDER BY CreatedAt DESC, Id DESC LIMIT 50').map((row) => row.Name),
    'the order',
  );
  const time = marta.locator('time');
  expect(
    /^\d{4}-.*Z$/.test(await time.getAttribute('datetime')) && /CET/.test(await time.getAttribute('title')),
    'the whole time and its zone are at hand',
  );
});

test('list: the header stays in sight', {}, async ({page}) => {
  await page.getByRole('link', {name: 'Marta Kowalska'}).waitFor();
  await page.mouse.wheel(0, 900);
  await until(async () => (await page.evaluate(() => scrollY)) > 300, 'it has scrolled');
  const box = await page.getByRole('columnheader', {name: 'Name'}).boundingBox();
  expect(box.y >= 40 && box.y < 60, `the header is at ${box.y}`);
});

test(
  'list: search and filters are in the address; Back, reload, a bookmark and a new tab show the same',
  {},
  async ({page, site}) => {
    await page.getByRole('link', {name: 'Marta Kowalska'}).waitFor();
    const all = await rowNames(page);
    await page.getByLabel('Project').selectOption('Riverside');
    await until(() => page.url().includes('project=Riverside'), 'the project is in the address');
    await settled(page);
    const ofProject = await rowNames(page);
    await page.getByLabel('Search name, email').fill('kowalska');
    await until(async () => (await rowNames(page)).join() === 'Marta Kowalska', 'only Marta is left');
    expect(page.url().includes('q=kowalska'), 'the search is in the address');
    await page.reload();
    await until(async () => (await rowNames(page)).join() === 'Marta Kowalska', 'the same after a reload');
    expectEqual(await page.getByLabel('Search name, email').inputValue(), 'kowalska', 'the field');
    const other = await site.open(new URL(page.url()).hash);
    await until(async () => (await rowNames(other)).join() === 'Marta Kowalska', 'the same in a new tab');
    await page.goBack();
    await until(async () => (await rowNames(page)).join() === ofProject.join(), 'Back takes the search away');
    await page.goBack();
    await until(async () => (await rowNames(page)).join() === all.join(), 'Back takes the project away');
    await page.goForward();
    await until(async () => (await rowNames(page)).join() === ofProject.join(), 'Forward brings it again');
  },
);

test(
  'list: source, status and dates filter; each active one is a chip that can be removed',
  {},
  async ({page, service}) => {
    await page.getByRole('link', {name: 'Marta Kowalska'}).waitFor();
    const all = await rowNames(page);
    await page.getByLabel('Source').selectOption('google-ads');
    await page.getByLabel('Status').fill('active');
    await page.getByLabel('Status').press('Enter');
    await until(() => page.url().includes('status=active'), 'the status is in the address');
    await until(async () => (await rowNames(page)).join() === 'Marta Kowalska', 'only Marta is left');
    await page.getByRole('button', {name: 'Remove filter Status: active'}).click();
    await page.getByRole('button', {name: 'Remove filter Source: google-ads'}).click();
    await until(async () => (await rowNames(page)).join() === all.join(), 'all are back');
    const day = await page.evaluate(() => new Date(Date.now() - 5 * 864e5).toLocaleDateString('sv'));
    await page.getByLabel('Created from').fill(day);
    await until(() => page.url().includes(`from=${day}`), 'the date is in the address');
    const start = await page.evaluate((text) => new Date(`${text}T00:00`).toISOString(), day);
    const [{wanted}] = service.rows(`SELECT count(*) AS wanted FROM Leads WHERE CreatedAt >= '${start}'`);
    await until(
      async () => (await rowNames(page)).length === wanted,
      `${wanted} leads since then, by this person's calendar`,
    );
  },
);

test(
  'list: nothing found says what was looked for and offers the way out',
  {path: '#/leads?q=nobody-of-this-name&source=facebook'},
  async ({page}) => {
    await page.getByText('No lead matches').waitFor();
    const words = await page.locator('.panel.empty').textContent();
    expect(words.includes('search nobody-of-this-name') && words.includes('source facebook'), words);
    await page.getByRole('link', {name: 'Clear all filters'}).click();
    await page.getByRole('link', {name: 'Marta Kowalska'}).waitFor();
  },
);

test(
  'list: a filter that the API refuses shows its words, the request id and Retry',
  {path: '#/leads?from=yesterday'},
  async ({page, site}) => {
    site.allow(/status of 400/);
    const panel = page.getByRole('alert');
    await panel.waitFor();
    expect((await panel.textContent()).includes('from'), 'the parameter is named');
    expect((await panel.locator('code').textContent()).length > 0, 'the request id is shown');
    await panel.getByRole('button', {name: 'Retry'}).waitFor();
  },
);

test('list: after an error, Retry brings the rows', {path: '#/leads/1'}, async ({page, site}) => {
  site.allow(/status of 500/);
  await page.getByRole('heading', {name: 'Marta Kowalska'}).waitFor();
  await page.route(/\/analytics\/leads\?/, (route) =>
    route.fulfill({status: 500, headers: {'X-Request-Id': 'req-77'}, json: {ok: false, error: 'database error'}}),
  );
  await page.getByRole('link', {name: '← Leads'}).click();
  await page.getByText('database error').waitFor();
  await page.getByText('req-77').waitFor();
  await page.unrouteAll();
  await page.getByRole('button', {name: 'Retry'}).click();
  await page.getByRole('link', {name: 'Marta Kowalska'}).waitFor();
});

test(
  'list: more come by cursor at the end, each once; Back from a lead finds rows, place and focus again',
  {service: {LEADLINE_LOG_LEVEL: 'info'}, seed: () => manyLeads(180)},
  async ({page}) => {
    await page.getByRole('link', {name: 'Person 180'}).waitFor();
    await until(async () => {
      await page.mouse.wheel(0, 4000);
      return (await rowNames(page)).length === 180;
    }, 'all 180 are loaded');
    const names = await rowNames(page);
    expectEqual(new Set(names).size, 180, 'different names');
    expectEqual([names[0], names[179]], ['Person 180', 'Person 001'], 'first and last');
    await page.getByRole('link', {name: 'Person 060'}).scrollIntoViewIfNeeded();
    const top = await page.evaluate(() => scrollY);
    await page.getByRole('link', {name: 'Person 060'}).click();
    await page.getByRole('heading', {name: 'Person 060'}).waitFor();
    expectEqual(await page.evaluate(() => scrollY), 0, 'a lead begins at its top');
    await page.goBack();
    await until(async () => Math.abs((await page.evaluate(() => scrollY)) - top) < 3, 'the place is the same');
    expectEqual((await rowNames(page)).length, 180, 'rows');
    expectEqual(await page.evaluate(() => document.activeElement.textContent), 'Person 060', 'focus');
  },
);

test(
  'list: without leads it teaches the call that brings one, with this address, and shows it when it came',
  {service: {LEADLINE_LOG_LEVEL: 'info'}},
  async ({page, service}) => {
    await page.getByText('No leads yet', {exact: true}).waitFor();
    const command = await page.locator('.command pre').first().textContent();
    expect(command.startsWith(`curl ${service.url}/analytics/leads`) && command.includes('ada@example.org'), command);
    service.sql("INSERT INTO Leads (Name, Email) VALUES ('Ada Example', 'ada@example.org');");
    await page.getByRole('link', {name: 'Ada Example'}).waitFor({timeout: 15_000});
  },
);

test('list: the overview draws what the database holds, for 30 and for 90 days', {}, async ({page, service}) => {
  await page.locator('.figure').first().waitFor();
  const figures = async () =>
    (await page.locator('.figure').allTextContents()).map((text) => Number(text.replace(/\D/g, '')));
  const counted = (days) =>
    service
      .rows(
        `SELECT (SELECT count(*) FROM Leads WHERE CreatedAt >= date('now', '-${days - 1} days')) AS leads,
    (SELECT count(*) FROM LeadCrmActivity WHERE ReceivedAt >= date('now', '-${days - 1} days')) AS events`,
      )
      .map((row) => [row.leads, row.events])[0];
  expectEqual(await figures(), counted(30), 'leads and events of 30 days');
  expectEqual(await page.locator('.chart').first().locator('.col').count(), 30, 'bars');
  await page.getByRole('link', {name: '90 days'}).click();
  await until(async () => (await page.locator('.chart').first().locator('.col').count()) === 90, '90 bars');
  expectEqual(await figures(), counted(90), 'leads and events of 90 days');
  expect(page.url().includes('days=90'), 'the choice is in the address');
  const statuses = (await page.locator('.statuses li').allTextContents()).map((text) =>
    Number(text.match(/(\d+)$/)[1]),
  );
  expectEqual(
    statuses.reduce((sum, leads) => sum + leads, 0),
    service.rows('SELECT count(*) AS n FROM Leads')[0].n,
    'every lead is in one status',
  );
  await page.getByText('Figures as a table').click();
  expectEqual(await page.locator('.figures tbody tr').count(), 90, 'rows of the table');
});
