// One shop with everything in it. Nothing here knows HTTP or GraphQL.
import { randomBytes } from 'node:crypto';
import { Bucket, BUCKETS } from './cost.mjs';
import { catalogue } from './products.mjs';
import { newId, newSmallId } from './values.mjs';

/** The double's time; tests may move it. */
export class Clock {
  offset = 0;
  now = () => Date.now() + this.offset;
  set(ms) {
    this.offset = ms - Date.now();
  }
}

const PLANS = {
  standard: { name: 'basic', display: 'Basic', plus: false },
  advanced: { name: 'unlimited', display: 'Advanced', plus: false },
  plus: { name: 'enterprise', display: 'Shopify Plus', plus: true },
};

/** What an app may be granted here if nobody says otherwise. */
export const USUAL_SCOPES = [
  ...['read_orders', 'read_all_orders', 'write_discounts', 'read_products', 'read_customers'],
  'read_shopify_payments_disputes',
];

export class Shop {
  constructor(clock, spec) {
    this.clock = clock;
    this.id = newSmallId();
    this.domain = spec.domain;
    this.name = spec.name ?? title(spec.domain.split('.')[0]);
    this.currency = spec.currency ?? 'EUR';
    this.timezone = spec.timezone ?? 'Europe/Berlin';
    this.taxesIncluded = spec.taxesIncluded ?? false;
    this.taxRate = spec.taxRate ?? 0;
    this.shippingPrice = spec.shipping ?? '4.90';
    this.plan = { key: spec.plan ?? 'standard', ...PLANS[spec.plan ?? 'standard'] };
    this.createdAt = clock.now();

    this.clientId = spec.clientId;
    /** The newest first. Deliveries are signed with `signing`. */
    this.secrets = spec.clientSecret ? [spec.clientSecret] : [];
    this.signing = spec.clientSecret;
    this.installed = spec.installed ?? true;
    this.scopes = spec.scopes ?? USUAL_SCOPES;
    /** token → { scopes, expiresAt, refresh } */
    this.tokens = new Map();
    this.refreshTokens = new Map();
    this.authorizations = new Map();
    if (spec.legacyToken) this.tokens.set(spec.legacyToken, { legacy: true, expiresAt: Infinity });

    this.settings = {
      /** How a bulk add of codes gets on, and a bulk operation at least takes. */
      bulkAddSlice: 50,
      bulkAddSliceMs: 40,
      bulkMs: 200,
      /** When customerJourneySummary is ready after the order; null: only when told. */
      journeyMs: 10_000,
      complianceUri: spec.complianceUri,
      /** Whether the app may see shoppers: without it, orders can't be subscribed to or read. */
      protectedCustomerData: true,
      ...spec.settings,
    };
    this.bucket = new Bucket({ ...BUCKETS[this.plan.key], ...spec.bucket });
    this.products = catalogue(spec.products, this.currency);
    this.collections = this.products.collections;
    this.customers = new Map();
    this.orders = new Map();
    /** Grows with each change of an order: sorted lists are remembered by it. */
    this.version = 0;
    this.nextOrder = 1001;
    this.discounts = new Map();
    /** What is in lower case → { discount, code }. */
    this.codes = new Map();
    this.creations = new Map();
    this.jobs = new Map();
    this.bulks = new Map();
    this.subscriptions = new Map();
    this.disputes = new Map();
    this.theme = { head: '', privacy: null };
    this.carts = new Map();
    this.faults = [];
    this.log = { requests: {}, tokens: 0, throttled: 0, points: 0, storefront: 0, deliveries: counters() };
    /** Set by the server: (topic, body) → void. */
    this.emit = () => {};
  }

  /** The app with its secret, which signs deliveries from now on. */
  install(clientId, clientSecret) {
    this.clientId = clientId;
    this.secrets = [clientSecret];
    this.signing = clientSecret;
    return this;
  }

  /** The scopes of a token, a write scope with what it reads. */
  granted(token) {
    const scopes = new Set(token.scopes ?? this.scopes);
    for (const scope of [...scopes])
      if (scope.startsWith('write_')) scopes.add(scope.replace('write_', 'read_'));
    return scopes;
  }

  newToken(prefix, details) {
    const token = prefix + randomBytes(16).toString('hex');
    this.tokens.set(token, details);
    return token;
  }

  /** The token as it is good now. */
  token(text) {
    const token = this.tokens.get(text);
    return this.installed && token && token.expiresAt > this.clock.now() ? token : undefined;
  }

  /** Whoever orders by that address, or null without one. */
  customer(email) {
    if (!email) return null;
    const key = email.toLowerCase();
    let customer = this.customers.get(key);
    if (!customer) {
      customer = { id: newId(), email, orders: 0, createdAt: this.clock.now() };
      this.customers.set(key, customer);
    }
    return customer;
  }

  /** After a change of an order at a time. */
  touch(order, at) {
    order.updatedAt = Math.max(at, order.updatedAt ?? 0);
    this.version++;
  }
}

const counters = () => ({
  sent: 0,
  acknowledged: 0,
  failed: 0,
  lost: 0,
  repeated: 0,
  given_up: 0,
  topics: {},
});

const title = (name) =>
  name
    .split('-')
    .map((word) => word.charAt(0).toUpperCase() + word.slice(1))
    .join(' ');
