// Files in workerd on D1: ten thousand lines within D1's limits, all or nothing, once; lists as files.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { programme, verified } from './support/client.mjs';
import { startServer } from './support/server.mjs';

let server;
before(async () => (server = await startServer({ faults: true })));
after(() => server?.stop());

const post = (p, to, file) => p.client.call('POST', to, file, { 'content-type': 'text/csv' });
const and = (to, query) => `${to}${to.includes('?') ? '&' : '?'}${query}`;
async function preview(p, to, file) {
  const { json, status, text } = await post(p, and(to, 'preview=true'), file);
  assert.equal(status, 200, text.slice(0, 300));
  assert.ok(json.hash, text.slice(0, 300));
  return json;
}
async function both(p, to, file) {
  const { hash } = await preview(p, to, file);
  const { json, status, text } = await post(p, and(to, `hash=${hash}`), file);
  assert.equal(status, 200, text.slice(0, 300));
  return json;
}
const count = async (p, table) =>
  (await server.sql(`SELECT count(*) AS n FROM ${table} WHERE brand_id = '${p.brand.id}'`))[0][0].n;
const counts = async (p) => {
  const all = [];
  for (const table of ['creators', 'creator_handles', 'deals', 'terms', 'links', 'slugs', 'codes', 'audit'])
    all.push(await count(p, table));
  return all;
};
const many = (n, row) => Array.from({ length: n }, (_, at) => row(at)).join('\n');
const creators = (n, more = '') =>
  `handle,email,instagram,niche${more && ',tags'}\n${many(n, (at) => `h${at},h${at}@x.example,i${at},tea${more}`)}\n`;

test('ten thousand creators and their deals come whole, the same again is nothing, and lists are read again', async (t) => {
  const p = await programme(server);
  const file = creators(10_000);
  const seen = [];
  const step = async (name, work) => {
    await server.countD1();
    const started = performance.now();
    const done = await work();
    const { calls, rows_read: read, rows_written: written } = await server.countD1();
    // A line costs what it costs, however many there are: no statement looks through the brand for each.
    assert.ok(read <= 1_000_000 && written <= 300_000 && calls < 500, `${name}: ${calls} ${read} ${written}`);
    seen.push(`${name}: ${Math.round(performance.now() - started)} ms, ${calls} calls, ${read} read, ${written} written`);
    return done;
  };
  const shown = await step('preview', () => preview(p, '/v1/creators/import', file));
  assert.deepEqual([shown.new, shown.wrong, shown.rows.length], [10_000, 0, 10_000]);
  assert.equal(await count(p, 'creators'), 1);
  const done = await step('commit', () => post(p, `/v1/creators/import?hash=${shown.hash}`, file));
  assert.deepEqual([done.status, done.json.taken_in], [200, 10_000], done.text.slice(0, 300));
  assert.deepEqual([await count(p, 'creators'), await count(p, 'creator_handles')], [10_001, 10_000]);
  // The same again, and the same rows in another file.
  assert.equal((await post(p, `/v1/creators/import?hash=${shown.hash}`, file)).status, 409);
  const before = await counts(p);
  for (const again of [file, `${file}\n\n`])
    assert.deepEqual([(await both(p, '/v1/creators/import?update=true', again)).taken_in], [0]);
  assert.deepEqual(await counts(p), before);
  const changes = await step('changes', () =>
    both(p, '/v1/creators/import?update=true', file.replaceAll(',tea', ',coffee')),
  );
  assert.deepEqual([changes.changed, changes.taken_in], [10_000, 10_000]);
  // Each with a deal, terms, a link and a code.
  const deals = `creator,campaign,commission_percent,slug,code\n${many(
    10_000,
    (n) => `h${n},Fall,12.5,s${n},CODE${n}`,
  )}\n`;
  const dealt = await step('deals', () => both(p, '/v1/deals/import', deals));
  assert.equal(dealt.taken_in, 10_000);
  for (const [table, n] of [['deals', 10_001], ['terms', 10_001], ['slugs', 10_001], ['codes', 10_001]])
    assert.equal(await count(p, table), n, table);
  const is = await counts(p);
  assert.equal((await both(p, '/v1/deals/import', deals)).taken_in, 0);
  // What the lists write is read again, and changes nothing.
  for (const [list, to] of [
    ['/v1/creators', '/v1/creators/import?update=true'],
    ['/v1/deals', '/v1/deals/import'],
    ['/v1/codes', '/v1/codes/import'],
  ]) {
    const written = await step(list, () => p.client.call('GET', `${list}?format=csv`));
    assert.deepEqual([written.status, written.text.split('\r\n').length], [200, 10_002], written.text.slice(0, 300));
    assert.ok(written.headers.get('x-next-cursor'));
    if (Buffer.byteLength(written.text) > 1024 * 1024) {
      // Longer than an import takes: the first part of it.
      const part = await p.client.call('GET', `${list}?format=csv&limit=3000`);
      assert.equal((await both(p, to, part.text)).new, 0);
    } else assert.equal((await both(p, to, written.text)).new, 0);
  }
  assert.deepEqual(await counts(p), is);
  await verified(p);
  t.diagnostic(seen.join('\n'));
});

test('one bad line in ten thousand and nothing is done', async () => {
  const p = await programme(server);
  const before = await counts(p);
  const file = creators(9_999) + 'last,no address,,\n';
  const { json } = await post(p, '/v1/creators/import?preview=true', file);
  assert.deepEqual([json.wrong, json.hash], [1, null]);
  const refused = await post(p, '/v1/creators/import?hash=x', file);
  assert.deepEqual([refused.status, refused.json.errors.map((e) => e.field)], [422, ['line 10001']]);
  assert.deepEqual(await counts(p), before);
});

test('confirmed ten times at once: one does it', async (t) => {
  t.after(() => server.breakD1('open'));
  const p = await programme(server);
  await both(p, '/v1/creators/import', creators(50));
  const deals = `creator,campaign,commission_percent,slug,code\n${many(50, (n) => `h${n},Fall,5,t${n},T${n}`)}\n`;
  const more = 'handle\nzoe\nyan\n';
  for (const [to, file, table, n] of [
    ['/v1/creators/import', more, 'creators', 2],
    ['/v1/deals/import', deals, 'deals', 50],
    ['/v1/creators/import?update=true', creators(50).replaceAll(',tea', ',milk'), 'creators', 0],
    [`/v1/goaffpro/import?kind=affiliates&campaign_id=${p.campaign.id}`, 'email,ref_code\nq@x.example,qq\n', 'deals', 1],
  ]) {
    const before = await count(p, table);
    const { hash } = await preview(p, to, file);
    await server.breakD1('slow', { ms: 30 });
    const answers = await Promise.all(Array.from({ length: 10 }, () => post(p, and(to, `hash=${hash}`), file)));
    await server.breakD1('open');
    const statuses = answers.map(({ status }) => status).sort();
    assert.deepEqual(statuses, [200, ...Array(9).fill(409)], `${to}: ${answers[1].text.slice(0, 300)}`);
    assert.equal(await count(p, table), before + n);
  }
});

test('an answer that is lost: it is there whole or not at all, and asked again it is known', async (t) => {
  t.after(() => server.breakD1('open'));
  const p = await programme(server);
  let at = 0;
  for (const mode of ['before', 'after'])
    for (let call = 1; ; call++) {
      const n = at++;
      await both(p, '/v1/creators/import', `handle\na${n}\nb${n}\n`);
      const file = `creator,campaign,commission_percent,slug,code\na${n},Fall,5,u${n},U${n}\nb${n},Fall,5,,\n`;
      const { hash } = await preview(p, '/v1/deals/import', file);
      const before = await counts(p);
      await server.breakD1(mode, { call });
      const { status, text } = await post(p, `/v1/deals/import?hash=${hash}`, file);
      const calls = await server.breakD1('open');
      assert.ok([200, 503].includes(status), `${mode} call ${call}: ${status} ${text.slice(0, 200)}`);
      const now = await counts(p);
      const whole = before.map((was, place) => was + [0, 0, 2, 2, 1, 1, 1, 0][place]);
      const done = now[2] > before[2];
      assert.deepEqual(now.slice(0, 7), (done ? whole : before).slice(0, 7), `${mode} call ${call}`);
      assert.equal(now[7] > before[7], done, 'with its trail, or without both');
      // Whoever got no answer looks again, and finds what is there.
      assert.equal((await both(p, '/v1/deals/import', file)).taken_in, done ? 0 : 2);
      assert.deepEqual((await counts(p)).slice(0, 7), whole.slice(0, 7));
      if (calls < call) break;
      assert.ok(call < 30);
    }
});

test('a file leaves out what its list leaves out, and another brand\'s', async () => {
  const [p, q] = [await programme(server), await programme(server)];
  await both(p, '/v1/creators/import', 'handle,name\none,"=1+1"\ntwo,"x, ""y"""\n');
  const file = async (who, path) => (await who.client.call('GET', path)).text.split('\r\n');
  assert.equal((await file(p, '/v1/creators?format=csv')).length, 1 + 3 + 1);
  assert.ok((await file(p, '/v1/creators?format=csv')).some((row) => row.includes(",'=1+1,")));
  assert.equal((await file(q, '/v1/creators?format=csv')).length, 1 + 1 + 1);
  assert.equal((await file(p, '/v1/codes?format=csv&state=failed')).length, 2);
  assert.equal((await file(p, `/v1/audit?format=csv&action=creator.import`)).length, 1 + 2 + 1);
  const head = await p.client.call('HEAD', '/v1/creators?format=csv');
  assert.deepEqual([head.status, head.text], [200, '']);
});
