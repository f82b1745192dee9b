// Relay connections over lists that are sorted, by a key that outlives changes between two pages.
import { GraphQLError } from 'graphql';

const MAX_PAGE = 250;

/**
 * A page of `list`. `keyOf` is what the list is sorted by (with the id behind it): an element that moves between
 * two pages is met again or missed, as in Shopify. Without it the position counts.
 */
export function connection(list, args, { view = (one) => one, keyOf } = {}, context) {
  const [first, last] = [args.first ?? undefined, args.last ?? undefined];
  const { after, before } = args;
  // A bulk operation takes all of a connection, but its root page by page.
  const whole = context?.bulk === true;
  const root = whole ? context.root : undefined;
  if (root) context.root = undefined;
  if (!whole && first === undefined && last === undefined)
    throw new GraphQLError('you must provide one of first or last');
  if (first !== undefined && last !== undefined)
    throw new GraphQLError("providing both 'first' and 'last' is not supported");
  for (const size of [first, last])
    if (size > MAX_PAGE || size < 0)
      throw new GraphQLError(`first/last must be from 0 to ${MAX_PAGE}, not ${size}`);
  const ordered = args.reverse ? list.toReversed() : list;
  let from = after ? place(ordered, after, keyOf, args.reverse, true) : 0;
  let to = before ? place(ordered, before, keyOf, args.reverse, false) : ordered.length;
  if (first !== undefined && !whole) to = Math.min(to, from + first);
  if (last !== undefined && !whole) from = Math.max(from, to - last);
  if (root) {
    from = root.after;
    to = Math.min(ordered.length, from + root.size);
    root.more = to < ordered.length;
  }
  const page = ordered.slice(from, Math.max(from, to));
  const cursorAt = (at) => cursor(keyOf ? keyOf(page[at]) : list.indexOf(page[at]));
  return {
    nodes: () => page.map(view),
    edges: () => page.map((one, at) => ({ node: () => view(one), cursor: () => cursorAt(at) })),
    pageInfo: () => ({
      hasNextPage: to < ordered.length,
      hasPreviousPage: from > 0,
      startCursor: page.length > 0 ? cursorAt(0) : null,
      endCursor: page.length > 0 ? cursorAt(page.length - 1) : null,
    }),
  };
}

const cursor = (key) => Buffer.from(JSON.stringify(key)).toString('base64');

/** Where the page begins (behind the cursor) or ends (before it). */
function place(list, text, keyOf, reverse, behind) {
  let key;
  try {
    key = JSON.parse(Buffer.from(text, 'base64').toString());
  } catch {
    throw new GraphQLError(`Invalid cursor for current pagination sort.`);
  }
  if (!keyOf) {
    const at = reverse ? list.length - 1 - key : key;
    return behind ? at + 1 : at;
  }
  const isPast = (one) => {
    const order = compare(keyOf(one), key) * (reverse ? -1 : 1);
    return behind ? order > 0 : order >= 0;
  };
  // Binary: the list is sorted by that key.
  let [low, high] = [0, list.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (isPast(list[middle])) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** Compares keys: [value, id], ids being digits of any length. */
export function compare([a, idA], [b, idB]) {
  if (a !== b) return a < b ? -1 : 1;
  if (idA.length !== idB.length) return idA.length - idB.length;
  return idA === idB ? 0 : idA < idB ? -1 : 1;
}

export const count = (list, limit = 10_000) =>
  limit !== null && list.length > limit
    ? { count: limit, precision: 'AT_LEAST' }
    : { count: list.length, precision: 'EXACT' };
