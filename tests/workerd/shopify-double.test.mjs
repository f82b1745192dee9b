// The double of Shopify itself: Shopify's own library as its client and as the judge of its deliveries, and
// fetch where the library has nothing.
import '@shopify/shopify-api/adapters/node';
import { shopifyApi } from '@shopify/shopify-api';
import { setAbstractFetchFunc } from '@shopify/shopify-api/runtime';
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { after, before, test } from 'node:test';
import { startShopify } from '../doubles/shopify/index.mjs';
import { VERSION } from '../doubles/shopify/schema.mjs';

const samples = new URL('../fixtures/shopify/shopify-docs/', import.meta.url);
const SHOP = 'casa.myshopify.com';
const SECRET = 'hush';
const credentials = { client_id: 'app', client_secret: SECRET };

let double;
let library;
let token;
let hook;

before(async () => {
  double = await startShopify();
  await make('casa', { taxRate: 0.19 });
  hook = await startHook();
  // The library speaks to https://casa.myshopify.com: that is the double here.
  setAbstractFetchFunc((url, options) => {
    const { pathname, search } = new URL(url);
    const headers = { ...options.headers, 'x-shopify-shop-domain': SHOP };
    return fetch(double.origin + pathname + search, { ...options, headers });
  });
  library = shopifyApi({
    apiKey: credentials.client_id,
    apiSecretKey: SECRET,
    scopes: ['read_orders'],
    hostName: 'localhost',
    apiVersion: VERSION,
    isEmbeddedApp: false,
    logger: { log: () => {} },
  });
  token = (await tokenOf('casa')).access_token;
});
after(async () => {
  await double?.stop();
  await hook?.stop();
});

const make = (name, more = {}) =>
  double.control('shops', {
    ...{ domain: `${name}.myshopify.com`, clientId: 'app', clientSecret: SECRET, currency: 'EUR' },
    ...{ settings: { bulkMs: 0, bulkAddSliceMs: 10 }, ...more },
  });

/** Keeps what is delivered to it; `answer` is its status. */
async function startHook() {
  const got = [];
  const kept = { got, answer: 200 };
  const server = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request.setEncoding('utf8')) body += chunk;
    got.push({ topic: request.headers['x-shopify-topic'], headers: request.headers, body });
    response.writeHead(typeof kept.answer === 'function' ? kept.answer() : kept.answer).end();
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  kept.uri = `http://127.0.0.1:${server.address().port}/webhooks`;
  kept.stop = () => (server.closeAllConnections(), new Promise((resolve) => server.close(resolve)));
  kept.take = async () => {
    await double.control('settled', {});
    return got.splice(0);
  };
  return kept;
}

async function post(shop, path, body, headers = {}) {
  const answer = await fetch(double.origin + path, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      'x-shopify-shop-domain': `${shop}.myshopify.com`,
      ...headers,
    },
    body: JSON.stringify(body),
  });
  return { status: answer.status, headers: answer.headers, text: await answer.text() };
}

async function tokenOf(shop, more = { grant_type: 'client_credentials' }) {
  const path = '/admin/oauth/access_token';
  const answer = await post(shop, path, { ...credentials, ...more }, { accept: 'application/json' });
  return { status: answer.status, ...JSON.parse(answer.text) };
}

async function ask(query, variables, { shop = 'casa', access = token } = {}) {
  const headers = { 'x-shopify-access-token': access };
  const answer = await post(shop, `/admin/api/${VERSION}/graphql.json`, { query, variables }, headers);
  return { status: answer.status, ...JSON.parse(answer.text) };
}

/** The one thing that a good answer has. */
async function data(query, variables, where) {
  const answer = await ask(query, variables, where);
  assert.equal(answer.errors, undefined, JSON.stringify(answer.errors));
  return Object.values(answer.data)[0];
}

const client = () => new library.clients.Graphql({ session: { shop: SHOP, accessToken: token } });

const CREATE = `mutation Create($d: DiscountCodeBasicInput!) { discountCodeBasicCreate(basicCodeDiscount: $d) {
  codeDiscountNode { id } userErrors { field message code } } }`;
const basic = (code, more = {}) => ({
  d: {
    ...{ title: code, code, startsAt: '2026-01-01T00:00:00Z', context: { all: 'ALL' } },
    ...{ customerGets: { items: { all: true }, value: { percentage: 0.1 } }, ...more },
  },
});
const BY_CODE =
  'query ByCode($code: String!) { codeDiscountNodeByCode(code: $code) { id codeDiscount { ... on DiscountCodeBasic { status asyncUsageCount } } } }';
const SUBSCRIBE = `mutation Sub($topic: WebhookSubscriptionTopic!, $w: WebhookSubscriptionInput!) {
  webhookSubscriptionCreate(topic: $topic, webhookSubscription: $w) { webhookSubscription { id } userErrors { field message } } }`;
const subscribe = (topic, where) => data(SUBSCRIBE, { topic, w: { uri: hook.uri, format: 'JSON' } }, where);
const until = async (look, done) => {
  for (let tries = 0; tries < 200; tries++) {
    const seen = await look();
    if (done(seen)) return seen;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error('it was never so');
};

test('Shopify’s library gets data, and comes again after 429 and 503', async () => {
  const { data: plain } = await client().request('query Name { shop { name currencyCode } }');
  assert.deepEqual(plain, { shop: { name: 'Casa', currencyCode: 'EUR' } });
  await double.control('casa/faults', {
    faults: [
      { fault: 429, retryAfter: 0.01 },
      { fault: 503, retryAfter: 0.01 },
    ],
  });
  const { data: later } = await client().request('query Again { shop { name } }', { retries: 2 });
  assert.equal(later.shop.name, 'Casa');
  const { requests } = await double.control('casa/log');
  assert.equal(requests.Again.count, 3);
});

test('Shopify’s library accepts deliveries, and none that was changed', async () => {
  assert.deepEqual((await subscribe('ORDERS_CREATE')).userErrors, []);
  const order = await double.control('casa/orders', {
    email: 'zoë@example.com',
    lines: [{ product: 'wool-throw' }],
  });
  const [{ headers, body, topic }] = await hook.take();
  assert.equal(topic, 'orders/create');
  const rawRequest = { method: 'POST', url: '/webhooks', headers };
  const validate = (rawBody) => library.webhooks.validate({ rawBody, rawRequest, rawResponse: {} });
  const valid = await validate(body);
  assert.equal(valid.valid, true, JSON.stringify(valid));
  assert.deepEqual([valid.domain, valid.apiVersion, valid.topic], [SHOP, VERSION, 'ORDERS_CREATE']);
  assert.equal((await validate(body.replace('wool', 'Wool'))).valid, true, 'that word is not in it');
  assert.equal((await validate(body.replace('Merino', 'merino'))).valid, false);
  // Ids are numbers beyond 2^53, exact.
  assert.ok(body.startsWith(`{"id":${order.id},`), body.slice(0, 60));
  assert.ok(BigInt(order.id) > 2n ** 53n);
});

test('a topic and an address go together once', async () => {
  const again = await subscribe('ORDERS_CREATE');
  assert.deepEqual(again.userErrors, [
    { field: ['webhookSubscription', 'uri'], message: 'Address for this topic has already been taken' },
  ]);
  const list = 'query Subs { webhookSubscriptions(first: 10) { nodes { id topic } } }';
  const { nodes } = await data(list);
  assert.deepEqual(
    nodes.map(({ topic }) => topic),
    ['ORDERS_CREATE'],
  );
  const gone =
    'mutation Del($id: ID!) { webhookSubscriptionDelete(id: $id) { deletedWebhookSubscriptionId } }';
  assert.equal((await data(gone, { id: nodes[0].id })).deletedWebhookSubscriptionId, nodes[0].id);
  await double.control('casa/orders', {});
  assert.equal((await hook.take()).length, 0);
});

test('the webhook and GraphQL say the same of an order', async () => {
  await make('same', { taxRate: 0.19, currency: 'EUR' });
  const access = (await tokenOf('same')).access_token;
  await double.control('same/discounts', { code: 'ANNA10' });
  const { id } = await double.control('same/orders', {
    ...{ code: 'anna10', currency: 'USD', rate: 1.1, landing_site: '/products/x?ref=anna' },
    note_attributes: { _aff_click: 'abc' },
    lines: [
      { product: 'linen-duvet', quantity: 2 },
      { product: 'beeswax-candles' },
      { product: 'gift-card' },
    ],
  });
  await double.control(`same/orders/${id}/refund`, {
    lines: [{ line: 0, quantity: 1 }],
    shipping: '1.00',
    amount: '150.00',
  });
  const body = await double.control(`same/orders/${id}/body`);
  const query = `query Same($id: ID!) { order(id: $id) { name displayFinancialStatus discountCodes
    customAttributes { key value } currentSubtotalPriceSet { ...M } totalPriceSet { ...M } totalRefundedSet { ...M } totalTaxSet { ...M }
    lineItems(first: 5) { nodes { id quantity currentQuantity isGiftCard discountAllocations { allocatedAmountSet { ...M } } taxLines { priceSet { ...M } } } }
    refunds { id totalRefundedSet { ...M } orderAdjustments(first: 2) { nodes { reason amountSet { ...M } } }
      refundLineItems(first: 5) { nodes { quantity subtotalSet { ...M } totalTaxSet { ...M } lineItem { id } } } } } }
    fragment M on MoneyBag { shopMoney { amount } presentmentMoney { amount currencyCode } }`;
  const order = await data(query, { id: `gid://shopify/Order/${id}` }, { shop: 'same', access });
  const cents = ({ shopMoney, presentmentMoney, shop_money: shop, presentment_money: other }) => {
    const of = (money) => Math.round(Number(money.amount) * 100);
    return [
      of(shopMoney ?? shop),
      of(presentmentMoney ?? other),
      presentmentMoney?.currencyCode ?? other.currency_code,
    ];
  };
  assert.equal(order.displayFinancialStatus, body.financial_status.toUpperCase());
  assert.deepEqual(
    order.discountCodes,
    body.discount_codes.map(({ code }) => code),
  );
  assert.deepEqual(order.customAttributes, [{ key: '_aff_click', value: 'abc' }]);
  assert.deepEqual(body.note_attributes, [{ name: '_aff_click', value: 'abc' }]);
  assert.deepEqual(cents(order.currentSubtotalPriceSet), cents(body.current_subtotal_price_set));
  assert.deepEqual(cents(order.totalPriceSet), cents(body.total_price_set));
  assert.deepEqual(cents(order.totalTaxSet), cents(body.total_tax_set));
  order.lineItems.nodes.forEach((line, at) => {
    const other = body.line_items[at];
    assert.equal(line.currentQuantity, other.current_quantity);
    assert.equal(line.isGiftCard, other.gift_card);
    const [taken, also] = [
      line.discountAllocations.map((one) => one.allocatedAmountSet),
      other.discount_allocations.map((one) => one.amount_set),
    ];
    assert.deepEqual(taken.map(cents), also.map(cents));
    assert.deepEqual(
      line.taxLines.map((one) => cents(one.priceSet)),
      other.tax_lines.map((one) => cents(one.price_set)),
    );
  });
  const [refund] = order.refunds;
  const [other] = body.refunds;
  assert.deepEqual(
    refund.refundLineItems.nodes.map((line) => [
      line.quantity,
      cents(line.subtotalSet),
      cents(line.totalTaxSet),
    ]),
    other.refund_line_items.map((line) => [
      line.quantity,
      cents(line.subtotal_set),
      cents(line.total_tax_set),
    ]),
  );
  // 189.00 − 10 % of it, 19 % tax of that; money moved = lines + shipping − adjustments, as in Shopify's bodies.
  assert.deepEqual(
    other.refund_line_items.map((line) => JSON.stringify(line.subtotal)),
    ['170.10'],
  );
  const lines = other.refund_line_items.reduce(
    (sum, line) => sum + cents(line.subtotal_set)[0] + cents(line.total_tax_set)[0],
    0,
  );
  const adjusted = other.order_adjustments.reduce((sum, one) => sum + cents(one.amount_set)[0], 0);
  assert.equal(lines + 100 - adjusted, 15_000);
  assert.equal('kind' in other.order_adjustments[0], false);
  assert.deepEqual(cents(refund.totalRefundedSet), [15_000, 16_500, 'USD']);
});

test('bodies have the fields of Shopify’s own samples, and no others', async () => {
  await make('fields', { taxRate: 0.2 });
  await double.control('fields/discounts', { code: 'ANNA10' });
  const { id } = await double.control('fields/orders', { code: 'ANNA10', email: 'a@b.example' });
  await double.control(`fields/orders/${id}/refund`, { lines: [{ line: 0 }] });
  const body = await double.control(`fields/orders/${id}/body`);
  const [refund] = body.refunds;
  const sample = (name) => JSON.parse(readFileSync(new URL(`2026-07__${name}.json`, samples)));
  const [order, refunded] = [sample('orders_create'), sample('refunds_create')];
  const alike = (mine, theirs) => assert.deepEqual(Object.keys(mine).sort(), Object.keys(theirs).sort());
  alike(body, order);
  alike(body.line_items[0], order.line_items[0]);
  alike(body.shipping_lines[0], order.shipping_lines[0]);
  alike({ ...body.customer, default_address: null }, order.customer);
  alike(refund, refunded);
  alike(refund.refund_line_items[0], refunded.refund_line_items[0]);
  alike(refund.refund_line_items[0].line_item, refunded.refund_line_items[0].line_item);
});

test('codes: made, found in any case, taken, used in an order, ended', async () => {
  assert.deepEqual((await data(CREATE, basic('Zoe15'))).userErrors, []);
  const { id } = await data(BY_CODE, { code: 'zoe15' });
  const [taken] = (await data(CREATE, basic('ZOE15'))).userErrors;
  assert.deepEqual([taken.code, taken.field], ['TAKEN', ['basicCodeDiscount', 'code']]);
  const order = await double.control('casa/orders', {
    code: 'zOE15',
    lines: [{ product: 'wool-throw', quantity: 2 }],
  });
  assert.deepEqual([order.discounts, order.codes], ['25.8', ['zOE15']]);
  assert.equal((await data(BY_CODE, { code: 'ZOE15' })).codeDiscount.asyncUsageCount, 1);
  const end =
    'mutation End($id: ID!) { discountCodeDeactivate(id: $id) { codeDiscountNode { codeDiscount { ... on DiscountCodeBasic { status } } } userErrors { code } } }';
  assert.equal((await data(end, { id })).codeDiscountNode.codeDiscount.status, 'EXPIRED');
  await assert.rejects(double.control('casa/orders', { code: 'ZOE15' }), /it is expired/);
  const remove =
    'mutation Del($id: ID!) { discountCodeDelete(id: $id) { deletedCodeDiscountId userErrors { code } } }';
  assert.equal((await data(remove, { id })).deletedCodeDiscountId, id);
  assert.equal(await data(BY_CODE, { code: 'zoe15' }), null);
});

test('what is wrong with a discount is said in userErrors', async () => {
  const codes = async (more, code = 'WRONG') =>
    (await data(CREATE, basic(code, more))).userErrors.map((one) => one.code);
  assert.deepEqual(await codes({ title: '' }), ['BLANK']);
  assert.deepEqual(await codes({ title: 'No code' }, ''), ['BLANK']);
  assert.deepEqual(await codes({}, 'x'.repeat(256)).then((all) => [...new Set(all)]), ['TOO_LONG']);
  assert.deepEqual(await codes({ endsAt: '2025-01-01T00:00:00Z' }), ['END_DATE_BEFORE_START_DATE']);
  const gets = (value, items = { all: true }) => ({ customerGets: { items, value } });
  assert.deepEqual(await codes(gets({ percentage: 10 })), ['VALUE_OUTSIDE_RANGE']);
  assert.deepEqual(await codes(gets({ discountAmount: { amount: '0.00' } })), ['GREATER_THAN']);
  assert.deepEqual(
    await codes(gets({ percentage: 0.1 }, { products: { productsToAdd: ['gid://shopify/Product/1'] } })),
    ['INVALID'],
  );
  assert.deepEqual(await codes({ context: undefined }), ['BLANK']);
  assert.equal(await data(BY_CODE, { code: 'WRONG' }), null);
});

test('every kind of discount takes off what it says', async () => {
  await make('kinds');
  const place = (code, ...lines) =>
    double.control('kinds/orders', {
      code,
      lines: lines.map(([product, quantity]) => ({ product, quantity })),
    });
  const off = async (code, ...lines) => (await place(code, ...lines)).discounts;
  const find = async (handle) =>
    `gid://shopify/Collection/${(await double.control('kinds/collections')).find((one) => one.handle === handle).id}`;
  const make10 = (code, more) => double.control('kinds/discounts', { code, ...more });
  const all = { all: true };
  await make10('FIVE', {
    customerGets: { items: all, value: { discountAmount: { amount: '5.00', appliesOnEachItem: false } } },
  });
  assert.equal(await off('FIVE', ['linen-duvet', 1], ['linen-pillow', 2]), '5.0');
  await make10('EACH', {
    customerGets: { items: all, value: { discountAmount: { amount: '5.00', appliesOnEachItem: true } } },
  });
  assert.equal(await off('EACH', ['linen-duvet', 1], ['linen-pillow', 2]), '15.0');
  const bedding = { collections: { add: [await find('bedding')] } };
  await make10('BEDDING', { customerGets: { items: bedding, value: { percentage: 0.2 } } });
  assert.equal(await off('BEDDING', ['linen-pillow', 1], ['beeswax-candles', 1]), '7.8');
  await make10('LARGE', { minimumRequirement: { subtotal: { greaterThanOrEqualToSubtotal: '100.00' } } });
  await assert.rejects(place('LARGE', ['linen-pillow', 1]), /subtotal is too small/);
  assert.equal(await off('LARGE', ['wool-throw', 1]), '12.9');
  const buys = { items: all, value: { quantity: '2' } };
  const free = { items: all, value: { discountOnQuantity: { quantity: '1', effect: { percentage: 1 } } } };
  await make10('TWOPLUS', { kind: 'bxgy', customerBuys: buys, customerGets: free });
  assert.equal(await off('TWOPLUS', ['wool-throw', 2], ['beeswax-candles', 1]), '24.0');
  await assert.rejects(place('TWOPLUS', ['wool-throw', 2]), /nothing to take off/);
  await make10('SHIP', { kind: 'freeShipping' });
  assert.equal(await off('SHIP', ['linen-pillow', 1]), '4.9');
  await make10('ONCE', { usageLimit: 1 });
  await place('ONCE', ['linen-pillow', 1]);
  await assert.rejects(place('ONCE', ['linen-pillow', 1]), /usage limit/);
  await assert.rejects(
    place('FIVE', ['gift-card', 1]),
    /nothing to take off/,
    'gift cards cost what they cost',
  );
});

test('codes are added in bulk, in their own time, taken ones told apart', async () => {
  await double.control('casa', { settings: { bulkAddSlice: 5 } });
  const { codeDiscountNode } = await data(CREATE, basic('GROUP0'));
  const add = `mutation Add($id: ID!, $codes: [DiscountRedeemCodeInput!]!) { discountRedeemCodeBulkAdd(discountId: $id, codes: $codes) {
    bulkCreation { id done importedCount } userErrors { code } } }`;
  const codes = [
    ...Array.from({ length: 120 }, (_, at) => ({ code: `GROUP${at + 1}` })),
    { code: 'group7' },
    { code: ' ' },
  ];
  const { bulkCreation } = await data(add, { id: codeDiscountNode.id, codes });
  assert.deepEqual([bulkCreation.done, bulkCreation.importedCount], [false, 0]);
  const look =
    'query Poll($id: ID!) { discountRedeemCodeBulkCreation(id: $id) { done importedCount failedCount codes(first: 250) { nodes { code errors { code } } } } }';
  const seen = [];
  const end = await until(
    async () => {
      const now = await data(look, { id: bulkCreation.id });
      seen.push(now.importedCount);
      return now;
    },
    ({ done }) => done,
  );
  assert.ok(
    seen.some((imported) => imported > 0 && imported < 120),
    `progress: ${seen}`,
  );
  assert.deepEqual([end.importedCount, end.failedCount], [120, 2]);
  const failed = end.codes.nodes.filter(({ errors }) => errors.length > 0);
  assert.deepEqual(
    failed.map(({ code, errors }) => [code, errors[0].code]),
    [
      ['group7', 'TAKEN'],
      [' ', 'BLANK'],
    ],
  );
  const { errors } = await ask(add, {
    id: codeDiscountNode.id,
    codes: Array.from({ length: 251 }, (_, at) => ({ code: `MANY${at}` })),
  });
  assert.equal(errors[0].extensions.code, 'MAX_INPUT_SIZE_EXCEEDED');
});

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

test('what the double doesn’t have it says, and never invents', async () => {
  const { data: shown, errors } = await ask('query Phone { orders(first: 1) { nodes { phone } } }');
  assert.equal(errors[0].extensions.code, 'NOT_IN_THE_DOUBLE');
  assert.equal(shown.orders.nodes[0].phone, null);
  const { errors: search } = await ask(
    `query Odd { orders(first: 1, query: "colour:red") { nodes { id } } }`,
  );
  assert.match(search[0].message, /can't search by colour/);
  assert.equal((await ask('query Bad { nonsense }')).errors[0].extensions.code, 'undefinedField');
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
