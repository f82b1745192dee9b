// Rings of keys as the secrets hold them: see docs/keys.md.
import { randomBytes } from 'node:crypto';
import { Failure } from './shell.mjs';

const STATES = ['active', 'verify', 'retired'];

/** The entries of a secret: one key in base64, which is number 1, or `number:state:key` between commas. */
export function parseRing(text) {
  const entries = text.trim().split(/[\s,]+/);
  const ring = text.includes(':')
    ? entries.map((entry) => {
        const [number, state, key = ''] = entry.split(':');
        return { number: Number(number), state, key };
      })
    : [{ number: 1, state: 'active', key: text.trim() }];
  const good = ({ number, state, key }) =>
    Number.isInteger(number) &&
    number >= 1 &&
    number <= 255 &&
    STATES.includes(state) &&
    (state === 'retired' || Buffer.from(key, 'base64').length === 32);
  const numbers = new Set(ring.map(({ number }) => number));
  const active = ring.filter(({ state }) => state === 'active');
  if (!ring.every(good) || active.length !== 1 || numbers.size !== ring.length)
    throw new Failure('This is no ring of keys: see docs/keys.md.');
  return ring;
}

export const ringText = (ring) =>
  ring.map(({ number, state, key }) => [number, state, ...(key ? [key] : [])].join(':')).join(',');

/** The ring with one more key, which isn't used for anything new yet. */
export function announced(ring) {
  const number = Math.max(...ring.map((entry) => entry.number)) + 1;
  if (number > 255) throw new Failure('All 255 numbers were used.');
  return [...ring, { number, state: 'verify', key: randomBytes(32).toString('base64') }];
}

/** The ring with its latest key in use; the one before opens and verifies what there is. */
export function activated(ring) {
  const last = Math.max(...ring.map(({ number }) => number));
  return ring.map((entry) => ({
    ...entry,
    state: entry.number === last ? 'active' : entry.state === 'active' ? 'verify' : entry.state,
  }));
}

/** The ring with a key that opens nothing any more; the key itself is thrown away. */
export function retired(ring, number) {
  const entry = ring.find((one) => one.number === number);
  if (entry === undefined) throw new Failure(`There is no key ${number}.`);
  if (entry.state === 'active') throw new Failure(`Key ${number} is in use: rotate first.`);
  return ring.map((one) => (one === entry ? { number, state: 'retired', key: '' } : one));
}
