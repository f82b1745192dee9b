// A24: automations that are none, name what is another's, or lead to themselves.
import assert from 'node:assert/strict';
import { refused } from './common.mjs';

const PATH = '/v1/automations';
const create = (w, body) => w.a.client.call('POST', PATH, body);
const invited = { on: 'invited' };
const tag = [{ do: 'add_tags', tags: ['x'] }];
const body = (more) => ({ name: 'A', trigger: invited, steps: tag, ...more });

export const automations = [
  [
    'A24',
    'automations whose trigger, conditions or steps are none, or another brand\'s',
    async (w) => {
      const theirs = await w.b.client.post('/v1/message-templates', { name: 'T', subject: 'S', text: 'T' });
      return [
        {},
        body({ trigger: null }),
        body({ trigger: {} }),
        body({ trigger: { on: 'INVITED' } }),
        body({ trigger: { on: ['invited'] } }),
        body({ trigger: { on: 'stage_entered' } }),
        body({ trigger: { on: 'stage_entered', stage: 'x'.repeat(10_000) } }),
        body({ trigger: { on: 'stage_entered', stage: "'; DROP TABLE deals --" } }),
        body({ trigger: { on: 'invited', campaign_id: w.b.campaign.id } }),
        body({ trigger: { on: 'invited', campaign_id: w.a.deal.id } }),
        body({ trigger: { on: 'no_sale', days: 1e308 } }),
        body({ trigger: { on: 'no_sale', days: '30' } }),
        body({ trigger: { on: 'date', date: '2026-02-30' } }),
        body({ trigger: { on: 'threshold_reached', metric: 'revenue', at_least: '9'.repeat(40) } }),
        body({ trigger: { on: 'threshold_reached', metric: 'revenue', at_least: '-1.00' } }),
        body({ trigger: { on: 'tier_reached', tiers_id: w.a.deal.id } }),
        body({ conditions: 'tag = ' }),
        body({ conditions: 'email = "a"' }),
        body({ conditions: '('.repeat(5000) }),
        body({ conditions: 1 }),
        body({ runs: 'always' }),
        body({ state: 'removed' }),
        body({ steps: [] }),
        body({ steps: Array(21).fill(tag[0]) }),
        body({ steps: Array(10_000).fill(tag[0]) }),
        body({ steps: {} }),
        body({ steps: [null] }),
        body({ steps: [{ do: 'wait', days: 366 }] }),
        body({ steps: [{ do: 'wait', minutes: 0 }] }),
        body({ steps: [{ do: 'webhook', url: 'http://169.254.169.254/' }] }),
        body({ steps: [{ do: 'eval', text: '1' }] }),
        body({ steps: [{ do: 'message', template_id: theirs.id }] }),
        body({ steps: [{ do: 'assign', owner_id: w.b.deal.id }] }),
        body({ steps: [{ do: 'move', stage: 'Nowhere' }] }),
        body({ steps: [{ ...tag[0], then: tag }] }),
        body({ brand_id: w.b.brand.id }),
        body({ name: '\u0000' }),
        body({ name: 'x'.repeat(101) }),
      ].map((one) => create(w, one));
    },
    refused(422, { changes: ['message_templates', 'audit'] }),
  ],
  [
    'A24',
    'automations and runs that are nobody\'s, or another brand\'s',
    async (w) => {
      const theirs = (await w.b.client.get(PATH)).data[0] ?? (await w.b.client.post(PATH, body({ state: 'disabled' })));
      const none = 'run_01h455vb4pex5vsknk084sn02q';
      return [
        w.a.client.call('GET', `${PATH}/${theirs.id}`),
        w.a.client.call('GET', `${PATH}/${theirs.id}/runs`),
        w.a.client.call('PATCH', `${PATH}/${theirs.id}`, { name: 'x' }),
        w.a.client.call('DELETE', `${PATH}/${theirs.id}`),
        w.a.client.call('POST', `${PATH}/${theirs.id}/try`, { deal_id: w.a.deal.id }),
        w.a.client.call('GET', `${PATH}/x`),
        w.a.client.call('GET', `/v1/automation-runs/${none}`),
        w.a.client.call('POST', `/v1/automation-runs/${none}/retry`, {}),
      ];
    },
    refused(404, { changes: ['automations', 'audit', 'brands'] }),
  ],
  [
    'A24',
    'an automation that leads to itself is stopped, and says so',
    async (w) => {
      const back = { on: 'stage_entered', stage: 'Lost', campaign_id: w.a.campaign.id };
      const there = { ...back, stage: 'Posted' };
      w.loop = [
        await w.a.client.post(PATH, body({ trigger: back, steps: [{ do: 'move', stage: 'Posted' }] })),
        await w.a.client.post(PATH, body({ trigger: there, steps: [{ do: 'move', stage: 'Lost' }] })),
      ];
      return w.a.client.call('POST', `/v1/deals/${w.other.deal.id}/move`, { stage: 'Lost' });
    },
    {
      status: 200,
      changes: true,
      check: async (_, w) => {
        for (let n = 0; n < 3; n++) await w.server.triggerCron();
        const told = [];
        for (const { id } of w.loop) {
          told.push(...(await w.a.client.get(`${PATH}/${id}/runs`)).data);
          assert.equal((await w.a.client.call('DELETE', `${PATH}/${id}`)).status, 204);
        }
        const states = told.map(({ state }) => state).sort();
        assert.deepEqual(states, ['done', 'done', 'stopped']);
        assert.match(told.find(({ state }) => state === 'stopped').reason, /led to itself/);
      },
    },
  ],
];
