// Deliveries: signed, with all headers, retried, lost and repeated on demand. Only loopback is ever called.
import { createHmac, randomUUID } from 'node:crypto';
import { request } from 'node:http';
import { VERSION } from './schema.mjs';
import { gid, random } from './values.mjs';

export const COMPLIANCE = ['customers/data_request', 'customers/redact', 'shop/redact'];

/** `orders/create` → `ORDERS_CREATE`. */
export const enumOf = (topic) => topic.toUpperCase().replace('/', '_');

export class Deliveries {
  /** What of another address is called instead: `{ 'https://shop.example': 'http://127.0.0.1:1234' }`. */
  mapped = {};
  #settings = {
    timeoutMs: 5000,
    retryMs: [200, 1000, 3000],
    lost: 0,
    repeated: 0,
    atOnce: 16,
    paused: false,
  };
  #random = random(1);
  #waiting = [];
  #underWay = 0;
  #later = new Set();
  #idle = [];
  #stopped = false;

  set(settings) {
    Object.assign(this.#settings, settings);
    if (settings.seed !== undefined) this.#random = random(settings.seed);
    this.#pump();
    return this.#settings;
  }

  /** Delivers to each subscription of the topic; one event for all of them. */
  emit(shop, topic, body, uris) {
    const targets = uris ?? subscribers(shop, topic);
    if (targets.length === 0) return;
    const value = body();
    const event = { eventId: randomUUID(), triggeredAt: new Date(shop.clock.now()).toISOString() };
    for (const { uri, includeFields, name } of targets) {
      const text = JSON.stringify(only(value, includeFields));
      const delivery = { shop, topic, uri, text, name, ...event, id: randomUUID(), tries: 0 };
      // Lost ones draw once, so that the same seed loses the same.
      const [isLost, isRepeated] = [
        this.#random() < this.#settings.lost,
        this.#random() < this.#settings.repeated,
      ];
      if (isLost) {
        shop.log.deliveries.lost++;
        continue;
      }
      this.#waiting.push(delivery);
      if (isRepeated) {
        shop.log.deliveries.repeated++;
        this.#waiting.push({ ...delivery });
      }
    }
    this.#pump();
  }

  /** Resolves when nothing is under way or waits for another try. */
  settled() {
    if (this.#waiting.length + this.#underWay + this.#later.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  stop() {
    this.#stopped = true;
    for (const timer of this.#later) clearTimeout(timer);
    this.#waiting = [];
  }

  #pump() {
    const { paused, atOnce } = this.#settings;
    while (!this.#stopped && !paused && this.#underWay < atOnce && this.#waiting.length > 0) {
      this.#underWay++;
      this.#try(this.#waiting.shift()).finally(() => {
        this.#underWay--;
        this.#pump();
      });
    }
    if (this.#waiting.length + this.#underWay + this.#later.size > 0) return;
    for (const resolve of this.#idle.splice(0)) resolve();
  }

  async #try(delivery) {
    const { log } = delivery.shop;
    const topics = (log.deliveries.topics[delivery.topic] ??= { sent: 0, acknowledged: 0 });
    log.deliveries.sent++;
    topics.sent++;
    const status = await post(this.#address(delivery.uri), delivery, this.#settings.timeoutMs);
    if (status >= 200 && status < 300) {
      log.deliveries.acknowledged++;
      topics.acknowledged++;
      return;
    }
    log.deliveries.failed++;
    log.deliveries.last = `${delivery.topic}: ${status}`;
    const wait = this.#settings.retryMs[delivery.tries++];
    if (wait === undefined || this.#stopped) {
      log.deliveries.given_up++;
      return;
    }
    const timer = setTimeout(() => {
      this.#later.delete(timer);
      this.#waiting.push(delivery);
      this.#pump();
    }, wait);
    this.#later.add(timer);
  }

  #address(uri) {
    const url = new URL(uri);
    const mapped = this.mapped[url.origin];
    return mapped ? new URL(url.pathname + url.search, mapped) : url;
  }
}

function subscribers(shop, topic) {
  if (!shop.installed) return [];
  const wanted = enumOf(topic);
  return [...shop.subscriptions.values()].filter((one) => one.topic === wanted);
}

/** `includeFields` keeps these fields only. */
function only(body, names) {
  if (!names?.length) return body;
  const kept = {};
  for (const path of names) {
    const [name, ...rest] = path.split('.');
    if (!(name in body)) continue;
    const inner = body[name];
    if (rest.length === 0 || inner === null || typeof inner !== 'object') kept[name] = inner;
    else if (Array.isArray(inner))
      kept[name] = inner.map((one, at) => ({ ...kept[name]?.[at], ...only(one, [rest.join('.')]) }));
    else kept[name] = { ...kept[name], ...only(inner, [rest.join('.')]) };
  }
  return kept;
}

export const sign = (text, secret) => createHmac('sha256', secret).update(text, 'utf8').digest('base64');

/** What a delivery says of itself. */
export const headersOf = ({ shop, topic, text, id, eventId, triggeredAt, name }) => ({
  'content-type': 'application/json',
  'content-length': Buffer.byteLength(text),
  'user-agent': 'Shopify-Captain-Hook',
  'x-shopify-topic': topic,
  'x-shopify-hmac-sha256': sign(text, shop.signing ?? ''),
  'x-shopify-shop-domain': shop.domain,
  'x-shopify-api-version': VERSION,
  'x-shopify-webhook-id': id,
  'x-shopify-event-id': eventId,
  'x-shopify-triggered-at': triggeredAt,
  ...(name && { 'x-shopify-name': name }),
});

/** The answer's status, or why there was none. */
function post(url, delivery, timeoutMs) {
  if (!['127.0.0.1', 'localhost', '[::1]'].includes(url.hostname) || url.protocol !== 'http:')
    return Promise.resolve('not on this machine');
  const headers = headersOf(delivery);
  return new Promise((resolve) => {
    const signal = AbortSignal.timeout(timeoutMs);
    const call = request(url, { method: 'POST', headers, signal }, (answer) => {
      answer.resume();
      answer.on('end', () => resolve(answer.statusCode));
      answer.on('error', (error) => resolve(error.message));
    });
    call.on('error', (error) => resolve(error.message));
    call.end(delivery.text);
  });
}

/** Where compliance topics go: they are no subscriptions. */
export function complianceTargets(shop) {
  const uri = shop.settings.complianceUri ?? [...shop.subscriptions.values()][0]?.uri;
  return uri ? [{ uri }] : [];
}

export const webhookGid = (id) => gid('WebhookSubscription', id);
