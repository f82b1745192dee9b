// People at their browsers: cookies, requests from our own pages, an authenticator, their mails.
import assert from 'node:assert/strict';
import { createHash, generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import { Client, eventually, IPHONE } from './client.mjs';

let people = 0;
/** An address that nobody else in this run has. */
export const newAddress = (name = 'person') =>
  `${name}-${process.pid}-${Date.now().toString(36)}-${people++}@people.example`;

/** A browser somewhere in the world: it keeps cookies and asks from our own pages. */
export class Browser {
  cookies = new Map();
  /** The brand that its requests are about: the only one of whoever signed in last. */
  brand = undefined;

  constructor(server) {
    this.server = server;
    const [a, b, c] = randomBytes(3);
    this.client = new Client(server, undefined, {
      'sec-fetch-site': 'same-origin',
      'user-agent': IPHONE,
      'cf-connecting-ip': `10.${a}.${b}.${c}`,
    });
  }

  /** Any answer; cookies that it sets are kept. */
  async call(method, path, body, headers = {}) {
    const cookie = [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const about = this.brand && { 'tributary-brand': this.brand };
    const all = { ...(cookie && { cookie }), ...about, ...headers };
    const answer = await this.client.call(method, path, body, all);
    const { brands, creators } = answer.json ?? {};
    if (Array.isArray(brands) && Array.isArray(creators)) {
      const ids = new Set([...brands.map(({ id }) => id), ...creators.map(({ brand_id }) => brand_id)]);
      this.brand = ids.size === 1 ? [...ids][0] : undefined;
    }
    for (const set of answer.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(set);
      if (set.includes('Max-Age=0')) this.cookies.delete(name);
      else this.cookies.set(name, value);
    }
    return answer;
  }

  /** The answer's JSON, which must be a good one's. */
  async done(method, path, body, headers) {
    const { status, json, text } = await this.call(method, path, body, headers);
    assert.ok(status >= 200 && status < 300, `${method} ${path} answered ${status} ${text}`);
    return json;
  }

  get = (path) => this.done('GET', path);
  post = (path, body = {}) => this.done('POST', path, body);
  status = async (method, path, body) => (await this.call(method, path, body)).status;

  /** Begins a sign-in and answers the mail to `email`, with its link's token and its code. */
  async begin(email, more = { email }, headers) {
    const before = (await inbox(this.server, email, SIGN_IN)).length;
    await this.done('POST', '/v1/sign-in', more, headers);
    const text = await mailed(this.server, email, SIGN_IN, before);
    return { text, token: SIGN_IN.exec(text)[1], code: /where you began: (\d{8})\s/.exec(text)[1] };
  }

  async signIn(email, more) {
    const { token } = await this.begin(email, more);
    return this.post('/v1/sign-in/link', { token });
  }

  challenge = async () => (await this.post('/v1/passkeys/challenge')).challenge;

  async enroll(key) {
    const body = { name: 'Phone', ...key.create(await this.challenge()) };
    return this.post('/v1/passkeys', body);
  }

  show = async (key) => this.post('/v1/session/passkey', key.get(await this.challenge()));
}

/** What a mail of each kind has, and no other. */
const [SIGN_IN, INVITATION] = [/\/sign-in\/link#(\S+)/, /\/invitation#(\S+)/];

/** The texts of such mails to this address, which the mail service of a server with `mail` has taken. */
const inbox = async (server, email, kind) =>
  (await server.mails()).filter(({ to, text }) => to === email && kind.test(text)).map(({ text }) => text);

/** The text of such a mail after the first `before`. */
const mailed = (server, email, kind, before) =>
  eventually(`a mail to ${email}`, async () => (await inbox(server, email, kind))[before], { every: 20 });

/** The token of the invitation that was mailed to this address. */
export const invited = async (server, email) =>
  INVITATION.exec(await mailed(server, email, INVITATION, 0))[1];

/** The owner of a brand that `programme` made: she takes up her invitation and adds a passkey. */
export async function owner(server, { mark }) {
  const email = `owner-${mark}@casa.example`;
  return member(server, email, await invited(server, email));
}

/** Whoever takes up this invitation, with a passkey that she has just shown. */
export async function member(server, email, invitation) {
  const [browser, key] = [new Browser(server), new Authenticator(server)];
  const session = await browser.signIn(email, { invitation });
  const { recovery_codes: codes } = await browser.enroll(key);
  return { email, browser, key, codes, session, id: session.brands[0].member_id };
}

const base64url = (bytes) => Buffer.from(bytes).toString('base64url');
const sha256 = (bytes) => createHash('sha256').update(bytes).digest();

/** An authenticator with one passkey that counts. */
export class Authenticator {
  constructor({ origin }) {
    Object.assign(this, { origin, rpId: 'localhost', flags: 0x05, count: 0, id: randomBytes(16) });
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    [this.secret, this.point] = [privateKey, publicKey.export({ format: 'jwk' })];
  }

  #client = (type, challenge) => Buffer.from(JSON.stringify({ type, challenge, origin: this.origin }));

  #data(flags) {
    const count = Buffer.alloc(4);
    count.writeUInt32BE(++this.count);
    return Buffer.concat([sha256(this.rpId), Buffer.from([flags]), count]);
  }

  create(challenge) {
    const part = (text) => Buffer.from(text, 'base64url');
    const data = Buffer.concat([
      this.#data(this.flags | 0x40),
      Buffer.alloc(16),
      Buffer.from([0, this.id.length]),
      this.id,
      Buffer.from('a5010203262001215820', 'hex'),
      part(this.point.x),
      Buffer.from('225820', 'hex'),
      part(this.point.y),
    ]);
    const client = this.#client('webauthn.create', challenge);
    return { client_data: base64url(client), authenticator_data: base64url(data) };
  }

  get(challenge) {
    const [client, data] = [this.#client('webauthn.get', challenge), this.#data(this.flags)];
    const signature = sign('sha256', Buffer.concat([data, sha256(client)]), this.secret);
    return {
      credential_id: base64url(this.id),
      client_data: base64url(client),
      authenticator_data: base64url(data),
      signature: base64url(signature),
    };
  }
}
