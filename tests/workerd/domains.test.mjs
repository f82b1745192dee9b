// Link domains by Cloudflare for SaaS in workerd, against a double that loses requests before and after
// they were done: one custom hostname per host, its state in words, its removal, and no token anywhere.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { startCloudflare } from '../doubles/cloudflare/index.mjs';
import { click, programme, visit } from './support/client.mjs';
import { startServer } from './support/server.mjs';
import { files, hits } from './support/taint.mjs';

let cloudflare, server, stateDir;
before(async () => {
  cloudflare = await startCloudflare({ token: 'cf-token-that-stands-nowhere' });
  stateDir = mkdtempSync(join(tmpdir(), 'tributary-domains-'));
  const vars = {
    CLOUDFLARE_ZONE: cloudflare.zone,
    CLOUDFLARE_TOKEN: cloudflare.token,
    CLOUDFLARE_ORIGIN: cloudflare.origin,
    LINK_TARGET: 'links.tributary.example',
  };
  server = await startServer({ stateDir, vars });
});
after(async () => {
  await server?.stop();
  await cloudflare?.stop();
  rmSync(stateDir, { recursive: true, force: true });
});

const domain = (p) => p.client.get('/v1/brand/link-domain');

/** Looks at all that waits, also at what is to be looked at later only: the longer a host waits, the later. */
async function look() {
  await server.sql(`UPDATE hosts SET due_at_ms = 0 WHERE state = 'pending'`);
  await server.triggerCron();
}

test('a host is asked for once, whatever is lost, and served when it is active', async () => {
  const p = await programme(server);
  const host = `go.${p.mark}.example`;
  await p.client.patch('/v1/brand', { link_domain: host });
  assert.deepEqual(cloudflare.seen(), []);
  cloudflare.fail('lost-before');
  await look();
  assert.match((await domain(p)).problem, /can't be reached/);
  // Found nothing, made, and nobody heard of it.
  cloudflare.seen();
  for (const faults of [[503], [429], ['lost-before'], []]) {
    cloudflare.fail(...faults);
    await look();
    assert.equal((await domain(p)).state, 'pending');
  }
  assert.deepEqual(cloudflare.hosts(), [host]);
  assert.equal(cloudflare.seen().filter((asked) => asked.startsWith('POST')).length, 1);
  const told = await domain(p);
  assert.deepEqual(told.records[0], { type: 'CNAME', name: host, value: 'links.tributary.example', purpose: 'traffic' });
  assert.equal(told.records[1].type, 'TXT');
  assert.match(told.problem, /make the CNAME record/);
  assert.equal((await visit(server, '/another', { host })).status, 404, 'not before it is verified');

  cloudflare.set(host, { status: 'blocked' });
  await look();
  assert.equal((await domain(p)).state, 'failed');
  await p.client.post('/v1/brand/link-domain/check');
  cloudflare.activate(host);
  await look();
  const active = await domain(p);
  assert.deepEqual([active.state, active.problem, active.serving[0].host], ['active', null, host]);
  assert.equal((await visit(server, `/${p.link.slug}`, { host })).status, 302);
  await click(server, p.link);
});

test('a request that was done and never answered is not repeated', async () => {
  const p = await programme(server);
  const host = `go.${p.mark}.example`;
  await p.client.patch('/v1/brand', { link_domain: host });
  // The search answers; what makes it doesn't.
  const search = cloudflare.seen;
  search();
  cloudflare.fail(undefined, 'lost-after');
  await look();
  assert.ok(cloudflare.hosts().includes(host));
  await look();
  assert.equal(search().filter((asked) => asked.startsWith('POST')).length, 1);
  assert.match((await domain(p)).problem, /make the CNAME record/);

  await p.client.patch('/v1/brand', { link_domain: null });
  await look();
  assert.ok(!cloudflare.hosts().includes(host), 'given up before it was served');
});

test('the token stands in no log and no file', async () => {
  const log = Buffer.from(server.log());
  await server.stop();
  const markers = { token: cloudflare.token };
  assert.deepEqual(hits(markers, log), [], 'in the log');
  const kept = files(join(stateDir, 'v3'));
  assert.ok(kept.length > 3);
  for (const path of kept) assert.deepEqual(hits(markers, readFileSync(path)), [], path);
});
