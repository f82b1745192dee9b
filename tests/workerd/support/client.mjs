// The API as a client sees it, and what every test needs around it.
import assert from 'node:assert/strict';
import { request } from 'node:http';
import { connect } from 'node:net';
import { store } from './shopify.mjs';

/** An agent that nobody takes for a bot. */
export const IPHONE =
  'Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Mobile/15E148 Safari/604.1';

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Asks until `check` answers something true; it throws or answers false while it isn't so yet. */
export async function eventually(what, check, { timeout = 30_000, every = 150 } = {}) {
  const end = Date.now() + timeout;
  for (;;) {
    let last;
    try {
      const found = await check();
      if (found) return found;
    } catch (error) {
      last = error;
    }
    if (Date.now() > end) throw new Error(`not within ${timeout} ms: ${what}`, { cause: last });
    await sleep(every);
  }
}

/** Someone who calls the API: with a token, and in laptop builds at a time of their choice. */
export class Client {
  #server;
  #headers;

  constructor(server, token, headers = {}) {
    this.#server = server;
    this.#headers = { ...(token && { authorization: `Bearer ${token}` }), ...headers };
  }

  as = (token) => new Client(this.#server, token);
  /** The same caller at another time; needs a build with the feature `local`. */
  at = (time) => {
    const client = new Client(this.#server);
    client.#headers = { ...this.#headers, 'x-tributary-now': String(time) };
    return client;
  };

  /** Any answer. A `body` that is a string, or bytes, goes out as it is. */
  async call(method, path, body, headers = {}) {
    const response = await fetch(this.#server.origin + path, {
      method,
      redirect: 'manual',
      headers: {
        // A connection of its own: on a busy machine a kept one is closed by the server in the moment that it is used.
        connection: 'close',
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...this.#headers,
        ...headers,
      },
      body:
        body === undefined || typeof body === 'string' || body instanceof Uint8Array ? body : JSON.stringify(body),
    });
    const text = await response.text();
    return { status: response.status, headers: response.headers, text, json: parsed(text) };
  }

  get = (path) => this.#done('GET', path);
  post = (path, body) => this.#done('POST', path, body);
  patch = (path, body) => this.#done('PATCH', path, body);

  async #done(method, path, body) {
    const { status, json, text } = await this.call(method, path, body);
    assert.ok(status >= 200 && status < 300, `${method} ${path} answered ${status} ${text}`);
    return json;
  }
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** A request as no browser or fetch() would let one make it: any Host, any method, repeated headers. */
export function visit(server, path, { method = 'GET', host, headers = {}, agent = IPHONE } = {}) {
  return new Promise((resolve, reject) => {
    const sent = { 'user-agent': agent, ...headers };
    if (agent === null) delete sent['user-agent'];
    const options = {
      host: '127.0.0.1',
      port: server.port,
      method,
      path,
      setHost: false,
      agent: false,
      headers: { host: host ?? `localhost:${server.port}`, ...sent },
    };
    const outgoing = request(options, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (data) => (text += data));
      response.on('end', () =>
        resolve({
          status: response.statusCode,
          headers: new Headers(
            Object.entries(response.headers).map(([name, value]) => [name, String(value)]),
          ),
          location: response.headers.location,
          text,
          json: parsed(text),
        }),
      );
    });
    outgoing.on('error', reject);
    outgoing.end();
  });
}

/** Bytes on a socket. Answers what came back, `status` 0 if the connection just closed. */
export function raw(server, bytes, { wait = 3000 } = {}) {
  return new Promise((resolve) => {
    const socket = connect(server.port, '127.0.0.1');
    let text = '';
    const done = () => {
      clearTimeout(late);
      socket.destroy();
      const head = text.split('\r\n\r\n')[0];
      const headers = new Headers();
      for (const line of head.split('\r\n').slice(1)) {
        const at = line.indexOf(':');
        if (at > 0) headers.append(line.slice(0, at), line.slice(at + 1).trim());
      }
      const status = Number(/^HTTP\/1\.1 (\d+)/.exec(text)?.[1] ?? 0);
      resolve({ status, text, headers, location: headers.get('location') ?? undefined });
    };
    const late = setTimeout(done, wait);
    socket.on('data', (data) => {
      text += data.toString('latin1');
      if (text.includes('\r\n\r\n')) setTimeout(done, 30);
    });
    socket.on('error', done);
    socket.on('close', done);
    socket.write(bytes);
  });
}

let brands = 0;
const unique = () => `${process.pid.toString(36)}${Date.now().toString(36)}${(brands++).toString(36)}`;

/**
 * A brand with a store, a creator and a deal with a link and a code: what most tests begin with.
 * `startsAt` lets the deal's terms start in the past; `settings` are set on the brand; `storefront` is
 * its shop's address.
 */
export async function programme(server, options = {}) {
  const { currency = 'USD', percent = '10', settings, startsAt, target = '/products/blue-jeans' } = options;
  const mark = unique();
  const operator = new Client(server, server.operatorToken);
  const { brand, api_key } = await operator.post('/v1/brands', {
    name: `Casa ${mark}`,
    currency,
    homepage_url: 'https://casa.example',
    owner_email: `owner-${mark}@casa.example`,
    ...(options.timezone && { timezone: options.timezone }),
  });
  const client = operator.as(api_key);
  if (settings) await client.patch('/v1/brand', settings);
  const secret = `hush ${mark}`;
  const made = await client.post('/v1/stores', {
    platform: 'shopify',
    shop_domain: `casa-${mark}.myshopify.com`,
    storefront_url: options.storefront ?? `https://shop-${mark}.casa.example`,
    client_id: 'app',
    client_secret: secret,
  });
  const campaign = await client.post('/v1/campaigns', { name: 'Fall' });
  const found = {
    ...{ mark, operator, brand, key: api_key, client, campaign },
    storefront: made.storefront_url,
    store: store(server, made, secret),
  };
  found.addDeal = (more = {}) => addDeal(found, { percent, startsAt, target, ...more });
  return { ...found, ...(await found.addDeal({ name: 'anna' })) };
}

async function addDeal({ client, campaign, mark }, { name, percent, startsAt, target }) {
  const handle = `${name}-${mark}`;
  const email = `${handle}@people.example`;
  const creator = await client.post('/v1/creators', { name, handle: `@${handle}`, email });
  const deal = await client.post('/v1/deals', {
    creator_id: creator.id,
    campaign_id: campaign.id,
    ...(percent !== null && { commission_percent: percent }),
    ...(startsAt && { starts_at: startsAt }),
  });
  const link = await client.post(`/v1/deals/${deal.id}/links`, { target });
  const code = `${name.toUpperCase()}10`;
  await client.post(`/v1/deals/${deal.id}/codes`, { code, create_in_store: false });
  return { creator, deal, link, code, email };
}

/** Follows a link as a shopper and answers the click id that came with it. */
export async function click(server, link, options) {
  const answer = await visit(server, `/go/${link.slug}`, options);
  assert.equal(answer.status, 302, answer.text);
  return new URL(answer.location).searchParams.get('click_id');
}

/** The one order with this platform id. */
export async function orderOf({ client }, id) {
  const { data } = await client.get(`/v1/orders?external_id=${id}`);
  assert.equal(data.length, 1, `orders with the id ${id}`);
  return data[0];
}

/** The order's winner and what became of every candidate: `['code ANNA10 won']`. */
export async function whose(programme, id) {
  const order = await orderOf(programme, id);
  const found = await programme.client.get(`/v1/orders/${order.id}/attribution`);
  const short = (text) => (text.length > 40 ? '…' : text);
  return {
    ...found,
    order,
    story: found.candidates.map((c) => `${c.method} ${short(c.evidence)} ${c.reason}`),
  };
}

/** A creator's balances in one currency. */
export async function balance({ client }, creator, currency = 'USD') {
  const { data } = await client.get(`/v1/creators/${creator.id}/balances`);
  return data.find((row) => row.currency === currency);
}

/** Fails unless the brand's books are right. */
export async function verified({ client }) {
  const found = await client.get('/v1/ledger/verification');
  const sums = Object.values(found.sums).every((sum) => Number(sum) === 0);
  assert.ok(sums && found.balances_match && found.chain_intact, JSON.stringify(found));
  return found;
}
