// A double of Shopify for tests and for `npm start`: many shops in one server on loopback. See README.md.
import { createServer } from 'node:http';
import { performance } from 'node:perf_hooks';
import { sendFile } from './bulk.mjs';
import { control } from './control.mjs';
import { answerWith, nextFault } from './faults.mjs';
import { answer, prepare } from './graphql.mjs';
import { json, readBody, Refusal } from './http.mjs';
import { authorize, token, used } from './oauth.mjs';
import { VERSION } from './schema.mjs';
import { Clock, Shop } from './shop.mjs';
import { keep, restore } from './state.mjs';
import { storefront } from './storefront.mjs';
import { Deliveries } from './webhooks.mjs';

const SAVED_EVERY_MS = 2000;
const DOMAIN = /^[a-z0-9][a-z0-9-]*\.myshopify\.com$/;

/**
 * Starts the double. `open`: a shop that isn't known is made when it is first used, with the client id and secret
 * (or the pasted token) that it comes with. `shops`: those to make at once, as by POST /control/shops. `state` is a
 * file from which it goes on, and in which it is kept.
 */
export async function startShopify({ port = 0, open = false, shops = [], state } = {}) {
  const double = new Double(open);
  if (state) restore(double, state);
  const server = createServer((request, response) => double.handle(request, response));
  // Longer than clients keep theirs: one that is closed while it is used again looks like a fault.
  server.keepAliveTimeout = 75_000;
  await new Promise((resolve, reject) => server.once('error', reject).listen(port, '127.0.0.1', resolve));
  double.port = server.address().port;
  double.origin = `http://127.0.0.1:${double.port}`;
  for (const spec of shops) double.makeShop(spec);
  const saved = state && setInterval(() => double.save(state), SAVED_EVERY_MS).unref();
  const stop = () => {
    double.deliveries.stop();
    clearInterval(saved);
    if (state) double.save(state);
    for (const response of double.hanging) response.destroy();
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  };
  /** The same as over HTTP. */
  const steer = (path, body, method = body === undefined ? 'GET' : 'POST') =>
    control(double, method, path, body ?? {});
  const shop = (name) => double.shops.get(name.includes('.') ? name : `${name}.myshopify.com`);
  return {
    origin: double.origin,
    port: double.port,
    control: steer,
    shop,
    deliveries: double.deliveries,
    clock: double.clock,
    stop,
  };
}

class Double {
  shops = new Map();
  clock = new Clock();
  deliveries = new Deliveries();
  hanging = new Set();

  constructor(open) {
    this.open = open;
  }

  makeShop(spec) {
    const domain = spec.domain?.toLowerCase();
    if (!DOMAIN.test(domain ?? '')) throw new Refusal(422, `no shop's domain: ${spec.domain}`);
    const known = this.shops.get(domain);
    // One that came to be by a visit has no app yet.
    if (known && !known.clientId && spec.clientId) return known.install(spec.clientId, spec.clientSecret);
    if (known) throw new Refusal(409, `${domain} is there already`);
    return this.adopt(new Shop(this.clock, { ...spec, domain }));
  }

  /** A shop of this double: what happens there is delivered. */
  adopt(shop) {
    shop.emit = (topic, body) => this.deliveries.emit(shop, topic, body);
    this.shops.set(shop.domain, shop);
    return shop;
  }

  storefrontOf(shop) {
    return `http://${shop.domain.split('.')[0]}.localhost:${this.port}/`;
  }

  /** Whatever was asked since it was kept last may have changed something. */
  save(file) {
    if (!this.touched) return;
    this.touched = false;
    keep(this, file);
  }

  async handle(request, response) {
    this.touched = true;
    const url = new URL(request.url, this.origin);
    try {
      const body = ['POST', 'PUT'].includes(request.method) ? await readBody(request) : '';
      await this.#route(request, response, url, body);
    } catch (error) {
      if (response.headersSent || response.destroyed) return response.destroy();
      if (error instanceof Refusal) return json(response, error.status, { error: error.message });
      process.stderr.write(`${error.stack}\n`);
      json(response, 500, { error: error.message });
    }
  }

  async #route(request, response, url, body) {
    const { pathname } = url;
    if (pathname.startsWith('/control')) {
      guard(request);
      const given = body === '' ? {} : parsed(body);
      return json(response, 200, (await control(this, request.method, pathname.slice(8), given)) ?? {});
    }
    if (pathname.startsWith('/bulk/')) return this.#file(request, response, pathname);
    const shop = this.#shop(request, body, pathname);
    if (pathname === '/admin/oauth/access_token' && request.method === 'POST')
      return this.#withFault(shop, 'token', response, (to) => token(shop, request, to, body));
    if (pathname === '/admin/oauth/authorize') return authorize(shop, url, response);
    if (pathname.startsWith('/admin/')) return this.#graphql(shop, request, response, pathname, body);
    if (!shop) return json(response, 404, { error: 'There is no such shop.' });
    shop.log.storefront++;
    return storefront(shop, request, response, url, body);
  }

  /** The shop that a request is for; undefined if there is none. */
  #shop(request, body, pathname) {
    const host = (request.headers.host ?? '').replace(/:\d+$/, '').toLowerCase();
    const named = String(request.headers['x-shopify-shop-domain'] ?? '').toLowerCase();
    const local = /^([a-z0-9-]+)\.localhost$/.exec(host)?.[1];
    const domain = named || (DOMAIN.test(host) ? host : local ? `${local}.myshopify.com` : '');
    const accessToken = request.headers['x-shopify-access-token'];
    if (domain) {
      const known = this.shops.get(domain);
      return known || !this.open || !DOMAIN.test(domain)
        ? this.#learnt(known, pathname, body)
        : this.#first(domain, accessToken, pathname, body);
    }
    for (const shop of this.shops.values()) {
      if (accessToken && shop.tokens.has(accessToken)) return shop;
      if (pathname.endsWith('/access_token') && shop.clientId && body.includes(shop.clientId)) return shop;
    }
    return this.shops.size === 1 ? [...this.shops.values()][0] : undefined;
  }

  #first(domain, accessToken, pathname, body) {
    const shop = this.makeShop({ domain });
    if (accessToken) shop.tokens.set(accessToken, { legacy: true, expiresAt: Infinity });
    return this.#learnt(shop, pathname, body);
  }

  /** In an open double the first client id with its secret is the app's. */
  #learnt(shop, pathname, body) {
    if (!shop || !this.open || shop.clientId || !pathname.endsWith('/access_token')) return shop;
    const form = new URLSearchParams(body);
    const given = body.startsWith('{') ? parsed(body) : Object.fromEntries(form);
    if (!given.client_id || !given.client_secret) return shop;
    return shop.install(given.client_id, given.client_secret);
  }

  #file(request, response, pathname) {
    const id = /^\/bulk\/(\d+)\.jsonl$/.exec(pathname)?.[1];
    for (const shop of this.shops.values()) {
      const one = shop.bulks.get(id);
      if (one?.url) return this.#withFault(shop, 'bulk-file', response, (to) => sendFile(one, request, to));
    }
    return json(response, 404, { error: 'There is no such file.' });
  }

  /** Answers of plain functions under a fault: they write to a response that is looked at first. */
  async #withFault(shop, operation, response, work) {
    const fault = shop && nextFault(shop, operation);
    if (!fault) return work(response);
    const taken = new Taken();
    await answerWith(fault, response, async () => (work(taken), taken.answer()), this.hanging);
  }

  async #graphql(shop, request, response, pathname, body) {
    if (!shop) return json(response, 404, { errors: 'Not Found' });
    const version = /^\/admin\/api\/([^/]+)\/graphql\.json$/.exec(pathname)?.[1];
    if (version !== VERSION || request.method !== 'POST') return json(response, 404, { errors: 'Not Found' });
    const given = parsed(body);
    const { name = 'unknown' } =
      typeof given.query === 'string' ? prepare(given.query, given.operationName) : {};
    const log = (shop.log.requests[name] ??= { count: 0, ms: 0 });
    log.count++;
    const work = async (options) => {
      const accessToken = shop.token(request.headers['x-shopify-access-token']);
      if (!accessToken) {
        const errors = '[API] Invalid API key or access token (unrecognized login or wrong password)';
        return { status: 401, text: JSON.stringify({ errors }), headers: {} };
      }
      used(shop, accessToken);
      const began = performance.now();
      const result = await answer(shop, accessToken, given, { context: { origin: this.origin }, ...options });
      log.ms += performance.now() - began;
      return { status: 200, text: JSON.stringify(result), headers: { 'x-shopify-api-version': VERSION } };
    };
    const fault = nextFault(shop, name);
    if (fault && fault.fault !== 'throttled') return answerWith(fault, response, work, this.hanging);
    const { status, text, headers } = await work({ throttled: fault !== undefined });
    response.writeHead(status, { 'content-type': 'application/json; charset=utf-8', ...headers });
    response.end(text);
  }
}

/** A response that only keeps what it is told. */
class Taken {
  #chunks = [];
  writeHead(status, headers = {}) {
    this.status = status;
    this.headers = headers;
  }
  end(text = '') {
    this.#chunks.push(Buffer.from(text));
  }
  answer() {
    return { status: this.status, headers: this.headers, text: Buffer.concat(this.#chunks).toString('utf8') };
  }
}

/** Pages of others must not steer it, although it stands on this machine. */
function guard({ headers }) {
  const host = (headers.host ?? '').replace(/:\d+$/, '');
  const isHere = ['127.0.0.1', 'localhost'].includes(host);
  if (!isHere || (headers.origin && new URL(headers.origin).host !== headers.host))
    throw new Refusal(403, 'The double is steered from this machine only.');
}

function parsed(body) {
  try {
    const value = JSON.parse(body);
    if (value !== null && typeof value === 'object') return value;
  } catch {
    // Said below.
  }
  throw new Refusal(400, 'The body is no JSON object.');
}
