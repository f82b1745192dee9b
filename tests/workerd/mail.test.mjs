// Mails in workerd, with a mail service that takes, refuses, loses and hangs: each is sent at most once,
// and what became of it can be read.
import assert from 'node:assert/strict';
import { createCipheriv, hkdfSync, randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { eventually } from './support/client.mjs';
import { startServer } from './support/server.mjs';

let mails = 0;

/** Puts a mail into the outbox as a command of the product would, sealed by another implementation. */
async function put(server, key) {
  const id = `mail_01h455vb4pex5vsknk084sn${String(mails++).padStart(3, '0')}`;
  const content = seal(key, id, JSON.stringify(['Subject', 'The text', '<p>The text</p>']));
  const now = Date.now();
  await server.sql(
    `INSERT INTO mails (brand_id, id, cause, kind, recipient, content, state, due_at_ms, created_at_ms)
     VALUES ('', '${id}', '${id}', 'notice', 'ada@casa.example', '${content}', 'waiting', ${now}, ${now})`,
  );
  return async () => (await server.sql(`SELECT * FROM mails WHERE id = '${id}'`))[0][0];
}

/** XChaCha20-Poly1305 by the key that HKDF makes for sealing. */
function seal(dataKey, context, text) {
  const info = 'tributary/seal/v1';
  const key = Buffer.from(hkdfSync('sha256', Buffer.from(dataKey, 'base64'), '', info, 32));
  const nonce = randomBytes(24);
  const short = Buffer.concat([Buffer.alloc(4), nonce.subarray(16)]);
  const cipher = createCipheriv('chacha20-poly1305', hchacha20(key, nonce), short, { authTagLength: 16 });
  cipher.setAAD(Buffer.from(context));
  const sealed = Buffer.concat([cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()]);
  return Buffer.concat([Buffer.from([1]), nonce, sealed]).toString('base64');
}

function hchacha20(key, nonce) {
  const words = Buffer.concat([Buffer.from('expand 32-byte k'), key, nonce.subarray(0, 16)]);
  const x = Uint32Array.from({ length: 16 }, (_, at) => words.readUInt32LE(4 * at));
  const mix = (a, b, d, by) => {
    x[a] += x[b];
    x[d] = ((x[d] ^ x[a]) << by) | ((x[d] ^ x[a]) >>> (32 - by));
  };
  const quarter = (a, b, c, d) => {
    mix(a, b, d, 16);
    mix(c, d, b, 12);
    mix(a, b, d, 8);
    mix(c, d, b, 7);
  };
  for (let round = 0; round < 10; round++) {
    for (let n = 0; n < 4; n++) quarter(n, n + 4, n + 8, n + 12);
    for (let n = 0; n < 4; n++) quarter(n, 4 + ((n + 1) % 4), 8 + ((n + 2) % 4), 12 + ((n + 3) % 4));
  }
  const out = Buffer.alloc(32);
  [0, 1, 2, 3, 12, 13, 14, 15].forEach((word, at) => out.writeUInt32LE(x[word], 4 * at));
  return out;
}

const KEY = randomBytes(32).toString('base64');

test('a deployment sends once, forgets what it said, and tells what became of it', async (t) => {
  const server = await startServer({ mail: true, vars: { LOCAL: '', DATA_KEY: KEY } });
  t.after(() => server.stop());
  const row = await put(server, KEY);
  await server.triggerCron();
  await server.triggerCron();
  const sent = await row();
  assert.deepEqual([sent.state, sent.error, sent.content], ['sent', '', null]);
  assert.deepEqual(await server.mails(), [
    {
      from: 'tributary@tributary.example',
      to: 'ada@casa.example',
      subject: 'Subject',
      text: 'The text',
      html: '<p>The text</p>',
    },
  ]);

  for (const [fault, state, error, taken] of [
    [{ mode: 'refuse', code: 'E_RECIPIENT_SUPPRESSED' }, 'failed', /bounced/, 0],
    [{ mode: 'refuse', code: 'E_RATE_LIMIT_EXCEEDED' }, 'waiting', /slowly/, 0],
    [{ mode: 'refuse', code: 'E_INTERNAL_SERVER_ERROR' }, 'unknown', /clear answer/, 0],
    [{ mode: 'lose' }, 'unknown', /clear answer/, 1],
    [{ mode: 'hang' }, 'unknown', /clear answer/, 1],
  ]) {
    const before = (await server.mails(fault)).length;
    const row = await put(server, KEY);
    await server.triggerCron();
    const found = await row();
    assert.equal(found.state, state, fault.code ?? fault.mode);
    assert.match(found.error, error);
    await server.triggerCron();
    assert.equal((await server.mails()).length - before, taken);
  }
  // What was refused for now goes out when its time has come, and nothing else does.
  const before = (await server.mails()).length;
  await server.sql(`UPDATE mails SET due_at_ms = 0 WHERE due_at_ms IS NOT NULL`);
  await server.triggerCron();
  assert.equal((await server.mails()).length - before, 1);
  assert.ok(!server.log().includes('ada@casa.example'));
});

test('what the mail service tells later comes through its queue, also before the mail is settled', async (t) => {
  const server = await startServer({ mail: true, vars: { LOCAL: '', DATA_KEY: KEY } });
  t.after(() => server.stop());
  // The form that Cloudflare documents for events of Email Sending.
  const event = (kind, n, more) => ({
    type: `cf.email.sending.message.${kind}`,
    source: { type: 'email.sending', zoneId: '023e105f', domain: 'tributary.example' },
    payload: { eventId: `e-${kind}-${n}`, messageId: `<${n}@mail.test>`, recipient: 'ada@casa.example', ...more },
    metadata: { eventSchemaVersion: 1, eventTimestamp: new Date().toISOString() },
  });
  const hard = { terminal: true, bounce: { type: 'hard', reason: '550 5.1.1 User unknown' } };
  const rows = [await put(server, KEY), await put(server, KEY)];
  await server.mailEvent(event('bounced', 2, hard));
  // What can't be read is no reason to tell it again, nor to keep the others waiting.
  for (const odd of ['text', {}, [1], event('opened', 1), event('delivered', 1)]) await server.mailEvent(odd);
  await server.triggerCron();
  const sent = await Promise.all(rows.map((row) => row()));
  assert.deepEqual(sent.map(({ state }) => state), ['sent', 'sent']);
  const bounced = async (row) => (await row()).bounced_at_ms !== null;
  const second = rows[sent.findIndex(({ service_id }) => service_id === '<2@mail.test>')];
  const first = rows.find((row) => row !== second);
  await eventually('the second bounces', () => bounced(second));
  assert.match((await second()).error, /^bounced: .*\(550 5\.1\.1 User unknown\)$/);
  assert.equal(await bounced(first), false);
  for (let n = 0; n < 3; n++) await server.mailEvent(event('rejected', 1, { rejection: { detail: 'Suppressed' } }));
  await eventually('the first bounces', () => bounced(first));
  assert.equal((await server.mails()).length, 2, 'nothing is sent again');
  assert.ok(!server.log().includes('ada@casa.example'));
});

test('killed while the mail service has it, a mail is never sent again', async (t) => {
  const first = await startServer({ mail: true, vars: { LOCAL: '', DATA_KEY: KEY } });
  t.after(() => first.stop());
  await first.mails({ mode: 'hang' });
  const row = await put(first, KEY);
  first.triggerCron().catch(() => {});
  await eventually('the mail service has it', async () => (await first.mails()).length === 1);
  assert.equal((await row()).state, 'sending');
  await first.kill9();
  const { stateDir } = first;
  const second = await startServer({ mail: true, stateDir, vars: { LOCAL: '', DATA_KEY: KEY } });
  t.after(() => second.stop());
  const found = async () => (await second.sql('SELECT * FROM mails'))[0][0];
  await second.triggerCron();
  assert.equal((await found()).state, 'sending');
  await second.sql('UPDATE mails SET due_at_ms = 0');
  await second.triggerCron();
  assert.equal((await found()).state, 'unknown');
  assert.deepEqual(await second.mails(), []);
});

test('without a mail service a local run keeps mails, and a deployment says so', async (t) => {
  for (const [LOCAL, state] of [
    ['1', 'sent'],
    ['', 'failed'],
  ]) {
    const server = await startServer({ vars: { LOCAL, DATA_KEY: KEY } });
    t.after(() => server.stop());
    const row = await put(server, KEY);
    await server.triggerCron();
    const found = await row();
    assert.equal(found.state, state, found.error);
    assert.equal(found.content !== null, LOCAL === '1');
    assert.ok(!server.log().includes('The text'));
  }
});
