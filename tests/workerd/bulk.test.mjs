// Bulk actions in workerd: the queue wakes, workerd dies, people pause and cancel; each deal has one effect.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { eventually, programme, verified } from './support/client.mjs';
import { startServer } from './support/server.mjs';

let server;
before(async () => (server = await startServer({ faults: true })));
after(() => server?.stop());

const many = async (p, count) => {
  const deals = [p.deal.id];
  for (let n = 1; n < count; n++) {
    const handle = `b${n}-${p.mark}`;
    const creator = await p.client.post('/v1/creators', { name: `B${n}`, handle, email: `${handle}@people.example` });
    deals.push((await p.client.post('/v1/deals', { creator_id: creator.id, campaign_id: p.campaign.id })).id);
  }
  return deals;
};
const fee = { do: 'fee', amount: { amount: '10.00', currency: 'USD' } };
const begin = async (p, action, which) => {
  const seen = await p.client.post('/v1/bulk-actions', { action, ...which, preview: true });
  const body = { action, ...which, hash: seen.hash };
  const made = () => p.client.call('POST', '/v1/bulk-actions', body, { 'idempotency-key': seen.hash });
  const [first, ...others] = await Promise.all(Array.from({ length: 5 }, made));
  assert.equal(first.status, 201, first.text);
  for (const other of others) assert.equal(other.json?.id ?? first.json.id, first.json.id, 'one preview, one job');
  return { seen, job: first.json };
};
const show = (p, { id }) => p.client.get(`/v1/bulk-actions/${id}`);
const results = async (p, { id }) => {
  const all = [];
  for (let cursor = ''; ; ) {
    const page = await p.client.get(`/v1/bulk-actions/${id}/results?limit=50${cursor}`);
    all.push(...page.data);
    if (!page.next_cursor) return all;
    cursor = `&cursor=${page.next_cursor}`;
  }
};
const ended = (p, job) =>
  eventually(
    'the job ends',
    async () => {
      await server.triggerCron();
      const now = await show(p, job);
      return now.state !== 'running' && now;
    },
    { timeout: 120_000, every: 1000 },
  );
const rows = async (sql) => (await server.sql(sql))[0];

test('80 fees with SIGKILL in the middle, twice: each deal has one, and the books are right', async () => {
  const p = await programme(server, { startsAt: '2026-01-01T00:00:00Z' });
  const deals = await many(p, 80);
  await server.breakD1('slow', { ms: 10 });
  const { seen, job } = await begin(p, fee, { deal_ids: deals });
  assert.deepEqual([seen.deals, seen.change, seen.unchanged, seen.refused], [80, 80, 0, 0]);
  let killed = 0;
  for (const least of [10, 40]) {
    const before = await eventually('some are done', async () => {
      const [{ n }] = await rows(`SELECT done AS n FROM bulk_actions WHERE id = '${job.id}'`);
      return n >= least && n;
    }, { timeout: 60_000, every: 20 });
    if (before < 80) killed += 1;
    const { stateDir, port } = server;
    await server.kill9();
    server = await startServer({ faults: true, stateDir, port });
    await server.breakD1('slow', { ms: 10 });
    // Whoever held the lease is gone: it ends by itself a minute later.
    await server.sql(`UPDATE bulk_actions SET due_at_ms = 1 WHERE id = '${job.id}' AND state = 'running'`);
    server.triggerCron().catch(() => {});
  }
  assert.ok(killed >= 1, 'it was killed before its end');
  await server.breakD1('open');
  const end = await ended(p, job);
  assert.deepEqual([end.state, end.deals, end.done, end.refused, end.failed], ['finished', 80, 80, 0, 0]);
  const [told] = await rows(`SELECT count(*) AS n, count(DISTINCT deal_id) AS d FROM fees WHERE deal_id IN ('${deals.join("','")}')`);
  assert.deepEqual([told.n, told.d], [80, 80]);
  const made = await results(p, job);
  assert.equal(new Set(made.map(({ made }) => made.fee_id)).size, 80);
  await verified(p);
});

test('a filter of 70 deals is paused, resumed and cancelled: nothing goes on once that is answered', async () => {
  const p = await programme(server);
  const deals = await many(p, 70);
  await p.client.post(`/v1/deals/${deals[0]}/move`, { stage: 'Posted' });
  const action = { do: 'move', stage: 'Posted' };
  await server.breakD1('slow', { ms: 15 });
  const { seen, job } = await begin(p, action, { filter: `campaign = "${p.campaign.id}"` });
  assert.deepEqual([seen.deals, seen.change, seen.unchanged], [70, 69, 1]);
  const go = (what) => p.client.post(`/v1/bulk-actions/${job.id}/${what}`, {});
  const moved = async () => (await rows(`SELECT count(*) AS n FROM audit WHERE action = 'deal.move' AND subject_id IN ('${deals.join("','")}')`))[0].n;
  await eventually('it began', async () => (await show(p, job)).done > 3, { every: 5 });
  assert.equal((await go('pause')).state, 'paused');
  const then = await moved();
  await server.triggerCron();
  await new Promise((done) => setTimeout(done, 1500));
  assert.equal(await moved(), then, 'paused is paused');
  const paused = await show(p, job);
  assert.equal(paused.done + 1, then, 'what is told is what was done');
  if (paused.done + paused.unchanged < 70) {
    assert.equal((await go('resume')).state, 'running');
    await eventually('it went on', async () => (await show(p, job)).done > paused.done, { every: 20, timeout: 60_000 });
    const cancelled = await p.client.call('POST', `/v1/bulk-actions/${job.id}/cancel`, {});
    const after = await moved();
    await server.triggerCron();
    await new Promise((done) => setTimeout(done, 1500));
    assert.equal(await moved(), after, 'cancelled is cancelled');
    assert.ok([200, 409].includes(cancelled.status));
  }
  await server.breakD1('open');
  const end = await show(p, job);
  const told = await results(p, job);
  const count = (outcome) => told.filter((row) => row.outcome === outcome).length;
  assert.deepEqual([count('done'), count('unchanged')], [end.done, end.unchanged]);
  assert.equal(count('waiting'), 70 - end.done - end.unchanged);
});

test('links, tags, follow-ups and messages for 60 creators, each mail once', async () => {
  const p = await programme(server);
  const deals = await many(p, 60);
  const template = await p.client.post('/v1/message-templates', {
    name: 'T',
    subject: 'Hi {{creator.first_name}}',
    text: 'Your link: {{deal.link}}',
  });
  for (const action of [
    { do: 'create_link', target: '/bulk' },
    { do: 'add_tags', tags: ['autumn'] },
    { do: 'follow_up', text: 'Ask', due_in_days: 3 },
    { do: 'message', template_id: template.id },
  ]) {
    const { job } = await begin(p, action, { deal_ids: deals });
    const end = await ended(p, job);
    assert.deepEqual([end.state, end.done, end.failed], ['finished', 60, 0], JSON.stringify([action, end]));
  }
  const [{ n, d }] = await rows(`SELECT count(*) AS n, count(DISTINCT deal_id) AS d FROM messages WHERE deal_id IN ('${deals.join("','")}')`);
  assert.deepEqual([n, d], [60, 60]);
  const { data } = await p.client.get('/v1/bulk-actions');
  assert.equal(data.length, 4);
  assert.ok(data[0].created_at >= data[3].created_at, 'latest first');
});
