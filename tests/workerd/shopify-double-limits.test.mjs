// The double of Shopify itself, further: buckets, scopes, tokens, faults, thousands of orders, the storefront.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { serialize } from 'node:v8';
import { startShopify } from '../doubles/shopify/index.mjs';
import {
  ask,
  basic,
  BY_CODE,
  CREATE,
  credentials,
  data,
  double,
  hook,
  library,
  make,
  SECRET,
  subscribe,
  tokenOf,
  until,
} from './support/shopify-double.mjs';

test('points are paid from a bucket that refills', async () => {
  await make('small', { bucket: { maximum: 1000, rate: 400 } });
  const where = { shop: 'small', access: (await tokenOf('small')).access_token };
  const dear =
    'query Dear { orders(first: 250) { nodes { id lineItems(first: 250) { nodes { id product { id } variant { id } } } } } }';
  const first = await ask(dear, {}, where);
  const { requestedQueryCost, actualQueryCost, throttleStatus } = first.extensions.cost;
  assert.equal(requestedQueryCost, 2 + 11 * (1 + 2 + 11 * 3));
  assert.ok(actualQueryCost < 5, 'an empty shop costs next to nothing');
  assert.deepEqual([throttleStatus.maximumAvailable, throttleStatus.restoreRate], [1000, 400]);
  await double.control('small/bucket', { available: 0, rate: 2000 });
  const poor = await ask(dear, {}, where);
  assert.deepEqual(
    [poor.status, poor.data, poor.errors[0].message, poor.errors[0].extensions.code],
    [200, null, 'Throttled', 'THROTTLED'],
  );
  assert.equal(poor.extensions.cost.actualQueryCost, null);
  const wait =
    (poor.extensions.cost.requestedQueryCost - poor.extensions.cost.throttleStatus.currentlyAvailable) / 2000;
  await new Promise((resolve) => setTimeout(resolve, wait * 1000 + 20));
  assert.ok((await ask(dear, {}, where)).data);
  const lines = 'lineItems(first: 250) { nodes { product { id } variant { id } } }';
  const huge = await ask(
    `query Huge { orders(first: 250) { nodes { ${lines} b: ${lines} c: ${lines} } } }`,
    {},
    where,
  );
  assert.equal(huge.errors[0].extensions.code, 'MAX_COST_EXCEEDED', JSON.stringify(huge.errors));
});

test('topics need their scope, and orders the approval to see shoppers', async () => {
  await make('topics', { scopes: ['read_orders'] });
  const where = { shop: 'topics', access: (await tokenOf('topics')).access_token };
  const words = async (topic) => (await subscribe(topic, where)).userErrors[0]?.message;
  assert.equal(await words('ORDERS_CREATE'), undefined);
  assert.match(
    await words('DISPUTES_CREATE'),
    /cannot create a webhook subscription with the specified topic/,
  );
  await double.control('topics', { settings: { protectedCustomerData: false } });
  assert.match(await words('ORDERS_PAID'), /not approved to subscribe to webhook topics/);
  const { errors } = await ask('query Some { orders(first: 1) { nodes { id } } }', {}, where);
  assert.match(errors[0].message, /This app is not approved to access the Order object/);
});

test('what a scope was not granted for is refused, field by field', async () => {
  await make('narrow', { scopes: ['read_orders'] });
  const access = (await tokenOf('narrow')).access_token;
  const where = { shop: 'narrow', access };
  await double.control('narrow/orders', { email: 'a@b.example' });
  const answer = await ask(
    'query Who { orders(first: 1) { nodes { name customer { id } lineItems(first: 1) { nodes { title product { id } } } } } }',
    {},
    where,
  );
  assert.deepEqual(answer.data.orders.nodes, [
    {
      name: '#1001',
      customer: null,
      lineItems: { nodes: [{ title: 'Stonewashed Linen Duvet Cover', product: null }] },
    },
  ]);
  assert.deepEqual(
    answer.errors.map(({ extensions, path }) => [extensions.code, path.at(-1)]),
    [
      ['ACCESS_DENIED', 'customer'],
      ['ACCESS_DENIED', 'product'],
    ],
  );
  assert.match(
    answer.errors[0].message,
    /Access denied for customer field. Required access: `read_customers` access scope/,
  );
  const refused = await ask(CREATE, basic('NO'), where);
  assert.equal(refused.errors[0].extensions.code, 'ACCESS_DENIED');
  assert.equal(double.shop('narrow').codes.size, 0);
  const day = 86_400_000;
  const old = await double.control('narrow/orders', { created_at: Date.now() - 61 * day });
  const count = () => data('query Count { ordersCount { count } }', {}, where);
  assert.equal((await count()).count, 1, 'sixty days');
  assert.equal(
    await data(
      'query One($id: ID!) { order(id: $id) { id } }',
      { id: `gid://shopify/Order/${old.id}` },
      where,
    ),
    null,
  );
  await double.control('narrow/scopes', { scopes: ['read_orders', 'read_all_orders'] });
  assert.equal((await count()).count, 2);
});

test('tokens end, rotate, and are refused with the wrong secret', async () => {
  await make('auth');
  assert.equal(
    (await tokenOf('auth', { grant_type: 'client_credentials', client_secret: 'guess' })).error,
    'invalid_client',
  );
  assert.equal(
    (await tokenOf('auth', { grant_type: 'client_credentials', client_id: 'other' })).error,
    'application_cannot_be_found',
  );
  const { access_token: day, expires_in: seconds } = await tokenOf('auth');
  assert.equal(seconds, 86_400);
  const name = (access) => ask('query N { shop { name } }', {}, { shop: 'auth', access });
  assert.equal((await name(day)).status, 200);
  assert.equal((await name('shpat_guess')).status, 401);

  const query = new URLSearchParams({
    client_id: 'app',
    scope: 'read_orders',
    redirect_uri: 'http://localhost:1/back',
    state: 's1',
    approve: '1',
  });
  const consent = await fetch(`${double.origin}/admin/oauth/authorize?${query}`, {
    headers: { 'x-shopify-shop-domain': 'auth.myshopify.com' },
    redirect: 'manual',
  });
  const back = Object.fromEntries(new URL(consent.headers.get('location')).searchParams);
  assert.equal(back.state, 's1');
  // Shopify's own library judges the signature.
  assert.equal(await library.utils.validateHmac(back), true);
  assert.equal(await library.utils.validateHmac({ ...back, shop: 'other.myshopify.com' }), false);
  const first = await tokenOf('auth', { code: back.code, expiring: '1' });
  assert.deepEqual(
    [first.expires_in, first.scope, first.refresh_token_expires_in],
    [3600, 'read_orders', 90 * 86_400],
  );
  assert.equal(
    (await tokenOf('auth', { code: back.code, expiring: '1' })).error,
    'invalid_request',
    'a code counts once',
  );

  const renew = (refresh) => tokenOf('auth', { grant_type: 'refresh_token', refresh_token: refresh });
  const second = await renew(first.refresh_token);
  const again = await renew(first.refresh_token);
  assert.ok(second.access_token && again.access_token, 'retryable until its successor is used');
  assert.equal((await name(again.access_token)).status, 200);
  assert.equal((await renew(first.refresh_token)).error, 'invalid_grant');
  assert.ok((await renew(again.refresh_token)).access_token);
  await double.control('clock', { now: Date.now() + 3601_000 });
  assert.equal((await name(again.access_token)).status, 401);
  await double.control('clock', { now: Date.now() });
});

test('faults: done or not done, and what is heard of it', async () => {
  await make('faulty');
  const access = (await tokenOf('faulty')).access_token;
  const where = { shop: 'faulty', access };
  const there = async (code) => (await data(BY_CODE, { code }, where)) !== null;
  const fault = (...faults) => double.control('faulty/faults', { faults });
  await fault({ fault: 'lost-before', operation: 'Create' });
  await assert.rejects(ask(CREATE, basic('A'), where), /fetch failed/);
  assert.equal(await there('A'), false);
  await fault({ fault: 'lost-after', operation: 'Create' });
  await assert.rejects(ask(CREATE, basic('B'), where), /fetch failed/);
  assert.equal(await there('B'), true);
  await fault('truncated');
  await assert.rejects(ask(CREATE, basic('C'), where), SyntaxError);
  assert.equal(await there('C'), true);
  await fault('html');
  await assert.rejects(ask(CREATE, basic('D'), where), SyntaxError);
  await fault('throttled', 'unauthorized', 500, 'internal');
  const answers = [];
  for (let at = 0; at < 4; at++) answers.push(await ask(CREATE, basic('D'), where));
  assert.deepEqual(
    answers.map(({ status }) => status),
    [200, 401, 500, 200],
  );
  assert.deepEqual(
    [answers[0], answers[3]].map(({ errors }) => errors[0].extensions.code),
    ['THROTTLED', 'INTERNAL_SERVER_ERROR'],
  );
  assert.equal(await there('D'), false);
  await assert.rejects(fault('nonsense'), /no fault/);
});

test('deliveries: retried, lost and repeated by a seed, secrets rotated, the app gone', async () => {
  await make('tells');
  const where = { shop: 'tells', access: (await tokenOf('tells')).access_token };
  for (const topic of [
    'ORDERS_CREATE',
    'REFUNDS_CREATE',
    'ORDERS_EDITED',
    'ORDERS_CANCELLED',
    'ORDERS_DELETE',
    'DISPUTES_CREATE',
    'APP_UNINSTALLED',
    'APP_SCOPES_UPDATE',
  ])
    assert.deepEqual((await subscribe(topic, where)).userErrors, []);
  await double.control('deliveries', { retryMs: [5, 5] });
  let tries = 0;
  hook.answer = () => (++tries < 3 ? 500 : 200);
  const { id } = await double.control('tells/orders', {});
  const three = await hook.take();
  assert.equal(three.length, 3);
  assert.equal(new Set(three.map(({ headers }) => headers['x-shopify-webhook-id'])).size, 1);
  hook.answer = 200;

  await double.control('deliveries', { lost: 0.3, repeated: 0.3, seed: 4 });
  await double.control('tells/orders/many', { count: 100, tell: true, refunded: 0, cancelled: 0 });
  const got = await hook.take();
  const { lost, repeated } = (await double.control('tells/log')).deliveries;
  assert.ok(lost > 15 && repeated > 10, `${lost} lost, ${repeated} repeated`);
  assert.equal(got.length, 100 - lost + repeated);
  await double.control('deliveries', { lost: 0, repeated: 0 });

  await double.control(`tells/orders/${id}/edit`, {
    add: [{ product: 'linen-pillow' }],
    remove: [{ line: 0 }],
  });
  await double.control(`tells/orders/${id}/refund`, { lines: [{ line: 1 }] });
  await double.control(`tells/orders/${id}/dispute`, {});
  await double.control(`tells/orders/${id}/cancel`, {});
  await double.control(`tells/orders/${id}/delete`, {});
  await double.control('tells/scopes', { scopes: ['read_orders'] });
  const orderTopics = [
    'orders/cancelled',
    'orders/delete',
    'orders/edited',
    'refunds/create',
    'refunds/create',
  ];
  const topics = (await hook.take()).map(({ topic }) => topic);
  assert.deepEqual(topics.sort(), ['app/scopes_update', 'disputes/create', ...orderTopics]);

  await double.control('tells/customers/redact', { customer: { id: '7', email: 'x@y.example' }, orders: [] });
  await double.control('tells/secret', { secret: 'newer' });
  await double.control('tells/orders', {});
  await double.control('tells/secret', { sign: 'new' });
  await double.control('tells/orders', {});
  const { createHmac } = await import('node:crypto');
  const sign = (body, secret) => createHmac('sha256', secret).update(body).digest('base64');
  const [redact, old, fresh] = await hook.take();
  assert.deepEqual(JSON.parse(redact.body).customer, { id: 7, email: 'x@y.example' });
  assert.equal(old.headers['x-shopify-hmac-sha256'], sign(old.body, SECRET));
  assert.equal(fresh.headers['x-shopify-hmac-sha256'], sign(fresh.body, 'newer'));

  await double.control('tells/uninstall', {});
  assert.equal((await hook.take())[0].topic, 'app/uninstalled');
  assert.equal((await ask('query N { shop { name } }', {}, where)).status, 401);
  assert.equal((await tokenOf('tells')).error, 'app_not_installed');
});

test('thousands of orders: page by page while they change, and in bulk by Range', async () => {
  await make('large', { bucket: { maximum: 20_000, rate: 1e6 } });
  const access = (await tokenOf('large')).access_token;
  const where = { shop: 'large', access };
  await double.control('large/discounts', { code: 'ANNA10' });
  const began = Date.now();
  await double.control('large/orders/many', {
    count: 3000,
    codes: ['anna10'],
    landing_sites: ['/?ref=anna'],
  });
  assert.ok(Date.now() - began < 5000);
  const page =
    'query Page($after: String) { orders(first: 250, after: $after, sortKey: UPDATED_AT) { pageInfo { hasNextPage endCursor } nodes { id updatedAt } } }';
  const seen = new Set();
  let after = null;
  for (let at = 0; ; at++) {
    const { nodes, pageInfo } = await data(page, { after }, where);
    for (const { id } of nodes) seen.add(id);
    // One that was seen changes, so it comes again at the end.
    if (at === 3)
      await double.control(`large/orders/${nodes[0].id.split('/').pop()}/update`, { tags: ['late'] });
    after = pageInfo.endCursor;
    if (!pageInfo.hasNextPage) break;
  }
  assert.equal(seen.size, 3000);
  const run =
    'mutation Run($q: String!) { bulkOperationRunQuery(query: $q, groupObjects: false) { bulkOperation { id status } userErrors { code message } } }';
  const q = `{ orders { edges { node { id name refunds { id } lineItems { edges { node { id quantity } } } } } } }`;
  const { bulkOperation } = await data(run, { q }, where);
  const poll =
    'query Poll($id: ID!) { bulkOperation(id: $id) { status objectCount rootObjectCount url fileSize errorCode } }';
  const end = await until(
    () => data(poll, { id: bulkOperation.id }, where),
    ({ status }) => status !== 'CREATED' && status !== 'RUNNING',
  );
  assert.deepEqual([end.status, end.rootObjectCount, end.errorCode], ['COMPLETED', '3000', null]);
  let text = '';
  for (let from = 0; from < Number(end.fileSize); from += 100_000) {
    const part = await fetch(end.url, { headers: { range: `bytes=${from}-${from + 99_999}` } });
    assert.equal(part.status, 206);
    assert.match(part.headers.get('content-range'), new RegExp(`^bytes ${from}-\\d+/${end.fileSize}$`));
    text += await part.text();
  }
  const lines = text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  assert.equal(lines.length, Number(end.objectCount));
  assert.equal(lines.filter(({ __parentId: parent }) => parent === undefined).length, 3000);
  let parent;
  for (const line of lines) {
    if (line.__parentId) assert.equal(line.__parentId, parent);
    else parent = line.id;
  }
  const wrong = async (query) => (await data(run, { q: query }, where)).userErrors[0].message;
  assert.match(await wrong('{ shop { name } }'), /at least one connection/);
  assert.match(
    await wrong('{ orders { nodes { id refunds { refundLineItems { nodes { quantity } } } } } }'),
    /connection field within a list field/,
  );
  assert.match(
    await wrong('{ orders { nodes { lineItems { nodes { id } } } } }'),
    /must select the 'id' field/,
  );
});

test('the storefront: a creator’s link becomes an order with code, landing page and attribute', async () => {
  await make('front');
  await double.control('front/discounts', { code: 'ANNA10' });
  await double.control('front/theme', {
    head: '<script src="/snippet.js"></script>',
    privacy: { required: true },
  });
  const jar = new Map();
  const go = async (path, { body, ...options } = {}) => {
    const isForm = body instanceof URLSearchParams;
    const answer = await fetch(double.origin + path, {
      ...{ redirect: 'manual', ...options },
      ...(body && { method: 'POST', body: isForm ? body : JSON.stringify(body) }),
      headers: {
        'x-shopify-shop-domain': 'front.myshopify.com',
        cookie: [...jar].map(([name, value]) => `${name}=${value}`).join('; '),
        ...(body && !isForm && { 'content-type': 'application/json' }),
      },
    });
    for (const cookie of answer.headers.getSetCookie()) {
      const [name, value] = cookie.split(';')[0].split('=');
      jar.set(name, value);
    }
    return answer;
  };
  const link = await go(
    `/discount/anna10?redirect=${encodeURIComponent('/products/wool-throw?ref=anna&click_id=c1')}`,
  );
  assert.deepEqual(
    [link.status, link.headers.get('location')],
    [302, '/products/wool-throw?ref=anna&click_id=c1'],
  );
  for (const bad of ['//evil.example', 'https://evil.example', '/\\evil.example'])
    assert.equal((await go(`/discount/x?redirect=${encodeURIComponent(bad)}`)).headers.get('location'), '/');
  await go('/discount/anna10');
  jar.delete('_landing_page');
  const text = await (await go(link.headers.get('location'))).text();
  assert.ok(text.includes('<script src="/snippet.js"></script>') && text.includes('loadFeatures'));
  const variant = Number(/name="id" value="(\d+)"/.exec(text)[1]);
  await go('/collections/bedding?ref=other');
  await go('/cart/add.js', { body: { items: [{ id: variant, quantity: 2 }] } });
  await go('/cart/update.js', {
    body: new URLSearchParams({ 'attributes[_aff_click]': 'c1', 'attributes[gone]': 'x' }),
  });
  const cart = await (await go('/cart/update.js', { body: { attributes: { gone: '' } } })).json();
  assert.deepEqual([cart.item_count, cart.total_price, cart.attributes], [2, 23_220, { _aff_click: 'c1' }]);
  const paid = await go('/checkout', { body: new URLSearchParams({ email: 'zoe@example.com' }) });
  assert.equal(paid.status, 302);
  assert.match(await (await go(paid.headers.get('location'))).text(), /#1001/);
  const body = await double.control('front/orders/1001/body');
  assert.equal(body.landing_site, '/products/wool-throw?ref=anna&click_id=c1');
  assert.deepEqual(body.note_attributes, [{ name: '_aff_click', value: 'c1' }]);
  assert.deepEqual(body.discount_codes, [{ code: 'anna10', amount: '25.80', type: 'percentage' }]);
  assert.equal((await (await go('/cart.js')).json()).item_count, 0);
  await go('/checkout', { body: new URLSearchParams({ buy_now: variant }) });
  assert.deepEqual(
    (await double.control('front/orders/1002/body')).note_attributes,
    [],
    'bought without the cart',
  );
  assert.equal((await go('/products/none')).status, 404);
  assert.equal((await go('/cart/add.js', { body: { id: 1, quantity: 1 } })).status, 404);
});

test('the customer’s journey is ready later', async () => {
  await make('journey', { settings: { journeyMs: null } });
  const where = { shop: 'journey', access: (await tokenOf('journey')).access_token };
  const { id } = await double.control('journey/orders', {
    email: 'a@b.example',
    landing_site: '/?ref=anna&utm_source=ig',
  });
  const query =
    'query J($id: ID!) { order(id: $id) { customerJourneySummary { ready customerOrderIndex lastVisit { landingPage referralCode source utmParameters { source medium } } } } }';
  const look = async () =>
    (await data(query, { id: `gid://shopify/Order/${id}` }, where)).customerJourneySummary;
  assert.deepEqual(await look(), { ready: false, customerOrderIndex: null, lastVisit: null });
  await double.control(`journey/orders/${id}/journey`, { ready: true });
  assert.deepEqual(await look(), {
    ...{ ready: true, customerOrderIndex: 1 },
    lastVisit: {
      ...{
        landingPage: 'https://journey.myshopify.com/?ref=anna&utm_source=ig',
        referralCode: 'anna',
        source: 'ig',
      },
      utmParameters: { source: 'ig', medium: null },
    },
  });
});

test('an open double takes the first secret of a shop; as a program it ends with its caller', async () => {
  const script = new URL('../doubles/shopify/main.mjs', import.meta.url).pathname;
  const child = spawn(process.execPath, [script, '--open', '--attached'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  const origin = await new Promise((resolve) =>
    child.stdout.once('data', (text) => resolve(/^ready (\S+)/.exec(text)[1])),
  );
  const call = (path, body, shop = 'new.myshopify.com') =>
    fetch(origin + path, {
      method: 'POST',
      body: JSON.stringify(body),
      headers: { 'content-type': 'application/json', 'x-shopify-shop-domain': shop },
    });
  const grant = { ...credentials, grant_type: 'client_credentials' };
  assert.equal((await call('/admin/oauth/access_token', grant)).status, 200);
  assert.equal((await call('/admin/oauth/access_token', { ...grant, client_secret: 'other' })).status, 400);
  assert.equal((await call('/admin/oauth/access_token', grant, 'no shop')).status, 404);
  const foreign = await fetch(`${origin}/control/shops`, {
    method: 'POST',
    body: '{}',
    headers: { origin: 'https://evil.example' },
  });
  assert.equal(foreign.status, 403);
  child.stdin.end();
  assert.equal(await ended, 0);
});

test('a life of an order tells what a shop would have, in order, and delivers nothing', async () => {
  await make('lived', { taxRate: 0.19 });
  const where = { shop: 'lived', access: (await tokenOf('lived')).access_token };
  for (const topic of ['ORDERS_UPDATED', 'REFUNDS_CREATE']) await subscribe(topic, where);
  const day = (n) => Date.UTC(2026, 5, n);
  const { id, told } = await double.control('lived/orders/life', {
    ...{ number: 4711, created_at: day(1), lines: [{ product: 'linen-duvet', quantity: 2 }], paid: false },
    then: [
      { action: 'pay', at: day(2) },
      { action: 'refund', at: day(3), lines: [{ line: 0, quantity: 1 }] },
    ],
  });
  assert.deepEqual(await hook.take(), []);
  const bodies = told.map(({ topic, at, text }) => [topic, at, JSON.parse(text)]);
  assert.deepEqual(
    bodies.map(([topic, at, body]) => [topic, (at - day(1)) / 86_400_000, body.financial_status, body.refunds?.length]),
    [
      ['orders/create', 0, 'pending', 0],
      ['orders/updated', 0, 'pending', 0],
      ['orders/paid', 1, 'paid', 0],
      ['orders/updated', 1, 'paid', 0],
      ['refunds/create', 2, undefined, undefined],
      ['orders/updated', 2, 'partially_refunded', 1],
    ],
  );
  for (const { topic, text, headers } of told) {
    assert.equal(headers['x-shopify-topic'], topic);
    assert.equal(headers['x-shopify-hmac-sha256'], createHmac('sha256', SECRET).update(text).digest('base64'));
  }
  assert.match(told[0].text, new RegExp(`^{"id":${id},`));
  assert.equal((await double.control('lived/orders', {})).name, '#4712');
  await hook.take();
});

test('what a double keeps in a file is there in the next one; what was under way isn’t', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'double-'));
  const state = join(folder, 'shops');
  try {
    const first = await startShopify({ state });
    const usd = { clientId: 'app', clientSecret: SECRET, currency: 'USD' };
    await first.control('shops', { domain: 'kept.myshopify.com', ...usd });
    await first.control('kept/discounts', { code: 'ANNA10' });
    const order = { code: 'anna10', email: 'a@casa.example', lines: [{ product: 'linen-duvet' }] };
    const { id } = await first.control('kept/orders', order);
    await first.control('kept/theme', { head: '<meta name="kept">' });
    const body = JSON.stringify(await first.control(`kept/orders/${id}/body`));
    // Only what was asked over HTTP counts as a change.
    const home = { headers: { 'x-shopify-shop-domain': 'kept.myshopify.com' } };
    const seen = await (await fetch(first.origin, home)).text();
    await first.stop();
    assert.equal(statSync(state).mode & 0o777, 0o600);

    const second = await startShopify({ state });
    assert.equal(JSON.stringify(await second.control(`kept/orders/${id}/body`)), body);
    assert.equal(await (await fetch(second.origin, home)).text(), seen);
    const again = await second.control('kept/orders', order);
    assert.deepEqual([again.name, again.codes, BigInt(again.id) > BigInt(id)], ['#1002', ['anna10'], true]);
    const [bedding] = await second.control('kept/collections');
    assert.deepEqual(bedding.products, ['linen-duvet', 'linen-pillow', 'wool-throw']);
    await second.control('kept/collections/bedding', { remove: ['wool-throw'] });
    const throws = (await second.control('kept/products')).find(({ handle }) => handle === 'wool-throw');
    assert.deepEqual(throws.collections, ['home'], 'products and collections still know each other');
    await second.stop();

    writeFileSync(state, serialize({ version: 0 }));
    const third = await startShopify({ state });
    assert.deepEqual((await third.control('')).shops, []);
    await third.stop();
  } finally {
    rmSync(folder, { recursive: true });
  }
});
