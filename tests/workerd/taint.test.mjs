// Markers in every secret and everything personal, on happy paths and in failures: afterwards the log
// has none of them in any form, and neither have the files but where they are stored on purpose.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { click, Client, eventually, orderOf, sleep, visit } from './support/client.mjs';
import { startServer } from './support/server.mjs';
import { order, refund, store } from './support/shopify.mjs';
import { files, hits } from './support/taint.mjs';

const random = () => randomBytes(9).toString('hex');
const key = () => randomBytes(32).toString('base64');

/** Secrets, by name: nowhere, ever. */
const secrets = {
  operator: `op_${random()}`,
  click: key(),
  data: `1:active:${key()}`,
  hash: key(),
  client: `shpss_${random()}`,
  next: `shpss_${random()}`,
  forged: `tbk_${randomBytes(32).toString('base64url')}`,
};
/** What is told of shoppers: nowhere either. */
const shoppers = {
  email: `zoe@people.z${random()}`,
  name: `Zoe${random()}`,
  street: `Lane${random()}`,
  phone: `+1555${parseInt(random().slice(0, 12), 16)}`,
  note: `DE89${parseInt(random().slice(0, 12), 16)}`,
  agent: `Agent${random()}`,
  query: `query${random()}`,
  broken: `broken${random()}`,
};
/** What is stored of people on purpose: in these tables and no others, and in no log. */
const people = {
  creatorEmail: [`ada@people.a${random()}`, ['audit_personal', 'creators', 'mails']],
  creatorName: [`Ada${random()}`, ['audit_personal', 'creators', 'search', 'search_docs']],
  handle: [`handle${random()}`, ['audit_personal', 'creators', 'search', 'search_docs']],
  owner: [`owner@people.o${random()}`, ['brands', 'mails', 'members', 'sign_ins']],
};

let state;
let server;
before(async () => {
  state = mkdtempSync(join(tmpdir(), 'tributary-taint-'));
  const vars = {
    OPERATOR_TOKEN: secrets.operator,
    CLICK_KEY: secrets.click,
    DATA_KEY: secrets.data,
    HASH_KEY: secrets.hash,
  };
  server = await startServer({ stateDir: state, faults: true, vars });
});
after(async () => {
  await server?.stop();
  rmSync(state, { recursive: true, force: true });
});

/** Keys also hide as their bytes. */
const keyParts = () => {
  const parts = { ...secrets };
  for (const name of ['click', 'data', 'hash']) {
    const bytes = Buffer.from(secrets[name].split(':').at(-1), 'base64');
    parts[name] = secrets[name].split(':').at(-1);
    parts[`${name} bytes`] = bytes.toString('latin1');
  }
  return parts;
};

const personal = (n) => ({
  email: n % 2 ? shoppers.email : `${n}.${shoppers.email}`,
  more: {
    phone: shoppers.phone,
    note: shoppers.note,
    browser_ip: shoppers.query,
    client_details: { user_agent: shoppers.agent },
    billing_address: { name: shoppers.name, address1: shoppers.street, phone: shoppers.phone },
    shipping_address: { first_name: shoppers.name, address1: shoppers.street },
    customer: { id: 5, email: shoppers.email, first_name: shoppers.name, phone: shoppers.phone },
    landing_site_ref: shoppers.query,
    note_attributes: [{ name: 'IBAN', value: shoppers.note }],
  },
});

async function everyWay() {
  const operator = new Client(server, secrets.operator);
  const { api_key } = await operator.post('/v1/brands', {
    name: 'Casa',
    currency: 'USD',
    homepage_url: 'https://casa.example',
    owner_email: people.owner[0],
  });
  secrets.api = api_key;
  const brand = operator.as(api_key);
  const made = await brand.post('/v1/stores', {
    platform: 'shopify',
    shop_domain: 'casa.myshopify.com',
    storefront_url: 'https://shop.casa.example',
    client_id: 'app',
    client_secret: secrets.client,
  });
  const shop = store(server, made, secrets.client);
  const creator = await brand.post('/v1/creators', {
    name: people.creatorName[0],
    handle: people.handle[0],
    email: people.creatorEmail[0],
  });
  const campaign = await brand.post('/v1/campaigns', { name: 'Fall' });
  const deal = await brand.post('/v1/deals', {
    creator_id: creator.id,
    campaign_id: campaign.id,
    commission_percent: '10',
  });
  const link = await brand.post(`/v1/deals/${deal.id}/links`, { slug: 'sofa' });
  await brand.post(`/v1/deals/${deal.id}/codes`, { code: 'ANNA10', create_in_store: false });
  const invited = await brand.post(`/v1/deals/${deal.id}/invitation`);
  secrets.invitation = invited.url.split('#')[1];
  const anyone = new Client(server);
  const { access_token } = await anyone.post('/v1/invitations/acceptance', { token: secrets.invitation });
  secrets.access = access_token;
  await brand.as(access_token).get('/v1/me/export');

  // Clicks and 100 orders with everything that is told of a shopper.
  const agent = `Mozilla/5.0 (iPhone) ${shoppers.agent}`;
  const headers = { 'cf-connecting-ip': shoppers.query, referer: `https://x.example/${shoppers.query}` };
  const id = await click(server, link, { agent, headers });
  await visit(server, `/go/sofa?e=${shoppers.query}`, { agent, headers });
  const orders = Array.from({ length: 100 }, (_, n) =>
    order({ clicks: [id], codes: [['ANNA10', '1.00']], ...personal(n) }),
  );
  for (const body of orders) body.note_attributes.push({ name: '_tributary_click', value: id });
  for (let at = 0; at < orders.length; at += 20)
    await Promise.all(orders.slice(at, at + 20).map((body) => shop.send(body)));
  await shop.send(refund({ orderId: orders[0].id, amount: '5.00' }));
  await shop.send({
    shop_id: 1,
    shop_domain: 'casa.myshopify.com',
    customer: { id: 5, email: shoppers.email, phone: shoppers.phone },
    orders_to_redact: orders.slice(0, 5).map((body) => body.id),
  });
  await shop.send({
    shop_id: 1,
    shop_domain: 'casa.myshopify.com',
    customer: { id: 5, email: shoppers.email, phone: shoppers.phone },
    orders_requested: [orders[9].id],
    data_request: { id: 9 },
  });
  assert.equal((await orderOf({ client: brand }, orders[9].id)).deal_id, deal.id);
  await failures({ brand, shop, anyone, deal, orders });
  await brand.patch(`/v1/stores/${made.id}`, { client_secret: secrets.next });
  await server.triggerCron({ cron: 'all' });
  return { brand, shop };
}

async function failures({ brand, shop, anyone, deal, orders }) {
  const broken = [
    `{"id": 1, "email": "${shoppers.broken}`,
    JSON.stringify({ ...orders[1], id: shoppers.broken, email: shoppers.email }),
    JSON.stringify({ ...orders[1], currency: shoppers.broken }),
    JSON.stringify({ ...orders[1], created_at: shoppers.broken, line_items: shoppers.broken }),
    JSON.stringify({ ...orders[1], line_items: [{ id: 1, quantity: 1, price: shoppers.broken }] }),
    JSON.stringify({ shop_id: 1, shop_domain: 'casa.myshopify.com', orders_to_redact: [shoppers.broken] }),
    Buffer.concat([Buffer.from(shoppers.broken), Buffer.from([0xff])]),
  ];
  for (const body of broken) assert.equal((await shop.deliver(body)).status, 200);
  for (const how of [{ secret: secrets.forged }, { signature: shoppers.broken }, { signature: null }])
    assert.equal((await shop.deliver(orders[1], how)).status, 401);
  // Wrong bodies, wrong tokens, tokens in paths and addresses.
  const bad = { name: people.creatorName[0], email: people.creatorEmail[0], handle: 5, [shoppers.broken]: 1 };
  for (const body of [bad, JSON.stringify(bad).slice(0, -3), { name: [shoppers.broken] }])
    assert.ok((await brand.call('POST', '/v1/creators', body)).status >= 400);
  await anyone.as(secrets.forged).call('GET', '/v1/brand');
  for (const email of [people.owner[0], shoppers.broken])
    await anyone.call('POST', '/v1/sign-in', { email }, { 'sec-fetch-site': 'same-origin' });
  await anyone.call('POST', '/v1/sign-in/link', { token: secrets.forged }, { 'sec-fetch-site': 'same-origin' });
  await anyone.call('POST', '/v1/invitations/acceptance', { token: secrets.forged });
  await anyone.call('GET', `/v1/creators/${secrets.forged}`);
  await brand.call('GET', `/v1/creators/${people.creatorEmail[0]}`);
  await brand.call('GET', `/v1/orders?cursor=${shoppers.query}&email=${shoppers.email}`);
  assert.equal((await anyone.call('GET', `/v1/brand?key=${secrets.forged}`)).status, 400);
  await brand.call('POST', `/v1/creators`, { name: people.creatorName[0], handle: 'x'.repeat(500) });
  // D1 away, and losing calls: every error is told, and many are logged.
  await server.breakD1('away');
  const away = [
    brand.call('POST', '/v1/creators', { name: people.creatorName[0], handle: people.handle[0] }),
    brand.call('GET', `/v1/creators/${secrets.forged}`),
    brand.call('GET', `/v1/creators/${people.creatorEmail[0]}`),
    brand.call('GET', `/v1/deals/${deal.id}`),
    anyone.call('GET', `/v1/brand?key=${secrets.api.slice(0, -1)}x`),
    anyone.as(secrets.access).call('GET', '/v1/me/export'),
    visit(server, `/go/${shoppers.query}`),
  ];
  const answers = await Promise.all(away);
  assert.ok(answers.filter(({ status }) => status === 503).length >= 4);
  assert.equal((await shop.deliver(order({ ...personal(1) }))).status, 200, 'taken by the queue');
  assert.equal((await shop.deliver(broken[0])).status, 503);
  await server.triggerCron({ cron: 'all' });
  await server.breakD1('open');
  for (const call of [1, 2, 3]) {
    await server.breakD1('after', { call });
    await shop.deliver(order({ ...personal(call) }));
    await server.breakD1('open');
  }
  await sleep(1500);
}

test('no log and no file tells a secret or a shopper', async () => {
  const { brand } = await everyWay();
  await eventually('the queue', async () => (await brand.get('/v1/orders?limit=200')).data.length >= 104, {
    timeout: 60_000,
  });

  // What is stored on purpose stands where it is said to, and nowhere else.
  const [names] = await server.sql(
    "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%' AND name NOT LIKE '\\_cf%' ESCAPE '\\'",
  );
  const tables = await server.sql(...names.map(({ name }) => `SELECT * FROM ${name}`));
  for (const [marker, expected] of Object.values(people)) {
    const holding = names.filter((_, at) => JSON.stringify(tables[at]).includes(marker)).map(({ name }) => name);
    assert.deepEqual(holding.sort(), expected, marker);
  }
  await server.stop();

  const log = readFileSync(join(state, 'worker.log'));
  assert.ok(log.includes('webhook_quarantined') && log.includes('"status":503'), 'failures were logged');
  assert.ok(!/panicked|RuntimeError|unreachable/.test(log.toString()), log.toString().slice(-2000));
  const known = Object.fromEntries(Object.entries(people).map(([name, [marker]]) => [name, marker]));
  assert.deepEqual(hits({ ...keyParts(), ...shoppers, ...known }, log), [], 'in the log');

  const all = files(join(state, 'v3'));
  assert.ok(all.some((path) => path.includes('/d1/')) && all.some((path) => path.includes('/do/')));
  for (const path of [...all, join(state, 'workerd.capnp')]) {
    const bytes = readFileSync(path);
    const where = path.slice(state.length);
    assert.deepEqual(hits({ ...keyParts(), ...shoppers }, bytes), [], where);
    if (!where.includes('/d1/')) assert.deepEqual(hits(known, bytes), [], where);
  }
  // The search itself finds what is there.
  const d1 = Buffer.concat(all.filter((path) => path.includes('/d1/')).map((path) => readFileSync(path)));
  assert.ok(hits(known, d1).includes('creatorEmail as raw'));
  assert.ok(hits({ x: 'Sofa and more' }, Buffer.from(Buffer.from('aSofa and more!').toString('base64'))).length > 0);
});
