// Bulk operations: what may be asked, and their state. The work itself is in ../bulk.mjs.
import { GraphQLError } from 'graphql';
import { start, refusals } from '../bulk.mjs';
import { connection } from '../connection.mjs';
import { matcher } from '../search.mjs';
import { gid, idOf, newId, utc } from '../values.mjs';

/** Five at a time since API 2026-01. */
const AT_ONCE = 5;

const view = (one) => ({
  __typename: 'BulkOperation',
  id: gid('BulkOperation', one.id),
  status: one.status,
  type: 'QUERY',
  query: one.query,
  errorCode: one.errorCode,
  createdAt: utc(one.createdAt),
  completedAt: utc(one.completedAt),
  objectCount: String(one.objects),
  rootObjectCount: String(one.roots),
  fileSize: one.url ? String(one.size) : null,
  url: one.url,
  partialDataUrl: null,
});

const isOpen = ({ status }) => ['CREATED', 'RUNNING', 'CANCELING'].includes(status);

export function bulkQueries(shop, finders) {
  const one = ({ id }) => {
    const found = shop.bulks.get(idOf('BulkOperation', id));
    return found ? view(found) : null;
  };
  finders.BulkOperation = one;
  return {
    bulkOperation: one,
    currentBulkOperation: ({ type }) => {
      if (type !== 'QUERY') return null;
      const last = [...shop.bulks.values()].at(-1);
      return last ? view(last) : null;
    },
    bulkOperations: (args, context) => {
      if (args.sortKey !== 'CREATED_AT') throw new GraphQLError(`The double can't sort by ${args.sortKey}`);
      const fields = { status: ({ status }) => status, created_at: ({ createdAt }) => createdAt };
      const list = [...shop.bulks.values()].filter(matcher(args.query, fields));
      return connection(list, args, { view, keyOf: ({ createdAt, id }) => [createdAt, id] }, context);
    },
  };
}

export function bulkMutations(shop) {
  return {
    bulkOperationRunQuery: ({ query, groupObjects }, context) => {
      if (groupObjects) throw new GraphQLError("The double doesn't group objects");
      const fail = (code, message) => ({ field: code === 'INVALID' ? ['query'] : null, code, message });
      const errors = refusals(query).map((message) => fail('INVALID', message));
      if (errors.length > 0) return { bulkOperation: null, userErrors: errors };
      if ([...shop.bulks.values()].filter(isOpen).length >= AT_ONCE) {
        const message = `A bulk query operation for this app and shop is already in progress (${AT_ONCE} at most).`;
        return { bulkOperation: null, userErrors: [fail('OPERATION_IN_PROGRESS', message)] };
      }
      const one = { id: newId(), query, status: 'CREATED', errorCode: null, createdAt: shop.clock.now() };
      Object.assign(one, { completedAt: null, objects: 0, roots: 0, size: 0, url: null, lines: [] });
      shop.bulks.set(one.id, one);
      start(shop, one, context);
      return { bulkOperation: view(one), userErrors: [] };
    },
    bulkOperationCancel: ({ id }) => {
      const one = shop.bulks.get(idOf('BulkOperation', id));
      const fail = (message) => ({
        bulkOperation: one ? view(one) : null,
        userErrors: [{ field: ['id'], message }],
      });
      if (!one) return fail('Bulk operation does not exist');
      if (!isOpen(one)) return fail('A bulk operation cannot be canceled when it is completed');
      one.status = 'CANCELING';
      return { bulkOperation: view(one), userErrors: [] };
    },
  };
}
