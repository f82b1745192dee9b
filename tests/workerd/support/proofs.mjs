// A creator's statement checked from docs/proofs.md alone: nothing of the product's code is used here.
import { createHash } from 'node:crypto';

const sha256 = (...parts) => createHash('sha256').update(Buffer.concat(parts)).digest();
const node = (left, right) => sha256(Buffer.of(1), left, right);
const hex = (text) => Buffer.from(text, 'hex');
// Sizes stay far below 2^53; shifts of 32 bits don't.
const half = (n) => Math.floor(n / 2);

/** RFC 9162, section 2.1.3.2. */
function included(leaf, index, size, path) {
  if (index >= size) return null;
  let [fn, sn, r] = [index, size - 1, leaf];
  for (const p of path.map(hex)) {
    if (sn === 0) return null;
    if (fn % 2 === 1 || fn === sn) {
      r = node(p, r);
      while (fn % 2 === 0 && fn !== 0) [fn, sn] = [half(fn), half(sn)];
    } else r = node(r, p);
    [fn, sn] = [half(fn), half(sn)];
  }
  return sn === 0 ? r.toString('hex') : null;
}

/** RFC 9162, section 2.1.4.2. */
function consistent(first, firstRoot, second, secondRoot, path) {
  if (first === second) return path.length === 0 && firstRoot === secondRoot;
  const all = Number.isInteger(Math.log2(first)) ? [firstRoot, ...path] : [...path];
  if (all.length === 0) return false;
  let [fn, sn] = [first - 1, second - 1];
  while (fn % 2 === 1) [fn, sn] = [half(fn), half(sn)];
  const [start, ...rest] = all.map(hex);
  let [fr, sr] = [start, start];
  for (const c of rest) {
    if (sn === 0) return false;
    if (fn % 2 === 1 || fn === sn) {
      [fr, sr] = [node(c, fr), node(c, sr)];
      while (fn % 2 === 0 && fn !== 0) [fn, sn] = [half(fn), half(sn)];
    } else sr = node(sr, c);
    [fn, sn] = [half(fn), half(sn)];
  }
  return sn === 0 && fr.toString('hex') === firstRoot && sr.toString('hex') === secondRoot;
}

/** A decimal text of a currency with two decimals in its smallest unit. */
const minor = (text) => Math.round(Number(text) * 100);

/** What is wrong with a statement (its pages, in a currency with two decimals); null if nothing is. */
export function wrong(pages, previous) {
  const [{ brand_id, creator_id, head, balances, consistency }] = pages;
  const sums = {};
  for (const entry of pages.flatMap(({ data }) => data)) {
    const { sequence, account, amount, cause, cause_id, posted_at, proof } = entry;
    const kind = account === 'paid' ? 'paid' : 'owed';
    const sum = (sums[amount.currency] ??= { owed: 0, paid: 0 });
    sum[kind] += minor(amount.amount);
    if (!proof) {
      if (head && sequence <= head.size) return `${sequence} has no proof`;
      continue;
    }
    const leaf = JSON.parse(proof.leaf);
    const [, , , txn, , , day] = leaf;
    const shown = [
      ...[1, brand_id, sequence, txn, account, creator_id, day, amount.currency],
      ...[minor(amount.amount), cause, cause_id, Date.parse(posted_at)],
    ];
    if (JSON.stringify(shown) !== proof.leaf) return `${sequence} is shown otherwise than it is sealed`;
    if (proof.index !== sequence - 1) return `${sequence} is proven at another place`;
    const hash = sha256(Buffer.of(0), hex(proof.salt), Buffer.from(proof.leaf));
    if (included(hash, proof.index, head.size, proof.path) !== head.root) return `${sequence} isn't in the ledger`;
  }
  for (const { currency, opening, closing, paid } of balances) {
    const sum = sums[currency] ?? { owed: 0, paid: 0 };
    if (minor(opening) + sum.owed !== minor(closing)) return `${currency} doesn't add up`;
    if (sum.paid !== minor(paid)) return `${currency}: what was paid doesn't add up`;
  }
  if (!previous) return null;
  const old = previous.head;
  const path = head.size === old.size ? [] : consistency.path;
  if (head.size !== old.size && consistency.since !== old.size) return 'no proof of consistency';
  return consistent(old.size, old.root, head.size, head.root, path) ? null : 'something was rewritten';
}
