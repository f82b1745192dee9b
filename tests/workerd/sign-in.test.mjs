// Signing in on real workerd: the whole way, everything that may count once posted a hundred times at
// once, guessed codes, and that nobody learns which addresses are known.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { eventually, programme, visit } from './support/client.mjs';
import { kolmogorovSmirnov } from './support/ks.mjs';
import { Authenticator, Browser, invited, newAddress, owner } from './support/people.mjs';
import { startServer } from './support/server.mjs';
import { same, times, UNLIKELY } from './timing.mjs';

let server;
let p;
let [ada, bea] = [];
before(async () => {
  server = await startServer({ mail: true, faults: true });
  p = await programme(server);
  ada = await owner(server, p);
  bea = await owner(server, await programme(server));
});
after(() => server?.stop());

/** So many at once: D1 answers late, so that all have asked it before the first learns anything. */
async function atOnce(on, many, ask) {
  await on.breakD1('slow', { ms: 250 });
  try {
    return await Promise.all(Array.from({ length: many }, (_, n) => ask(n)));
  } finally {
    await on.breakD1('open');
  }
}
const hundred = (on, ask) => atOnce(on, 100, ask);
/** How often each status came: `{ 200: 1, 400: 99 }`. */
const tally = (statuses) =>
  statuses.reduce((all, status) => ({ ...all, [status]: (all[status] ?? 0) + 1 }), {});
const count = async (on, query) => (await on.sql(`SELECT count(*) AS n FROM ${query}`))[0][0].n;
const sessionsOf = (on, email) =>
  count(on, `sessions s JOIN people p ON p.id = s.person_id WHERE p.email = '${email}'`);
/** What stands in the trail of the person herself. */
const noted = (on, email, action) =>
  count(on, `audit a JOIN people p ON p.id = a.brand_id WHERE p.email = '${email}' AND action = '${action}'`);
const wrongCode = (n, code) => {
  const wrong = String(n).padStart(8, '0');
  return wrong === code ? '99999999' : wrong;
};

describe('the whole way', () => {
  test('owner, link, passkey, members; a scanner in between changes nothing', async () => {
    assert.equal(ada.session.brands[0].role, 'owner');
    assert.equal(ada.session.session.second_factor, 'enroll');
    assert.equal(ada.codes.length, 10);
    const email = newAddress('mia');
    const made = await ada.browser.post('/v1/members', { email, role: 'viewer' });
    assert.equal(made.state, 'invited');
    const invitation = await invited(server, email);

    const mia = new Browser(server);
    const { token } = await mia.begin(email, { invitation });
    // What a scanner sees of a link ends before the fragment; some try the API too.
    const seen = [];
    for (let n = 0; n < 10; n++) {
      for (const method of ['HEAD', 'GET']) {
        seen.push(await visit(server, '/sign-in/link', { method, agent: 'Mozilla/5.0 (scanner)' }));
        const api = await visit(server, `/v1/sign-in/link?token=${token}`, { method });
        assert.equal(api.status, 405);
      }
    }
    for (const { status, headers, text } of seen) {
      assert.equal(status, 200);
      assert.equal(headers.get('set-cookie'), null);
      assert.ok(!text.includes(token));
    }
    const stranger = new Browser(server);
    const elsewhere = await stranger.call('POST', '/v1/sign-in/link', { token });
    assert.deepEqual([elsewhere.status, elsewhere.json.type], [400, '/problems/other-browser']);
    const session = await mia.post('/v1/sign-in/link', { token });
    assert.deepEqual([session.brands[0].role, session.session.second_factor], ['viewer', 'enroll']);
    assert.equal(await mia.status('GET', '/v1/brand'), 403);
    await mia.enroll(new Authenticator(server));
    assert.equal((await mia.get('/v1/brand')).id, p.brand.id);
    assert.equal(await mia.status('GET', '/v1/members'), 403);
    const { data } = await ada.browser.get('/v1/members');
    assert.deepEqual(
      data.map(({ state, role }) => `${state} ${role}`),
      ['active owner', 'active viewer'],
    );
    assert.equal(await ada.browser.status('DELETE', `/v1/members/${made.id}`), 204);
    assert.equal(await mia.status('GET', '/v1/brand'), 403);
    assert.equal(await mia.status('DELETE', '/v1/session'), 204);
    assert.equal(await mia.status('GET', '/v1/session'), 401);
  });

  test('the code from the mail, with a passkey that is known', async () => {
    const browser = new Browser(server);
    const { code } = await browser.begin(ada.email);
    const session = await browser.post('/v1/sign-in/code', { code });
    assert.equal(session.session.second_factor, 'required');
    const before = browser.cookies.get('__Host-sid');
    assert.equal((await browser.show(ada.key)).session.second_factor, 'done');
    assert.notEqual(browser.cookies.get('__Host-sid'), before);
  });
});

describe('a hundred at once', () => {
  test('posts of one link: one session', () => oneLink(server, ada.email));

  test('recoveries by one code, from five sessions: one', () => oneRecovery(server, ada));

  test('answers of one passkey to one challenge: one', () => oneAssertion(server, ada));

  test('registrations of one new passkey: one', async () => {
    const browser = new Browser(server);
    const p = await programme(server);
    const email = `owner-${p.mark}@casa.example`;
    const invitation = await invited(server, email);
    await browser.signIn(email, { invitation });
    const body = { name: 'Phone', ...new Authenticator(server).create(await browser.challenge()) };
    const cookie = `__Host-sid=${browser.cookies.get('__Host-sid')}`;
    const post = () => browser.client.call('POST', '/v1/passkeys', body, { cookie });
    const statuses = tally((await hundred(server, post)).map(({ status }) => status));
    assert.deepEqual([statuses[201], Object.keys(statuses).length], [1, 2], JSON.stringify(statuses));
    assert.equal(await noted(server, email, 'passkey.add'), 1);
    const codes = `recovery_codes r JOIN people p ON p.id = r.person_id WHERE p.email = '${email}'`;
    assert.equal(await count(server, codes), 10);
  });

  // The runtime, not the module, knows the curve: natively a crate does.
  test('a passkey beside the curve is none', async () => {
    const browser = new Browser(server);
    const p = await programme(server);
    const email = `owner-${p.mark}@casa.example`;
    await browser.signIn(email, { invitation: await invited(server, email) });
    const good = { name: 'Phone', ...new Authenticator(server).create(await browser.challenge()) };
    const data = Buffer.from(good.authenticator_data, 'base64url');
    data[data.length - 1] ^= 1;
    const bad = { ...good, authenticator_data: data.toString('base64url') };
    const refused = await browser.call('POST', '/v1/passkeys', bad);
    assert.deepEqual([refused.status, refused.json.type], [401, '/problems/passkey-refused']);
    assert.equal(await count(server, `passkeys k JOIN people p ON p.id = k.person_id WHERE p.email = '${email}'`), 0);
    assert.equal(await browser.status('POST', '/v1/passkeys', good), 201);
  });

  test('ten links of one member’s invitation, ten times each: ten sessions, one member', async () => {
    const p = await programme(server);
    const email = `owner-${p.mark}@casa.example`;
    const invitation = await invited(server, email);
    const browsers = Array.from({ length: 10 }, () => new Browser(server));
    const links = [];
    for (const browser of browsers) links.push((await browser.begin(email, { invitation })).token);
    const statuses = await hundred(server, (n) =>
      browsers[n % 10].status('POST', '/v1/sign-in/link', { token: links[n % 10] }),
    );
    assert.deepEqual(tally(statuses), { 200: 10, 400: 90 });
    assert.equal(await count(server, `people WHERE email = '${email}'`), 1);
    const joined = `audit WHERE brand_id = '${p.brand.id}' AND action = 'member.join'`;
    assert.equal(await count(server, joined), 1);
    const { data } = await p.client.get('/v1/members');
    assert.deepEqual([data.length, data[0].state], [1, 'active']);
  });

  test('strangers with one creator’s invitation: one is the creator', () => oneCreator(server));

  test('sign-ins of one address, from wherever: sixty in an hour', async () => {
    const email = newAddress('often');
    const statuses = await hundred(server, () => new Browser(server).status('POST', '/v1/sign-in', { email }));
    assert.deepEqual(tally(statuses), { 202: 60, 429: 40 });
  });
});

async function oneLink(on, email) {
  const browser = new Browser(on);
  const { token } = await browser.begin(email);
  const before = await sessionsOf(on, email);
  const notedBefore = await noted(on, email, 'session.begin');
  const cookie = `__Host-signin=${browser.cookies.get('__Host-signin')}`;
  const post = () => browser.client.call('POST', '/v1/sign-in/link', { token }, { cookie });
  const answers = await hundred(on, post);
  assert.deepEqual(tally(answers.map(({ status }) => status)), { 200: 1, 400: 99 });
  for (const { json } of answers.filter(({ status }) => status === 400))
    assert.equal(json.type, '/problems/sign-in-failed');
  assert.equal((await sessionsOf(on, email)) - before, 1);
  assert.equal((await noted(on, email, 'session.begin')) - notedBefore, 1);
}

async function oneRecovery(on, { email, codes }) {
  const browsers = Array.from({ length: 5 }, () => new Browser(on));
  for (const browser of browsers) await browser.signIn(email);
  const cookies = browsers.map((browser) => `__Host-sid=${browser.cookies.get('__Host-sid')}`);
  const post = (n) =>
    browsers[n % 5].client.call('POST', '/v1/session/recovery', { code: codes[0] }, { cookie: cookies[n % 5] });
  const answers = await hundred(on, post);
  const said = tally(answers.map(({ status, json }) => (status === 200 ? status : json.type)));
  assert.equal(said[200], 1, JSON.stringify(said));
  // Five are compared in an hour, whoever asks; the winner's old cookie opens nothing any more.
  assert.ok((said['/problems/recovery-refused'] ?? 0) <= 4, JSON.stringify(said));
  assert.ok(said['/problems/too-many-requests'] >= 70, JSON.stringify(said));
  assert.equal(await noted(on, email, 'recovery.use'), 1);
}

async function oneAssertion(on, { email, key }) {
  const browser = new Browser(on);
  await browser.signIn(email);
  const before = await noted(on, email, 'passkey.show');
  const body = key.get(await browser.challenge());
  const cookie = `__Host-sid=${browser.cookies.get('__Host-sid')}`;
  const post = () => browser.client.call('POST', '/v1/session/passkey', body, { cookie });
  const statuses = tally((await hundred(on, post)).map(({ status }) => status));
  assert.deepEqual(statuses, { 200: 1, 401: 99 });
  assert.equal((await noted(on, email, 'passkey.show')) - before, 1);
}

async function oneCreator(on, many = 100) {
  const p = await programme(on);
  const creator = await p.client.post('/v1/creators', { name: 'Zoe', handle: `@zoe-${p.mark}` });
  const body = { creator_id: creator.id, campaign_id: p.campaign.id, commission_percent: '10' };
  const deal = await p.client.post('/v1/deals', body);
  const { url } = await p.client.post(`/v1/deals/${deal.id}/invitation`);
  const invitation = url.split('#')[1];
  const strangers = Array.from({ length: many }, () => ({ browser: new Browser(on), email: newAddress('zoe') }));
  await Promise.all(
    strangers.map(({ browser, email }) => browser.post('/v1/sign-in', { invitation, email })),
  );
  const sent = await eventually('all mails', async () => {
    const all = new Map((await on.mails()).map(({ to, text }) => [to, text]));
    return strangers.every(({ email }) => all.has(email)) && all;
  });
  const statuses = await atOnce(on, many, (n) => {
    const [, token] = /\/sign-in\/link#(\S+)/.exec(sent.get(strangers[n].email));
    return strangers[n].browser.status('POST', '/v1/sign-in/link', { token });
  });
  assert.deepEqual(tally(statuses), { 200: 1, 400: many - 1 });
  const winner = strangers[statuses.indexOf(200)];
  const { creators } = await winner.browser.get('/v1/session');
  assert.deepEqual(creators.map(({ creator_id }) => creator_id), [creator.id]);
  assert.equal(await count(on, "people WHERE email LIKE 'zoe-%'"), 1);
}

/** Posts a thousand wrong codes at once, then the right one; answers how many were compared. */
async function guessed(on, email) {
  const browser = new Browser(on);
  const { code } = await browser.begin(email);
  const guesses = Array.from({ length: 1000 }, (_, n) => wrongCode(n, code));
  const statuses = tally(
    await Promise.all(guesses.map((code) => browser.status('POST', '/v1/sign-in/code', { code }))),
  );
  const right = await browser.status('POST', '/v1/sign-in/code', { code });
  return { compared: statuses[400] ?? 0, refused: statuses[429] ?? 0, right };
}

describe('codes', () => {
  test('of a thousand wrong ones at once five are compared, and then not even the right one', async () => {
    assert.deepEqual(await guessed(server, bea.email), { compared: 5, refused: 995, right: 429 });
  });

  test('among a thousand the right one is worth no more', async () => {
    const browser = new Browser(server);
    const { code } = await browser.begin(bea.email);
    const guesses = Array.from({ length: 1000 }, (_, n) => (n === 500 ? code : wrongCode(n, code)));
    const cookie = `__Host-signin=${browser.cookies.get('__Host-signin')}`;
    const post = (code) => browser.client.call('POST', '/v1/sign-in/code', { code }, { cookie });
    const statuses = tally((await Promise.all(guesses.map(post))).map(({ status }) => status));
    // Whoever is among the first five.
    assert.equal((statuses[400] ?? 0) + (statuses[200] ?? 0), 5, JSON.stringify(statuses));
  });

  test('counts and what was begun survive SIGKILL', async (t) => {
    const stateDir = mkdtempSync(join(tmpdir(), 'tributary-sign-in-'));
    t.after(() => rmSync(stateDir, { recursive: true, force: true }));
    const first = await startServer({ stateDir, mail: true });
    const { email } = await owner(first, await programme(first));
    const [guesser, other] = [new Browser(first), new Browser(first)];
    const { code } = await guesser.begin(email);
    const { token } = await other.begin(email);
    const guess = (n) => guesser.status('POST', '/v1/sign-in/code', { code: wrongCode(n, code) });
    assert.deepEqual(await Promise.all([1, 2, 3].map(guess)), [400, 400, 400]);
    await first.kill9();

    const second = await startServer({ stateDir, mail: true, faults: true, port: first.port });
    t.after(() => second.stop());
    assert.deepEqual(tally(await hundred(second, guess)), { 400: 2, 429: 98 });
    assert.equal(await guesser.status('POST', '/v1/sign-in/code', { code }), 429);
    assert.equal((await other.post('/v1/sign-in/link', { token })).person.email, email);
  });
});

describe('whether an address is known', () => {
  test('no answer, mail or number of D1’s calls tells', () => same(server));

  test('nor does the time it takes', async () => {
    const probability = kolmogorovSmirnov(...(await times(server, 100)));
    assert.ok(probability > UNLIKELY, `p = ${probability}`);
  });
});

describe('known-bad', () => {
  const bad = async (t, CANARY) => {
    const server = await startServer({ variant: 'canary', vars: { CANARY }, mail: true, faults: true });
    t.after(() => server.stop());
    return server;
  };

  test('without limits, more than five codes are compared', async (t) => {
    const server = await bad(t, 'no_limits');
    const { email } = await owner(server, await programme(server));
    const { compared, right } = await guessed(server, email);
    assert.deepEqual([compared, right], [1000, 200]);
  });

  test('where nothing is spent, each of the hundreds is caught', async (t) => {
    const server = await bad(t, 'unspent');
    const person = await owner(server, await programme(server));
    await assert.rejects(oneLink(server, person.email), assert.AssertionError);
    await assert.rejects(oneRecovery(server, person), assert.AssertionError);
    await assert.rejects(oneAssertion(server, person), assert.AssertionError);
    // That one stranger becomes the creator has a second guard: whoever is it stays.
  });

  test('where the mail goes out before the answer, calls and times tell', async (t) => {
    const server = await bad(t, 'tells_known');
    await assert.rejects(same(server), assert.AssertionError);
    const probability = kolmogorovSmirnov(...(await times(server, 250)));
    assert.ok(probability < UNLIKELY, `p = ${probability}`);
  });
});
