// The deal's page as its brand works with it: the collaboration, an order that comes in, a message from a template,
// the creator who is invited and accepts; the order's, the claims' and the creator's pages beside it.
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { test } from 'node:test';
import { click, orderOf, programme } from '../workerd/support/client.mjs';
import { order } from '../workerd/support/shopify.mjs';
import { authenticator, DESKTOP, inEveryLook, isAccessible, person, PHONE, withBrowser } from './support/browser.mjs';
import { acceptInvitation, member } from './support/people.mjs';

let server, browser;
withBrowser((...both) => ([server, browser] = both));

const HOSTILE = `<script>window.hit=1</script>"><img src=x onerror=hit=1>{{7*7}}';hit=1//`;

async function brand(options) {
  const casa = await programme(server, { startsAt: '2026-01-01T00:00:00Z', ...options });
  const owner = await member(browser, server, `owner-${casa.mark}@casa.example`);
  const home = `/b/${casa.brand.id}`;
  return { ...casa, ...owner, home, at: `${home}/deals/${casa.deal.id}` };
}

/** A picture, where somebody wants to look at them. */
async function picture(page, name) {
  if (!process.env.SHOTS) return;
  mkdirSync(process.env.SHOTS, { recursive: true });
  for (const [size, { viewport }] of Object.entries({ phone: PHONE, wide: DESKTOP }))
    for (const colorScheme of ['light', 'dark']) {
      await page.setViewportSize(viewport);
      await page.emulateMedia({ colorScheme });
      await page.screenshot({ path: `${process.env.SHOTS}/${name}-${size}-${colorScheme}.png`, fullPage: true });
    }
}

const section = (page, name) => page.locator('section', { has: page.getByRole('heading', { name, exact: true }) });

test('an order shows as it comes in, and everything is accessible with something in it', async () => {
  const casa = await brand();
  const { page, client, home, at } = casa;
  await page.goto(at);
  await page.getByText('No orders yet').waitFor();
  const placed = order({ clicks: [await click(server, casa.link)], lines: [{ price: '120.00' }] });
  await casa.store.deliver(placed, { topic: 'orders/paid' });
  const found = await orderOf(casa, placed.id);
  await client.post(`/v1/deals/${casa.deal.id}/terms`, { commission_percent: '12', cap_per_month: { amount: '500.00', currency: 'USD' }, rates: [{ commission_percent: '20', customer: 'new' }] });
  await client.post(`/v1/deals/${casa.deal.id}/notes`, { text: HOSTILE });
  await client.post('/v1/term-templates', { name: HOSTILE.slice(0, 60), terms: { commission_percent: '15' } });
  const template = await client.post('/v1/message-templates', { name: 'Hello', subject: 'Hello', text: HOSTILE.replace('{{7*7}}', '') });
  await client.post(`/v1/deals/${casa.deal.id}/posts`, { platform: 'tiktok', url: 'https://www.tiktok.com/@anna/video/7', published_at: '2026-11-01T12:00:00Z', metrics: { views: 12400, likes: 900 } });
  const paths = [`/deals/${casa.deal.id}`, `/deals/${casa.deal.id}/message?template=${template.id}`, `/orders/${found.id}?who=anna`, '/claims', `/creators/${casa.creator.id}`];
  for (const path of paths) {
    await page.goto(home + path);
    assert.equal(await page.evaluate(() => window.hit), undefined, path);
    for (const summary of await page.locator('main summary').all()) if (await summary.isVisible()) await summary.click();
    await inEveryLook(page, path);
    await page.goto(home + path);
    await picture(page, path.split('/')[1]);
  }
  await page.goto(at);
  const row = page.getByRole('row', { name: new RegExp(found.name) });
  await row.getByRole('link', { name: /^Why order/ }).click();
  await page.getByText('It decided the order.').waitFor();
  await casa.done();
});

test('terms, a code and a link by keyboard in one form; what is taken leaves all as it was', async () => {
  const casa = await brand();
  const { page, client, at } = casa;
  const deal = () => client.get(`/v1/deals/${casa.deal.id}`);
  await page.goto(at);
  await page.locator('.deal-edit > summary').focus();
  await page.keyboard.press('Enter');
  const fill = async (label, text) => {
    await page.getByLabel(label, { exact: true }).focus();
    await page.keyboard.press('Control+a');
    await page.keyboard.type(text);
  };
  await page.getByText('More terms').focus();
  await page.keyboard.press('Enter');
  await fill('Commission, %', '12.5');
  await fill('At most in a month', '300');
  await fill('Code', 'FALL20');
  await page.getByLabel('Make a link').focus();
  await page.keyboard.press('Space');
  await fill('Last part of the link', casa.link.slug);
  const was = JSON.stringify(await deal());
  await page.keyboard.press('Enter');
  await page.getByRole('alert').filter({ hasText: 'Nothing was saved' }).waitFor();
  assert.equal(JSON.stringify(await deal()), was);
  assert.equal(await page.getByLabel('Code', { exact: true }).inputValue(), 'FALL20');
  assert.equal(await page.getByLabel('At most in a month').inputValue(), '300');
  await fill('Last part of the link', `fall-${casa.mark}`);
  await page.keyboard.press('Enter');
  await page.getByText('Saved.').waitFor();
  const now = await deal();
  assert.deepEqual([now.terms.commission_percent, now.terms.cap_per_month.amount], ['12.5', '300.00']);
  assert.ok(now.codes.some(({ code }) => code === 'FALL20') && now.links.some(({ slug }) => slug === `fall-${casa.mark}`));
  await casa.done();
});

test('without JavaScript: the collaboration, a note, a link led elsewhere', async () => {
  const casa = await brand();
  const plain = await person(browser, server, { javaScriptEnabled: false });
  await plain.context.addCookies(await casa.context.cookies());
  const { page } = plain;
  await page.goto(casa.at);
  await page.locator('.deal-edit > summary').click();
  await page.getByLabel('Commission, %').fill('11');
  await page.locator('.deal-edit').getByRole('button', { name: 'Save' }).click();
  await page.getByText('Saved.').waitFor();
  await page.getByText('Change', { exact: false }).first().click();
  await page.getByLabel('Leads to').fill('/products/lamp');
  await page.locator('form[action$="/links"]').getByRole('button', { name: 'Save' }).click();
  await page.getByText('leads to /products/lamp').waitFor();
  const deal = await casa.client.get(`/v1/deals/${casa.deal.id}`);
  assert.equal(deal.terms.commission_percent, '11');
  await plain.done();
  await casa.done();
});

test('a message from a template is previewed and sent; what is missing is said', async () => {
  const casa = await brand();
  const { page, client, at } = casa;
  await client.post('/v1/message-templates', { name: 'Terms', subject: 'Your terms', text: 'Dear {{creator.first_name}},\nyou get {{deal.commission_percent}} %.' });
  await page.goto(at);
  await page.getByRole('link', { name: 'Write to her' }).first().click();
  await page.getByLabel('Begin with a template').selectOption('Terms');
  await page.getByRole('button', { name: 'Use it' }).click();
  await page.getByText('you get 10 %.').waitFor();
  await page.getByLabel('Text').fill('{{deal.nothing}}');
  await page.getByRole('button', { name: 'Preview' }).click();
  await page.getByRole('alert').filter({ hasText: 'no merge field' }).waitFor();
  await page.getByLabel('Text').fill(`${HOSTILE.replace('{{7*7}}', '')} {{deal.commission_percent}}`);
  await page.getByRole('button', { name: 'Send' }).click();
  await page.getByText('The message is written.').waitFor();
  await page.getByRole('link', { name: 'Talk' }).click();
  await section(page, 'Timeline').getByText('A message to the creator').waitFor();
  assert.equal(await page.evaluate(() => window.hit), undefined);
  assert.equal((await client.get(`/v1/deals/${casa.deal.id}/messages`)).data.length, 1);
  await casa.done();
});

test('the invitation’s state, until she signs in; her claim is granted', async () => {
  const casa = await brand();
  const { page, client, at, home } = casa;
  await page.goto(at);
  const side = section(page, 'Her dashboard');
  await side.getByText('Not invited').waitFor();
  await side.getByRole('button', { name: 'Invite' }).click();
  await page.getByText('She is invited.').waitFor();
  await page.goto(at);
  await side.getByText('Invited', { exact: true }).first().waitFor();
  const anna = await person(browser, server);
  anna.keys = await authenticator(anna);
  await acceptInvitation(anna, server, casa.email);
  await page.goto(at);
  await side.getByText('She signs in').waitFor();
  const placed = order({ lines: [{ price: '80.00' }] });
  await casa.store.deliver(placed, { topic: 'orders/paid' });
  const found = await orderOf(casa, placed.id);
  await anna.page.goto(`/c/${casa.brand.id}/claims`);
  await anna.page.getByLabel('Order number').fill(found.name);
  await anna.page.getByLabel('Note for the brand').fill(HOSTILE);
  await anna.page.getByRole('button', { name: 'Claim it' }).click();
  await anna.page.getByText('the brand looks at it', { exact: true }).waitFor();
  await page.goto(`${home}/claims`);
  await isAccessible(page, 'a claim');
  await picture(page, 'claims-open');
  await page.getByRole('button', { name: /^Grant/ }).click();
  await page.getByText('It is decided').waitFor();
  assert.equal((await client.get(`/v1/orders/${found.id}`)).deal_id, casa.deal.id);
  assert.equal(await page.evaluate(() => window.hit), undefined);
  await anna.done();
  await casa.done();
});
