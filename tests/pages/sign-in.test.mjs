// Signing in as people do: by the mailed link, by its code, with passkeys and without.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { programme } from '../workerd/support/client.mjs';
import { authenticator, mailTo, person, withBrowser } from './support/browser.mjs';
import { enrol, followLink, member } from './support/people.mjs';

let server, browser;
withBrowser((...both) => ([server, browser] = both));

const ownerOf = ({ mark }) => `owner-${mark}@casa.example`;

test('an owner accepts, adds a passkey, and comes back with both', async () => {
  const casa = await programme(server);
  const email = ownerOf(casa);
  const owner = await person(browser, server);
  const { page } = owner;
  const keys = await authenticator(owner);

  await page.goto('/account');
  assert.equal(new URL(page.url()).pathname, '/sign-in', 'nobody has an account');
  await page.goto((await mailTo(server, email)).link);
  await page.getByRole('heading', { name: `${casa.brand.name} invites you` }).waitFor();
  assert.equal(new URL(page.url()).hash, '', 'the token has gone from the address');
  assert.match(await page.textContent('main'), new RegExp(`To be owner .*for ${email}`, 's'));
  await page.getByRole('button', { name: 'Accept' }).click();
  await page.getByRole('heading', { name: 'Look at your mail' }).waitFor();
  const { link } = await mailTo(server, email);
  await page.goto(link);

  await page.waitForURL('**/sign-in/passkey');
  await page.goto('/account');
  assert.equal(new URL(page.url()).pathname, '/sign-in/passkey', 'members need two factors');
  assert.equal((await page.request.get('/v1/members')).status(), 403);
  const codes = await enrol(owner, 'Olga’s laptop');
  assert.equal(codes.length, 10);
  assert.equal(new Set(codes).size, 10);
  assert.match(await page.textContent('main'), /Olga’s laptop/);
  assert.match(await page.textContent('main'), new RegExp(`${casa.brand.name}\\s*owner`));
  assert.equal((await page.request.get('/v1/members')).status(), 200);
  assert.match((await mailTo(server, email)).article, /A passkey was added to your account/);

  const [cookie] = (await owner.context.cookies()).filter(({ name }) => name === '__Host-sid');
  assert.ok(cookie.httpOnly && cookie.secure && cookie.path === '/' && cookie.sameSite === 'Lax');
  assert.equal(cookie.value.length, 43);
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.waitForURL('**/sign-in');
  assert.deepEqual(await owner.context.cookies(), [], 'signing out takes the cookies away');
  const old = await fetch(`${server.origin}/v1/session`, { headers: { cookie: `__Host-sid=${cookie.value}` } });
  assert.equal(old.status, 401, 'and ends the session itself');

  await page.goto(link);
  await page.getByText("isn't good").waitFor();
  assert.equal(await page.getByRole('link', { name: 'Begin again' }).isVisible(), true, 'links work once');

  await followLink(owner, server, email);
  assert.equal(new URL(page.url()).pathname, '/sign-in/passkey');
  await page.getByRole('button', { name: 'Use your passkey' }).click();
  await page.waitForURL(`**/b/${casa.brand.id}`);
  assert.equal((await keys.credentials())[0].signCount, 2);
  await owner.done();
});

test('on another device the link says so, and its code works where it was asked for', async () => {
  const email = ownerOf(await programme(server));
  const owner = await member(browser, server, email);
  await owner.page.getByRole('button', { name: 'Sign out' }).click();
  await owner.page.waitForURL('**/sign-in');
  await owner.page.getByLabel('E-mail address').fill(email);
  await owner.page.getByRole('button', { name: 'Send the link' }).click();
  await owner.page.waitForURL('**/sign-in/code');
  const { link, code } = await mailTo(server, email);

  const phone = await person(browser, server);
  await phone.page.goto(link);
  await phone.page.getByText('You began to sign in with another browser').waitFor();
  assert.deepEqual(await phone.context.cookies(), [], 'nobody is signed in there');
  await phone.page.goto('/sign-in/link#tbs_x');
  await phone.page.getByText("isn't good").waitFor();

  await owner.page.getByLabel('Code').fill('1234 567x');
  await owner.page.getByRole('button', { name: 'Sign in' }).click();
  const wrong = owner.page.getByRole('alert');
  assert.match(await wrong.textContent(), /isn't good/);
  assert.equal(await owner.page.getByLabel('Code').inputValue(), '1234 567x', 'what was typed stays');
  await owner.page.getByLabel('Code').fill(`${code.slice(0, 4)} ${code.slice(4)}`);
  await owner.page.getByRole('button', { name: 'Sign in' }).click();
  await owner.page.waitForURL('**/sign-in/passkey');
  await phone.done();
  await owner.done();
});

test('after five wrong codes the right one is refused too', async () => {
  const email = ownerOf(await programme(server));
  const { page, done } = await person(browser, server);
  await page.goto('/sign-in');
  await page.getByLabel('E-mail address').fill(email);
  await page.getByRole('button', { name: 'Send the link' }).click();
  for (let tries = 1; tries <= 6; tries++) {
    await page.getByLabel('Code').fill(`0000000${tries}`);
    await Promise.all([page.waitForResponse('**/sign-in/code'), page.getByRole('button', { name: 'Sign in' }).click()]);
    const expected = tries <= 5 ? /isn't good/ : /Too many attempts. Try again in \d+ min/;
    await page.getByRole('alert').filter({ hasText: expected }).waitFor();
  }
  await done();
});

test('whoever lost her passkey comes in with a recovery code, once', async () => {
  const email = ownerOf(await programme(server));
  const owner = await member(browser, server, email);
  const away = await person(browser, server);
  await followLink(away, server, email);
  const typed = owner.codes[0].toUpperCase().replaceAll('-', ' ');
  await away.page.getByLabel('Recovery code').fill('0000-0000-0000-0000');
  await away.page.getByRole('button', { name: 'Use the code' }).click();
  assert.match(await away.page.getByRole('alert').first().textContent(), /none of your codes/);
  await away.page.getByLabel('Recovery code').fill(typed);
  await away.page.getByRole('button', { name: 'Use the code' }).click();
  await away.page.waitForURL('**/account');
  assert.match((await mailTo(server, email)).article, /A recovery code was used/);

  await away.page.getByRole('button', { name: 'Sign out' }).click();
  await away.page.waitForURL('**/sign-in');
  await followLink(away, server, email);
  await away.page.getByLabel('Recovery code').fill(typed);
  await away.page.getByRole('button', { name: 'Use the code' }).click();
  assert.match(await away.page.getByRole('alert').first().textContent(), /none of your codes/);
  await away.done();
  await owner.done();
});

test('passkeys are added and removed, and new recovery codes made', async () => {
  const owner = await member(browser, server, ownerOf(await programme(server)));
  const { page } = owner;
  assert.equal(await page.getByRole('button', { name: /^Remove/ }).count(), 0, 'the last one stays');
  await page.getByLabel('Add another').fill('Key');
  await page.getByRole('button', { name: 'Add a passkey' }).click();
  await page.getByText('This device has a passkey of yours already').waitFor();
  await owner.keys.remove();
  const second = await authenticator(owner);
  await page.getByRole('button', { name: 'Add a passkey' }).click();
  await page.getByRole('button', { name: 'Remove Key' }).waitFor();
  assert.equal((await second.credentials()).length, 1);

  await page.getByRole('button', { name: 'Make new recovery codes' }).click();
  await page.getByRole('heading', { name: 'Your recovery codes' }).waitFor();
  const codes = await page.locator('.codes li').allTextContents();
  assert.equal(codes.length, 10);
  assert.ok(!codes.some((code) => owner.codes.includes(code)));
  await page.getByRole('button', { name: 'Copy' }).click();
  await page.getByRole('status').filter({ hasText: /Copied|allow/ }).waitFor();

  await page.getByRole('button', { name: 'Remove Laptop' }).click();
  await page.getByRole('button', { name: 'Remove Laptop' }).waitFor({ state: 'detached' });
  assert.doesNotMatch(await page.textContent('main'), /Laptop/);
  await owner.done();
});

test('a passkey that was shown long ago is asked for again', async () => {
  const casa = await programme(server);
  const owner = await member(browser, server, ownerOf(casa));
  await server.sql(`UPDATE sessions SET stepped_up_at_ms = stepped_up_at_ms - 700000`);
  await owner.page.getByRole('button', { name: 'Make new recovery codes' }).click();
  await owner.page.getByRole('heading', { name: 'Your recovery codes' }).waitFor();
  assert.equal((await owner.keys.credentials())[0].signCount, 2, 'the authenticator signed once more');
  await owner.done();
});
