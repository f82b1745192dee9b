// The CRM's main flows, at the same moment: boards, merges, the timeline.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { programme, verified } from './support/client.mjs';
import { startServer } from './support/server.mjs';
import { order } from './support/shopify.mjs';

let server;
before(async () => (server = await startServer()));
after(() => server?.stop());

const board = async (p, campaign) => {
  const { columns } = await p.client.get(`/v1/campaigns/${campaign.id}/board?limit=200`);
  return Object.fromEntries(columns.map(({ stage, data }) => [stage, data.map(({ id }) => id)]));
};

test('100 moves at once lose no card, and one card that all drag is in one place', async () => {
  const p = await programme(server);
  const campaign = await p.client.post('/v1/campaigns', { name: 'Board', stages: ['A', 'B', 'C'] });
  const deals = [];
  for (let n = 0; n < 100; n++) {
    const creator = await p.client.post('/v1/creators', { name: `C${n}`, handle: `c${n}-${campaign.id.slice(-6)}` });
    deals.push(await p.client.post('/v1/deals', { creator_id: creator.id, campaign_id: campaign.id }));
  }
  const anchor = deals[50];
  const answers = await Promise.all(
    deals.map(({ id }, n) =>
      id === anchor.id
        ? { status: 200 }
        : p.client.call('POST', `/v1/deals/${id}/move`, n % 2 ? { stage: 'A', before_id: anchor.id } : { stage: 'B' }),
    ),
  );
  assert.deepEqual([...new Set(answers.map(({ status }) => status))], [200]);
  const { A, B, C } = await board(p, campaign);
  assert.equal(new Set([...A, ...B, ...C]).size, 100);
  assert.equal(A.length + B.length + C.length, 100);
  assert.equal(A.at(-1), anchor.id);
  assert.equal(B.length, 49);
  const dragged = await Promise.all(
    Array.from({ length: 30 }, () => p.client.call('POST', `/v1/deals/${anchor.id}/move`, { stage: 'C' })),
  );
  assert.ok(dragged.every(({ status }) => [200, 503].includes(status)));
  assert.deepEqual((await board(p, campaign)).C, [anchor.id]);
  const renamed = await p.client.post(`/v1/campaigns/${campaign.id}/stages`, { change: 'merge', stage: 'A', into: 'B' });
  assert.deepEqual(renamed.stages, ['B', 'C']);
  assert.equal((await board(p, campaign)).B.length, 99);
});

test('a creator merged while orders come leaves nothing that is nobody\'s', async () => {
  const p = await programme(server);
  const twin = await p.client.post('/v1/creators', { name: 'Twin', handle: `twin-${p.deal.id.slice(-6)}` });
  const deal = await p.client.post('/v1/deals', {
    creator_id: twin.id,
    campaign_id: p.deal.campaign_id,
    commission_percent: '10',
    starts_at: '2026-01-01T00:00:00Z',
  });
  const code = `TWIN${p.deal.id.slice(-6)}`.toUpperCase();
  await p.client.post(`/v1/deals/${deal.id}/codes`, { code, create_in_store: false });
  const orders = Array.from({ length: 10 }, (_, n) => order({ codes: [[code, '10.00']], email: `${n}@people.example` }));
  const [merged, ...delivered] = await Promise.all([
    p.client.call('POST', `/v1/creators/${p.deal.creator_id}/merge`, { from_id: twin.id }),
    ...orders.map((each) => p.store.deliver(each)),
  ]);
  assert.deepEqual([...new Set(delivered.map(({ status }) => status))], [200]);
  assert.ok([200, 409, 503].includes(merged.status), `${merged.status}`);
  const whose = (await p.client.get(`/v1/deals/${deal.id}`)).creator_id;
  assert.equal(whose, merged.status === 200 ? p.deal.creator_id : twin.id);
  assert.equal((await p.client.get(`/v1/orders?creator_id=${whose}&limit=200`)).data.length, 10);
  await verified(p);
  const seen = [];
  for (let cursor = ''; ; ) {
    const page = await p.client.get(`/v1/deals/${deal.id}/timeline?limit=3${cursor}`);
    seen.push(...page.data.map(({ id }) => id));
    if (!page.next_cursor) break;
    cursor = `&cursor=${page.next_cursor}`;
  }
  assert.equal(new Set(seen).size, seen.length);
  const whole = await p.client.get(`/v1/deals/${deal.id}/timeline?limit=200`);
  assert.deepEqual(seen, whole.data.map(({ id }) => id));
});
