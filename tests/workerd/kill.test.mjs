// A few rounds of kill.mjs: `npm run kill` runs more of them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { killRounds } from './kill.mjs';

const seed = Number(process.env.SEED ?? Date.now() % 1_000_000);

test('what was acknowledged survives SIGKILL, and counts once', async (t) => {
  const log = (line) => t.diagnostic(line);
  log(`seed ${seed}: repeat with SEED=${seed}`);
  const run = await killRounds({ rounds: 4, seed, log });
  assert.deepEqual(run.faults, []);
  assert.equal(run.lost, 0);
  assert.ok(run.acknowledged > 50, `${run.acknowledged} acknowledged deliveries show nothing`);
  assert.ok(run.treasurer.settled > 0, 'nobody was paid: that shows nothing about payments');
  log(`${run.treasurer.settled} payments settled, ${run.acknowledged} acknowledged, ${run.lost} lost, ${run.clicks} of ${run.sent} clicks counted`);
});

test('known-bad: a build that acknowledges before it commits is caught', async (t) => {
  const log = (line) => t.diagnostic(line);
  const vars = { CANARY: 'ack_first' };
  const run = await killRounds({ rounds: 12, seed, variant: 'canary', vars, until: true, log });
  assert.ok(run.lost > 0, 'the harness sees nothing wrong with a build that is wrong');
});
