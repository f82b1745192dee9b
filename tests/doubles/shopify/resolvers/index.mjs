// The root of queries and mutations, of one shop.
import { GraphQLError } from 'graphql';
import { demand } from '../scopes.mjs';
import { bulkMutations, bulkQueries } from './bulk.mjs';
import { discountMutations, discountQueries } from './discounts.mjs';
import { orderQueries } from './orders.mjs';
import { productQueries } from './products.mjs';
import { shopMutations, shopQueries } from './shop.mjs';
import { webhookMutations, webhookQueries } from './webhooks.mjs';

export function root(shop) {
  const finders = {};
  const parts = [shopQueries, webhookQueries, discountQueries, orderQueries, productQueries, bulkQueries];
  const queries = Object.assign({}, ...parts.map((part) => part(shop, finders)));
  const node = ({ id }, context, info) => {
    const type = /^gid:\/\/shopify\/(\w+)\//.exec(id)?.[1];
    if (!type) throw new GraphQLError(`Invalid global id '${id}'`);
    if (!finders[type]) throw new GraphQLError(`The double has no node of type ${type}`);
    demand(context, context.accessOf({ name: '' }, { name: '', type: info.schema.getType(type) }), info);
    const view = finders[type]({ id }, context) ?? null;
    if (view) view.__typename ??= type;
    return view;
  };
  return {
    ...queries,
    node,
    nodes: ({ ids }, context, info) => ids.map((id) => node({ id }, context, info)),
    ...shopMutations(shop),
    ...webhookMutations(shop),
    ...discountMutations(shop),
    ...bulkMutations(shop),
  };
}
