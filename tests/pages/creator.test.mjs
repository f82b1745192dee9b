// The creator's pages, as a creator goes through them: invited, accepting, looking at what she earns, sharing her
// links, reporting a post, reading her statement, saying where she is paid.
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { test } from 'node:test';
import { programme } from '../workerd/support/client.mjs';
import { order } from '../workerd/support/shopify.mjs';
import { authenticator, DESKTOP, inBothColours, isAccessible, person, PHONE, withBrowser } from './support/browser.mjs';
import { acceptInvitation, followLink } from './support/people.mjs';

let server, browser;
withBrowser((...both) => ([server, browser] = both));

const DAY = 86_400_000;
const PLACES = ['', '/links', '/orders', '/posts', '/statements', '/payouts', '/payment', '/claims'];

/** A brand whose creator has earned over some months: of each kind of order one. */
async function earned(options = {}) {
  const settings = { creators_make_links: true, payout_minimum: { amount: '250.00', currency: 'USD' } };
  const casa = await programme(server, { settings, startsAt: '2026-01-01T00:00:00Z', ...options });
  const now = Date.now();
  const bought = (days, amount, more = {}) =>
    order({ placedAt: now - days * DAY, lines: [{ price: amount }], codes: [['ANNA10', '0.00']], ...more });
  await casa.store.send(
    bought(150, '640.00'),
    bought(95, '410.00'),
    bought(62, '980.00'),
    bought(40, '120.00'),
    bought(12, '300.00'),
    bought(6, '89.90'),
    bought(3, '1250.00'),
    bought(2, '59.00', { status: 'pending' }),
    bought(1, '75.00', { cancelledAt: now - DAY / 2, status: 'voided' }),
  );
  await casa.client.post(`/v1/deals/${casa.deal.id}/invitation`);
  return { ...casa, home: `/c/${casa.brand.id}` };
}

/** Its creator, signed in. */
async function creator(casa, options) {
  const anna = await person(browser, server, options);
  anna.keys = await authenticator(anna);
  await acceptInvitation(anna, server, casa.email);
  return anna;
}

/** A picture, where somebody wants to look at them. */
async function picture(page, name) {
  if (!process.env.SHOTS) return;
  mkdirSync(process.env.SHOTS, { recursive: true });
  await page.screenshot({ path: `${process.env.SHOTS}/${name}.png`, fullPage: true });
}

test('from the invitation to her earnings, a new link, a post, a statement and payment details', async () => {
  const casa = await earned();
  const anna = await creator(casa);
  const { page, context } = anna;
  await page.waitForURL(`**${casa.home}`);
  const figure = (field) => page.locator(`[data-money=${field}]`).textContent();
  const api = async (path) => (await page.request.get(path)).json();
  const { balances } = await api('/v1/me/earnings');
  const told = (amount) => page.evaluate((value) => new Intl.NumberFormat('en-US', { style: 'currency', currency: 'USD' }).format(value), amount);
  for (const field of ['available', 'pending', 'in_payout', 'paid', 'lifetime'])
    assert.equal(await figure(field), await told(balances[0][field]), field);
  await page.getByText(/more until \$250\.00/).waitFor();
  await page.getByText('When it becomes available').waitFor();
  assert.equal(await page.locator('.creator-chart rect').count(), 12);

  await page.getByRole('link', { name: 'Links and codes' }).click();
  await context.grantPermissions(['clipboard-read', 'clipboard-write'], { origin: server.origin });
  await page.getByRole('button', { name: 'Copy link' }).click();
  await page.getByRole('status').filter({ hasText: 'Copied' }).waitFor();
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), casa.link.url);
  await page.getByText('QR code').first().click();
  const code = page.getByRole('img', { name: casa.link.url });
  await code.waitFor();
  assert.ok(await code.evaluate((image) => image.decode().then(() => image.naturalWidth > 0)), 'the picture is there');
  await page.getByLabel('Address of the page').fill(`${casa.storefront}/products/lamp#reviews`);
  await page.getByLabel('Its name').fill(`lamp-${casa.mark}`);
  await page.getByRole('button', { name: 'Make the link' }).click();
  await page.getByText('Your link is ready.').waitFor();
  await page.getByText('leads to /products/lamp').waitFor();
  const went = await fetch(`${server.origin}/go/lamp-${casa.mark}`, { redirect: 'manual' });
  assert.match(went.headers.get('location'), /\/products\/lamp\?/);
  await page.getByLabel('Address of the page').fill('https://evil.example/x');
  await page.getByRole('button', { name: 'Make the link' }).click();
  await page.getByRole('alert').filter({ hasText: 'the address of a page of the brand' }).waitFor();
  assert.equal(await page.getByLabel('Address of the page').inputValue(), 'https://evil.example/x', 'what was typed stays');
  await isAccessible(page, 'a form with something wrong');

  await page.getByRole('link', { name: 'Orders', exact: true }).click();
  await page.getByText('Your code ANNA10 was used.').first().waitFor();
  await page.getByText('The order was cancelled: nothing is due.').waitFor();
  await page.getByText('It earns as soon as the customer has paid it in full.').waitFor();

  await page.getByRole('link', { name: 'Posts', exact: true }).click();
  await page.getByLabel('Address of the post').fill('https://www.tiktok.com/@anna/video/7');
  await page.getByLabel('Where').selectOption('TikTok');
  await page.getByRole('button', { name: 'Report it' }).click();
  await page.getByText('The post is reported.').waitFor();
  await page.getByText('Numbers', { exact: false }).first().click();
  await page.getByLabel('Views').fill('12400');
  await page.getByRole('button', { name: 'Save the numbers' }).click();
  await page.getByText('12,400').waitFor();

  await page.getByRole('link', { name: 'Statements' }).click();
  const month = new Date().toISOString().slice(0, 7);
  await page.getByRole('button', { name: 'Show' }).click();
  await page.waitForURL(`**/statements?month=${month}`);
  const statement = await api(`/v1/me/statement?month=${month}`);
  await page.getByText(await told(statement.balances[0].closing)).first().waitFor();
  const [file] = await Promise.all([page.waitForEvent('download'), page.getByRole('link', { name: 'As a file' }).click()]);
  assert.equal(file.suggestedFilename(), `statement-${month}.csv`);
  await page.emulateMedia({ media: 'print' });
  for (const away of ['.side', '.creator-month']) assert.equal(await page.locator(away).isVisible(), false, `${away} isn't printed`);
  assert.equal(await page.getByRole('table').last().isVisible(), true);
  await picture(page, 'statement-print');
  await page.emulateMedia({ media: 'screen' });

  await page.getByRole('link', { name: 'Payment details' }).click();
  await page.getByLabel('Account holder').first().fill('Anna Muster');
  await page.getByLabel('IBAN', { exact: true }).fill('DE00 3704');
  await page.getByRole('button', { name: 'Save (Bank account' }).click();
  await page.getByRole('alert').filter({ hasText: 'IBAN' }).waitFor();
  await page.getByLabel('IBAN', { exact: true }).fill('DE89 3704 0044 0532 0130 00');
  await page.getByRole('button', { name: 'Save (Bank account' }).click();
  await page.getByText('Bank account, ends in 3000, DE').waitFor();
  // A change needs a passkey, which she hasn't yet.
  await page.getByRole('link', { name: 'Add a passkey' }).click();
  await page.getByLabel('Add another').fill('Phone');
  await page.getByRole('button', { name: 'Add a passkey' }).click();
  await page.getByRole('heading', { name: 'Your recovery codes' }).waitFor();
  await server.sql('UPDATE sessions SET stepped_up_at_ms = stepped_up_at_ms - 700000');
  await page.goto(`${casa.home}/payment`);
  await page.getByText('PayPal', { exact: true }).click();
  await page.getByLabel('PayPal address').fill('anna@pay.example');
  await page.getByRole('button', { name: 'Save (PayPal)' }).click();
  await page.getByText('Until then nothing is paid out to you').waitFor();
  assert.equal((await anna.keys.credentials())[0].signCount, 2, 'the passkey was asked for');

  await page.getByRole('link', { name: 'Claims' }).click();
  await page.getByLabel('Order number').fill('#424242');
  await page.getByRole('button', { name: 'Claim it' }).click();
  await page.getByText('No order of this number came from').waitFor();
  await anna.done();
});

test('every page is accessible on a phone and a wide screen, in light and dark, with and without anything on it', async () => {
  const casa = await earned();
  const bare = await programme(server);
  await bare.client.post(`/v1/deals/${bare.deal.id}/invitation`);
  for (const [size, options] of Object.entries({ phone: PHONE, desktop: DESKTOP })) {
    for (const [kind, found] of [['full', casa], ['empty', { ...bare, home: `/c/${bare.brand.id}` }]]) {
      const anna = await person(browser, server, options);
      if (size === 'phone') await acceptInvitation(anna, server, found.email);
      else await followLink(anna, server, found.email);
      for (const place of PLACES) {
        await anna.page.goto(`${found.home}${place}`);
        const named = `${kind}${place.replace('/', '-') || '-home'}-${size}`;
        const seen = async (colours) => {
          if (kind === 'full' || place === '') await picture(anna.page, `${named}-${colours}`);
        };
        await inBothColours(anna.page, `${kind} ${place || 'home'} (${size})`, { seen });
      }
      await anna.done();
    }
  }
});

test('without JavaScript: reading, links, posts, claims, first payment details', async () => {
  const casa = await earned();
  const scripted = await creator(casa);
  const cookies = await scripted.context.cookies();
  const plain = await person(browser, server, { javaScriptEnabled: false, locale: 'de-DE' });
  await plain.context.addCookies(cookies);
  const { page } = plain;
  await page.goto('/c');
  assert.equal(new URL(page.url()).pathname, casa.home);
  assert.match(await page.locator('[data-money=pending]').textContent(), /^[\d.]+,\d\d\u00a0\$$/);
  for (const place of PLACES) {
    await page.goto(`${casa.home}${place}`);
    assert.equal(await page.locator('h1').count(), 1, place);
  }
  await page.goto(`${casa.home}/links`);
  await page.getByRole('button', { name: 'Make the link' }).click();
  await page.getByText('Your link is ready.').waitFor();
  await page.goto(`${casa.home}/payment`);
  await page.getByText('PayPal', { exact: true }).click();
  await page.getByLabel('PayPal address').fill('anna@pay.example');
  await page.getByRole('button', { name: 'Save (PayPal)' }).click();
  await page.getByText('Saved. We sent you a mail about it.').waitFor();
  await page.goto(`${casa.home}/claims`);
  await page.getByLabel('Order number').fill('#1');
  await page.getByRole('button', { name: 'Claim it' }).click();
  await page.getByText('The claim is made').waitFor();
  await plain.done();
  await scripted.done();
});

test('the keyboard is enough to make a link', async () => {
  const casa = await earned();
  const anna = await creator(casa);
  const { page } = anna;
  await page.goto(casa.home);
  const reach = async (name) => {
    for (let steps = 0; steps < 60; steps++) {
      await page.keyboard.press('Tab');
      const [found, ring] = await page.evaluate(() => {
        const { activeElement } = document;
        return [activeElement.textContent.trim() || activeElement.name, getComputedStyle(activeElement).outlineStyle];
      });
      if (found === name) return assert.equal(ring, 'solid', `the focus on ${name} is seen`);
    }
    assert.fail(`${name} can't be reached`);
  };
  await reach('Links and codes');
  await page.keyboard.press('Enter');
  await page.waitForURL('**/links');
  await reach('page');
  await page.keyboard.type('/products/vase');
  await page.keyboard.press('Enter');
  await page.getByText('leads to /products/vase').waitFor();
  await anna.done();
});

test('several brands stand side by side, each with its own figures', async () => {
  const [first, second] = [await earned(), await programme(server)];
  await second.client.patch(`/v1/creators/${second.creator.id}`, { email: first.email });
  const anna = await creator(first);
  await second.client.post(`/v1/deals/${second.deal.id}/invitation`);
  await acceptInvitation(anna, server, first.email);
  await anna.page.goto('/c');
  await anna.page.getByRole('heading', { name: 'Your brands' }).waitFor();
  await isAccessible(anna.page, 'several brands');
  await picture(anna.page, 'brands');
  await anna.page.getByRole('main').getByRole('link', { name: second.brand.name }).click();
  await anna.page.waitForURL(`**/c/${second.brand.id}`);
  assert.equal(await anna.page.locator('[data-money=pending]').textContent(), '$0.00');
  // A form says for which brand it is by its address.
  await anna.page.goto(`${first.home}/links`);
  await anna.page.getByRole('button', { name: 'Make the link' }).click();
  await anna.page.getByText('Your link is ready.').waitFor();
  assert.equal((await first.client.get(`/v1/deals/${first.deal.id}`)).links.length, 2);
  assert.equal((await second.client.get(`/v1/deals/${second.deal.id}`)).links.length, 1);
  await anna.done();
});

test('terms are read word for word, accepted or declined, and other ones asked for, on a phone', async () => {
  const casa = await earned();
  const { client, deal } = casa;
  const offer = (percent, more) =>
    client.post(`/v1/deals/${deal.id}/offers`, { terms: { commission_percent: percent }, ...more });
  const rate = async () => (await client.get(`/v1/deals/${deal.id}`)).terms.commission_percent;
  const was = await rate();
  const anna = await creator(casa, PHONE);
  const { page } = anna;
  await page.waitForURL(`**${casa.home}`);
  const made = await offer('18.5', { contract: 'Two posts a month.\n<b>No other cushions.</b>', note: 'For the autumn' });
  await page.goto(`${casa.home}/terms`);
  await page.getByText('18.5%').first().waitFor();
  const contract = page.getByRole('group', { name: 'The contract' });
  assert.match(await contract.textContent(), /^Two posts a month\.\n<b>No other cushions\.<\/b>$/);
  await page.getByText('Word for word').first().click();
  assert.equal((await page.locator('pre').last().textContent()).trim(), made.document.trim());
  await page.getByText(made.hash).waitFor();
  await inBothColours(page, 'an offer');
  // Not agreed to: nothing holds, and it is said where.
  await page.getByRole('button', { name: 'Accept' }).click();
  await page.getByRole('alert').waitFor();
  assert.equal(await rate(), was);
  await isAccessible(page, 'an offer that was not agreed to');
  await page.getByLabel('I have read these terms').check();
  await page.getByRole('button', { name: 'Accept' }).click();
  await page.getByText('Accepted. The terms hold').waitFor();
  await page.getByText('you accepted', { exact: true }).waitFor();
  assert.equal(await rate(), '18.5');
  const told = async (kind) => (await client.get(`/v1/offers?kind=${kind}`)).data[0];
  assert.deepEqual(await told('offer').then(({ state, hash }) => [state, hash]), ['accepted', made.hash]);

  await offer('5');
  await page.reload();
  await page.getByLabel('A word to the brand').fill('Rather not');
  await page.getByRole('button', { name: 'Decline' }).click();
  await page.getByText('you declined', { exact: true }).waitFor();
  assert.deepEqual(await told('offer').then(({ state, answer }) => [state, answer]), ['declined', 'Rather not']);
  assert.equal(await rate(), '18.5');

  await page.getByLabel('Commission in percent').fill('25');
  await page.getByLabel('Why').fill('My posts sell');
  await page.getByRole('button', { name: 'Ask', exact: true }).click();
  await page.getByText('My posts sell').waitFor();
  assert.deepEqual(await told('request').then(({ state, commission_percent: asked }) => [state, asked]), ['waiting', '25']);
  await anna.done();
});
