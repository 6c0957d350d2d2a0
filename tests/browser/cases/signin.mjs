// Signing in, right and wrong, and out; where the key is and is not kept.

import {expect, expectEqual, test, until} from '../check.mjs';
import {signIn} from '../browser.mjs';

const signedOut = {signedIn: false};

test(
  'sign in: a wrong key is named as wrong, with the request id, and is not kept',
  signedOut,
  async ({page, site}) => {
    site.allow(/status of 401/);
    await signIn(page, 'not-the-key');
    await page.getByText('This key is not the right one').waitFor();
    expect((await page.locator('.trouble code').textContent()).length > 0, 'the request id is shown');
    expectEqual(await page.evaluate(() => sessionStorage.length), 0, 'entries in sessionStorage');
    expect(await page.locator('#bar').isHidden(), 'the bar stays hidden');
  },
);

test(
  'sign in: a service without a key says that it is not configured',
  {signedIn: false, service: {ANALYTICS_API_KEY: ''}},
  async ({page, site}) => {
    site.allow(/status of 503/);
    await signIn(page, 'any');
    await page.getByText('no analytics key yet').waitFor();
  },
);

test(
  'sign in: a service that is not there, and a computer that is offline, are told apart from a wrong key',
  {signedIn: false, service: {CRM_CALLBACK_SECRET: 'x'}},
  async ({page, site, service}) => {
    site.allow(/status of 502|ERR_INTERNET_DISCONNECTED/);
    await service.stopService();
    await signIn(page, 'any');
    await page.getByText('The service is not reachable at the moment').waitFor();
    await site.context.setOffline(true);
    await signIn(page, 'any');
    await page.getByText('The service cannot be reached').waitFor();
  },
);

test(
  'sign in: the right key opens the list; it is in sessionStorage and nowhere else',
  signedOut,
  async ({page, site, key}) => {
    await signIn(page, key);
    await page.getByRole('heading', {name: 'Leads', exact: true}).waitFor();
    await page.getByRole('link', {name: 'Marta Kowalska'}).waitFor();
    const places = await page.evaluate(() => ({
      session: {...sessionStorage},
      local: {...localStorage},
      cookie: document.cookie,
      address: location.href,
    }));
    expectEqual(Object.values(places.session), [key], 'sessionStorage');
    expect(!JSON.stringify([places.local, places.cookie, places.address]).includes(key), 'the key is nowhere else');
    expectEqual(await site.context.cookies(), [], 'cookies');
  },
);

test('sign in: a new tab takes the key from an open one, and signing out ends both', {}, async ({page, site}) => {
  const other = await site.open('#/leads/1');
  await other.getByRole('heading', {name: 'Marta Kowalska'}).waitFor();
  await page.getByRole('button', {name: 'Sign out'}).click();
  await page.getByLabel('Analytics key').waitFor();
  await other.getByText('You signed out in another tab').waitFor();
  for (const each of [page, other])
    expectEqual(await each.evaluate(() => sessionStorage.length), 0, 'entries in sessionStorage');
  await page.reload();
  await page.getByLabel('Analytics key').waitFor();
});

test(
  'sign in: after it, the page is the one that the address names',
  {signedIn: false, path: '#/leads?project=Riverside'},
  async ({page, key}) => {
    await signIn(page, key);
    await page.getByRole('button', {name: 'Remove filter Project: Riverside'}).waitFor();
    expect(page.url().endsWith('#/leads?project=Riverside'), 'the address is unchanged');
  },
);

test(
  'sign in: a key that is refused later leads back here, and then to the same place',
  {path: '#/leads/1'},
  async ({page, site, key}) => {
    site.allow(/status of 401/);
    await page.getByRole('heading', {name: 'Marta Kowalska'}).waitFor();
    await page.route('**/analytics/**', (route) => route.fulfill({status: 401, json: {ok: false, error: 'refused'}}));
    await page.getByText('The key is no longer accepted').waitFor();
    await page.unrouteAll();
    await signIn(page, key);
    await until(() => page.getByRole('heading', {name: 'Marta Kowalska'}).isVisible(), 'the lead is shown again');
  },
);
