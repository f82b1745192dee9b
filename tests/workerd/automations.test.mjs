// Automations in workerd: the named template from the move to the mail with link and code in it, a worker that is
// killed in the middle of a run, and a hundred equal moves at once.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startShopify } from '../doubles/shopify/index.mjs';
import { eventually, programme } from './support/client.mjs';
import { startServer } from './support/server.mjs';

let shopify;
let server;
const open = (more = {}) =>
  startServer({ mail: true, faults: true, vars: { SHOPIFY_ORIGIN: shopify.origin }, ...more });

before(async () => {
  shopify = await startShopify();
  server = await open();
});
after(async () => {
  await server?.stop();
  await shopify?.stop();
});

/** A brand whose messages go out at any time, with a shop. */
async function fresh() {
  const p = await programme(server);
  await shopify.control('shops', {
    domain: `casa-${p.mark}.myshopify.com`,
    clientId: 'app',
    clientSecret: `hush ${p.mark}`,
    scopes: ['write_discounts', 'read_orders', 'read_products'],
  });
  p.stages = ['Outreach', 'Awaiting Post', 'Posted', 'Lost'];
  p.own = await p.client.post('/v1/campaigns', { name: 'Winter', stages: p.stages });
  p.addOne = async (name) => {
    const email = `${name}-${p.mark}@people.example`;
    const creator = await p.client.post('/v1/creators', { name, handle: `@${name}-${p.mark}`, email });
    const deal = await p.client.post('/v1/deals', {
      creator_id: creator.id,
      campaign_id: p.own.id,
      commission_percent: '10',
    });
    return { creator, deal, email };
  };
  await p.client.call('PATCH', '/v1/outreach-settings', {
    days: ['monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday', 'sunday'],
    from: '00:00',
    to: '24:00',
  });
  p.move = (deal, stage) => p.client.call('POST', `/v1/deals/${deal.id}/move`, { stage });
  p.runs = async (automation) => (await p.client.get(`/v1/automations/${automation.id}/runs`)).data;
  return p;
}

/** As if what waits had waited long enough. */
const hurry = () =>
  server.sql(
    'UPDATE automation_runs SET due_at_ms = 1 WHERE due_at_ms IS NOT NULL',
    "UPDATE outbox SET due_at_ms = 0 WHERE state = 'waiting'",
  );

test('moved to “Awaiting Post”: the link, a code of the group, and a message with both', async () => {
  const p = await fresh();
  const { deal, email } = await p.addOne('ada');
  const group = await p.client.post('/v1/affiliate-groups', {
    name: 'Winter',
    mode: 'one_discount',
    discount: { kind: 'percentage', percent: '10' },
  });
  const automation = await p.client.post('/v1/automations/templates', {
    template: 'awaiting_post',
    affiliate_group_id: group.id,
    campaign_id: p.own.id,
  });
  assert.equal((await p.move(deal, 'Awaiting Post')).status, 200);
  const mail = await eventually('the mail', async () => {
    await hurry();
    await server.triggerCron();
    return (await server.mails()).find(({ to, headers }) => to === email && headers?.['List-Unsubscribe']);
  }, { timeout: 60_000, every: 300 });
  const seen = await p.client.get(`/v1/deals/${deal.id}`);
  assert.equal(seen.links.length, 1);
  assert.deepEqual(seen.codes.map(({ state }) => state), ['active']);
  assert.ok(mail.text.includes(seen.links[0].url), mail.text);
  assert.ok(mail.text.includes(seen.codes[0].code), mail.text);
  assert.ok(shopify.shop(`casa-${p.mark}`).codes.has(seen.codes[0].code.toLowerCase()));
  const [run, ...more] = await p.runs(automation);
  assert.deepEqual(more, []);
  assert.equal(run.state, 'done');
  const { steps } = await p.client.get(`/v1/automation-runs/${run.id}`);
  assert.deepEqual(steps.map((step) => [step.do, step.state]), [
    ['create_link', 'done'],
    ['assign_code', 'done'],
    ['message', 'done'],
  ]);
  // There again: once is enough.
  await p.move(deal, 'Lost');
  await p.move(deal, 'Awaiting Post');
  await server.triggerCron();
  assert.equal((await p.runs(automation)).length, 1);
  assert.equal((await server.mails()).filter(({ to, headers }) => to === email && headers?.['List-Unsubscribe']).length, 1);
});

test('a worker that is killed in the middle of a run goes on with it, and does nothing twice', async () => {
  const p = await fresh();
  const steps = [
    { do: 'create_link', target: '/a' },
    { do: 'follow_up', text: 'One', due_in_days: 1 },
    { do: 'fee', amount: { amount: '5.00', currency: 'USD' } },
    { do: 'create_link', target: '/b' },
    { do: 'follow_up', text: 'Two', due_in_days: 1 },
  ];
  const trigger = { on: 'stage_entered', stage: 'Posted', campaign_id: p.own.id };
  const automation = await p.client.post('/v1/automations', { name: 'Five', trigger, steps });
  for (let round = 0; round < 4; round++) {
    const { creator, deal } = await p.addOne(`kay${round}`);
    // Slow enough to die on the way.
    await server.breakD1('slow', { ms: 25 });
    await p.move(deal, 'Posted');
    await new Promise((resolve) => setTimeout(resolve, 60 + 250 * round));
    const { stateDir, port } = server;
    await server.kill9();
    server = await open({ stateDir, port });
    for (let n = 0; n < 3; n++) {
      await hurry();
      await server.triggerCron();
    }
    const runs = (await p.runs(automation)).filter((run) => run.deal_id === deal.id);
    assert.deepEqual(runs.map(({ state }) => state), ['done'], `round ${round}`);
    assert.equal((await p.client.get(`/v1/deals/${deal.id}`)).links.length, 2);
    const todo = await p.client.get(`/v1/deals/${deal.id}/follow-ups`);
    assert.deepEqual(todo.data.map(({ text }) => text).sort(), ['One', 'Two']);
    const { data } = await p.client.get(`/v1/creators/${creator.id}/balances`);
    assert.deepEqual(data.map(({ available }) => available), ['5.00']);
  }
});

test('a hundred equal moves at once are one cause', async () => {
  const p = await fresh();
  const { deal } = await p.addOne('mia');
  const trigger = { on: 'stage_entered', stage: 'Posted' };
  const steps = [
    { do: 'follow_up', text: 'Look at the post', due_in_days: 1 },
    { do: 'add_tags', tags: ['posted'] },
  ];
  const automation = await p.client.post('/v1/automations', { name: 'Posted', trigger, steps });
  const answers = await Promise.all(Array.from({ length: 100 }, () => p.move(deal, 'Posted')));
  for (const { status } of answers) assert.ok([200, 503].includes(status), String(status));
  const runs = await eventually('the run', async () => {
    await hurry();
    await server.triggerCron();
    const all = await p.runs(automation);
    return all.length > 0 && all.every(({ state }) => state === 'done') && all;
  });
  assert.equal(runs.length, 1);
  assert.equal((await p.client.get(`/v1/deals/${deal.id}/follow-ups`)).data.length, 1);
  assert.deepEqual((await p.client.get(`/v1/deals/${deal.id}`)).tags, ['posted']);
});
