// npm run demo:order: a shopper follows a creator's link and buys; what changes, before → after.
import { join, resolve } from 'node:path';
import { SHOPPER_AGENTS } from './demo/agents.mjs';
import { client } from './demo/client.mjs';
import { demoFile } from './demo/programme.mjs';
import { STORE } from './demo/words.mjs';
import { Failure, main, readIfThere, root, say } from './lib/shell.mjs';

/** Clicks are counted after their answer: they appear within ten seconds. */
const PATIENCE = 10_000;

main(async () => {
  const state = resolve(process.env.STATE_DIR || join(root, '.state'));
  const saved = readIfThere(demoFile(state));
  if (saved === undefined) {
    throw new Failure(
      'There is no demo programme here: `npm start` loads it into a new state (see STATE_DIR, DEMO).',
    );
  }
  const keys = JSON.parse(saved);
  const origin = process.env.PORT ? `http://localhost:${process.env.PORT}` : keys.origin;
  const http = client(origin, { connections: 4 });
  try {
    await http.send('GET', '/healthz').catch(() => {
      throw new Failure(`Nobody answers at ${origin}: run \`npm start\` in another terminal (or set PORT).`);
    });
    await buy(http, keys);
  } finally {
    http.close();
  }
});

async function buy(http, keys) {
  const token = keys.brand.api_key;
  const get = (path) => http.api('GET', path, { token });
  const look = async () => ({
    performance: await get(`/v1/deals/${keys.deal.id}/performance`),
    balance: (await get(`/v1/creators/${keys.creator.id}/balances`)).data[0],
  });
  const before = await look().catch((error) => {
    const stale = error instanceof Failure && / 40[14] /.test(error.message);
    throw stale ? new Failure('The server that answers has another state than this demo programme.') : error;
  });

  const { creator, deal } = keys;
  say(`A shopper opens the link of ${creator.name}, in Instagram's browser:`);
  // A new address each time: a shopper who comes back within the hour is not unique.
  const address = `2001:db8::${(Date.now() & 0xffff).toString(16)}`;
  const headers = { 'user-agent': SHOPPER_AGENTS[0], 'cf-connecting-ip': address };
  const answer = await http.send('GET', `/go/${deal.link.slug}`, { headers });
  say(`  GET /go/${deal.link.slug} → ${answer.status}\n  ${answer.headers.location}`);
  const clickId = new URL(answer.headers.location ?? 'none:').searchParams.get('click_id');
  if (answer.status !== 302 || !clickId) throw new Failure('The link is closed: open it again.');

  const order = await purchase(keys.shopify, answer.headers.location, clickId);
  say(`\nShe buys, and the shop tells of order ${order.name} (${order.id}) by its signed webhooks.`);

  const { data } = await get(`/v1/orders?external_id=${order.id}`);
  const attribution = await get(`/v1/orders/${data[0].id}/attribution`);
  say(`\nTributary decided: ${attribution.reason}${attribution.method ? `, by ${attribution.method}` : ''}`);
  for (const { method, evidence, outcome, reason, at } of attribution.candidates) {
    say(`  ${method} ${evidence}${at ? ` of ${at}` : ''}: ${outcome} (${reason})`);
  }
  say(`  base ${data[0].base.amount}, commission ${data[0].commission.amount} ${data[0].base.currency}`);

  say('\nWhat changed:');
  compare(before, await patiently(look, before));
  say(`\nWhy, in full: curl -H "Authorization: Bearer ${token}" \\
  ${http.origin}/v1/orders/${data[0].id}/attribution`);
}

/** One duvet cover and two candles in the demo's shop; answers once the shop has told of it. */
async function purchase(shopify, location, clickId) {
  if (!shopify) throw new Failure("The demo's shop isn't there: it is part of `npm start` with an empty state.");
  const shop = client(shopify, { connections: 1 });
  try {
    const { pathname, search } = new URL(location);
    const order = await shop.api('POST', `/control/${STORE.shop_domain}/orders`, {
      json: {
        email: `shopper${Date.now() % 100_000}@example.com`,
        landing_site: pathname + search,
        note_attributes: [{ name: '_tributary_click', value: clickId }],
        lines: [
          { product: 'stonewashed-linen-duvet', quantity: 1 },
          { product: 'beeswax-candles', quantity: 2 },
        ],
      },
    });
    await shop.api('POST', '/control/settled', { json: {} });
    return order;
  } finally {
    shop.close();
  }
}

/** Looks until the click is counted. */
async function patiently(look, before) {
  const until = Date.now() + PATIENCE;
  for (;;) {
    const after = await look();
    const counted = after.performance.clicks.total > before.performance.clicks.total;
    if (counted || Date.now() > until) return after;
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
}

function compare(before, after) {
  const rows = [
    ['clicks of the deal', ({ performance: p }) => p.clicks.total],
    ['  unique', ({ performance: p }) => p.clicks.unique],
    ['orders', ({ performance: p }) => p.orders],
    ['revenue', ({ performance: p }) => p.revenue[0]?.amount ?? '0.00'],
    ['commission', ({ performance: p }) => p.commission[0]?.amount ?? '0.00'],
    ['conversion', ({ performance: p }) => (p.conversion_percent ? `${p.conversion_percent} %` : '–')],
    ['balance, pending', ({ balance }) => balance.pending],
    ['balance, available', ({ balance }) => balance.available],
  ];
  for (const [name, of] of rows) {
    const [was, is] = [String(of(before)), String(of(after))];
    say(`  ${name.padEnd(20)}${was.padStart(12)}${was === is ? '' : `  →  ${is}`}`);
  }
}
