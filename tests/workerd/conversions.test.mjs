// What docs/conversions.md tells, done: its calls by curl, its signatures in every language that is here.
import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { root } from '../../scripts/lib/shell.mjs';
import { programme, verified } from './support/client.mjs';
import { startServer } from './support/server.mjs';

const run = promisify(execFile);
const text = readFileSync(join(root, 'docs/conversions.md'), 'utf8');
const blocks = (language) =>
  [...text.matchAll(/```(\w+)\n(.*?)```/gs)].filter(([, of]) => of === language).map(([, , code]) => code);
const has = (program) => spawnSync(program, ['--version']).status === 0;

let server, casa, shop, folder;
before(async () => {
  server = await startServer();
  casa = await programme(server, { startsAt: '2026-01-01T00:00:00Z' });
  shop = await casa.client.post('/v1/stores', { platform: 'custom', storefront_url: 'https://shop.example' });
  folder = mkdtempSync(join(tmpdir(), 'tributary-docs-'));
});
after(async () => {
  await server?.stop();
  if (folder) rmSync(folder, { recursive: true, force: true });
});

const body = (id) => JSON.stringify({ external_id: id, currency: 'USD', amount: '18.50', name: 'Grüße "18.50" €' });

/** Sends a body with these headers as the store's server would. */
async function accepted(headers, sent) {
  const response = await fetch(shop.webhook_url, { method: 'POST', headers, body: sent });
  assert.equal(response.status, 201, await response.text());
  const changed = await fetch(shop.webhook_url, { method: 'POST', headers, body: sent.replace('18.50', '99.00') });
  assert.equal(changed.status, 401);
}

test('the calls', { skip: !has('curl') && 'there is no curl' }, async () => {
  const env = { ...process.env, TRIBUTARY: server.origin, API_KEY: casa.key, STORE: shop.id };
  const calls = [];
  for (const script of blocks('sh')) {
    const { stdout } = await run('sh', ['-c', script.replace('https://shop.example', 'https://two.example')], { env });
    calls.push(JSON.parse(stdout));
  }
  const [made, order, refund] = calls;
  assert.equal(calls.length, 3);
  assert.match(made.signing_secret, /^whsec_/);
  assert.deepEqual([order.outcome, order.attribution, order.order.base.amount], ['committed', 'code', '135.00']);
  assert.deepEqual([refund.order.base.amount, refund.order.commission.amount], ['112.50', '11.25']);
  await verified(casa);
});

test('signed in Node', async () => {
  const file = join(folder, 'signed.mjs');
  writeFileSync(file, blocks('js')[0]);
  const { signed } = await import(pathToFileURL(file));
  await accepted(signed(shop.signing_secret, body('node')), body('node'));
});

test('signed in Python', { skip: !has('python3') && 'there is no Python' }, async () => {
  const file = join(folder, 'signed.py');
  writeFileSync(file, `${blocks('python')[0]}\nimport json, sys\nprint(json.dumps(signed(sys.argv[1], sys.argv[2].encode())))\n`);
  const { stdout } = await run('python3', [file, shop.signing_secret, body('python')]);
  await accepted(JSON.parse(stdout), body('python'));
});

test('signed in PHP', { skip: !has('php') && 'there is no PHP' }, async () => {
  const file = join(folder, 'signed.php');
  writeFileSync(file, `<?php\n${blocks('php')[0]}\necho json_encode(signed($argv[1], $argv[2]));\n`);
  const { stdout } = await run('php', [file, shop.signing_secret, body('php')]);
  const headers = JSON.parse(stdout).map((line) => line.split(/: (.*)/s).slice(0, 2));
  await accepted(Object.fromEntries(headers), body('php'));
});
