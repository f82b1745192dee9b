// Shopify’s double with a shop, somebody who hears its webhooks, and Shopify’s own library as its client.
import '@shopify/shopify-api/adapters/node';
import { shopifyApi } from '@shopify/shopify-api';
import { setAbstractFetchFunc } from '@shopify/shopify-api/runtime';
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { after, before } from 'node:test';
import { startShopify } from '../../doubles/shopify/index.mjs';
import { VERSION } from '../../doubles/shopify/schema.mjs';

export const samples = new URL('../../fixtures/shopify/shopify-docs/', import.meta.url);
export const SHOP = 'casa.myshopify.com';
export const SECRET = 'hush';
export const credentials = { client_id: 'app', client_secret: SECRET };

export let double;
export let library;
export let token;
export let hook;

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

export const make = (name, more = {}) =>
  double.control('shops', {
    ...{ domain: `${name}.myshopify.com`, clientId: 'app', clientSecret: SECRET, currency: 'EUR' },
    ...{ settings: { bulkMs: 0, bulkAddSliceMs: 10 }, ...more },
  });

/** Keeps what is delivered to it; `answer` is its status. */
export async function startHook() {
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

export async function post(shop, path, body, headers = {}) {
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

export async function tokenOf(shop, more = { grant_type: 'client_credentials' }) {
  const path = '/admin/oauth/access_token';
  const answer = await post(shop, path, { ...credentials, ...more }, { accept: 'application/json' });
  return { status: answer.status, ...JSON.parse(answer.text) };
}

export async function ask(query, variables, { shop = 'casa', access = token } = {}) {
  const headers = { 'x-shopify-access-token': access };
  const answer = await post(shop, `/admin/api/${VERSION}/graphql.json`, { query, variables }, headers);
  return { status: answer.status, ...JSON.parse(answer.text) };
}

/** The one thing that a good answer has. */
export async function data(query, variables, where) {
  const answer = await ask(query, variables, where);
  assert.equal(answer.errors, undefined, JSON.stringify(answer.errors));
  return Object.values(answer.data)[0];
}

export const client = () => new library.clients.Graphql({ session: { shop: SHOP, accessToken: token } });

export const CREATE = `mutation Create($d: DiscountCodeBasicInput!) { discountCodeBasicCreate(basicCodeDiscount: $d) {
  codeDiscountNode { id } userErrors { field message code } } }`;
export const basic = (code, more = {}) => ({
  d: {
    ...{ title: code, code, startsAt: '2026-01-01T00:00:00Z', context: { all: 'ALL' } },
    ...{ customerGets: { items: { all: true }, value: { percentage: 0.1 } }, ...more },
  },
});
export const BY_CODE =
  'query ByCode($code: String!) { codeDiscountNodeByCode(code: $code) { id codeDiscount { ... on DiscountCodeBasic { status asyncUsageCount } } } }';
export const SUBSCRIBE = `mutation Sub($topic: WebhookSubscriptionTopic!, $w: WebhookSubscriptionInput!) {
  webhookSubscriptionCreate(topic: $topic, webhookSubscription: $w) { webhookSubscription { id } userErrors { field message } } }`;
export const subscribe = (topic, where) => data(SUBSCRIBE, { topic, w: { uri: hook.uri, format: 'JSON' } }, where);
export const until = async (look, done) => {
  for (let tries = 0; tries < 200; tries++) {
    const seen = await look();
    if (done(seen)) return seen;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error('it was never so');
};
