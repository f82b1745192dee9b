// Ids, amounts and times as Shopify writes them.

// Beyond 2^53, as in Shopify's own samples: whoever reads them as a double gets other orders.
let last = 820982911946154508n;

/** A new id, in digits. Always a text here: a number would lose its end. */
export const newId = () => String((last += 7n));

let lastSmall = 8_123_456_000_000;

/** One below 2^53, as shops, products and variants have them: pages use those as numbers. */
export const newSmallId = () => String((lastSmall += 7));

/** Where ids have got to, and to go on from there: for a double that was kept. */
export const ids = {
  get: () => [String(last), lastSmall],
  set([id, small]) {
    last = BigInt(id);
    lastSmall = small;
  },
};

export const gid = (type, id) => `gid://shopify/${type}/${id}`;

/** The digits of a gid of that type; undefined for anything else. */
export function idOf(type, text) {
  const prefix = `gid://shopify/${type}/`;
  if (typeof text !== 'string' || !text.startsWith(prefix)) return undefined;
  return /^\d+$/.test(text.slice(prefix.length)) ? text.slice(prefix.length) : undefined;
}

/** The id as a JSON number, exact. */
export const number = (id) => (id === null || id === undefined ? null : JSON.rawJSON(String(id)));

const EXPONENTS = { BIF: 0, CLP: 0, JPY: 0, KRW: 0, UGX: 0, VND: 0, XAF: 0, BHD: 3, JOD: 3, KWD: 3, TND: 3 };
export const exponent = (currency) => EXPONENTS[currency] ?? 2;

/** Minor units of an amount in words; refuses what isn't one. */
export function minor(amount, currency) {
  const digits = exponent(currency);
  const match = /^(-?)(\d+)(?:\.(\d+))?$/.exec(String(amount));
  if (!match) throw new TypeError(`no amount: ${amount}`);
  const [, sign, whole, fraction = ''] = match;
  const kept = fraction.padEnd(digits, '0');
  if (/[1-9]/.test(kept.slice(digits))) throw new TypeError(`too many decimals for ${currency}: ${amount}`);
  const value = Number(whole + kept.slice(0, digits));
  return sign && value ? -value : value;
}

/** An amount as webhooks write it: all decimals of the currency. */
export function plain(value, currency) {
  const digits = exponent(currency);
  if (digits === 0) return String(value);
  const text = String(Math.abs(value)).padStart(digits + 1, '0');
  return `${value < 0 ? '-' : ''}${text.slice(0, -digits)}.${text.slice(-digits)}`;
}

/** An amount as GraphQL writes it: without zeros at the end, but with one decimal ("10.0"). */
export function decimal(value, currency) {
  const text = plain(value, currency);
  if (!text.includes('.')) return `${text}.0`;
  return text.replace(/0+$/, '').replace(/\.$/, '.0');
}

/** A whole divided in proportion to weights, to the last minor unit. */
export function divide(whole, weights) {
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  if (total === 0) return weights.map(() => 0);
  let given = 0;
  let seen = 0;
  return weights.map((weight) => {
    seen += weight;
    // Not in one product: whole × seen may be beyond 2^53.
    const upTo = Number((BigInt(whole) * BigInt(seen)) / BigInt(total));
    const part = upTo - given;
    given = upTo;
    return part;
  });
}

/** A time as GraphQL writes it: whole seconds, in UTC. */
export const utc = (ms) =>
  ms === null || ms === undefined ? null : new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z');

const zones = new Map();

/** A time as webhooks write it: whole seconds, with the offset of the shop's time zone. */
export function local(ms, timezone) {
  if (ms === null || ms === undefined) return null;
  let format = zones.get(timezone);
  if (!format) {
    format = new Intl.DateTimeFormat('en-US', { timeZone: timezone, timeZoneName: 'longOffset' });
    zones.set(timezone, format);
  }
  const name = format.formatToParts(ms).find(({ type }) => type === 'timeZoneName').value;
  const offset = name === 'GMT' ? '+00:00' : name.slice(3, 9);
  const minutes =
    (offset[0] === '-' ? -1 : 1) * (Number(offset.slice(1, 3)) * 60 + Number(offset.slice(4, 6)));
  return new Date(ms + minutes * 60_000).toISOString().slice(0, 19) + offset;
}

/** Random numbers from 0 to 1 that are the same for the same seed (mulberry32). */
export function random(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}
