// What creators published, in workerd on D1: told at once, measured in any order, taken in from files.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { programme } from './support/client.mjs';
import { startServer } from './support/server.mjs';

let server;
before(async () => (server = await startServer({ faults: true })));
after(() => server?.stop());

const post = (url, more) => ({ platform: 'instagram', url, published_at: '2026-10-01T10:00:00Z', ...more });

test('a post that is told fifty times at once is one', async () => {
  const p = await programme(server);
  const path = `/v1/deals/${p.deal.id}/posts`;
  await server.breakD1('slow', { ms: 30 });
  const answers = await Promise.all(
    Array.from({ length: 50 }, (_, n) => p.client.call('POST', path, post(`https://instagram.com/p/x/?igsh=${n}`))),
  );
  await server.breakD1('open');
  assert.deepEqual(answers.map(({ status }) => status).sort(), [201, ...Array(49).fill(409)]);
  assert.equal((await p.client.get('/v1/posts/summary')).posts, 1);
});

test('fifty measurements at once: of each metric the latest counts', async () => {
  const p = await programme(server);
  const { id } = await p.client.post(`/v1/deals/${p.deal.id}/posts`, post('https://instagram.com/p/y'));
  const told = Array.from({ length: 50 }, (_, n) => ({
    measured_at: new Date(Date.UTC(2026, 9, 2) + n * 60_000).toISOString(),
    ...(n % 2 ? { impressions: 1000 + n } : { likes: n }),
  }));
  const shuffled = told.map((body, n) => [(n * 29) % 50, body]).sort(([a], [b]) => a - b);
  await server.breakD1('slow', { ms: 20 });
  const answers = await Promise.all(
    shuffled.map(([, body]) => p.client.call('POST', `/v1/posts/${id}/metrics`, body)),
  );
  await server.breakD1('open');
  assert.deepEqual([...new Set(answers.map(({ status }) => status))], [201]);
  const shown = await p.client.get(`/v1/posts/${id}`);
  assert.deepEqual([shown.metrics.impressions, shown.metrics.likes, shown.metrics.views], [1049, 48, null]);
  // 1,049 × 15.00 ÷ 1,000 = 15.735, half away from zero.
  assert.equal(shown.earned_media_value.amount, '15.74');
  assert.equal((await p.client.get(`/v1/posts/${id}/metrics?limit=200`)).data.length, 50);
});

test('a file of five thousand posts comes whole, and again changes nothing', async () => {
  const p = await programme(server);
  const rows = Array.from({ length: 5000 }, (_, n) => `${p.deal.id},tiktok,https://tiktok.com/@a/${n},2026-10-01,${n}`);
  const file = ['deal_id,platform,url,published_at,impressions', ...rows].join('\n');
  const send = async (query) => {
    const told = await p.client.call('POST', `/v1/posts/import?${query}`, file, { 'content-type': 'text/csv' });
    assert.equal(told.status, 200, told.text.slice(0, 300));
    return told.json;
  };
  const preview = await send('preview=true');
  assert.deepEqual([preview.new, preview.wrong], [5000, 0]);
  assert.equal((await send(`hash=${preview.hash}`)).taken_in, 5000);
  const summary = await p.client.get(`/v1/posts/summary?deal_id=${p.deal.id}`);
  assert.deepEqual([summary.posts, summary.impressions.total], [5000, (5000 * 4999) / 2]);
  const again = await send('preview=true');
  assert.deepEqual([again.new, again.measured], [0, 0]);
});
