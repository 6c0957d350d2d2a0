// Debian's chromium, and a page that remembers whatever a customer should never see: console errors, refused content, requests
// to another host. Used by the tests and by the screenshots. Knows the page's sign-in form and nothing else of it.

import {chromium} from 'playwright-core';

export const kZone = 'Europe/Berlin'; // Of the browser, and of who writes data for it.

const kFlags = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

export const startBrowser = () =>
  chromium.launch({executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: kFlags});

// A context of its own (storage, theme, size, locale) for the site at `url`. `troubles` collects; what a test provokes on purpose
// (a refused key is a console error) it names with allow(pattern).
export async function openSite(browser, url, options = {}) {
  const context = await browser.newContext({
    locale: 'en-GB',
    timezoneId: kZone,
    viewport: {width: 1280, height: 860},
    ...options,
  });
  const troubles = [];
  const allowed = [];
  const note = (text) => troubles.push(text);
  // The page itself says what its policy refused, in words that do not depend on the browser's console.
  await context.addInitScript(() => {
    addEventListener('securitypolicyviolation', (event) =>
      console.error(`CSP refused ${event.violatedDirective}: ${event.blockedURI}`),
    );
  });
  context.on('page', (page) => {
    page.on('console', (message) => {
      if (message.type() === 'error' || message.type() === 'warning')
        note(`console ${message.type()}: ${message.text()} ${message.location().url}`);
    });
    page.on('pageerror', (error) => note(`uncaught: ${error.stack}`));
    page.on('request', (request) => {
      if (!request.url().startsWith(url) && !request.url().startsWith('data:') && !request.url().startsWith('blob:'))
        note(`another host: ${request.url()}`);
    });
    page.on('dialog', (dialog) => {
      note(`a dialog: ${dialog.message()}`);
      dialog.dismiss();
    });
  });
  return {
    context,
    troubles: () => troubles.filter((text) => !allowed.some((pattern) => pattern.test(text))),
    allow: (pattern) => allowed.push(pattern),
    open: (path = '') => openPage(context, `${url}/dashboard/${path}`),
    close: () => context.close(),
  };
}

async function openPage(context, address) {
  const page = await context.newPage();
  page.setDefaultTimeout(8_000);
  await page.goto(address);
  return page;
}

export async function signIn(page, key) {
  await page.getByLabel('Analytics key').fill(key);
  await page.getByRole('button', {name: 'Sign in'}).click();
}
