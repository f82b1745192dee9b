// What other sites, other people and hostile texts can't do.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { after, test } from 'node:test';
import { Client, programme, visit } from '../workerd/support/client.mjs';
import { startServer } from '../workerd/support/server.mjs';
import { authenticator, mailTo, person, withBrowser } from './support/browser.mjs';
import { acceptInvitation, enrol, followLink, member } from './support/people.mjs';

let server, browser, elsewhere;
withBrowser(async (...both) => {
  [server, browser] = both;
  elsewhere = await anotherSite();
});
after(() => {
  elsewhere?.close();
});

const ownerOf = ({ mark }) => `owner-${mark}@casa.example`;
const XSS = ['<script>window.hit=1</script>', '"><img src=x onerror=hit=1>', '{{7*7}}', 'javascript:hit=1', "';hit=1//"];

/** A site of somebody else's: pages with what a test puts into them. */
async function anotherSite() {
  let html = '';
  const site = createServer((_, response) => response.setHeader('content-type', 'text/html').end(html));
  await new Promise((resolve) => site.listen(0, '127.0.0.1', resolve));
  // Of another site; and a neighbour on ours, to which browsers send our cookies along.
  const address = (host) => `http://${host}:${site.address().port}/`;
  const show = (text, host = '127.0.0.1') => ((html = text), address(host));
  return { show, close: () => site.close() };
}

test('forms of other sites change nothing', async () => {
  const casa = await programme(server);
  const owner = await member(browser, server, ownerOf(casa));
  const { page, context } = owner;
  const csrf = await page.locator('[name=csrf]').first().getAttribute('value');
  const session = (await (await page.request.get('/v1/session')).json()).session.id;
  const stranger = await context.newPage();
  const sent = async (host, path, fields, type = 'application/x-www-form-urlencoded') => {
    const inputs = Object.entries(fields).map(([name, value]) => `<input name='${name}' value='${value}'>`);
    const form = `<form method=post action="${server.origin}${path}" enctype="${type}">${inputs.join('')}</form>`;
    await stranger.goto(elsewhere.show(form, host));
    const [response] = await Promise.all([
      stranger.waitForResponse((found) => found.url().startsWith(server.origin) && found.request().method() === 'POST'),
      stranger.evaluate(() => document.forms[0].submit()),
    ]);
    await stranger.waitForURL((url) => url.origin === server.origin);
    return response.status();
  };
  const posts = ['/sign-out', `/account/sessions/${session}/end`, '/sign-in/recovery', '/sign-in', '/sign-in/code'];
  for (const host of ['127.0.0.1', 'localhost']) {
    for (const path of [...posts, '/invitation', '/invitation/acceptance'])
      assert.equal(await sent(host, path, { csrf, email: ownerOf(casa), token: 'x', code: 'x' }), 403, path);
    // A form that writes JSON, as far as one can.
    const json = await sent(host, '/v1/members', { '{"email":"eve@x.example","role":"owner","x":"': '"}' }, 'text/plain');
    assert.equal(json, host === 'localhost' ? 403 : 401);
  }
  assert.equal((await page.request.get('/v1/session')).status(), 200, 'the session goes on');

  // A script elsewhere can't even ask.
  await stranger.goto(elsewhere.show('<p>', 'localhost'));
  const asked = await stranger.evaluate(async (origin) => {
    const options = { method: 'POST', credentials: 'include', headers: { 'content-type': 'application/json' }, body: '{}' };
    return fetch(`${origin}/v1/passkeys/challenge`, options).then(() => 'answered', () => 'blocked');
  }, server.origin);
  assert.equal(asked, 'blocked');
  const read = await stranger.evaluate(
    (origin) => fetch(`${origin}/v1/session`, { credentials: 'include' }).then(() => 'read', () => 'blocked'),
    server.origin,
  );
  assert.equal(read, 'blocked');

  await stranger.close();
  assert.equal((await page.request.get('/v1/members')).status(), 200);
  const { data } = await casa.client.get('/v1/members');
  assert.equal(data.length, 1, 'nobody was invited');
  owner.complaints.length = 0;
  await owner.done();
});

test('a form without its proof, or with that of another session, is refused', async () => {
  const [casa, other] = [await programme(server), await programme(server)];
  const owner = await member(browser, server, ownerOf(casa));
  const neighbour = await member(browser, server, ownerOf(other));
  const theirs = await neighbour.page.locator('[name=csrf]').first().getAttribute('value');
  for (const csrf of ['', 'x.y', theirs]) {
    await owner.page.goto('/account');
    await owner.page.locator('form[action="/sign-out"] [name=csrf]').evaluate((input, value) => (input.value = value), csrf);
    await owner.page.getByRole('button', { name: 'Sign out' }).click();
    await owner.page.getByRole('heading', { name: 'Not allowed' }).waitFor();
  }
  assert.equal((await owner.page.request.get('/v1/session')).status(), 200);
  await owner.done();
  await neighbour.done();
});

test('pages are not shown in frames', async () => {
  const { page, context } = await person(browser, server);
  for (const path of ['/sign-in', '/privacy', '/mailbox', '/account']) {
    await page.goto(elsewhere.show(`<iframe src="${server.origin}${path}"></iframe>`));
    const frame = page.frames().find((found) => found !== page.mainFrame());
    await page.waitForTimeout(200);
    const text = await frame.evaluate(() => document.body.innerText).catch(() => '');
    assert.doesNotMatch(text, /Sign in|stored|Mailbox/, path);
  }
  await context.close();
});

test('texts of other people are texts', async () => {
  const text = XSS.join(' ');
  const operator = new Client(server, server.operatorToken);
  const email = 'xss@casa.example';
  const { api_key } = await operator.post('/v1/brands', {
    ...{ name: text, currency: 'USD', homepage_url: 'https://casa.example', owner_email: email },
  });
  const client = operator.as(api_key);
  const owner = await person(browser, server, { userAgent: `${text} Chrome/1 ${text}` });
  const { page } = owner;
  await authenticator(owner);
  await page.goto('/mailbox');
  assert.match(await page.textContent('main'), / invites you to its team/);
  await page.goto((await mailTo(server, email)).link);
  await page.getByRole('heading', { name: `${text} invites you` }).waitFor();
  await acceptInvitation(owner, server, email);
  await enrol(owner, text);
  const shown = await page.textContent('main');
  assert.equal(shown.split(text).length - 1, 2, `the brand's name and the passkey's: ${shown}`);

  // A creator of this brand, whose name is as bad, sees the brand's.
  const storefront = { shop_domain: 'xss.myshopify.com', storefront_url: 'https://shop.casa.example' };
  await client.post('/v1/stores', { platform: 'shopify', client_id: 'app', client_secret: 'hush', ...storefront });
  const creator = await client.post('/v1/creators', { name: text, handle: '@bad' });
  const campaign = await client.post('/v1/campaigns', { name: text });
  const deal = await client.post('/v1/deals', { creator_id: creator.id, campaign_id: campaign.id });
  const { url } = await client.post(`/v1/deals/${deal.id}/invitation`, {});
  const anna = await person(browser, server);
  await anna.page.goto(url);
  await anna.page.getByRole('heading', { name: `${text} invites you` }).waitFor();
  const address = 'anna@people.example';
  await anna.page.getByLabel('Your e-mail address').fill(address);
  await anna.page.getByRole('button', { name: 'Accept' }).click();
  await anna.page.waitForURL('**/sign-in/code');
  await anna.page.goto((await mailTo(server, address)).link);
  await anna.page.waitForURL('**/c/*');
  assert.ok((await anna.page.textContent('body')).includes(text), 'the brand on her own page');
  await anna.page.goto('/account');
  assert.ok((await anna.page.textContent('main')).includes(`as ${text}`));
  for (const { page } of [owner, anna]) assert.equal(await page.evaluate(() => window.hit), undefined);
  await owner.done();
  await anna.done();
  for (const text of XSS) {
    const { page, done } = await person(browser, server);
    await page.goto('/sign-in');
    await page.locator('form').evaluate((form) => (form.noValidate = true));
    await page.getByLabel('E-mail address').evaluate((input, value) => ((input.type = 'text'), (input.value = value)), text);
    await page.getByRole('button', { name: 'Send the link' }).click();
    await page.getByRole('alert').waitFor();
    assert.equal(await page.getByLabel('E-mail address').inputValue(), text);
    assert.equal(await page.evaluate(() => window.hit), undefined);
    await done();
  }
});

test('redirects and link domains neither read nor set a cookie, and serve no page', async () => {
  const { link, client } = await programme(server);
  const cookie = '__Host-sid=abc; __Host-signin=def';
  const followed = await visit(server, `/go/${link.slug}`, { headers: { cookie } });
  assert.equal(followed.status, 302);
  assert.equal(followed.headers.get('set-cookie'), null);
  assert.equal(followed.headers.get('strict-transport-security'), 'max-age=31536000; includeSubDomains');

  await client.patch('/v1/brand', { link_domain: 'go.casa.example' });
  const onDomain = await client.post(`/v1/deals/${(await client.get('/v1/deals')).data[0].id}/links`, { slug: 'mine' });
  const host = 'go.casa.example';
  const there = await visit(server, `/${onDomain.slug}`, { host, headers: { cookie } });
  assert.equal(there.status, 302);
  assert.equal(there.headers.get('set-cookie'), null);
  assert.equal(there.headers.get('strict-transport-security'), 'max-age=31536000');
  const html = await (await fetch(`${server.origin}/sign-in`)).text();
  const css = /href="(\/assets\/[^"]+\.css)"/.exec(html)[1];
  for (const path of [css, '/sign-in', '/account', '/privacy', '/mailbox', '/openapi.json', '/v1/session', '/pages/privacy.html', '/']) {
    const answer = await visit(server, path, { host, headers: { cookie, accept: 'text/html' } });
    assert.equal(answer.status, 404, path);
    assert.equal(answer.headers.get('set-cookie'), null, path);
    assert.equal(answer.headers.get('x-frame-options'), 'DENY', path);
    assert.equal(answer.headers.get('strict-transport-security'), 'max-age=31536000', path);
  }
});

test('assets are what the worker says and nothing else is', async () => {
  const html = await (await fetch(`${server.origin}/sign-in/link`)).text();
  const found = [...html.matchAll(/(?:href|src)="(\/assets\/[^"]+)"/g)].map(([, path]) => path);
  assert.equal(new Set(found).size, 3, `style, icon and script: ${found}`);
  for (const path of found) {
    const answer = await fetch(server.origin + path);
    assert.equal(answer.status, 200, path);
    assert.equal(answer.headers.get('cache-control'), 'public, max-age=31536000, immutable', path);
    assert.match(answer.headers.get('content-type'), /^(text\/(css|javascript); charset=utf-8|image\/svg\+xml)$/);
    assert.ok((await answer.text()).length > 100, path);
  }
  const style = found.find((path) => path.endsWith('.css'));
  for (const path of ['/dashboard/x.css', '/account/x.css', '/assets/', '/assets', '/assets/..%2fopenapi.json', '/..%2f', '/.git', '/.git/config', '/openapi', '/pages/privacy.html', `${style}/`, `${style}.map`, style.replace('/assets/', '/assets//'), style.replace('/assets/', '/')]) {
    const answer = await visit(server, path);
    assert.equal(answer.status, 404, path);
    assert.equal(answer.headers.get('cache-control'), 'no-store', path);
  }
  const document = await fetch(`${server.origin}/openapi.json`);
  assert.equal(document.headers.get('content-type'), 'application/json');
  assert.ok((await document.json()).paths['/v1/session']);
});

test('preflights are answered without leave', async () => {
  for (const path of ['/v1/session', '/v1/members', '/sign-in', '/openapi.json']) {
    const headers = { origin: 'https://evil.example', 'access-control-request-method': 'POST' };
    const answer = await visit(server, path, { method: 'OPTIONS', headers });
    assert.equal(answer.status, 405, path);
    assert.equal([...answer.headers.keys()].filter((name) => name.startsWith('access-control')).length, 0);
  }
});

test('deployed, there is no mailbox', async () => {
  const deployed = await startServer({ vars: { LOCAL: '0' } });
  try {
    for (const path of ['/mailbox', '/mailbox/mail_01m81wh757e0e8t9gmdymhqryh'])
      assert.equal((await fetch(deployed.origin + path)).status, 404, path);
  } finally {
    await deployed.stop();
  }
});

test('two members who share a browser’s neighbourhood see their own brand only', async () => {
  const [casa, villa] = [await programme(server), await programme(server)];
  const [olga, vera] = [await member(browser, server, ownerOf(casa)), await member(browser, server, ownerOf(villa))];
  for (const [who, own, other] of [[olga, casa, villa], [vera, villa, casa]]) {
    await who.page.goto('/account');
    const text = await who.page.textContent('body');
    assert.ok(text.includes(own.brand.name) && !text.includes(other.brand.name));
    const told = await (await who.page.request.get('/v1/brand')).json();
    assert.equal(told.id, own.brand.id);
    const headers = { 'tributary-brand': other.brand.id };
    assert.ok([403, 404].includes((await who.page.request.get('/v1/brand', { headers })).status()));
    assert.equal((await who.page.request.get(`/v1/creators/${other.creator.id}`)).status(), 404);
  }
  await olga.done();
  await vera.done();
});

test('a session that is ended elsewhere ends at once', async () => {
  const casa = await programme(server);
  const laptop = await member(browser, server, ownerOf(casa));
  const phone = await person(browser, server, { userAgent: 'Mozilla/5.0 (Linux; Android 16) Chrome/156.0' });
  await followLink(phone, server, ownerOf(casa));
  await phone.page.getByLabel('Recovery code').fill(laptop.codes[0]);
  await phone.page.getByRole('button', { name: 'Use the code' }).click();
  await phone.page.waitForURL('**/account');

  await laptop.page.reload();
  await laptop.page.getByRole('button', { name: 'End the session: Chrome, Android' }).click();
  await laptop.page.getByText('Chrome, Android').waitFor({ state: 'detached' });
  await phone.page.reload();
  assert.equal(new URL(phone.page.url()).pathname, '/sign-in');
  assert.deepEqual(await phone.context.cookies(), []);

  // Removed from the brand in the middle of a session: the next request knows.
  const { data } = await casa.client.get('/v1/members');
  await casa.client.post('/v1/members', { email: 'next@casa.example', role: 'owner' });
  const next = await member(browser, server, 'next@casa.example');
  const headers = { origin: server.origin, 'tributary-brand': casa.brand.id };
  const gone = await next.page.request.delete(`/v1/members/${data[0].id}`, { headers });
  assert.equal(gone.status(), 204);
  await laptop.page.reload();
  assert.match(await laptop.page.textContent('main'), /Nowhere at the moment/);
  assert.equal((await laptop.page.request.get('/v1/brand')).status(), 403);
  for (const who of [laptop, phone, next]) await who.done();
});
