// Loads the demo programme through the product's own ways in: the API, redirects and signed webhooks,
// each with the clock of its day.
import { randomBytes } from 'node:crypto';
import { Failure } from '../lib/shell.mjs';
import { client, inParallel } from './client.mjs';
import { DAY, HOUR, makePlan } from './plan.mjs';
import { openShop, sign } from './shop.mjs';
import { BRAND, CAMPAIGNS, GROUP, STORE } from './words.mjs';

const CONNECTIONS = 32;

/**
 * Loads a programme that ends today and answers what was sent and what the API says of it. `shopify` is the origin of
 * Shopify's double that the product reaches: the demo's shop is opened there and connected at the end. `fireCrons`
 * runs the scheduled jobs once; without it they run in their own time. Of `payable` of all deals the creators say how
 * they are paid.
 */
export async function load({ origin, shopify, operatorToken, scale = 1, payable = 0.22, end, fireCrons, progress = () => {} }) {
  // The start of a day, so that all is the same at any hour.
  end ??= Math.floor((Date.now() - HOUR) / DAY) * DAY;
  const plan = makePlan({ scale, end });
  const http = client(origin, { connections: CONNECTIONS });
  const secret = randomBytes(24).toString('hex');
  const shop = await openShop({ origin: shopify, secret, plan });
  const started = Date.now();
  try {
    const programme = await setUp(http, plan, { operatorToken, shop, secret });
    await play(http, plan, programme, progress);
    const seconds = (Date.now() - started) / 1000;
    const speed = { seconds, requests: http.sent() };
    if (shop.isOpen) await connect(http, programme);
    if (fireCrons) await settle(http, programme.token, fireCrons);
    // Now, for invitations from the programme's beginning have long expired.
    const [creator] = await inviteThose(http, plan, { token: programme.token, payable });
    const owner = { json: { email: BRAND.owner_email }, token: operatorToken };
    await http.api('POST', `/v1/brands/${programme.brand.id}/owners`, owner);
    return { plan, programme, creator, speed, found: await lookUp(http, plan, programme.token) };
  } finally {
    http.close();
    await shop.close();
  }
}

/** The brand with its store and campaigns, and all deals with links and codes. */
async function setUp(http, plan, { operatorToken, shop, secret }) {
  const now = plan.start;
  const { brand, api_key: token } = await http.api('POST', '/v1/brands', {
    json: BRAND,
    token: operatorToken,
    now,
  });
  const post = (path, json, at = now) => http.api('POST', path, { json, token, now: at });
  const storeOf = { ...STORE, storefront_url: shop.storefront, client_secret: secret };
  const store = await post('/v1/stores', storeOf);
  const campaigns = [];
  for (const name of CAMPAIGNS) campaigns.push(await post('/v1/campaigns', { name }));
  await inParallel(plan.deals, CONNECTIONS, (deal) => setUpDeal(http, deal, { post, campaigns, token, now }));
  const path = new URL(store.webhook_url).pathname;
  return { brand, token, shop, store: { id: store.id, secret, path } };
}

/** From now on the shop tells by itself, has codes made in it, and its pages remember clicks. */
async function connect(http, { token, shop, store }) {
  const { status, problem } = await http.api('POST', `/v1/stores/${store.id}/connection`, { token });
  if (status !== 'connected') throw new Failure(`The demo's shop can't be connected: ${problem ?? status}`);
  const { html } = await http.api('GET', `/v1/stores/${store.id}/snippet`, { token });
  await shop.dress(html);
  await http.api('POST', '/v1/affiliate-groups', { json: { ...GROUP, store_id: store.id }, token });
}

async function setUpDeal(http, deal, { post, campaigns, token, now: earliest }) {
  const now = deal.startsAt;
  const met = Math.max(earliest + HOUR, now - 2 * DAY);
  const creator = await post('/v1/creators', deal.creator, met);
  deal.creator.id = creator.id;
  const made = await post(
    '/v1/deals',
    {
      creator_id: creator.id,
      campaign_id: campaigns[deal.campaign].id,
      stage: deal.stage,
      commission_percent: String(deal.percent),
      ...(deal.termsAt > now && { starts_at: new Date(deal.termsAt).toISOString() }),
    },
    now,
  );
  if (made.terms.starts_at.slice(0, 10) !== new Date(deal.termsAt).toISOString().slice(0, 10)) {
    throw new Failure('This server keeps its own clock: the demo programme needs a local build.');
  }
  deal.id = made.id;
  for (const link of deal.links) {
    const { id, slug, url } = await post(`/v1/deals/${deal.id}/links`, { target: link.target }, now);
    Object.assign(link, { id, slug, url });
  }
  if (deal.code) {
    await post(`/v1/deals/${deal.id}/codes`, { code: deal.code, create_in_store: false }, now);
  }
  if (deal.tags.length > 0) {
    await http.api('PATCH', `/v1/deals/${deal.id}`, { json: { tags: deal.tags }, token, now });
  }
}

/** Lets everything happen, in the order of its times; what others depend on happens alone. */
async function play(http, plan, programme, progress) {
  // The same for the store's secret: a topic that nobody listens to, at the last moment.
  const text = JSON.stringify({ name: BRAND.name, domain: STORE.shop_domain });
  const headers = { 'content-type': 'application/json', 'x-shopify-hmac-sha256': sign(programme.store.secret, text) };
  await deliver(http, programme.store, { headers, text }, plan.end);
  const events = lastClicksFirst(plan.events);
  let done = 0;
  const one = async (event) => {
    await happen[event.kind](http, event, programme);
    progress(++done, events.length);
  };
  for (let from = 0; from < events.length;) {
    const turn = events.findIndex(({ kind }, index) => index >= from && alone.has(kind));
    const to = turn < 0 ? events.length : turn;
    await inParallel(events.slice(from, to), CONNECTIONS, one);
    if (turn >= 0) await one(events[turn]);
    from = to + 1;
  }
}

/**
 * What the product knows of a link is looked up again when it is a minute old, by the clock of the
 * click: with a link's last click sent first, all others find it fresh. It saves a fifth of the time.
 */
function lastClicksFirst(events) {
  const last = new Map();
  for (const event of events) {
    if (event.kind === 'click' && event.click.link.closesAt === null) last.set(event.click.link, event);
  }
  const first = new Set(last.values());
  return [...first, ...events.filter((event) => !first.has(event))];
}

const alone = new Set(['terms', 'closeDeal', 'closeLink']);

const happen = {
  async click(http, { click }) {
    // An order waits for its clicks.
    click.done = follow(http, click);
    await click.done;
  },
  async delivery(http, { at, order, copies, asOf, refund }, { shop, store }) {
    await Promise.all(order.clicks.map((click) => click.done));
    const { id, told } = await (order.life ??= shop.live(order));
    order.id = id;
    const ofRefund = ({ topic, at: told }) => topic === 'refunds/create' && told >= refund.at - 1000;
    const ofOrder = ({ topic, at: told }) => topic.startsWith('orders/') && told <= asOf;
    const delivery = refund ? told.find(ofRefund) : told.findLast(ofOrder);
    const once = () => deliver(http, store, delivery, at);
    await Promise.all(Array.from({ length: copies }, once));
  },
  terms: (http, { at, deal }, { token }) =>
    http.api('POST', `/v1/deals/${deal.id}/terms`, {
      json: { commission_percent: String(deal.raise.percent) },
      token,
      now: at,
    }),
  closeDeal: (http, { at, deal }, { token }) =>
    http.api('PATCH', `/v1/deals/${deal.id}`, { json: { state: 'closed' }, token, now: at }),
  closeLink: (http, { at, link }, { token }) =>
    http.api('PATCH', `/v1/links/${link.id}`, { json: { state: 'closed' }, token, now: at }),
};

async function follow(http, click) {
  const { link, method, headers, query, at } = click;
  const answer = await http.send(method, `/go/${link.slug}${query}`, { headers, now: at });
  const location = answer.headers.location && new URL(answer.headers.location);
  const id = location?.searchParams.get('click_id') ?? null;
  if (answer.status !== 302 || (id !== null) !== click.counted) {
    throw new Failure(
      `${method} /go/${link.slug}: ${answer.status} ${answer.headers.location ?? answer.text}`,
    );
  }
  click.id = id;
}

/** A delivery is repeated until it is acknowledged, as Shopify does it. */
async function deliver(http, store, { headers, text }, now) {
  for (let attempt = 1; ; attempt++) {
    const answer = await http.send('POST', store.path, { headers, body: text, now });
    if (answer.status === 200) return;
    if (answer.status !== 503 || attempt === 10) {
      throw new Failure(`POST ${store.path}: ${answer.status} ${answer.text}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 200 * attempt));
  }
}

/** Hold periods end and the books are sealed: until nothing moves any more. */
async function settle(http, token, fireCrons) {
  for (let round = 0, before = -1; round < 10; round++) {
    await fireCrons();
    const { entries, head } = await http.api('GET', '/v1/ledger/verification', { token });
    if (entries === before && head?.size === entries) return;
    before = entries;
  }
}

/** The creators who sell most, the star first, sign in and say how they are paid: she who is printed and the others. */
async function inviteThose(http, plan, { token, payable }) {
  const others = plan.deals.filter((deal) => deal.active && deal !== plan.star);
  const most = others.sort((a, b) => b.weight - a.weight).slice(0, Math.ceil(plan.deals.length * payable));
  const signedIn = [];
  await inParallel([plan.star, ...most], CONNECTIONS, async (deal, at) => {
    const invitation = await http.api('POST', `/v1/deals/${deal.id}/invitation`, { token });
    const json = { token: invitation.url.split('#')[1] };
    const creator = await http.api('POST', '/v1/invitations/acceptance', { json });
    const access = creator.access_token;
    await http.api('PUT', '/v1/me/payment-details', { json: paidTo(deal.creator, at), token: access });
    signedIn[at] = creator;
  });
  return signedIn;
}

/** Payment details of different kinds, all made up: IBANs and routing numbers of public examples. */
function paidTo({ name, email }, at) {
  if (at % 3 === 1) return { method: 'paypal', email };
  if (at % 3 === 2) return { method: 'iban', holder: name, iban: 'DE89370400440532013000' };
  const account = { routing_number: '021000021', account_number: String(100_000_000 + at), account_type: 'checking' };
  return { method: 'ach', holder: name, ...account };
}

/** What the API says of all that was sent. */
async function lookUp(http, plan, token) {
  const get = (path, now) => http.api('GET', path, { token, now });
  const orders = [];
  for (let cursor = ''; cursor !== null;) {
    const page = await get(`/v1/orders?limit=200${cursor && `&cursor=${cursor}`}`);
    orders.push(...page.data);
    cursor = page.next_cursor;
  }
  const shoppers = plan.clicks.filter((click) => click.shopper && click.counted).length;
  const performance = new Map();
  for (let tries = 0; tries < 40; tries++) {
    await inParallel(plan.deals, 8, async (deal) => {
      // Asked as of the first day: then the counters themselves answer for all days.
      performance.set(deal, await get(`/v1/deals/${deal.id}/performance`, plan.start));
    });
    if (sum([...performance.values()], (p) => p.clicks.total) >= shoppers) break;
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
  const balances = new Map();
  await inParallel(plan.deals, 8, async (deal) => {
    const { data } = await get(`/v1/creators/${deal.creator.id}/balances`);
    balances.set(deal, data[0]);
  });
  const [from, to] = [plan.start, Date.now() + DAY].map((at) => new Date(at).toISOString().slice(0, 10));
  const { period } = await get(`/v1/reports/overview?from=${from}&to=${to}`);
  const clicksLate = period.clicks.total < shoppers;
  const verification = await get('/v1/ledger/verification');
  return { orders, performance, balances, verification, clicksLate };
}

export const sum = (list, of) => list.reduce((total, item) => total + of(item), 0);
