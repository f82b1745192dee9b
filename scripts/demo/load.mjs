// Loads the demo programme through the product's own ways in: the API, redirects and signed webhooks,
// each with the clock of its day.
import { randomBytes } from 'node:crypto';
import { Failure } from '../lib/shell.mjs';
import { client, inParallel } from './client.mjs';
import { DAY, HOUR, makePlan } from './plan.mjs';
import { orderBody, refundBody, sign } from './shopify.mjs';
import { BRAND, CAMPAIGNS, STORE } from './words.mjs';

const CONNECTIONS = 32;

/**
 * Loads a programme that ends today and answers what was sent and what the API says of it.
 * `fireCrons` runs the scheduled jobs once; without it they run in their own time.
 */
export async function load({ origin, operatorToken, scale = 1, end, fireCrons, progress = () => {} }) {
  // The start of a day, so that all is the same at any hour.
  end ??= Math.floor((Date.now() - HOUR) / DAY) * DAY;
  const plan = makePlan({ scale, end });
  const http = client(origin, { connections: CONNECTIONS });
  const started = Date.now();
  try {
    const programme = await setUp(http, plan, operatorToken);
    await play(http, plan, programme, progress);
    const seconds = (Date.now() - started) / 1000;
    const speed = { seconds, requests: http.sent() };
    if (fireCrons) await settle(http, programme.token, fireCrons);
    const creator = await invite(http, plan.star, programme.token);
    // Now, for the invitation from the programme's beginning has long expired.
    const owner = { json: { email: BRAND.owner_email }, token: operatorToken };
    await http.api('POST', `/v1/brands/${programme.brand.id}/owners`, owner);
    return { plan, programme, creator, speed, found: await lookUp(http, plan, programme.token) };
  } finally {
    http.close();
  }
}

/** The brand with its store and campaigns, and all deals with links and codes. */
async function setUp(http, plan, operatorToken) {
  const now = plan.start;
  const { brand, api_key: token } = await http.api('POST', '/v1/brands', {
    json: BRAND,
    token: operatorToken,
    now,
  });
  const secret = randomBytes(24).toString('hex');
  const post = (path, json, at = now) => http.api('POST', path, { json, token, now: at });
  const store = await post('/v1/stores', { ...STORE, client_secret: secret });
  const campaigns = [];
  for (const name of CAMPAIGNS) campaigns.push(await post('/v1/campaigns', { name }));
  await inParallel(plan.deals, CONNECTIONS, (deal) => setUpDeal(http, deal, { post, campaigns, token, now }));
  return { brand, token, store: { id: store.id, secret, path: new URL(store.webhook_url).pathname } };
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
  const shopUpdate = JSON.stringify({ name: BRAND.name, domain: STORE.shop_domain });
  await deliver(http, programme.store, shopUpdate, plan.end);
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
  async delivery(http, { at, order, copies, asOf, refund }, { store }) {
    await Promise.all(order.clicks.map((click) => click.done));
    const body = JSON.stringify(refund ? refundBody(order, refund) : orderBody(order, asOf));
    const once = () => deliver(http, store, body, at);
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
export async function deliver(http, store, body, now) {
  const headers = {
    'content-type': 'application/json',
    'x-shopify-hmac-sha256': sign(store.secret, body),
  };
  for (let attempt = 1; ; attempt++) {
    const answer = await http.send('POST', store.path, { headers, body, now });
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

/** The creator of a deal signs in. */
async function invite(http, deal, token) {
  const invitation = await http.api('POST', `/v1/deals/${deal.id}/invitation`, { token });
  const json = { token: invitation.url.split('#')[1] };
  return http.api('POST', '/v1/invitations/acceptance', { json });
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
  const plain = await get(`/v1/deals/${plan.star.id}/performance`);
  const clicksLate = plain.clicks.total < performance.get(plan.star).clicks.total;
  const verification = await get('/v1/ledger/verification');
  return { orders, performance, balances, verification, clicksLate };
}

export const sum = (list, of) => list.reduce((total, item) => total + of(item), 0);
