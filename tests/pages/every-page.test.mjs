// What holds on every page of both sides: accessible and fitting on a phone and a wide screen, in light and dark; whole
// without a script; no other host, no complaint; texts of others are texts; few rows read, little to load; and
// figures are the API's.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { click, orderOf, programme } from '../workerd/support/client.mjs';
import { order } from '../workerd/support/shopify.mjs';
import { DESKTOP, isAccessible, mailTo, person, PHONE, withBrowser } from './support/browser.mjs';
import { address, BRAND, CREATOR, ELSEWHERE, routed } from './support/pages.mjs';
import { member } from './support/people.mjs';

/** What one page may read of the database, and weigh with all that it loads. */
const MOST_ROWS = 5000;
const MOST_BYTES = 150_000;

const XSS = ['<script>window.hit=1</script>', '"><img src=x onerror=hit=1>', '{{7*7}}', 'javascript:hit=1', "';hit=1//"];
const HOSTILE = XSS.join(' ');

let server, browser, casa, owner, anna;
withBrowser(async (...both) => {
  [server, browser] = both;
  casa = await busy();
  owner = await member(browser, server, `owner-${casa.mark}@casa.example`);
  anna = await hers();
  casa.payout = await paid();
  casa.line = casa.payout.lines[0];
}, { faults: true });

const usd = (amount) => ({ amount, currency: 'USD' });
const named = (path, body) => casa.client.call('POST', path, body, { 'idempotency-key': `${Math.random()}` });

/** A brand where every field that somebody else fills in says something hostile. */
async function busy() {
  const made = await programme(server, { startsAt: '2026-01-01T00:00:00Z', settings: { hold_days: 0, name: HOSTILE } });
  const { client, store } = made;
  await client.patch(`/v1/creators/${made.creator.id}`, { name: HOSTILE, niche: HOSTILE, tags: [HOSTILE.slice(0, 40)] });
  await client.patch(`/v1/campaigns/${made.campaign.id}`, { name: HOSTILE });
  const deal = `/v1/deals/${made.deal.id}`;
  await client.post(`${deal}/notes`, { text: HOSTILE });
  await client.post(`${deal}/follow-ups`, { text: HOSTILE, due_on: '2026-01-05' });
  const placed = [];
  for (const price of ['1234.50', '80.00']) {
    const clicks = [await click(server, made.link)];
    const one = order({ clicks, lines: [{ price }] });
    one.name = HOSTILE;
    await store.deliver(one, { topic: 'orders/paid' });
    placed.push(await orderOf(made, one.id));
  }
  return { ...made, order: placed[0] };
}

/** The creator, signed in at a browser of her own, with payment details. */
async function hers() {
  const { url } = await casa.client.post(`/v1/deals/${casa.deal.id}/invitation`, {});
  const her = await person(browser, server);
  await her.page.goto(url);
  await her.page.getByRole('button', { name: 'Accept' }).click();
  await her.page.waitForURL('**/sign-in/code');
  await her.page.goto((await mailTo(server, casa.email)).link);
  await her.page.waitForURL('**/c/*');
  const headers = { origin: server.origin, 'tributary-brand': casa.brand.id };
  const data = { method: 'iban', holder: HOSTILE.slice(0, 60), iban: 'DE89370400440532013000' };
  const put = await her.page.request.put('/v1/me/payment-details', { headers, data });
  assert.equal(put.status(), 200, await put.text());
  return her;
}

/** A payout that came back, for a hostile reason, and an agreed fee. */
async function paid() {
  const fee = { amount: usd('150.00'), note: HOSTILE };
  assert.equal((await named(`/v1/deals/${casa.deal.id}/fees`, fee)).status, 201);
  const drafted = await named('/v1/payouts', { currency: 'USD', creator_ids: [casa.creator.id] });
  assert.equal(drafted.status, 201, drafted.text);
  const at = `/v1/payouts/${drafted.json.id}`;
  assert.equal((await named(`${at}/approval`)).status, 200);
  const settled = await named(`${at}/settlement`, { outcome: 'failed', reference: HOSTILE, reason: HOSTILE });
  assert.equal(settled.status, 200, settled.text);
  return settled.json;
}

/** All that is walked: a name, the address, and whose cookies it needs. */
const all = () =>
  [[BRAND, owner], [CREATOR, anna]].flatMap(([pages, who]) =>
    Object.entries(pages).map(([route, stands]) => ({ route, path: address(route, stands, casa), who })),
  );

test('every page that the router has is walked, or said to be looked at elsewhere', () => {
  const known = [BRAND, CREATOR, ELSEWHERE].flatMap((pages) => Object.keys(pages));
  assert.deepEqual([...routed()].sort(), [...known].sort(), 'tests/pages/support/pages.mjs and src/web/pages/mod.rs');
});

test('every page is whole without a script, reads few rows and weighs little', async () => {
  const plain = new Map();
  for (const who of [owner, anna]) {
    const found = await person(browser, server, { javaScriptEnabled: false });
    await found.context.addCookies(await who.context.cookies());
    plain.set(who, found);
  }
  const weights = new Map();
  const weigh = async (path) => {
    if (!weights.has(path)) weights.set(path, gzipSync(await (await fetch(server.origin + path)).text()).length);
    return weights.get(path);
  };
  const told = [];
  for (const { route, path, who } of all()) {
    const { page } = plain.get(who);
    await server.countD1();
    const answer = await page.goto(path);
    const { calls, rows_read } = await server.countD1();
    assert.equal(answer.status(), 200, route);
    assert.ok(rows_read < MOST_ROWS, `${route} reads ${rows_read} rows`);
    assert.ok((await page.locator('h1').textContent()).trim(), `${route}: a heading`);
    assert.ok((await page.locator('main').innerText()).length > 60, `${route}: its content`);
    const html = await answer.text();
    const assets = [...new Set([...html.matchAll(/(?:href|src)="(\/assets\/[^"#]+)/g)].map(([, asset]) => asset))];
    let bytes = gzipSync(html).length;
    for (const asset of assets) bytes += await weigh(asset);
    assert.ok(bytes < MOST_BYTES, `${route} weighs ${bytes} bytes`);
    told.push(`${route}: ${calls} calls, ${rows_read} rows, ${Math.round(bytes / 1000)} kB`);
  }
  console.log(told.join('\n'));
  for (const { done } of plain.values()) await done();
});

test('every page is accessible and fits, in light and dark; hostile texts are texts; nothing complains', async () => {
  const looks = [['phone, dark', PHONE, 'dark'], ['wide, light', DESKTOP, 'light']];
  const walk = async ([look, options, colorScheme]) => {
    const people = new Map();
    for (const who of [owner, anna]) {
      const found = await person(browser, server, { ...options, colorScheme });
      found.page.on('console', (message) => message.type() === 'error' && found.complaints.push(message.text()));
      await found.context.addCookies(await who.context.cookies());
      people.set(who, found);
    }
    let hostile = 0;
    for (const { route, path, who } of all()) {
      const { page, complaints } = people.get(who);
      await page.goto(path, { waitUntil: 'load' });
      await isAccessible(page, `${route} (${look})`);
      assert.equal(await page.evaluate(() => window.hit), undefined, `${route}: a hostile text ran`);
      const text = await page.locator('body').textContent();
      if (text.includes(XSS[0])) hostile++;
      assert.ok(!text.includes('49 javascript:hit'), `${route}: a template in a text was filled in`);
      assert.deepEqual(complaints, [], `${route} (${look})`);
    }
    assert.ok(hostile >= 15, `hostile texts were on ${hostile} pages only`);
    for (const { done } of people.values()) await done();
  };
  await Promise.all(looks.map(walk));
});

test('amounts, days and rates of both sides are the API’s', async () => {
  const { client } = casa;
  const [page, her] = [owner.page, anna.page];
  const values = (at, from) => from.locator(at).evaluateAll((found) => found.map(({ value }) => value));
  const times = (at) => page.locator(at).evaluateAll((found) => found.map(({ dateTime }) => dateTime));
  const home = `/b/${casa.brand.id}`;

  await page.goto(`${home}/orders`);
  const { data: orders } = await client.get('/v1/orders');
  assert.deepEqual(await values('tbody data.money', page), orders.flatMap(({ base, commission }) => [base.amount, commission.amount]));
  assert.deepEqual((await times('tbody time')).map(Date.parse), orders.map(({ placed_at }) => Date.parse(placed_at)));

  await page.goto(`${home}/deals/${casa.deal.id}`);
  const told = await client.get(`/v1/deals/${casa.deal.id}/performance`);
  const deal = await client.get(`/v1/deals/${casa.deal.id}`);
  const shown = await page.locator('main').innerText();
  for (const { amount } of [...told.revenue, ...told.commission])
    assert.ok((await values('data.money', page)).includes(amount), `${amount} on the deal`);
  assert.ok(shown.includes(`${deal.terms.commission_percent} %`) || shown.includes(`${deal.terms.commission_percent}%`));

  await page.goto(`${home}/payouts`);
  const owed = await client.get('/v1/owed');
  assert.deepEqual(await values('.stats data.money', page), [owed.totals.payable, owed.totals.held_back, owed.totals.pending].map(({ amount }) => amount));
  await page.goto(`${home}/payouts/${casa.payout.id}`);
  assert.ok((await values('tbody data.money', page)).includes(casa.line.amount.amount));
  await page.goto(`${home}/creators/${casa.creator.id}`);
  const [balance] = (await client.get(`/v1/creators/${casa.creator.id}/balances`)).data;
  const has = await values('data.money', page);
  for (const name of ['available', 'pending', 'in_payout', 'paid']) assert.ok(has.includes(balance[name]), name);

  const headers = { 'tributary-brand': casa.brand.id };
  const mine = async (path) => (await her.request.get(path, { headers })).json();
  // Her side is written for her locale by the server: amounts as she reads them.
  const written = ({ amount, currency }) => new Intl.NumberFormat('en-US', { style: 'currency', currency }).format(amount);
  await her.goto(`/c/${casa.brand.id}`);
  for (const name of ['available', 'pending', 'in_payout', 'paid']) {
    const told = await her.locator(`[data-money=${name}]`).first().textContent();
    assert.equal(told.trim(), written({ amount: balance[name], currency: 'USD' }), `${name} for her`);
  }
  const reads = async (path, amounts) => {
    await her.goto(`/c/${casa.brand.id}${path}`);
    const text = await her.locator('main').innerText();
    for (const amount of amounts) assert.ok(text.includes(written(amount)), `${path}: ${written(amount)}`);
  };
  const hers = (await mine('/v1/me/orders')).data;
  assert.equal(hers.length, 2);
  await reads('/orders', hers.map(({ commission }) => commission));
  await reads('/payouts', (await mine('/v1/me/payouts')).data.map(({ amount }) => amount));
});
