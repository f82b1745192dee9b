// Runs the table of bad-input/cases.mjs: every row gets its answer and leaves everything as it was.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, before, test } from 'node:test';
import { cases, elsewhere, waiting } from './bad-input/cases.mjs';
import { Client, click, eventually, orderOf, programme, verified } from './support/client.mjs';
import { Browser, invited, member, newAddress, owner } from './support/people.mjs';
import { startServer } from './support/server.mjs';
import { nextId, order } from './support/shopify.mjs';

// Clicks are counted after the answer; click_days is the only table that may still change by itself.
const TABLES = [
  ...[
    'brands',
    'webhook_endpoints',
    'deal_actions',
    'bulk_actions',
    'bulk_deals',
    'order_news',
    'webhook_events',
    'webhook_deliveries',
    'attribution_rules',
    'hosts',
    'host_removals',
    'api_keys',
    'stores',
    'creators',
    'creator_handles',
    'creator_fields',
    'campaigns',
    'deals',
    'deal_costs',
    'notes',
    'follow_ups',
    'terms',
  ],
  ...['links', 'slugs', 'codes', 'affiliate_groups', 'collections', 'collection_products', 'orders', 'customers', 'tiers', 'tier_steps', 'message_templates', 'outreach_settings', 'outreach_days', 'unsubscribes', 'conversations', 'sequences', 'enrolments', 'messages', 'offers', 'term_templates', 'term_template_versions', 'deal_days', 'entries', 'balances', 'ledger_seals'],
  ...['tags', 'search_docs', 'segments'],
  ...['ledger_tiles', 'rule_journal', 'store_access', 'store_leases', 'outbox', 'store_authorizations', 'store_syncs', 'store_days'],
  ...['invitations', 'creator_tokens', 'people', 'members', 'sign_ins', 'sessions', 'passkeys',
    'recovery_codes', 'audit', 'mails'],
  ...['audit_members', 'audit_personal', 'data_requests', 'rewraps'],
  ...['fees', 'adjustments', 'payment_details', 'payouts', 'payout_lines', 'idempotency', 'claims'],
  ...['payout_approvals', 'payout_runs', 'payout_providers', 'payout_sendings'],
  ...['goaffpro_stores', 'goaffpro_orders', 'affiliates', 'affiliate_deals', 'affiliate_clicks', 'affiliate_requests'],
  ...['posts', 'post_metrics', 'media_formulas'],
  ...['automations', 'automation_past', 'automation_causes', 'automation_orders', 'automation_runs', 'automation_steps'],
];

let server;
let w;

before(async () => {
  server = await startServer({ mail: true });
  w = await world();
});
after(() => server?.stop());

/** Two brands with everything that the rows name. */
async function world() {
  const [a, b] = [await programme(server), await programme(server)];
  const made = { server, a, b, anyone: new Client(server), hundred: nextId(), mixed: nextId() };
  made.misnamed = nextId();
  made.refundedTwice = { id: nextId(), orderId: nextId() };
  made.other = await a.addDeal({ name: 'ben' });
  made.closed = await a.client.post(`/v1/deals/${a.deal.id}/links`, { target: '/closed' });
  await a.client.patch(`/v1/links/${made.closed.id}`, { state: 'closed' });
  made.newStore = { platform: 'shopify', shop_domain: 'x.myshopify.com', client_id: 'x', client_secret: 'x' };

  made.edited = [];
  for (const target of ['javascript:alert(1)', 'http://evil.test/', '//evil.test', 'https://evil.test/']) {
    const link = await a.client.post(`/v1/deals/${a.deal.id}/links`, {});
    await server.sql(`UPDATE links SET target = '${target}' WHERE id = '${link.id}'`);
    made.edited.push(link);
  }
  const shop = await a.client.post('/v1/stores', {
    ...made.newStore,
    shop_domain: `hijacked-${a.mark}.myshopify.com`,
    storefront_url: 'https://hijacked.casa.example',
  });
  made.hijacked = await a.client.post(`/v1/deals/${a.deal.id}/links`, { store_id: shop.id });
  await server.sql(`UPDATE stores SET storefront_url = 'javascript:alert(1)//' WHERE id = '${shop.id}'`);

  const ownShop = { platform: 'custom', storefront_url: 'https://own.casa.example' };
  made.ownShop = await a.client.post('/v1/stores', ownShop);
  made.ownShopOfB = await b.client.post('/v1/stores', ownShop);
  made.known = order({ codes: [['ANNA10', '1.00']] });
  await a.store.send(made.known);
  const theirs = order({ codes: [['ANNA10', '1.00']] });
  await b.store.send(theirs, 'not json');
  made.externalOfB = theirs.id;
  made.orderOfB = (await orderOf(b, theirs.id)).id;
  made.quarantineOfB = (await b.client.get('/v1/quarantine')).data[0].id;
  made.clickId = await click(server, a.link);
  made.clickOfB = await click(server, b.link);
  made.clicked = 1;

  const invite = async () => {
    const { url } = await a.client.post(`/v1/deals/${a.deal.id}/invitation`);
    const token = url.split('#')[1];
    return (await made.anyone.post('/v1/invitations/acceptance', { token })).access_token;
  };
  made.expiredToken = await invite();
  await server.sql('UPDATE creator_tokens SET expires_at_ms = 1');
  made.me = a.client.as(await invite());
  const keyWith = async (body) => (await a.client.post('/v1/keys', { name: 'k', ...body })).api_key;
  made.reader = a.client.as(await keyWith({ scopes: ['read'] }));
  // Its first use is noted.
  await made.reader.get('/v1/brand');
  made.expired = await keyWith({ scopes: ['read'], expires_at: new Date(Date.now() + 1500).toISOString() });
  const keyOf = async () => (await programme(server)).key;
  [made.leaked, made.revoked] = [await keyOf(), await keyOf()];
  const hash = createHash('sha256').update(made.revoked).digest('hex');
  await server.sql(`UPDATE api_keys SET revoked_at_ms = 1 WHERE secret_hash = '${hash}'`);

  await people(made);

  // Links of both brands on /go, before A and B move to their own domains.
  [made.a.onGo, made.b.onGo] = [a.link, b.link];
  [made.host, made.hostOfB] = [`go.${a.mark}.example`, `go.${b.mark}.example`];
  for (const [brand, host] of [
    [a, made.host],
    [b, made.hostOfB],
  ])
    await brand.client.patch('/v1/brand', { link_domain: host });
  await a.client.patch('/v1/brand', { link_domain: null });
  made.inTurn = async (...asks) => {
    const answers = [];
    for (const ask of asks) answers.push(await ask());
    return answers;
  };
  return made;
}

/** Owners of both brands; a viewer and somebody who is removed; sessions that lack something. */
async function people(made) {
  const { server, a, b } = made;
  [made.ada, made.bea] = [await owner(server, a), await owner(server, b)];
  const invite = (email, role) => made.ada.browser.post('/v1/members', { email, role });
  const join = async (role) => {
    const email = newAddress(role);
    await invite(email, role);
    return member(server, email, await invited(server, email));
  };
  [made.mia, made.max] = [await join('viewer'), await join('manager')];
  const [waits, withdrawn] = [newAddress('waits'), newAddress('withdrawn')];
  await invite(waits, 'viewer');
  made.waitingInvitation = await invited(server, waits);
  const { id } = await invite(withdrawn, 'viewer');
  made.withdrawnInvitation = await invited(server, withdrawn);
  await made.ada.browser.done('DELETE', `/v1/members/${id}`);
  [made.mailOnly, made.stale] = [new Browser(server), new Browser(server)];
  for (const browser of [made.mailOnly, made.stale]) await browser.signIn(made.ada.email);
  const { session } = await made.stale.show(made.ada.key);
  await server.sql(`UPDATE sessions SET stepped_up_at_ms = 1 WHERE id = '${session.id}'`);
  /** A brand with a creator, both of this name, and where her invitation was mailed to. */
  made.attacked = async (name) => {
    const p = await programme(server);
    await p.client.patch('/v1/brand', { name });
    const email = newAddress('attacked');
    const creator = await p.client.post('/v1/creators', { name, handle: `@x-${p.mark}`, email });
    const body = { creator_id: creator.id, campaign_id: p.campaign.id };
    const deal = await p.client.post('/v1/deals', body);
    await p.client.post(`/v1/deals/${deal.id}/invitation`);
    await invited(server, email);
    return { email };
  };
}

async function state() {
  const rows = await server.sql(
    ...TABLES.map((table) => `SELECT * FROM ${table}`),
    'SELECT id FROM quarantine',
  );
  const kept = rows.pop().length;
  const sums = rows.map((table) => createHash('sha256').update(JSON.stringify(table)).digest('hex'));
  return { kept, sums };
}

const changed = (before, now) => TABLES.filter((_, at) => before.sums[at] !== now.sums[at]);

for (const [id, what, ask, wanted] of cases) {
  test(`${id}: ${what}`, async () => {
    const expected = typeof wanted === 'number' ? { status: wanted } : wanted;
    const before = await state();
    const asked = await ask(w);
    const answers = await Promise.all(Array.isArray(asked) ? asked : [asked]);
    const allowed = [expected.status].flat();
    for (const [at, { status, text, headers }] of answers.entries()) {
      assert.ok(
        allowed.includes(status),
        `request ${at + 1} of ${answers.length} got ${status} ${text.slice(0, 300)}`,
      );
      if (expected.body) assert.match(text, expected.body);
      assert.ok(!/panicked|\.rs:|SQLITE|wasm|D1_ERROR/.test(text), text.slice(0, 300));
      if (status === 302) assert.equal(headers.get('set-cookie'), null);
    }
    await expected.check?.(answers, w);
    const now = await state();
    const mayChange = [expected.changes ?? []].flat();
    const others =
      expected.changes === true ? [] : changed(before, now).filter((name) => !mayChange.includes(name));
    assert.deepEqual(others, [], 'tables that changed');
    const more = [expected.quarantined ?? 0].flat();
    assert.ok(more.includes(now.kept - before.kept), `${now.kept - before.kept} more in quarantine`);
    // A panic would have ended what else was under way; none of this may.
    assert.deepEqual((await w.anyone.call('GET', '/healthz')).json, { status: 'ok' });
  });
}

for (const [id, what] of Object.entries(waiting)) test(id, { skip: `waits for ${what}` });

test('every id of the list has a row, or says where it is shown', () => {
  const all = { R: 19, W: 27, A: 24, D: 18, G: 13, C: 13 };
  const ids = Object.entries(all).flatMap(([part, n]) =>
    Array.from({ length: n }, (_, at) => part + (at + 1)),
  );
  const known = new Set([...cases.map(([id]) => id), ...Object.keys(elsewhere), ...Object.keys(waiting)]);
  assert.deepEqual(
    ids.filter((id) => !known.has(id)),
    [],
  );
});

test('every table is watched, and a change is noticed', async () => {
  const query =
    "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE '%\\_%migrations' ESCAPE '\\'";
  const names = (await server.sql(query))[0]
    .map(({ name }) => name)
    .filter((name) => !/^(sqlite|_cf)_/.test(name))
    // What the full-text index keeps follows from `search_docs`.
    .filter((name) => !/^search(_(data|idx|docsize|config))?$/.test(name));
  const unwatched = names.filter((name) => !TABLES.includes(name)).sort();
  assert.deepEqual(
    unwatched,
    // Clicks arrive when they do, in the totals too; the copy that lists are sorted by is brought up to date by
    // whoever reads one.
    ['click_days', 'd1_migrations', 'deal_money_ranks', 'deal_ranks', 'deal_totals', 'job_runs', 'quarantine', 'totals_to_tell', 'totals_told'].filter((n) => names.includes(n)),
  );
  const before = await state();
  await w.a.store.send(order({ codes: [['ANNA10', '1.00']] }));
  assert.deepEqual(changed(before, await state()), ['orders', 'deal_days', 'entries', 'balances']);
});

test('after all that: the books are right, the clicks are those that shoppers made, nothing broke', async () => {
  await verified(w.a);
  await verified(w.b);
  // R3, R5, R7, R14 and R18 are shoppers, R15 four times; the setup clicked once, and so did W7 of the own shop.
  const shoppers = w.clicked + 5 + 4 + 1;
  // R8 HEAD, R10 five browsers that look ahead, R11 seven bots.
  const filtered = 1 + 5 + 7;
  const performance = () => w.a.client.get(`/v1/deals/${w.a.deal.id}/performance`);
  await eventually(
    'all clicks',
    async () => (await performance()).clicks.total >= shoppers + w.edited.length,
  );
  const { clicks } = await performance();
  assert.deepEqual([clicks.total, clicks.filtered], [shoppers + w.edited.length, filtered]);
  assert.ok(
    !/panicked|unreachable|RuntimeError|"status":5\d\d/.test(server.log()),
    server.log().slice(-2000),
  );
});
