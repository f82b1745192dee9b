// Filters, sorts and segments in workerd, on its D1: what is found while orders and clicks come, and search.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { click, eventually, programme, verified } from './support/client.mjs';
import { startServer } from './support/server.mjs';
import { order } from './support/shopify.mjs';

let server;
before(async () => (server = await startServer()));
after(() => server?.stop());

/** Every page of a list, each thing once. */
async function all(p, list, query, limit = 50) {
  const ids = [];
  for (let cursor = null; ; ) {
    const asked = new URLSearchParams({ ...query, limit, ...(cursor && { cursor }) });
    const page = await p.client.get(`/v1/${list}?${asked}`);
    ids.push(...page.data.map(({ id }) => id));
    cursor = page.next_cursor;
    if (!cursor) break;
  }
  assert.equal(new Set(ids).size, ids.length, 'nothing twice');
  return ids;
}

test('a list is found and sorted by what orders come to, the moment they are there', async () => {
  const p = await programme(server);
  const deals = [p.deal];
  for (let n = 1; n < 4; n++) {
    const creator = await p.client.post('/v1/creators', {
      name: `Creator ${n}`,
      handle: `c${n}-${p.mark}`,
      followers: n * 10_000,
      niche: n % 2 ? 'Yoga mats' : 'Coffee',
      tags: n === 3 ? ['vip'] : [],
    });
    const deal = await p.client.post('/v1/deals', {
      creator_id: creator.id,
      campaign_id: p.campaign.id,
      commission_percent: '10',
      starts_at: '2026-01-01T00:00:00Z',
    });
    const code = `F${n}${p.mark}`.toUpperCase();
    await p.client.post(`/v1/deals/${deal.id}/codes`, { code, create_in_store: false });
    deals.push({ ...deal, code });
  }
  // The third has three orders, the second two; all at once.
  const orders = [1, 2, 2, 3, 3, 3].map((n) => order({ codes: [[deals[n].code, '1.00']] }));
  const answers = await Promise.all(orders.map((each) => p.store.deliver(each)));
  assert.deepEqual([...new Set(answers.map(({ status }) => status))], [200]);
  const ids = (...which) => which.map((n) => deals[n].id);
  for (const sort of ['-orders', '-revenue', '-revenue[this_month]', '-commission[30d]', '-orders[2026-01-01..2199-01-01]'])
    assert.deepEqual((await all(p, 'deals', { filter: 'orders > 0', sort }, 1)), ids(3, 2, 1), sort);
  assert.deepEqual(await all(p, 'deals', { filter: 'orders = 0' }), ids(0));
  assert.deepEqual(await all(p, 'deals', { filter: '"yoga" AND orders[all] >= 3' }), ids(3));
  assert.deepEqual(await all(p, 'deals', { filter: 'tag = "vip" OR followers = 20000', sort: 'followers' }), ids(2, 3));
  assert.deepEqual(await all(p, 'creators', { filter: 'orders >= 2', sort: '-followers' }, 1), [
    deals[3].creator_id,
    deals[2].creator_id,
  ]);
  // A cancelled order is one less, wherever it counted.
  const cancelled = { ...orders[5], cancelled_at: new Date(Date.now() + 60_000).toISOString() };
  cancelled.updated_at = cancelled.cancelled_at;
  await p.store.send(cancelled);
  assert.deepEqual(await all(p, 'deals', { filter: 'orders[this_month] = 2' }), ids(2, 3));
  await verified(p);
});

test('clicks are found when the counters told them', async () => {
  const p = await programme(server);
  for (let n = 0; n < 3; n++) await click(server, p.link);
  await eventually('clicks in totals', async () => {
    await server.triggerCron();
    return (await all(p, 'deals', { filter: 'clicks >= 3 AND conversion = 0' })).includes(p.deal.id);
  });
  assert.deepEqual(await all(p, 'deals', { filter: 'clicks[30d] > 0', sort: '-clicks' }), [p.deal.id]);
});

test('words are found in names, handles, niches and notes, of the brand alone, and the index can be made again', async () => {
  const [p, q] = [await programme(server), await programme(server)];
  for (const each of [p, q]) {
    await each.client.patch(`/v1/creators/${each.deal.creator_id}`, { niche: 'Zürich Kaffeeklatsch' });
    await each.client.post(`/v1/deals/${each.deal.id}/notes`, { text: 'Wants the blue bottle' });
  }
  const finds = async (filter) => {
    for (const each of [p, q]) {
      assert.deepEqual(await all(each, 'deals', { filter }), [each.deal.id], filter);
      assert.deepEqual(await all(each, 'creators', { filter }), [each.deal.creator_id], filter);
    }
  };
  await finds('"zurich"');
  await finds('"bottle kaffee"');
  assert.deepEqual(await all(p, 'deals', { filter: '"zurich bottles"' }), []);
  // A broken index is made again from `search_docs`, and that from the tables: docs/filters.md.
  await server.sql("INSERT INTO search (search) VALUES ('delete-all')");
  assert.deepEqual(await all(p, 'deals', { filter: '"zurich"' }), []);
  await server.sql("INSERT INTO search (search) VALUES ('rebuild')");
  await finds('"zurich"');
  await server.sql('DELETE FROM search_docs');
  await server.sql(
    'INSERT INTO search_docs (brand_id, creator_id, brand, text) SELECT brand_id, creator_id, substr(brand_id, 7), text FROM search_texts',
  );
  await finds('"blue kaffeek"');
  await server.sql("INSERT INTO search (search, rank) VALUES ('integrity-check', 1)");
});

test('a segment is everybody’s, and its page is the same list', async () => {
  const p = await programme(server);
  const { id } = await p.client.post('/v1/segments', { name: 'Open', filter: 'state=open', sort: '-name' });
  assert.deepEqual(await all(p, 'deals', { segment: id }), [p.deal.id]);
  assert.deepEqual(await all(p, 'creators', { segment: id }), [p.deal.creator_id]);
  const names = await Promise.all(
    Array.from({ length: 20 }, () => p.client.call('POST', '/v1/segments', { name: 'Once', filter: 'invited' })),
  );
  assert.deepEqual(names.map(({ status }) => status).sort(), [201, ...Array(19).fill(409)]);
});

test('the time zone stays once there are orders, however close the two come', async () => {
  const p = await programme(server);
  const codes = `/v1/deals/${p.deal.id}/codes`;
  const code = `Z${p.mark}`.toUpperCase();
  await p.client.post(codes, { code, create_in_store: false });
  const [zone, ...delivered] = await Promise.all([
    p.client.call('PATCH', '/v1/brand', { timezone: 'Pacific/Auckland' }),
    ...Array.from({ length: 10 }, () => p.store.deliver(order({ codes: [[code, '1.00']] }))),
  ]);
  assert.deepEqual([...new Set(delivered.map(({ status }) => status))], [200]);
  assert.ok([200, 409].includes(zone.status), `${zone.status}`);
  const again = await p.client.call('PATCH', '/v1/brand', { timezone: 'Asia/Tokyo' });
  assert.deepEqual([again.status, again.json.type], [409, '/problems/timezone-fixed']);
  // All of them on the days of one calendar: the audit says so.
  await verified(p);
});
