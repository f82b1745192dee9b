// Outreach in workerd: a message by the clock of whoever gets it, sent once whoever else runs the job, with
// the headers that end it; and a reply through the mail handler.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { programme } from './support/client.mjs';
import { startServer } from './support/server.mjs';

/** A day that is neither today nor tomorrow anywhere, whenever this runs, and its nine o'clock. */
const LATER = new Date(Date.now() + 3 * 86_400_000);
LATER.setUTCHours(9, 0, 0, 0);
const WEEKDAY = ['sunday', 'monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday'][LATER.getUTCDay()];

test('messages go out by her clock, once, and replies come back into the deal', async (t) => {
  const server = await startServer({ mail: true, vars: { REPLY_DOMAIN: 'replies.example' } });
  t.after(() => server.stop());
  const { client, deal, email } = await programme(server);
  const mails = async () => (await server.mails()).filter(({ headers }) => headers?.['List-Unsubscribe']);
  const path = `/v1/deals/${deal.id}/messages`;
  const body = { subject: 'Hi {{creator.first_name}}', text: 'From {{brand.name}}' };

  // On another day it waits. (The job runs by the real clock: its time is put into the past.)
  await client.call('PATCH', '/v1/outreach-settings', { days: [WEEKDAY], from: '09:00', to: '18:00' });
  const waits = await client.post(path, body);
  assert.equal(waits.state, 'scheduled');
  assert.equal(waits.due_at, LATER.toISOString());
  assert.equal((await mails()).length, 0);
  await client.call('PATCH', '/v1/outreach-settings', {
    days: ['monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday', 'sunday'],
    from: '00:00',
    to: '24:00',
  });
  await server.sql('UPDATE messages SET due_at_ms = 1 WHERE due_at_ms IS NOT NULL');
  await Promise.all(Array.from({ length: 4 }, () => server.triggerCron({ cron: 'all' })));
  await server.triggerCron();
  const [mail, ...more] = await mails();
  assert.deepEqual(more, []);
  assert.equal(mail.to, email);
  assert.equal(mail.from.email, 'tributary@tributary.example');
  assert.match(mail.replyTo, /^reply\+[0-9a-f]{40}@replies\.example$/);
  assert.equal(mail.headers['List-Unsubscribe-Post'], 'List-Unsubscribe=One-Click');
  // A person wrote it; what machines write says so.
  assert.equal(mail.headers['Auto-Submitted'], undefined);
  const letters = (await server.mails()).filter(({ headers }) => !headers?.['List-Unsubscribe']);
  assert.ok(letters.length > 0 && letters.every(({ headers }) => headers['Auto-Submitted'] === 'auto-generated'));
  const unsubscribe = mail.headers['List-Unsubscribe'].slice(1, -1);
  assert.equal((await client.get(path)).data[0].state, 'sent');

  // A reply, twice; one to nobody; one that is too large.
  const reply = `From: ${email}\r\nSubject: Re\r\nMessage-ID: <1@x>\r\n\r\nYes <b>!\r\n`;
  for (let n = 0; n < 2; n++) assert.deepEqual(await server.email(mail.replyTo, reply), { rejected: null });
  const nobody = `reply+${'0'.repeat(40)}@replies.example`;
  assert.deepEqual(await server.email(nobody, reply), { rejected: null });
  const large = `${reply}${'x'.repeat(1024 * 1024)}`;
  assert.match((await server.email(mail.replyTo, large)).rejected, /too large/);
  const { data } = await client.get(path);
  assert.deepEqual(
    data.filter(({ direction }) => direction === 'in').map(({ text, state }) => [text, state]),
    [['Yes <b>!', 'received']],
  );
  assert.equal((await client.get('/v1/messages?unread=true')).data[0].unread, 1);

  // A mail program ends it, without a cookie or an origin.
  const address = server.origin + new URL(unsubscribe).pathname;
  assert.equal((await fetch(address)).status, 200);
  const post = () =>
    fetch(address, {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: 'List-Unsubscribe=One-Click',
    });
  const refused = async () => (await client.call('POST', path, body)).status;
  assert.equal(await refused(), 201);
  assert.equal((await post()).status, 200);
  assert.equal((await post()).status, 200);
  assert.equal(await refused(), 409);
  assert.ok(!server.log().includes(email));
});
