// Held events: grouped, explained, linked to a lead; then they are in its timeline.

import {expect, expectEqual, test, until} from '../check.mjs';
import {leadRow} from '../seed.mjs';

const group = (page, crmId) => page.locator('.group').filter({hasText: crmId});

test(
  'unmatched: events are grouped by CRM id, and a search for their person is prepared',
  {path: '#/unmatched'},
  async ({page}) => {
    const held = group(page, 'crm-2051');
    await held.waitFor();
    expectEqual(await held.locator('.held > li').count(), 2, 'events of the group');
    await held.getByRole('button', {name: 'Link to a lead…'}).click();
    expectEqual(
      await held.getByLabel('Find the lead for crm-2051').inputValue(),
      'priya.raman@example.org',
      'the search is taken from the payload',
    );
    await held.getByRole('button', {name: /Priya Raman/}).waitFor();
    await page.keyboard.press('Escape');
    expectEqual(
      await page.evaluate(() => document.activeElement.textContent),
      'Link to a lead…',
      'Esc closes the search, and the focus is where it was',
    );
  },
);

test(
  'unmatched: linked to a lead, the events leave here and are in its timeline with the time of receipt',
  {},
  async ({page, service}) => {
    service.sql(leadRow(701, {Name: 'Linked Person', Email: 'linked@example.org'}));
    for (const type of ['first_held', 'second_held'])
      await service.post({crm_lead_id: 'held-701', event_type: type, email: 'linked@example.org'});
    const received = service
      .rows("SELECT ReceivedAt FROM UnmatchedCrmEvents WHERE CrmLeadId = 'held-701' ORDER BY ReceivedAt DESC, Id DESC")
      .map((row) => row.ReceivedAt);
    await page.getByRole('link', {name: /^Unmatched/}).click();
    const held = group(page, 'held-701');
    await held.getByRole('button', {name: 'Link to a lead…'}).click();
    await held.getByRole('button', {name: /Linked Person/}).click();
    await page.getByText('2 events of held-701 moved to Linked Person').waitFor();
    await until(async () => (await held.count()) === 0, 'the group is gone');
    await page.getByRole('link', {name: 'Open the lead'}).click();
    await page.getByRole('heading', {name: 'Linked Person'}).waitFor();
    const events = page.locator('.entry.crm');
    await events.first().waitFor();
    expectEqual(await events.locator('.what').allTextContents(), ['Second held', 'First held'], 'the timeline');
    expectEqual(
      await events.locator('.when time').evaluateAll((nodes) => nodes.map((node) => node.dateTime)),
      received,
      'the times',
    );
  },
);

test('unmatched: a lead that has another CRM id is only linked after a second press', {}, async ({page, service}) => {
  service.sql(leadRow(702, {Name: 'Has An Id', CrmLeadId: 'old-702', Email: 'hasid@example.org'}));
  await service.post({crm_lead_id: 'held-702', email: 'hasid@example.org'});
  await page.goto(`${service.url}/dashboard/#/unmatched?crm_lead_id=held-702`);
  await group(page, 'held-702').getByRole('button', {name: 'Link to a lead…'}).click();
  const choice = group(page, 'held-702').getByRole('button', {name: /Has An Id/});
  await choice.click();
  await group(page, 'held-702').getByText('Press again').waitFor();
  expectEqual(
    service.rows('SELECT CrmLeadId FROM Leads WHERE Id = 702')[0].CrmLeadId,
    'old-702',
    'nothing was changed yet',
  );
  await choice.click();
  await page.getByText('moved to Has An Id').waitFor();
  expectEqual(service.rows('SELECT CrmLeadId FROM Leads WHERE Id = 702')[0].CrmLeadId, 'held-702', 'the new id');
});

test(
  'unmatched: where the service refuses, its words and the request id are shown and nothing disappears',
  {},
  async ({page, service, site}) => {
    site.allow(/status of 503/);
    service.sql(leadRow(703, {Name: 'Stays Apart', Email: 'apart@example.org'}));
    await service.post({crm_lead_id: 'held-703', email: 'apart@example.org'});
    await page.goto(`${service.url}/dashboard/#/unmatched`);
    await page.route('**/analytics/leads/703', (route) =>
      route.fulfill({
        status: 503,
        headers: {'X-Request-Id': 'req-703', 'Retry-After': '5'},
        json: {ok: false, error: 'the database stayed locked'},
      }),
    );
    await group(page, 'held-703').getByRole('button', {name: 'Link to a lead…'}).click();
    await group(page, 'held-703')
      .getByRole('button', {name: /Stays Apart/})
      .click();
    await page.getByText('the database stayed locked').waitFor();
    await page.getByText('req-703').waitFor();
    expect(await group(page, 'held-703').isVisible(), 'the group is still here');
  },
);

test(
  'unmatched: what is adopted elsewhere disappears; a dot in the bar tells that events are held',
  {},
  async ({page, service}) => {
    await service.post({crm_lead_id: 'held-704'});
    await page.goto(`${service.url}/dashboard/#/unmatched`);
    await group(page, 'held-704').waitFor();
    await page.locator('#held').waitFor();
    service.sql(leadRow(704, {Name: 'Came Later', CrmLeadId: 'held-704'}));
    await until(async () => (await group(page, 'held-704').count()) === 0, 'the group is gone', 15_000);
  },
);

test(
  'unmatched: with nothing held it says what would be here',
  {service: {LEADLINE_LOG_LEVEL: 'info'}, path: '#/unmatched'},
  async ({page, service}) => {
    await page.getByText('Nothing is held').waitFor();
    expect(
      (await page.locator('.command pre').textContent()).includes(`${service.url}/webhooks/crm/lead`),
      'the call, with this address',
    );
    expect(await page.locator('#held').isHidden(), 'no dot');
  },
);
