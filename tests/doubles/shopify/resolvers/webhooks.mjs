// Subscriptions of webhooks.
import { GraphQLError } from 'graphql';
import { connection, count } from '../connection.mjs';
import { VERSION } from '../schema.mjs';
import { gid, idOf, newId, utc } from '../values.mjs';

const view = (one) => ({
  __typename: 'WebhookSubscription',
  id: gid('WebhookSubscription', one.id),
  legacyResourceId: one.id,
  topic: one.topic,
  uri: one.uri,
  callbackUrl: one.uri,
  format: one.format,
  includeFields: one.includeFields,
  filter: one.filter,
  name: one.name,
  apiVersion: { handle: VERSION, displayName: VERSION, supported: true },
  createdAt: utc(one.createdAt),
  updatedAt: utc(one.updatedAt),
});

const find = (shop, id) => shop.subscriptions.get(idOf('WebhookSubscription', id));

export function webhookQueries(shop, finders) {
  const one = ({ id }) => {
    const found = find(shop, id);
    return found ? view(found) : null;
  };
  finders.WebhookSubscription = one;
  return {
    webhookSubscription: one,
    webhookSubscriptions: (args, context) => {
      const { topics, uri, callbackUrl, format, query } = args;
      if (query) throw new GraphQLError('The double has no query of webhookSubscriptions');
      const address = uri ?? callbackUrl;
      const list = [...shop.subscriptions.values()].filter(
        (one) =>
          (!topics || topics.includes(one.topic)) &&
          (!address || one.uri === address) &&
          (!format || one.format === format),
      );
      return connection(list, args, { view, keyOf: ({ createdAt, id }) => [createdAt, id] }, context);
    },
    webhookSubscriptionsCount: ({ limit }) => count([...shop.subscriptions.values()], limit),
  };
}

/** What a topic's first word needs. */
const TOPIC_SCOPES = {
  ...{ ORDERS: 'read_orders', REFUNDS: 'read_orders', ORDER: 'read_orders', CUSTOMERS: 'read_customers' },
  ...{ DISPUTES: 'read_shopify_payments_disputes', DISCOUNTS: 'read_discounts' },
  ...{ PRODUCTS: 'read_products', COLLECTIONS: 'read_products', FULFILLMENTS: 'read_fulfillments' },
};
const PERSONAL = ['ORDERS', 'REFUNDS', 'ORDER', 'CUSTOMERS', 'FULFILLMENTS'];

export function webhookMutations(shop) {
  const fail = (field, message) => ({ webhookSubscription: null, userErrors: [{ field, message }] });
  const mayNot = (topic, { scopes }) => {
    const [area] = topic.split('_');
    const needed = TOPIC_SCOPES[area];
    if (needed && !scopes.has(needed))
      return fail(['topic'], 'You cannot create a webhook subscription with the specified topic');
    if (!PERSONAL.includes(area) || shop.settings.protectedCustomerData) return undefined;
    const words =
      'This app is not approved to subscribe to webhook topics containing protected customer data.';
    return fail(['topic'], words);
  };
  const trouble = (topic, { uri, format, filter }, known) => {
    if (filter) throw new GraphQLError('The double has no filters of webhooks');
    const path = ['webhookSubscription', 'uri'];
    if (!uri) return fail(path, "Address can't be blank");
    if (!URL.canParse(uri)) return fail(path, 'Address is invalid');
    const { protocol, hostname } = new URL(uri);
    // Where there is only one machine there is no https.
    const isHere = protocol === 'http:' && ['localhost', '127.0.0.1'].includes(hostname);
    if (protocol !== 'https:' && !isHere)
      return fail(path, `Address protocol ${protocol}// is not supported`);
    const same = [...shop.subscriptions.values()].some(
      (one) => one !== known && one.topic === topic && one.uri === uri && one.format === (format ?? 'JSON'),
    );
    return same ? fail(path, 'Address for this topic has already been taken') : undefined;
  };
  const given = ({ callbackUrl, uri = callbackUrl, ...rest }) => ({ uri, ...rest });
  return {
    webhookSubscriptionCreate: ({ topic, webhookSubscription }, context) => {
      const input = given(webhookSubscription);
      const failed = mayNot(topic, context) ?? trouble(topic, input);
      if (failed) return failed;
      const now = shop.clock.now();
      const defaults = { format: 'JSON', includeFields: [], filter: null, name: null };
      const one = { ...defaults, ...input, id: newId(), topic, createdAt: now, updatedAt: now };
      shop.subscriptions.set(one.id, one);
      return { webhookSubscription: view(one), userErrors: [] };
    },
    webhookSubscriptionUpdate: ({ id, webhookSubscription }) => {
      const one = find(shop, id);
      if (!one) return fail(['id'], 'Webhook subscription does not exist');
      const input = given(webhookSubscription);
      const failed = trouble(one.topic, { ...one, ...input }, one);
      if (failed) return failed;
      for (const [name, value] of Object.entries(input)) if (value !== undefined) one[name] = value;
      one.updatedAt = shop.clock.now();
      return { webhookSubscription: view(one), userErrors: [] };
    },
    webhookSubscriptionDelete: ({ id }) => {
      const one = find(shop, id);
      if (!one) {
        const message = 'Webhook subscription does not exist';
        return { deletedWebhookSubscriptionId: null, userErrors: [{ field: ['id'], message }] };
      }
      shop.subscriptions.delete(one.id);
      return { deletedWebhookSubscriptionId: id, userErrors: [] };
    },
  };
}
