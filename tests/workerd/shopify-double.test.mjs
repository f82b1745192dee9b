// The double of Shopify itself: Shopify's own library as its client and as the judge of its deliveries, and
// fetch where the library has nothing.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, test } from 'node:test';
import { VERSION } from '../doubles/shopify/schema.mjs';
import {
  ask,
  basic,
  BY_CODE,
  client,
  CREATE,
  data,
  double,
  hook,
  library,
  make,
  samples,
  SHOP,
  subscribe,
  tokenOf,
  until,
} from './support/shopify-double.mjs';

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
