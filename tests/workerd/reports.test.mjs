// Reports in workerd on D1: that it takes their statements, and what they read of a large brand.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { programme } from './support/client.mjs';
import { startServer } from './support/server.mjs';
import { order } from './support/shopify.mjs';

const REPORTS = ['overview', 'creators', 'campaigns', 'stages', 'sources', 'cohorts', 'posts'];
const DAY_MS = 86_400_000;

let server;
before(async () => (server = await startServer({ faults: true })));
after(() => server?.stop());

test('every report and the timeline answer on D1', async () => {
  const p = await programme(server);
  await p.store.send(order({ codes: [['ANNA10', '1.00']] }));
  const post = { platform: 'blog', url: `https://blog.example/${p.deal.id}`, published_at: '2026-10-01T00:00:00Z' };
  await p.client.post(`/v1/deals/${p.deal.id}/posts`, { ...post, metrics: { impressions: 1000 } });
  for (const what of REPORTS) {
    const { status, text } = await p.client.call('GET', `/v1/reports/${what}`);
    assert.equal(status, 200, `${what}: ${text.slice(0, 300)}`);
    const file = await p.client.call('GET', `/v1/reports/${what}?format=csv`);
    assert.equal(file.status, 200, `${what}: ${file.text.slice(0, 300)}`);
  }
  const { totals } = await p.client.get('/v1/reports/creators');
  assert.deepEqual([totals.orders, totals.earned_media_value.amount], [1, '15.00']);
  const { data } = await p.client.get('/v1/reports/sources');
  assert.deepEqual(data.map(({ source, orders }) => [source, orders]), [['code', 1], ['link', 0], ['other', 0]]);
  const kinds = (await p.client.get(`/v1/deals/${p.deal.id}/timeline`)).data.map(({ kind }) => kind);
  assert.ok(['deal', 'order', 'post'].every((kind) => kinds.includes(kind)), kinds.join());
});

test('10,000 creators with 20,000 deals are compared, and what is read grows with their days, not with orders', async () => {
  const p = await programme(server);
  const [brand, campaign] = [p.brand.id, p.deal.campaign_id];
  const id = (kind, expression) => `'${kind}_' || printf('%026d', ${expression})`;
  const numbers = (most) => `WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < ${most - 1})`;
  const today = Math.floor(Date.now() / DAY_MS);
  const stage = JSON.stringify(p.deal.stage).replaceAll('"', "'");
  await server.sql(
    `INSERT INTO creators (brand_id, id, name, handle, tags, created_at_ms)
     SELECT '${brand}', ${id('creator', 'i')}, 'C' || i, 'c' || i, '[]', 0 FROM (${numbers(9_999)} SELECT i FROM n)`,
    `INSERT INTO deals (brand_id, id, creator_id, campaign_id, stage, tags, created_at_ms)
     SELECT '${brand}', ${id('deal', 'i')}, ${id('creator', 'i / 2')}, '${campaign}', ${stage}, '[]', 0
     FROM (${numbers(19_998)} SELECT i FROM n)`,
    // Five days each: 100,000 rows that stand for a million orders.
    `INSERT INTO deal_days (brand_id, deal_id, day, currency, orders, base_minor, commission_minor)
     SELECT '${brand}', ${id('deal', 'i / 5')}, ${today} - i % 5 * 20, 'USD', 10, 1000 + i, 100
     FROM (${numbers(99_990)} SELECT i FROM n)`,
  );
  for (const query of ['creators?limit=200', 'creators?sort=-return_on_spend', 'stages', 'sources', 'cohorts', 'overview']) {
    await server.countD1();
    const began = performance.now();
    const { status, text } = await p.client.call('GET', `/v1/reports/${query}`);
    const took = performance.now() - began;
    const { rows_read } = await server.countD1();
    console.log(`${query}: ${rows_read} rows read, ${Math.round(took)} ms`);
    assert.equal(status, 200, text.slice(0, 300));
    // Cohorts look up the month of each creator, once.
    assert.ok(rows_read < (query === 'cohorts' ? 600_000 : 500_000), `${query}: ${rows_read}`);
    assert.ok(took < 10_000, `${query}: ${took} ms`);
  }
  const report = await p.client.get('/v1/reports/creators?limit=200');
  // Anna of the programme has a deal too.
  assert.deepEqual([report.creators, report.totals.orders], [10_000, 999_900]);
  assert.deepEqual([report.top_5_percent.count, report.top_10_percent.count], [500, 1000]);
});
