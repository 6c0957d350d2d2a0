// What happens while a page is open: events and leads arrive by themselves, without a jump, and only while the tab is visible.

import {expect, expectEqual, test, until} from '../check.mjs';
import {eventRow, leadRow, transaction} from '../seed.mjs';

const kPollMs = 15_000;
const entries = (page) => page.locator('.days > .day > ol > .entry');

function setVisibility(page, state) {
  return page.evaluate((value) => {
    Object.defineProperty(document, 'visibilityState', {configurable: true, get: () => value});
    document.dispatchEvent(new Event('visibilitychange'));
  }, state);
}

test(
  'live: an event that the CRM posts appears in the open lead with the label CRM, and is announced',
  {},
  async ({page, service}) => {
    service.sql(leadRow(601, {CrmLeadId: 'live-1', Name: 'Live One'}));
    await page.goto(`${service.url}/dashboard/#/leads/601`);
    await page.getByRole('heading', {name: 'Live One'}).waitFor();
    await service.post({crm_lead_id: 'live-1', event_type: 'status_changed', status: 'qualified'});
    const event = entries(page).filter({hasText: 'Status changed'});
    await event.waitFor({timeout: kPollMs});
    expectEqual(await event.locator('.label').textContent(), 'CRM', 'the label');
    await until(async () => (await page.locator('#announcer').textContent()) === '1 new event', 'aria-live says it');
    await until(
      async () => (await page.locator('.facts .badge').allTextContents()).includes('qualified'),
      'the facts have the CRM status',
    );
    expectEqual((await page.locator('.day h3').first().textContent()).split(' ')[0], 'Today', 'the day');
  },
);

test(
  'live: what is being read does not move; a marker tells of the new and leads there',
  {},
  async ({page, service}) => {
    const now = Date.now();
    service.sql(
      transaction([
        leadRow(602, {CrmLeadId: 'live-2', Name: 'Live Two', CreatedAt: new Date(now - 90 * 3600_000).toISOString()}),
        ...Array.from({length: 60}, (_, index) =>
          eventRow('LeadCrmActivity', 602, 'live-2', `step_${index}`, {}, now - (61 - index) * 3600_000),
        ),
      ]),
    );
    await page.goto(`${service.url}/dashboard/#/leads/602`);
    const read = entries(page).filter({hasText: 'Step 20'});
    await read.scrollIntoViewIfNeeded();
    await read.locator('summary').click();
    const before = (await read.boundingBox()).y;
    await service.post({crm_lead_id: 'live-2', event_type: 'came_meanwhile'});
    const marker = page.getByRole('button', {name: '1 new event'});
    await marker.waitFor({timeout: kPollMs});
    expect(Math.abs((await read.boundingBox()).y - before) < 2, 'the place is the same');
    await marker.click();
    await until(async () => (await entries(page).first().boundingBox()).y < 400, 'the top is in view');
    expect((await entries(page).first().textContent()).includes('Came meanwhile'), 'and the new event is there');
    await until(() => marker.isHidden(), 'the marker has gone');
  },
);

test(
  'live: the list renews rows where they are, and shows new leads behind a marker',
  {service: {LEADLINE_LOG_LEVEL: 'info'}, seed: () => leadRow(1, {CrmLeadId: 'live-3', Name: 'First Lead'})},
  async ({page, service}) => {
    const row = page.getByRole('row', {name: /First Lead/});
    await row.waitFor();
    await service.post({crm_lead_id: 'live-3', event_type: 'status_changed', status: 'won'});
    await until(
      async () => (await row.getByRole('cell').nth(5).textContent()) === 'won',
      'the CRM status is renewed',
      kPollMs,
    );
    service.sql("INSERT INTO Leads (Name) VALUES ('Second Lead');");
    const marker = page.getByRole('button', {name: '1 new lead · Show'});
    await marker.waitFor({timeout: kPollMs});
    expectEqual(await page.getByRole('link', {name: 'Second Lead'}).count(), 0, 'rows do not move by themselves');
    await marker.click();
    await page.getByRole('link', {name: 'Second Lead'}).waitFor();
    expect(await marker.isHidden(), 'the marker has gone');
  },
);

test('live: an event of a kind that is filtered out shows no marker', {}, async ({page, service}) => {
  service.sql(leadRow(603, {CrmLeadId: 'live-603', Name: 'Live Three'}));
  await page.goto(`${service.url}/dashboard/#/leads/603?kind=lead`);
  await entries(page).first().waitFor();
  await service.post({crm_lead_id: 'live-603', event_type: 'not_shown', status: 'won'});
  await until(
    async () => (await page.locator('.facts .badge').allTextContents()).includes('won'),
    'the facts are renewed',
    kPollMs,
  );
  expect(await page.locator('.timeline .marker').isHidden(), 'no marker');
  expectEqual(await entries(page).count(), 1, 'entries');
});

test(
  'live: a tab that is not visible asks for nothing, and catches up when it is',
  {path: '#/leads/2'},
  async ({page, service}) => {
    await entries(page).first().waitFor();
    let asked = 0;
    page.on('request', (request) => {
      asked += request.url().includes('/analytics/');
    });
    await setVisibility(page, 'hidden');
    await page.getByText('Paused').waitFor();
    await page.waitForTimeout(6_000);
    expectEqual(asked, 0, 'requests while hidden');
    await service.post({crm_lead_id: 'crm-1002', event_type: 'while_hidden'});
    await setVisibility(page, 'visible');
    await entries(page).filter({hasText: 'While hidden'}).waitFor({timeout: 3_000});
  },
);

test('live: polling slows down while nothing happens', {path: '#/leads/3'}, async ({page}) => {
  await entries(page).first().waitFor();
  const times = [];
  page.on('request', (request) => {
    if (/leads\/3\?/.test(request.url())) times.push(Date.now());
  });
  await until(() => times.length === 3, 'three requests', 40_000);
  expect(times[2] - times[1] > 1.3 * (times[1] - times[0]), `gaps: ${times[1] - times[0]}, ${times[2] - times[1]} ms`);
});

test(
  'live: while the service is away the page says so, keeps its content, and goes on when it is back',
  {
    service: {LEADLINE_LOG_LEVEL: 'info'},
    seed: () => leadRow(1, {CrmLeadId: 'live-4', Name: 'Stays Here'}),
    path: '#/leads/1',
  },
  async ({page, site, service}) => {
    site.allow(/status of 502/);
    await page.getByRole('heading', {name: 'Stays Here'}).waitFor();
    await service.stopService();
    await page.getByText(/Offline · next try/).waitFor({timeout: kPollMs});
    expect(await page.getByRole('heading', {name: 'Stays Here'}).isVisible(), 'the lead is still shown');
    await service.restartService();
    await service.post({crm_lead_id: 'live-4', event_type: 'after_the_break'});
    await page.evaluate(() => window.dispatchEvent(new Event('online')));
    await entries(page).filter({hasText: 'After the break'}).waitFor({timeout: kPollMs});
    await page.getByText('Live', {exact: true}).waitFor();
  },
);
