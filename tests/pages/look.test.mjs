// Pages are for everybody: on a phone and a wide screen, in light and dark, by keyboard, with a screen
// reader, and without JavaScript where that is promised.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { programme } from '../workerd/support/client.mjs';
import { authenticator, DESKTOP, inBothColours, isAccessible, mailTo, person, PHONE, withBrowser } from './support/browser.mjs';
import { followLink, member } from './support/people.mjs';

let server, browser;
withBrowser((...both) => ([server, browser] = both));

const ownerOf = ({ mark }) => `owner-${mark}@casa.example`;

test('every page and state is accessible on a phone and a wide screen, in light and dark', async () => {
  const casa = await programme(server);
  const email = ownerOf(casa);
  const invitation = (await mailTo(server, email)).link;
  for (const [size, options] of Object.entries({ phone: PHONE, desktop: DESKTOP })) {
    const stranger = await person(browser, server, options);
    const { page } = stranger;
    const look = (what) => inBothColours(page, `${what} (${size})`);
    for (const path of ['/sign-in', '/sign-in/code', '/privacy', '/mailbox', '/nowhere', '/invitation']) {
      await page.goto(path);
      await look(path);
    }
    await page.goto('/sign-in/link#tbs_x');
    await page.getByRole('alert').waitFor();
    await look('a link that is spent');
    if (size === 'phone') {
      await page.goto(invitation);
      await page.getByRole('button', { name: 'Accept' }).waitFor();
      await look('an invitation');
    }
    await page.goto('about:blank');
    await page.goto('/invitation#tbm_x');
    await page.getByText('Then sign in').waitFor();
    await look('an invitation that is spent');
    await page.goto('/sign-in');
    await page.getByLabel('E-mail address').fill('nobody@nowhere.example');
    await page.getByRole('button', { name: 'Send the link' }).click();
    await page.getByLabel('Code').fill('1');
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByRole('alert').waitFor();
    await look('a wrong code');
    await stranger.done();
  }
  const owner = await member(browser, server, email, PHONE);
  await inBothColours(owner.page, '/account');
  await owner.page.getByRole('button', { name: 'Make new recovery codes' }).click();
  await owner.page.getByRole('heading', { name: 'Your recovery codes' }).waitFor();
  await isAccessible(owner.page, 'recovery codes');
  await owner.page.setViewportSize(DESKTOP.viewport);
  await isAccessible(owner.page, '/account on a wide screen');
  await owner.page.getByRole('button', { name: 'Sign out' }).click();
  await owner.page.waitForURL('**/sign-in');
  await followLink(owner, server, email);
  for (const { viewport } of [PHONE, DESKTOP]) {
    await owner.page.setViewportSize(viewport);
    await isAccessible(owner.page, '/sign-in/passkey');
  }
  await owner.done();
});

test('the keyboard is enough', async () => {
  const email = ownerOf(await programme(server));
  const owner = await person(browser, server);
  const { page } = owner;
  await authenticator(owner);
  const focused = () => page.evaluate(() => document.activeElement.textContent.trim() || document.activeElement.name);
  /** Tabs to what is called so; its ring must be seen. */
  const reach = async (name) => {
    for (let steps = 0; steps < 25; steps++) {
      await page.keyboard.press('Tab');
      if ((await focused()) === name) {
        const ring = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
        return assert.equal(ring, 'solid', `the focus on ${name} is seen`);
      }
    }
    assert.fail(`${name} can't be reached`);
  };
  await page.goto((await mailTo(server, email)).link);
  await page.getByRole('button', { name: 'Accept' }).waitFor();
  await reach('Accept, and send me the link');
  await page.keyboard.press('Enter');
  await page.waitForURL('**/sign-in/code');
  await page.keyboard.press('Tab');
  assert.equal(await focused(), 'Skip to content');
  await page.keyboard.press('Enter');
  await reach('code');
  await page.keyboard.type((await mailTo(server, email)).code);
  await page.keyboard.press('Enter');
  await page.waitForURL('**/sign-in/passkey');
  await reach('name');
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'Your recovery codes' }).waitFor();
  assert.equal(await focused(), 'Your recovery codes', 'the focus goes to what is new');
  await reach('I have kept them');
  await page.keyboard.press('Enter');
  await page.waitForURL('**/b/**');
  await page.goto('/account');
  await reach('End');
  await page.keyboard.press('Enter');
  await page.waitForURL('**/sign-in');
  await owner.done();
});

test('without JavaScript: asking for the mail, the code, a recovery code, ending sessions, signing out', async () => {
  const email = ownerOf(await programme(server));
  const laptop = await member(browser, server, email);
  const plain = await person(browser, server, { javaScriptEnabled: false });
  const { page } = plain;
  const enter = async (code) => {
    await page.goto('/');
    await page.getByLabel('E-mail address').fill(email);
    await page.getByRole('button', { name: 'Send the link' }).click();
    await page.getByLabel('Code').fill((await mailTo(server, email)).code);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByLabel('Recovery code').fill(code);
    await page.getByRole('button', { name: 'Use the code' }).click();
    await page.waitForURL('**/account');
  };
  for (const path of ['/sign-in/link#tbs_x', '/invitation#tbm_x']) {
    await page.goto(path);
    await page.locator('noscript p', { hasText: 'needs JavaScript' }).waitFor();
  }
  await enter(laptop.codes[0]);
  assert.equal(await page.locator('li', { has: page.getByText('this one') }).count(), 1);
  const other = page.locator('li', { hasText: 'last used', hasNotText: 'this one', has: page.getByRole('button', { name: /^End/ }) });
  await other.getByRole('button').click();
  await page.waitForURL('**/account');
  assert.equal(await other.count(), 0);
  await laptop.page.reload();
  assert.equal(new URL(laptop.page.url()).pathname, '/sign-in');
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.waitForURL('**/sign-in');
  await enter(laptop.codes[1]);
  await page.getByRole('button', { name: /^End the session/ }).click();
  await page.waitForURL('**/sign-in');
  assert.deepEqual(await plain.context.cookies(), []);
  await plain.done();
  await laptop.done();
});

test('a page weighs little', async () => {
  const html = await (await fetch(`${server.origin}/sign-in/link`)).text();
  const paths = [...html.matchAll(/(?:href|src)="(\/assets\/[^"]+)"/g)].map(([, path]) => path);
  const texts = await Promise.all([...new Set(paths)].map(async (path) => (await fetch(server.origin + path)).text()));
  const weight = [html, ...texts].reduce((sum, text) => sum + gzipSync(text).length, 0);
  assert.ok(weight < 15_000, `${weight} bytes`);
});
