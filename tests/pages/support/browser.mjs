// Chromium, as people use it: contexts that are strangers to each other, passkeys without a device,
// and what every page must be free of.
import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import { AxeBuilder } from '@axe-core/playwright';
import { chromium } from 'playwright-core';
import { chromiumPath } from '../../../scripts/lib/chromium.mjs';
import { startServer } from '../../workerd/support/server.mjs';

const ARGS = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-background-networking'];
export const PHONE = { viewport: { width: 375, height: 740 }, hasTouch: true, isMobile: true };
export const DESKTOP = { viewport: { width: 1280, height: 800 } };

export const launch = () => chromium.launch({ executablePath: chromiumPath(), args: ARGS });

/**
 * The server and the browser of a file's tests: `begin(server, browser)` is called before the first, and both end
 * after the last. `options` are the server's; or what gives them, where doubles have to be there first.
 */
export function withBrowser(begin, options) {
  let server, browser;
  before(async () => {
    server = await startServer(typeof options === 'function' ? await options() : options);
    browser = await launch();
    await begin(server, browser);
  });
  after(async () => {
    await browser?.close();
    await server?.stop();
  });
}

/**
 * A person at a browser of her own. What pages complain about is collected: breaches of their policy,
 * uncaught errors, requests to other hosts; `done` fails if there was any.
 */
export async function person(browser, server, options = DESKTOP) {
  // Colours that are still on their way aren't those that people read.
  const context = await browser.newContext({ reducedMotion: 'reduce', ...options, baseURL: server.origin });
  const page = await context.newPage();
  const complaints = [];
  page.on('console', (message) => {
    if (/content security policy|refused to/i.test(message.text())) complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('request', (request) => {
    const { origin, protocol } = new URL(request.url());
    if (protocol !== 'data:' && origin !== server.origin) complaints.push(request.url());
  });
  const done = async () => {
    await context.close();
    assert.deepEqual(complaints, []);
  };
  return { context, page, complaints, done };
}

/** Gives a page's browser an authenticator whose user is always there and always verified. */
export async function authenticator({ context, page }) {
  const cdp = await context.newCDPSession(page);
  await cdp.send('WebAuthn.enable');
  const options = {
    protocol: 'ctap2',
    transport: 'internal',
    hasResidentKey: true,
    hasUserVerification: true,
    isUserVerified: true,
    automaticPresenceSimulation: true,
  };
  const { authenticatorId } = await cdp.send('WebAuthn.addVirtualAuthenticator', { options });
  return {
    /** Everything it holds, to put into another browser's. */
    credentials: async () => (await cdp.send('WebAuthn.getCredentials', { authenticatorId })).credentials,
    add: (credential) => cdp.send('WebAuthn.addCredential', { authenticatorId, credential }),
    remove: () => cdp.send('WebAuthn.removeVirtualAuthenticator', { authenticatorId }),
  };
}

/** What depends on the colours that a page has in light and in dark. */
const OF_COLOURS = ['color-contrast', 'link-in-text-block'];

/** Fails on anything that axe finds, of these rules if some are named. */
async function axe(page, what, rules) {
  // Pages have no frames, their policy sees to that: without those axe is three times as fast.
  const builder = new AxeBuilder({ page }).setLegacyMode();
  const { violations } = await (rules ? builder.withRules(rules) : builder).analyze();
  const told = violations.map(({ id, impact, nodes }) => `${impact} ${id}: ${nodes.map((n) => n.html).join(' ')}`);
  assert.deepEqual(told, [], what);
}

/** Fails on anything that axe finds, on sideways scrolling, and on other than one heading. */
export async function isAccessible(page, what) {
  await axe(page, what);
  assert.equal(await page.locator('h1').count(), 1, `${what}: one main heading`);
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  assert.ok(wide <= 0, `${what} is ${wide} pixels too wide`);
}

/**
 * The same as it stands, in light and in dark: all rules in one of them, those about colours in both, since nothing
 * else differs. `seen` is called in each.
 */
export async function inBothColours(page, what, { first = 'light', seen = async () => {} } = {}) {
  const other = first === 'light' ? 'dark' : 'light';
  await page.emulateMedia({ colorScheme: first });
  await isAccessible(page, `${what}, ${first}`);
  await seen(first);
  await page.emulateMedia({ colorScheme: other });
  await axe(page, `${what}, ${other}`, OF_COLOURS);
  await seen(other);
}

/** And that on a phone and a wide screen. */
export async function inEveryLook(page, what, { seen = async () => {} } = {}) {
  for (const [size, { viewport }, first] of [['phone', PHONE, 'light'], ['wide', DESKTOP, 'dark']]) {
    await page.setViewportSize(viewport);
    await inBothColours(page, `${what} (${size})`, { first, seen: (colours) => seen(size, colours) });
  }
}

/** The latest mail to somebody, as the mailbox of a local run shows it. */
export async function mailTo(server, email) {
  const html = await (await fetch(`${server.origin}/mailbox`)).text();
  const article = html.split('<article').find((part) => part.includes(`data-to="${email}"`));
  assert.ok(article, `a mail to ${email}`);
  const link = /href="([^"]+)">Open its link/.exec(article)?.[1].replaceAll('&#38;', '&');
  const code = /\b(\d{8})\b/.exec(/<pre>(.*?)<\/pre>/s.exec(article)?.[1] ?? '')?.[1];
  return { article, link, code };
}
