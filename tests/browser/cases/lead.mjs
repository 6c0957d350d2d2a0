// A lead and its timeline: kinds, days, status changes, times, payloads to the byte, bursts, paging.

import {expect, expectEqual, test, until} from '../check.mjs';
import {eventRow, leadRow, submissionRow, transaction} from '../seed.mjs';

const marta = {path: '#/leads/1'};
const entries = (page) => page.locator('.days > .day > ol > .entry');

test('lead: created, forms and CRM events are one story, newest first, grouped by day', marta, async ({page}) => {
  await entries(page).first().waitFor();
  const labels = await entries(page).locator('> details > summary .label, > .line .label').allTextContents();
  expect(
    ['CRM', 'Form', 'Lead'].every((label) => labels.includes(label)),
    `labels: ${labels}`,
  );
  expectEqual(labels.at(-1), 'Lead', 'the story begins with the lead');
  const times = await entries(page).evaluateAll((nodes) =>
    nodes.map((node) => node.querySelector('.when time').dateTime),
  );
  expectEqual(times, [...times].sort().reverse(), 'newest first');
  const days = await page.locator('.day h3').allTextContents();
  const now = Date.now();
  const dayOf = (time) => new Date(time).toDateString();
  const name = {[dayOf(now)]: 'Today', [dayOf(now - 86_400_000)]: 'Yesterday'}[dayOf(times[0])];
  expect(days[0].startsWith(name ?? ''), `days: ${days}`);
  expectEqual(new Set(days).size, days.length, 'each day once');
});

test('lead: a CRM event has the label CRM, its type in words, and old → new', marta, async ({page}) => {
  const changed = entries(page).filter({hasText: 'Offer for B-14 sent'});
  await changed.waitFor();
  expectEqual(await changed.locator('.label').textContent(), 'CRM', 'the label');
  expectEqual(await changed.locator('.what').textContent(), 'Status changed', 'the type');
  expectEqual(await changed.locator('.badge').allTextContents(), ['meeting', 'proposal'], 'old and new');
  expectEqual(
    await entries(page).filter({hasText: 'Lead created'}).first().locator('.badge').allTextContents(),
    ['new'],
    'the first has no old',
  );
});

test(
  'lead: the payload opens as text, indented with its digits, and as the very bytes',
  marta,
  async ({page, service, site}) => {
    await site.context.grantPermissions(['clipboard-read', 'clipboard-write']);
    const changed = entries(page).filter({hasText: 'Offer for B-14 sent'});
    await changed.locator('summary').click();
    const box = changed.locator('pre');
    expect((await box.textContent()).includes('"amount": 9007199254740993,\n'), 'no digit is lost');
    await changed.getByRole('button', {name: 'Raw'}).click();
    const stored = service
      .sql("SELECT PayloadJson FROM LeadCrmActivity WHERE LeadId = 1 AND PayloadJson LIKE '%B-14 sent%'")
      .trimEnd();
    expectEqual(await box.textContent(), stored, 'the bytes');
    await changed.getByRole('button', {name: 'Copy the payload'}).click();
    await changed.getByText('Copied').waitFor();
    expectEqual(await page.evaluate(() => navigator.clipboard.readText()), stored, 'the clipboard');
  },
);

test(
  'lead: a payload with equal keys, odd blanks, escapes and deep nesting is shown byte for byte',
  {},
  async ({page, service}) => {
    const payload =
      ' {\n\t"crm_lead_id" : "odd-1","event_type":"odd","a":1,"a":2 , "quote":"\\"}],{\\\\","empty":{ },"none":[ ],"big":-0.10e+400,"u":"\\ud83d\\ude00 😀 \\u0000","deep":' +
      '['.repeat(400) +
      ']'.repeat(400) +
      '}\r\n ';
    service.sql("INSERT INTO Leads (Id, CrmLeadId, Name) VALUES (501, 'odd-1', 'Odd Payload');");
    await service.post(payload);
    await page.goto(`${service.url}/dashboard/#/leads/501`);
    await entries(page).first().locator('summary').click();
    const box = entries(page).first().locator('pre');
    const indented = await box.textContent();
    expect(
      indented.includes('"a": 1,\n  "a": 2,') &&
        indented.includes('"empty": {}') &&
        indented.includes('"none": []') &&
        indented.includes('-0.10e+400'),
      indented.slice(0, 300),
    );
    await entries(page).first().getByRole('button', {name: 'Raw'}).click();
    expectEqual(await box.evaluate((node) => node.firstChild.data), payload, 'the bytes');
  },
);

test('lead: where the CRM gives another time than that of receipt, both are shown', marta, async ({page}) => {
  const call = entries(page).filter({hasText: 'Call logged'});
  await call.waitFor();
  const own = call.locator('.own');
  expect(/At the CRM .* received /.test(await own.textContent()), await own.textContent());
  const [happened, received] = await own
    .locator('time')
    .evaluateAll((nodes) => nodes.map((node) => Date.parse(node.dateTime)));
  expectEqual(received - happened, 95 * 60_000, 'the time between');
  expectEqual(
    await entries(page).filter({hasText: 'Offer for B-14 sent'}).locator('.own').count(),
    0,
    'nothing to say elsewhere',
  );
});

test('lead: a burst of equal events is one line with a count, which opens', marta, async ({page}) => {
  const burst = entries(page).filter({hasText: 'Email opened'});
  await burst.first().waitFor();
  expectEqual(await burst.count(), 1, 'lines');
  expect((await burst.locator('.count').textContent()).startsWith('×6'), 'the count');
  await burst.locator('> details > summary').click();
  await burst.locator('ol > li').first().waitFor();
  expectEqual(await burst.locator('ol > li').count(), 6, 'events inside');
  await burst.locator('ol > li summary').first().click();
  expect((await burst.locator('pre').first().textContent()).includes('email_opened'), 'each has its payload');
});

test('lead: the timeline can be filtered by kind, in the address', marta, async ({page}) => {
  await entries(page).first().waitFor();
  const labels = () => entries(page).locator('> details > summary .label, > .line .label').allTextContents();
  for (const [name, label, kind] of [
    ['Forms', 'Form', 'form'],
    ['CRM', 'CRM', 'crm'],
    ['Created', 'Lead', 'lead'],
  ]) {
    await page.getByRole('group', {name: 'Show'}).getByText(name, {exact: true}).click();
    await until(
      async () => (await labels()).length > 0 && (await labels()).every((each) => each === label),
      `only ${name}`,
    );
    expect(page.url().endsWith(`kind=${kind}`), page.url());
  }
  await page.reload();
  await until(async () => (await labels()).join() === 'Lead', 'the same after a reload');
  await page.goBack();
  await until(async () => (await labels()).every((each) => each === 'CRM'), 'Back');
});

test(
  'lead: older events load at the end, each once and in order, with forms where they belong',
  {},
  async ({page, service}) => {
    const now = Date.now();
    const lines = [
      leadRow(502, {CrmLeadId: 'long-1', Name: 'Long Story', CreatedAt: new Date(now - 400 * 3600_000).toISOString()}),
    ];
    for (let index = 0; index < 350; index++)
      lines.push(
        eventRow('LeadCrmActivity', 502, 'long-1', `step_${index}`, {step: index}, now - (350 - index) * 3600_000),
      );
    for (const hours of [3.5, 200.5, 345.5])
      lines.push(submissionRow(502, {Form: `form-${hours}`}, {}, now - hours * 3600_000));
    service.sql(transaction(lines));
    await page.goto(`${service.url}/dashboard/#/leads/502`);
    await entries(page).first().waitFor();
    expect((await entries(page).count()) < 300, 'not all at once');
    await until(
      async () => {
        await page.mouse.wheel(0, 8000);
        return (await entries(page).count()) === 354;
      },
      'all entries are loaded',
      20_000,
    );
    const times = await entries(page).evaluateAll((nodes) =>
      nodes.map((node) => node.querySelector('.when time').dateTime),
    );
    expectEqual(times, [...times].sort().reverse(), 'newest first');
  },
);

test('lead: an id that no lead has says so and offers the list', {path: '#/leads/99999999'}, async ({page, site}) => {
  site.allow(/status of 404/);
  await page.getByText('No lead has the id 99999999').waitFor();
  await page.getByRole('link', {name: 'To the list'}).click();
  await page.getByRole('link', {name: 'Marta Kowalska'}).waitFor();
});

test(
  'lead: rows that another program wrote badly still show',
  {service: {LEADLINE_LOG_LEVEL: 'info'}},
  async ({page, service}) => {
    service.sql(`INSERT INTO Leads (Id, CrmLeadId, Name, CreatedAt) VALUES (503, 'bad-1', CAST(x'4AF67267' AS TEXT), 'some day');
    INSERT INTO LeadSubmissions (LeadId, Form, PageUrl, PayloadJson) VALUES (503, 'old', 'javascript:alert(1)', 'name=J%F6rg&x=<b>');`);
    await page.goto(`${service.url}/dashboard/#/leads/503`);
    await page.getByRole('heading', {name: /^J.*rg$/}).waitFor();
    const form = entries(page).filter({hasText: 'old'});
    await form.locator('summary').click();
    expectEqual(await form.locator('pre').textContent(), 'name=J%F6rg&x=<b>', 'the payload as the text that it is');
    expectEqual(await form.locator('a').count(), 0, 'an address that is no web address is no link');
  },
);
