// How tests and the demo steer the double: POST and GET under /control, JSON in and out. See README.md.
import { randomUUID } from 'node:crypto';
import { collectionBody, complianceBody, productBody, scopesBody } from './bodies.mjs';
import { remove, save, setActive } from './discounts.mjs';
import { addFaults } from './faults.mjs';
import { Refusal } from './http.mjs';
import * as orders from './orders.mjs';
import { addCollection, addProduct, findProduct, join, leave } from './products.mjs';
import { uninstall } from './resolvers/shop.mjs';
import { COMPLIANCE, complianceTargets, headersOf } from './webhooks.mjs';
import { orderBody } from './bodies.mjs';
import { decimal, gid, number, random } from './values.mjs';

/** The answer to a control call; `path` is what stands behind /control. */
export async function control(double, method, path, given) {
  const [first, ...rest] = path.split('/').filter(Boolean).map(decodeURIComponent);
  if (method === 'GET' && first === undefined)
    return { shops: [...double.shops.keys()], now: double.clock.now() };
  if (first === 'shops' && method === 'POST') return shopSummary(double, double.makeShop(given));
  if (first === 'clock') {
    if (given.now !== undefined)
      double.clock.set(typeof given.now === 'number' ? given.now : Date.parse(given.now));
    return { now: double.clock.now() };
  }
  if (first === 'deliveries') {
    Object.assign(double.deliveries.mapped, given.map);
    return double.deliveries.set(withoutMap(given));
  }
  if (first === 'settled') {
    await double.deliveries.settled();
    return {};
  }
  const shop = double.shops.get(domainOf(first));
  if (!shop) throw new Refusal(404, `no shop ${first}`);
  const [area = '', ...names] = rest;
  const handler = AREAS[area]?.[method];
  if (!handler) throw new Refusal(404, `no ${method} ${path}`);
  return handler(double, shop, given, names);
}

const withoutMap = ({ map: _, ...settings }) => settings;

/** `casa` or `casa.myshopify.com`. */
const domainOf = (name) => (name?.includes('.') ? name : `${name}.myshopify.com`).toLowerCase();

const AREAS = {
  '': { GET: (double, shop) => shopSummary(double, shop), POST: settings },
  orders: { GET: listOrders, POST: orderCall },
  disputes: {
    POST: (_, shop, given, [id]) => disputeSummary(orders.dispute(shop, knownDispute(shop, id).order, given)),
  },
  customers: { POST: (...call) => compliance('customers', ...call) },
  shop: { POST: (...call) => compliance('shop', ...call) },
  discounts: { GET: (_, shop) => [...shop.discounts.values()].map(discountSummary), POST: discountCall },
  products: { GET: (_, shop) => [...shop.products.values()].map(productSummary), POST: productCall },
  collections: {
    GET: (_, shop) => [...shop.collections.values()].map(collectionSummary),
    POST: collectionCall,
  },
  uninstall: { POST: (_, shop) => void uninstall(shop) },
  install: { POST: (_, shop) => void (shop.installed = true) },
  scopes: { POST: scopes },
  secret: { POST: secret },
  tokens: { POST: tokens },
  faults: {
    POST: (_, shop, { faults = [] }) => {
      shop.faults = [];
      addFaults(shop, faults);
      return { faults: shop.faults };
    },
  },
  bucket: {
    POST: (_, shop, given) => {
      shop.bucket.set(given);
      if (given.available !== undefined) shop.bucket.available = given.available;
      return shop.bucket.status();
    },
  },
  theme: { POST: (_, shop, given) => Object.assign(shop.theme, given) },
  log: { GET: (_, shop) => shop.log, POST: (_, shop) => void (shop.log.requests = {}) },
  subscriptions: { GET: (_, shop) => [...shop.subscriptions.values()] },
};

const shopSummary = (double, shop) => ({
  ...{ id: shop.id, domain: shop.domain, name: shop.name, currency: shop.currency, timezone: shop.timezone },
  ...{ clientId: shop.clientId, scopes: shop.scopes, installed: shop.installed, orders: shop.orders.size },
  storefront: double.storefrontOf(shop),
  settings: shop.settings,
});

/** Settings and facts of the shop itself. */
function settings(double, shop, given) {
  const { settings: more, ...facts } = given;
  Object.assign(shop.settings, more);
  for (const name of ['name', 'currency', 'timezone', 'taxesIncluded', 'taxRate', 'shippingPrice'])
    if (facts[name] !== undefined) shop[name] = facts[name];
  return shopSummary(double, shop);
}

function orderSummary(order, refused = []) {
  const sums = orders.totals(order);
  const text = (value) => decimal(value, order.currency);
  return {
    ...{ id: order.id, name: `#${order.number}`, financialStatus: orders.financialStatus(order) },
    createdAt: new Date(order.createdAt).toISOString(),
    updatedAt: new Date(order.updatedAt).toISOString(),
    ...{ currency: order.currency, subtotal: text(sums.subtotal), total: text(sums.total) },
    ...{
      currentSubtotal: text(sums.currentSubtotal),
      discounts: text(sums.discounts),
      refunded: text(sums.refunded),
    },
    lines: order.lines.map(({ id, title, quantity, currentQuantity }) => ({
      id,
      title,
      quantity,
      currentQuantity,
    })),
    refunds: order.refunds.map(({ id, amount }) => ({ id, amount: text(amount) })),
    codes: order.applications.flatMap(({ code }) => code ?? []),
    refused,
  };
}

function listOrders(_, shop, given, [id, what]) {
  if (!id) return [...shop.orders.values()].map((order) => orderSummary(order));
  const order = known(shop, id);
  return what === 'body' ? orderBody(shop, order) : orderSummary(order);
}

/** By id, or by name: 1001 or #1001. */
function known(shop, name) {
  const byName = () =>
    [...shop.orders.values()].find(({ number }) => String(number) === name.replace('#', ''));
  const order = shop.orders.get(name) ?? byName();
  if (!order) throw new Refusal(404, `no order ${name}`);
  return order;
}

function knownDispute(shop, id) {
  const dispute = shop.disputes.get(id);
  if (!dispute) throw new Refusal(404, `no dispute ${id}`);
  return dispute;
}

const disputeSummary = ({ id, status }) => ({ id, status });

const ACTIONS = {
  pay: orders.pay,
  refund: orders.refund,
  cancel: orders.cancel,
  edit: orders.edit,
  journey: (shop, order, given) => void Object.assign(order.journey, given),
  /** Something in the admin that is no news: a tag, a note. */
  update: (shop, order, given) => {
    for (const name of ['tags', 'note', 'email']) if (given[name] !== undefined) order[name] = given[name];
    shop.touch(order, orders.timeOf(shop, given.at));
    orders.tell(shop, order, 'orders/updated');
  },
  /** Tells of it again, as it is. */
  tell: (shop, order, { topic = 'orders/updated' }) => orders.tell(shop, order, topic),
};

async function orderCall(double, shop, given, [id, action]) {
  if (!id) {
    const placed = () => orders.place(shop, given);
    const { order, refused } = given.silent ? silently(shop, placed) : placed();
    return orderSummary(order, refused);
  }
  if (id === 'many') return many(shop, given);
  if (id === 'life') return life(shop, given);
  const order = known(shop, id);
  if (action === 'delete') return void orders.destroy(shop, order);
  if (action === 'dispute') return disputeSummary(orders.dispute(shop, order, given));
  if (!ACTIONS[action]) throw new Refusal(404, `no action ${action}`);
  ACTIONS[action](shop, order, given);
  return orderSummary(order);
}

/**
 * Many orders at once, the same for the same seed: `count` between `from` and `to`, without deliveries unless
 * `tell`. Shares: `refunded`, `cancelled`, `test`, `unpaid` of 1; `codes` and `landing_sites` go round for `coded`
 * and `landed` of them.
 */
async function many(shop, given) {
  const { count = 100, seed = 1, codes = [], landing_sites: sites = [], tell = false } = given;
  const { refunded = 0.05, cancelled = 0.01, test = 0, unpaid = 0, coded = 0.5, landed = 0.5 } = given;
  const now = shop.clock.now();
  const from = given.from ? Date.parse(given.from) : now - 50 * 86_400_000;
  const to = given.to ? Date.parse(given.to) : now;
  const draw = random(seed);
  const pick = (list) => list[Math.floor(draw() * list.length)];
  const products = [...shop.products.keys()];
  const made = { count: 0, refunded: 0, cancelled: 0, ids: [] };
  const one = (at) => {
    const placed = Math.floor(from + ((to - from) * (at + 1)) / (count + 1));
    const lines = Array.from({ length: 1 + Math.floor(draw() * 3) }, () => ({
      product: pick(products),
      quantity: 1 + Math.floor(draw() * 2),
    }));
    const [code, site] = [draw() < coded && pick(codes), draw() < landed && pick(sites)];
    const { order } = orders.place(shop, {
      ...{ lines, lenient: true, created_at: placed, test: draw() < test, paid: draw() >= unpaid },
      ...(code && { code }),
      ...(site && { landing_site: site }),
      email: `shopper${Math.floor(draw() * 5000)}@example.com`,
    });
    order.journey.ready = given.journey ?? true;
    made.count++;
    if (given.ids) made.ids.push(order.id);
    if (draw() < cancelled) {
      orders.cancel(shop, order, { at: placed + 3600_000 });
      made.cancelled++;
    } else if (order.paid > 0 && draw() < refunded) {
      orders.refund(shop, order, { lines: [{ line: 0, quantity: 1 }], at: placed + 7200_000 });
      made.refunded++;
    }
  };
  for (let at = 0; at < count; at++) {
    if (tell) one(at);
    else silently(shop, () => one(at));
    // Others get a turn, and deliveries theirs.
    if (at % 200 === 199) await new Promise((resolve) => setImmediate(resolve));
  }
  return made;
}

/**
 * An order with all that became of it: `then` names actions in the order of their times. Nothing is delivered:
 * `told` has each delivery with the time it is of, for whoever plays a past in which they came when they came.
 */
function life(shop, { then = [], ...spec }) {
  const told = [];
  let at = orders.timeOf(shop, spec.created_at);
  const hear = (topic, body) => {
    const delivery = { shop, topic, text: JSON.stringify(body()), id: randomUUID(), eventId: randomUUID() };
    const headers = headersOf({ ...delivery, triggeredAt: new Date(at).toISOString() });
    told.push({ topic, at, text: delivery.text, headers });
  };
  const live = () => {
    const { order } = orders.place(shop, spec);
    for (const { action, ...more } of then) {
      at = orders.timeOf(shop, more.at);
      if (!ACTIONS[action]) throw new Refusal(404, `no action ${action}`);
      ACTIONS[action](shop, order, more);
    }
    return order;
  };
  return { ...orderSummary(silently(shop, live, hear)), told };
}

/** Nothing is delivered of what happens meanwhile, which must not wait; `hear` is told of it instead. */
function silently(shop, work, hear = () => {}) {
  const { emit } = shop;
  shop.emit = hear;
  try {
    return work();
  } finally {
    shop.emit = emit;
  }
}

/** customers/data_request, customers/redact and shop/redact, for `email` or `customer` with its orders. */
function compliance(area, double, shop, given, [what]) {
  const topic = `${area}/${what}`;
  if (!COMPLIANCE.includes(topic)) throw new Refusal(404, `no topic ${topic}`);
  const customer = given.email ? shop.customers.get(given.email.toLowerCase()) : given.customer;
  if (given.email && !customer) throw new Refusal(404, `no customer ${given.email}`);
  const theirs = [...shop.orders.values()].filter((order) => order.customer === customer);
  const list = given.orders ? given.orders.map((id) => known(shop, id)) : theirs;
  const targets = given.uri ? [{ uri: given.uri }] : complianceTargets(shop);
  double.deliveries.emit(shop, topic, () => complianceBody(shop, topic, { customer, orders: list }), targets);
  return { topic, orders: list.length, delivered_to: targets.map(({ uri }) => uri) };
}

const discountSummary = (one) => ({
  ...{ id: one.id, kind: one.kind, title: one.input.title, usage: one.usage },
  codes: one.codes.map(({ id, code, usage }) => ({ id, code, usage })),
  startsAt: one.startsAt,
  endsAt: one.endsAt,
});

/** By hand in the admin: make one, change one (`title`, `code`, `value`, `active`), delete one. */
function discountCall(_, shop, given, [name, action]) {
  if (!name) {
    const usual = { startsAt: new Date(shop.clock.now() - 1000).toISOString(), context: { all: 'ALL' } };
    const gets = { items: { all: true }, value: { percentage: given.percentage ?? 0.1 } };
    const { kind = 'basic', percentage: _p, ...input } = given;
    const made = save(shop, kind, {
      ...usual,
      title: given.code,
      ...(kind !== 'freeShipping' && { customerGets: gets }),
      ...(kind === 'freeShipping' && { destination: { all: true } }),
      ...input,
    });
    if (made.errors) throw new Refusal(422, made.errors.map(({ message }) => message).join('; '));
    return discountSummary(made.discount);
  }
  const discount = shop.discounts.get(name) ?? shop.codes.get(name.toLowerCase())?.discount;
  if (!discount) throw new Refusal(404, `no discount ${name}`);
  if (action === 'delete') return void remove(shop, discount);
  if (given.active !== undefined) setActive(shop, discount, given.active);
  const { active: _a, ...input } = given;
  const { errors } = save(shop, discount.kind, input, discount);
  if (errors) throw new Refusal(422, errors.map(({ message }) => message).join('; '));
  return discountSummary(discount);
}

const productSummary = ({ id, handle, title, variant, collections }) => ({
  ...{ id, handle, title, variantId: variant.id, sku: variant.sku, price: variant.price },
  collections: [...collections].map((one) => one.handle),
});

const collectionSummary = ({ id, handle, title, products }) => ({
  ...{ id, handle, title },
  products: [...products].map((one) => one.handle),
});

function productCall(_, shop, given) {
  return productSummary(addProduct(shop.products, shop.collections, given, shop.currency));
}

const changed = ({ add = [], remove = [] }) => [...add, ...remove];

/** A new one, or what is in it: `add` and `remove` products; `byRules`: as a smart collection does by itself. */
function collectionCall(_, shop, given, [name, action]) {
  const find = () =>
    shop.collections.get(name) ?? [...shop.collections.values()].find(({ handle }) => handle === name);
  const collection = name ? find() : addCollection(shop.collections, given);
  if (!collection) throw new Refusal(404, `no collection ${name}`);
  const body = () => collectionBody(collection);
  if (action === 'delete') {
    for (const one of [...collection.products]) leave(one, collection);
    shop.collections.delete(collection.id);
    shop.emit('collections/delete', () => ({
      id: number(collection.id),
      published_scope: 'web',
      admin_graphql_api_id: gid('Collection', collection.id),
    }));
    return collectionSummary(collection);
  }
  const product = (one) => findProduct(shop, one) ?? refuse(`no product ${one}`);
  for (const one of given.add ?? []) join(product(one), collection);
  for (const one of given.remove ?? []) leave(product(one), collection);
  collection.updatedAt = shop.clock.now();
  // What comes and goes by a collection's rules is told by none of its webhooks, only by the product's.
  if (given.byRules) for (const one of changed(given)) shop.emit('products/update', () => productBody(shop, product(one)));
  else shop.emit(name ? 'collections/update' : 'collections/create', body);
  return collectionSummary(collection);
}

const refuse = (words) => {
  throw new Refusal(422, words);
};

function scopes(_, shop, { scopes: current = [] }) {
  const previous = shop.scopes;
  shop.scopes = current;
  shop.emit('app/scopes_update', () => scopesBody(shop, previous, current));
  return { previous, current };
}

/** Rotates the app's secret; deliveries are signed with the old one until `sign` says otherwise. */
function secret(_, shop, { secret: next, sign = 'old', keepOld = true }) {
  if (next) shop.secrets = keepOld ? [next, ...shop.secrets].slice(0, 2) : [next];
  shop.signing = sign === 'old' ? shop.secrets.at(-1) : shop.secrets[0];
  return { secrets: shop.secrets.length };
}

/** Ends all tokens, or makes a static one as old custom apps have. */
function tokens(_, shop, { revoke = false, token }) {
  if (revoke) shop.tokens.clear();
  if (token) shop.tokens.set(token, { legacy: true, expiresAt: Infinity });
  return { tokens: shop.tokens.size };
}
