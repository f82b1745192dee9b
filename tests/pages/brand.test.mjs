// A brand's pages, as its owner uses them: by mouse, by keyboard, on a phone, without a script.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { kit, strangers } from '../../scripts/lib/kit.mjs';
import { root } from '../../scripts/lib/shell.mjs';
import { click, orderOf, programme } from '../workerd/support/client.mjs';
import { order } from '../workerd/support/shopify.mjs';
import { inEveryLook, person, withBrowser } from './support/browser.mjs';
import { member } from './support/people.mjs';

let server, browser;
withBrowser((...both) => ([server, browser] = both));

const HOSTILE = `<script>window.hit=1</script>"><img src=x onerror=hit=1>{{7*7}}';hit=1//`;

/** A brand with an order by its link, and its owner at a browser. */
async function brand(options) {
  const casa = await programme(server, { startsAt: '2026-01-01T00:00:00Z', ...options });
  const clicks = [await click(server, casa.link)];
  const placed = order({ clicks, lines: [{ price: '1234.50' }], codes: [['ANNA10', '10.00']] });
  await casa.store.deliver(placed, { topic: 'orders/paid' });
  const owner = await member(browser, server, `owner-${casa.mark}@casa.example`);
  const home = `/b/${casa.brand.id}`;
  return { ...casa, ...owner, home, order: await orderOf(casa, placed.id) };
}

test('every page is accessible on a phone and a wide screen, in light and dark', async () => {
  const casa = await brand();
  const { page, home } = casa;
  await casa.client.post(`/v1/deals/${casa.deal.id}/follow-ups`, { text: 'Ask for the address', due_on: '2026-01-05' });
  const paths = ['', '/campaigns', `/campaigns/${casa.campaign.id}`, `/deals/${casa.deal.id}`, '/creators'];
  for (const path of [...paths, `/creators/${casa.creator.id}`, '/orders', `/orders/${casa.order.id}`, '/payouts', '/nothing']) {
    await page.goto(home + path);
    await inEveryLook(page, path);
  }
  await casa.done();
});

test('a collaboration is edited in one form, copied, and what is wrong is said', async () => {
  const casa = await brand();
  const { page, home } = casa;
  await casa.context.grantPermissions(['clipboard-read', 'clipboard-write']);
  await page.goto(`${home}/deals/${casa.deal.id}`);
  await page.getByText('Edit the collaboration').click();
  await page.getByLabel('Commission, %').fill('12.5');
  await page.getByLabel('Code', { exact: true }).fill('FALL20');
  await page.getByLabel('Make a link').check();
  await page.getByLabel('Last part of the link').fill(`fall-${casa.mark}`);
  await page.getByLabel('Where it leads').fill('/products/vase');
  await page.getByRole('button', { name: 'Save' }).click();
  await page.getByText('Saved.').waitFor();
  const deal = await casa.client.get(`/v1/deals/${casa.deal.id}`);
  assert.equal(deal.terms.commission_percent, '12.5');
  assert.ok(deal.codes.some(({ code }) => code === 'FALL20'));
  const link = deal.links.find(({ slug }) => slug === `fall-${casa.mark}`);
  assert.equal(link.target, '/products/vase');
  await page.getByRole('button', { name: 'Copy FALL20' }).click();
  await page.getByText('Copied.').waitFor();
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), 'FALL20');
  await page.getByText('QR code').first().click();
  assert.equal(await page.locator('.qr svg').first().isVisible(), true);

  // What is wrong is said on the page, with what was typed, and nothing is done.
  await page.getByText('Edit the collaboration').click();
  await page.getByLabel('Commission, %').fill('120');
  await page.getByRole('button', { name: 'Save' }).click();
  await page.getByRole('alert').waitFor();
  assert.match(await page.getByRole('alert').textContent(), /between 0 and 100/);
  assert.equal(await page.getByLabel('Commission, %').inputValue(), '120');
  assert.equal((await casa.client.get(`/v1/deals/${casa.deal.id}`)).terms.commission_percent, '12.5');
  await casa.done();
});

test('money on pages is the API’s', async () => {
  const casa = await brand();
  const { page, home, client } = casa;
  await page.goto(`${home}/deals/${casa.deal.id}`);
  const told = await client.get(`/v1/deals/${casa.deal.id}/performance`);
  const shown = await page.locator('#figures data.money').evaluateAll((all) => all.map(({ value, dataset }) => [value, dataset.currency]));
  assert.deepEqual(shown, [...told.revenue, ...told.commission].map(({ amount, currency }) => [amount, currency]));
  assert.match(await page.locator('#figures data.money').first().textContent(), /^\$1,[0-9]{3}\.[0-9]{2}$/);
  await page.goto(`${home}/orders`);
  const { data } = await client.get('/v1/orders');
  const rows = await page.locator('tbody data.money').evaluateAll((all) => all.map(({ value }) => value));
  assert.deepEqual(rows, data.flatMap(({ base, commission }) => [base.amount, commission.amount]));
  assert.ok(Number(rows[0]) > 1000);
  await page.goto(`${home}/creators/${casa.creator.id}`);
  const [balance] = (await client.get(`/v1/creators/${casa.creator.id}/balances`)).data;
  const has = await page.locator('.stats data.money').evaluateAll((all) => all.map(({ value }) => value));
  assert.deepEqual(has, [balance.available, balance.pending, balance.in_payout, balance.paid]);
  await casa.done();
});

test('an order says why it is whose it is', async () => {
  const casa = await brand();
  const { page, home } = casa;
  await page.goto(`${home}/deals/${casa.deal.id}`);
  await page.getByRole('link', { name: /^Why order/ }).click();
  await page.getByText('The order belongs to').waitFor();
  const { candidates } = await casa.client.get(`/v1/orders/${casa.order.id}/attribution`);
  assert.equal(await page.locator('tbody tr').count(), candidates.length);
  await page.getByText('It decided the order.').waitFor();
  await casa.done();
});

test('a card is moved by mouse, by keyboard and without a script', async () => {
  const casa = await brand();
  const { page, home, client } = casa;
  const { stages } = await client.get(`/v1/campaigns/${casa.campaign.id}`);
  const stage = async () => (await client.get(`/v1/deals/${casa.deal.id}`)).stage;
  const board = `${home}/campaigns/${casa.campaign.id}`;
  await page.goto(board);
  const [done] = [page.waitForURL('**done=moved**')];
  await page.locator('[data-deal]').dragTo(page.locator('[data-stage]').nth(1).locator('ol'));
  await done;
  assert.equal(await stage(), stages[1]);

  await page.locator('.deal summary').focus();
  await page.keyboard.press('Enter');
  await page.keyboard.press('Tab');
  await page.keyboard.type(stages[2].slice(0, 6));
  await page.keyboard.press('Tab');
  await Promise.all([page.waitForURL('**done=moved**'), page.waitForEvent('load'), page.keyboard.press('Enter')]);
  assert.equal(await stage(), stages[2]);

  const plain = await person(browser, server, { javaScriptEnabled: false });
  await plain.context.addCookies(await casa.context.cookies());
  await plain.page.goto(board);
  await plain.page.locator('.deal summary').click();
  await plain.page.locator('.deal select').selectOption(stages[0]);
  await plain.page.getByRole('button', { name: 'Move' }).click();
  await plain.page.waitForURL('**done=moved**');
  assert.equal(await stage(), stages[0]);
  await plain.done();
  await casa.done();
});

test('notes, follow-ups and fees are kept once; an invitation is shown once', async () => {
  const casa = await brand();
  const { page, home, client } = casa;
  const at = `${home}/deals/${casa.deal.id}`;
  await page.goto(at);
  await page.getByText('Write a note').click();
  await page.getByLabel('Note').fill(HOSTILE);
  await page.getByRole('button', { name: 'Keep the note' }).click();
  await page.getByText('The note is kept.').waitFor();
  assert.ok((await page.textContent('main')).includes(HOSTILE));
  assert.equal(await page.evaluate(() => window.hit), undefined);

  const fees = page.locator('section', { has: page.getByRole('heading', { name: 'Fees' }) });
  await fees.getByText('Agree on a fee').click();
  await fees.getByLabel('Amount').fill('150.00');
  const sent = await fees.locator('form').evaluate((form) => [form.action, new URLSearchParams(new FormData(form)).toString()]);
  await fees.getByRole('button', { name: 'Agree' }).click();
  await page.getByText('The fee is noted.').waitFor();
  const again = await page.evaluate(async ([to, body]) => (await fetch(to, { method: 'POST', body, headers: { 'content-type': 'application/x-www-form-urlencoded' } })).status, sent);
  assert.equal(again, 200);
  assert.deepEqual((await client.get(`/v1/deals/${casa.deal.id}/fees`)).data.map(({ amount }) => amount.amount), ['150.00']);

  await page.getByRole('button', { name: 'Invite' }).click();
  await page.getByText('She is invited.').waitFor();
  assert.match(await page.locator('.alert .code').textContent(), /\/invitation#tbi_/);
  await casa.done();
});

test('another brand’s pages are not there, and its tab changes nothing here', async () => {
  const [casa, other] = [await brand(), await brand()];
  for (const path of ['', '/creators', `/deals/${other.deal.id}`, '/payouts', '/orders']) {
    const answer = await casa.page.goto(other.home + path);
    assert.equal(answer.status(), 404, path);
    assert.ok(!(await casa.page.content()).includes(other.mark));
  }
  assert.equal((await casa.page.goto(`${casa.home}/deals/${other.deal.id}`)).status(), 404);
  await casa.page.goto(`${casa.home}/deals/${casa.deal.id}`);
  await casa.page.locator('form[action$="/move"]').evaluate((form, to) => (form.action = to), `${other.home}/deals/${other.deal.id}/move`);
  await casa.page.getByRole('button', { name: 'Move' }).click();
  await casa.page.getByRole('heading', { name: 'Nothing is here' }).waitFor();
  await casa.done();
  await other.done();
});

test('texts of others are texts on every page', async () => {
  const casa = await brand();
  const { page, home, client } = casa;
  const name = HOSTILE.slice(0, 60);
  const creator = await client.post('/v1/creators', { name, handle: `@x${casa.mark}`, niche: name, tags: [name] });
  const campaign = await client.post('/v1/campaigns', { name, stages: [name, 'Next'] });
  const deal = await client.post('/v1/deals', { creator_id: creator.id, campaign_id: campaign.id });
  for (const path of ['', '/campaigns', `/campaigns/${campaign.id}`, `/deals/${deal.id}`, '/creators', `/creators/${creator.id}`]) {
    await page.goto(home + path);
    assert.ok((await page.textContent('main')).includes(name), path);
    assert.equal(await page.evaluate(() => window.hit), undefined, path);
  }
  await casa.done();
});

test('a page weighs less than 150 kB with all it needs, and the kit is that of its packages', async () => {
  const casa = await brand();
  let weight = 0;
  const kinds = new Set();
  const asked = [];
  casa.page.on('response', (response) => asked.push(response));
  await casa.page.goto(`${casa.home}/deals/${casa.deal.id}`, { waitUntil: 'networkidle' });
  // Asked for again: a body isn't kept for a response that belongs to the page before.
  for (const url of new Set(asked.map((response) => response.url()))) {
    weight += gzipSync(await (await casa.page.request.get(url)).body()).length;
    kinds.add(new URL(url).pathname.split('.').at(-1));
  }
  assert.ok(kinds.has('css') && kinds.has('js') && kinds.has('svg'), [...kinds].join());
  assert.ok(weight < 60_000, `${weight} bytes`);
  for (const [name, text] of Object.entries(kit())) assert.equal(readFileSync(join(root, 'static', name), 'utf8'), text, name);
  assert.deepEqual(strangers(), []);
  await casa.done();
});
