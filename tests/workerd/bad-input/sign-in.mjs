// D: signing in, sessions, members, pages.
import assert from 'node:assert/strict';
import { visit } from '../support/client.mjs';
import { Authenticator, Browser, newAddress } from '../support/people.mjs';
import { both, each, problem, refused } from './common.mjs';

/** What signing in leaves behind before it is refused: that it was begun, and its mail. */
const begun = ['sign_ins', 'mails'];
const cookie = (secret) => ({ cookie: `__Host-sid=${secret}` });
const ours = { 'sec-fetch-site': 'same-origin' };
const sid = (browser) => browser.cookies.get('__Host-sid');
/** The problem's name. */
const says = (name) => both(problem, (all) => all.forEach(({ json }) => assert.equal(json.type, `/problems/${name}`)));
const clears = (all) =>
  all.forEach(({ headers }) => assert.match(headers.get('set-cookie') ?? '', /^__Host-sid=; .*Max-Age=0$/));
/** What a page of another site may make a browser send with the owner's cookie. */
const foreign = [
  {},
  { 'sec-fetch-site': 'cross-site' },
  { 'sec-fetch-site': 'same-site' },
  { 'sec-fetch-site': 'none' },
  { origin: 'https://evil.test' },
  { origin: 'null' },
  { 'sec-fetch-site': 'cross-site', origin: 'http://localhost' },
];
const form = { 'content-type': 'application/x-www-form-urlencoded' };
const link = (browser, token) => browser.call('POST', '/v1/sign-in/link', { token });
const invite = (w, email, headers) =>
  w.a.client.call('POST', '/v1/members', { email, role: 'viewer' }, headers);
const ATTACKS = ['<script>alert(1)</script>', '"><img src=x onerror=alert(1)>', '{{7*7}}', 'javascript:alert(1)'];

/** A passkey's answer to a challenge of a new session of hers, with one thing wrong. */
const shown = (change) => async (w) => {
  const browser = new Browser(w.server);
  await browser.signIn(w.bea.email);
  const challenge = await browser.challenge();
  const body = await change(w.bea.key, challenge, browser);
  return [await browser.call('POST', '/v1/session/passkey', body)];
};
const otherwise = (key, changes, challenge) => {
  const changed = Object.assign(Object.create(Authenticator.prototype), key, changes);
  return Object.assign(new Authenticator({ origin: key.origin }), changed).get(challenge);
};
/** Signing in on the way to what is refused changes these. */
const way = ['sign_ins', 'sessions', 'mails', 'audit', 'audit_members', 'passkeys'];

export const signIn = [
  [
    'D1',
    'a change that another site asks for',
    (w) =>
      foreign.flatMap((headers) => {
        const sent = { ...headers, ...cookie(sid(w.ada.browser)) };
        return [
          w.anyone.call('POST', '/v1/creators', { name: 'x', handle: 'x' }, sent),
          w.anyone.call('PATCH', '/v1/brand', { hold_days: 0 }, sent),
          w.anyone.call('DELETE', '/v1/session', undefined, sent),
          w.anyone.call('POST', '/v1/sign-in', { email: w.ada.email }, sent),
        ];
      }),
    { status: 403, check: says('cross-site') },
  ],
  [
    'D1',
    'a form with the proof of another session, an altered one, none',
    async (w) => {
      const other = await w.mia.browser.get('/v1/session');
      return ['', 'x', other.csrf, `${other.csrf}x`].map((csrf) =>
        w.ada.browser.call('POST', '/sign-out', new URLSearchParams({ csrf }).toString(), form),
      );
    },
    403,
  ],
  [
    'D2',
    'a form that pretends to be JSON',
    (w) =>
      ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x'].map((type) =>
        w.ada.browser.call('POST', '/v1/creators', '{"name":"x","handle":"x"}', { 'content-type': type }),
      ),
    refused(415),
  ],
  [
    'D3',
    'cookies that are fixed, truncated, altered, of another kind, two of them',
    (w) => {
      const good = sid(w.ada.browser);
      return [
        cookie('A'.repeat(43)),
        cookie(good.slice(0, 42)),
        cookie(`${good}A`),
        cookie(good.toLowerCase()),
        cookie(''),
        cookie(w.a.key),
        { cookie: `__Host-sid=${good}; __Host-sid=${good}` },
        { cookie: `__Host-sid=x; __Host-sid=${good}` },
      ].map((headers) => w.anyone.call('GET', '/v1/brand', undefined, headers));
    },
    refused(401, { check: both(problem, clears) }),
  ],
  [
    'D3',
    'a cookie that was stolen before its session was signed out, and one that has expired',
    async (w) => {
      const [gone, old] = [new Browser(w.server), new Browser(w.server)];
      for (const browser of [gone, old]) await browser.signIn(w.ada.email);
      const { session } = await old.get('/v1/session');
      const stolen = sid(gone);
      await gone.call('DELETE', '/v1/session');
      await w.server.sql(`UPDATE sessions SET last_seen_at_ms = 1 WHERE id = '${session.id}'`);
      return [stolen, sid(old)].map((secret) => w.anyone.call('GET', '/v1/session', undefined, cookie(secret)));
    },
    refused(401, { changes: way, check: both(problem, clears) }),
  ],
  [
    'D4',
    'a sign-in of somebody who isn’t known: the same answer, and no mail',
    (w) => new Browser(w.server).call('POST', '/v1/sign-in', { email: newAddress('nobody') }),
    { status: 202, changes: 'sign_ins', body: /^\{"expires_at":"[^"]+"\}$/ },
  ],
  [
    'D5',
    'links that are altered, of another purpose, or none',
    async (w) => {
      const browser = new Browser(w.server);
      const { token } = await browser.begin(w.ada.email);
      const other = token.at(-1) === 'A' ? 'Q' : 'A';
      const { url } = await w.a.client.post(`/v1/deals/${w.a.deal.id}/invitation`);
      return [
        token.slice(0, -1) + other,
        token.slice(0, -1),
        `${token}A`,
        token.replace('tbs_', 'tbi_'),
        url.split('#')[1],
        w.a.key,
        '',
        'tbs_',
      ].map((bad) => link(browser, bad));
    },
    { status: 400, changes: [...begun, 'invitations', 'audit', 'deals'], check: says('sign-in-failed') },
  ],
  [
    'D5',
    'a link that was used, and one whose time is over',
    async (w) => {
      const [used, late] = [new Browser(w.server), new Browser(w.server)];
      const [first, second] = [await used.begin(w.ada.email), await late.begin(w.ada.email)];
      const [mark] = ['__Host-signin'].map((name) => used.cookies.get(name));
      await used.post('/v1/sign-in/link', { token: first.token });
      used.cookies.set('__Host-signin', mark);
      await w.server.sql(`UPDATE sign_ins SET expires_at_ms = 1 WHERE uses = 0`);
      return [link(used, first.token), link(late, second.token)];
    },
    { status: 400, changes: way, check: says('sign-in-failed') },
  ],
  [
    'D5',
    'a link in another browser: nothing is used up',
    async (w) => {
      const { token } = await new Browser(w.server).begin(w.ada.email);
      const other = new Browser(w.server);
      await other.begin(w.ada.email);
      return [link(new Browser(w.server), token), link(other, token)];
    },
    { status: 400, changes: begun, check: says('other-browser') },
  ],
  [
    'D7',
    'a sixth code, though it is the right one',
    async (w) => {
      const browser = new Browser(w.server);
      const { code } = await browser.begin(w.bea.email);
      const type = (code) => browser.call('POST', '/v1/sign-in/code', { code });
      for (let n = 0; n < 5; n++) assert.equal((await type('x')).status, 400);
      return type(code);
    },
    {
      status: 429,
      changes: begun,
      check: both(says('too-many-requests'), ([{ headers }]) => assert.ok(Number(headers.get('retry-after')) > 0)),
    },
  ],
  [
    'D8',
    'an invitation with another address',
    (w) =>
      new Browser(w.server).call('POST', '/v1/sign-in', {
        invitation: w.waitingInvitation,
        email: newAddress('eve'),
      }),
    refused(403),
  ],
  [
    'D8',
    'an invitation that was withdrawn, of another kind, or none',
    (w) =>
      [w.withdrawnInvitation, `tbm_${'A'.repeat(43)}`, `tbi_${'A'.repeat(43)}`, w.a.key, 'x', ''].map((invitation) =>
        new Browser(w.server).call('POST', '/v1/sign-in', { invitation }),
      ),
    refused(404),
  ],
  [
    'D8',
    'another brand’s members and invitations',
    (w) => [
      w.ada.browser.call('GET', `/v1/members/${w.bea.id}`),
      w.ada.browser.call('PATCH', `/v1/members/${w.bea.id}`, { role: 'viewer' }),
      w.ada.browser.call('DELETE', `/v1/members/${w.bea.id}`),
      w.a.client.call('DELETE', `/v1/members/${w.bea.id}`),
    ],
    refused(404),
  ],
  [
    'D9',
    'addresses that are none, or several',
    each(
      [
        'a@b.example\r\nBcc: c@d.example',
        'a@b.example\nc@d.example',
        'a@b.example,c@d.example',
        'a@b.example;c@d.example',
        'a@b.example c@d.example',
        'Ada <a@b.example>',
        '<a@b.example>',
        'a@@b.example',
        'a@b',
        'a@',
        '@b.example',
        `${'a'.repeat(300)}@b.example`,
        `a@${'b'.repeat(300)}.example`,
        'ä@b.example',
        'a@bücher.example',
        'a\u0000@b.example',
        'a@b.example\u202e',
        '"a b"@c.example',
        '',
      ],
      (w, email) => invite(w, email),
    ),
    refused(422),
  ],
  [
    'D9',
    'the same for whoever signs in',
    each(['a@b.example\r\nBcc: c@d.example', 'a@b.example,c@d.example', 'Ada <a@b.example>', 'x', ''], (w, email) =>
      new Browser(w.server).call('POST', '/v1/sign-in', { email }),
    ),
    refused(422),
  ],
  [
    'D10',
    'texts that attack are shown as text: on pages, in mails',
    async (w) => {
      const p = await w.attacked(ATTACKS.join(' '));
      const mails = (await w.server.mails()).filter(({ to }) => to === p.email);
      assert.equal(mails.length, 1);
      for (const attack of ATTACKS.slice(0, 2)) assert.ok(!mails[0].html.includes(attack), attack);
      assert.ok(!/49/.test(mails[0].subject) && !/[\r\n]/.test(mails[0].subject));
      return [
        visit(w.server, `/invitation?x=${encodeURIComponent(ATTACKS[0])}`, { headers: { accept: 'text/html' } }),
        visit(w.server, '/mailbox', { headers: { accept: 'text/html' } }),
        w.anyone.call('POST', '/sign-in', new URLSearchParams({ email: ATTACKS[1] }).toString(), {
          ...form,
          ...ours,
          accept: 'text/html',
        }),
      ];
    },
    {
      status: [200, 422],
      changes: true,
      check: (all) =>
        all.forEach(({ text, headers }) => {
          for (const attack of ATTACKS.slice(0, 2)) assert.ok(!text.includes(attack), attack);
          assert.match(headers.get('content-security-policy'), /script-src 'self'; style-src 'self'/);
        }),
    },
  ],
  [
    'D11',
    'a forged Host when a sign-in is begun: the link leads to the product',
    async (w) => {
      const { email } = w.mia;
      const forged = {
        'x-forwarded-host': 'evil.test',
        forwarded: 'host=evil.test',
        'x-original-url': 'https://evil.test/',
      };
      const { text } = await new Browser(w.server).begin(email, { email }, forged);
      assert.ok(text.includes(`${w.server.origin}/sign-in/link#`) && !text.includes('evil'), text);
      return visit(w.server, '/v1/sign-in', { method: 'POST', host: 'evil.test' });
    },
    // On a host that isn't the product's own there are links of brands and nothing else.
    { status: [404, 405], changes: begun },
  ],
  [
    'D12',
    'what is dangerous, with a session that hasn’t just shown its passkey',
    (w) => [
      w.stale.call('POST', '/v1/keys', { name: 'k', scopes: ['read'] }),
      w.stale.call('POST', '/v1/members', { email: 'eve@evil.test', role: 'owner' }),
      w.stale.call('PATCH', `/v1/members/${w.ada.id}`, { role: 'viewer' }),
      w.stale.call('DELETE', `/v1/members/${w.ada.id}`),
      w.stale.call('POST', '/v1/recovery-codes', {}),
      w.stale.call('PATCH', '/v1/brand', { money_keys: false }),
    ],
    { status: 403, check: says('step-up') },
  ],
  [
    'D12',
    'anything, with the mail alone',
    (w) =>
      ['/v1/brand', '/v1/creators', '/v1/members', '/v1/passkeys', '/v1/sessions'].map((path) =>
        w.mailOnly.call('GET', path),
      ),
    { status: 403, check: says('second-factor') },
  ],
  [
    'D13',
    'a passkey’s answer from another origin',
    shown((key, challenge) => otherwise(key, { origin: 'https://evil.test', count: 1000 }, challenge)),
    { status: 401, changes: way, check: says('passkey-refused') },
  ],
  [
    'D13',
    'for another party',
    shown((key, challenge) => otherwise(key, { rpId: 'evil.test', count: 1000 }, challenge)),
    { status: 401, changes: way, check: says('passkey-refused') },
  ],
  [
    'D13',
    'without the user, by a count that went back, by another key, to another challenge',
    async (w) => {
      const { email, key } = w.bea;
      const bad = [
        (challenge) => otherwise(key, { flags: 0x01, count: 1000 }, challenge),
        (challenge) => otherwise(key, { flags: 0x04, count: 1000 }, challenge),
        (challenge) => otherwise(key, { count: 0 }, challenge),
        (challenge) => otherwise(key, { secret: new Authenticator(w.server).secret, count: 1000 }, challenge),
        (challenge) => new Authenticator(w.server).get(challenge),
        () => otherwise(key, { count: 1000 }, 'A'.repeat(43)),
        (challenge) => ({ ...otherwise(key, { count: 1000 }, challenge), signature: 'AAAA' }),
        (challenge) => ({ ...otherwise(key, { count: 1000 }, challenge), client_data: 'e30' }),
      ];
      const browser = new Browser(w.server);
      await browser.signIn(email);
      const answers = [];
      for (const answer of bad) {
        const body = answer(await browser.challenge());
        answers.push(await browser.call('POST', '/v1/session/passkey', body));
      }
      return answers;
    },
    { status: 401, changes: way, check: says('passkey-refused') },
  ],
  [
    'D13',
    'an answer that was good, once more',
    shown(async (key, challenge, browser) => {
      const body = key.get(challenge);
      await browser.post('/v1/session/passkey', body);
      return body;
    }),
    { status: 401, changes: way, check: says('passkey-refused') },
  ],
  [
    'D14',
    'a viewer from her console',
    (w) => [
      w.mia.browser.call('GET', '/v1/members'),
      w.mia.browser.call('GET', '/v1/keys'),
      w.mia.browser.call('GET', '/v1/audit'),
      w.mia.browser.call('POST', '/v1/keys', { name: 'k', scopes: ['read'] }),
      w.mia.browser.call('POST', '/v1/members', { email: 'eve@evil.test', role: 'owner' }),
      w.mia.browser.call('PATCH', `/v1/members/${w.mia.id}`, { role: 'owner' }),
      w.mia.browser.call('PATCH', '/v1/brand', { hold_days: 0 }),
      w.mia.browser.call('POST', '/v1/creators', { name: 'x', handle: 'x' }),
      w.mia.browser.call('POST', `/v1/deals/${w.a.deal.id}/terms`, { commission_percent: '90' }),
    ],
    refused(403),
  ],
  [
    'D14',
    'a role that is taken away in the middle of a session',
    async (w) => {
      const { browser, id } = w.max;
      assert.equal(await browser.status('GET', '/v1/creators'), 200);
      assert.equal(await w.ada.browser.status('DELETE', `/v1/members/${id}`), 204);
      return [browser.call('GET', '/v1/creators'), browser.call('POST', '/v1/creators', { name: 'x', handle: 'x' })];
    },
    refused(403, { changes: ['members', 'audit', 'audit_members'] }),
  ],
  [
    'D15',
    'a page in a frame',
    each(['/sign-in', '/sign-in/link', '/sign-in/code', '/invitation', '/privacy', '/mailbox'], (w, path) =>
      visit(w.server, path, { headers: { accept: 'text/html' } }),
    ),
    {
      status: 200,
      check: (all) =>
        all.forEach(({ headers }) => {
          assert.equal(headers.get('x-frame-options'), 'DENY');
          assert.match(headers.get('content-security-policy'), /frame-ancestors 'none'/);
        }),
    },
  ],
  [
    'D17',
    'paths that caches and scanners like',
    each(
      [
        '/account/x.css',
        '/account.css',
        '/account%2fx.css',
        '/sign-in/x.js',
        '/account;x.css',
        '/..%2f',
        '/..%2faccount',
        '/assets/..%2fopenapi.json',
        '/assets/../schema.sql',
        '/.git',
        '/.git/config',
        '/.env',
        '/openapi',
        '/mailbox/x',
        '/assets/x.css',
      ],
      (w, path) =>
        visit(w.server, path, { headers: { accept: 'text/html', ...cookie(sid(w.ada.browser)) } }),
    ),
    {
      status: 404,
      check: (all) => all.forEach(({ headers }) => assert.equal(headers.get('cache-control'), 'no-store')),
    },
  ],
  [
    'D17',
    'pages of a person are never kept by a cache',
    each(['/account', '/sign-in/passkey', '/'], (w, path) =>
      visit(w.server, path, { headers: { accept: 'text/html', ...cookie(sid(w.mia.browser)) } }),
    ),
    {
      status: [200, 303],
      check: (all) => all.forEach(({ headers }) => assert.equal(headers.get('cache-control'), 'no-store')),
    },
  ],
];
