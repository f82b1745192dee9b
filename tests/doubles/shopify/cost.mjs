// What a query costs, and the bucket that it is paid from.
//
// Shopify's page names the points (object 1, scalar 0, mutation 10, connections by `first`); how connections
// count is not published. Observed on live shops: 2 + floor(2 · ln(max(2, first))) × what one node costs
// (products(first: 10) { nodes { id } } is 6, variants(first: 250) { nodes { inventoryItem { id } } } inside a
// product is 25; community.shopify.dev topics 23101 and 24364). pageInfo is free.
import { getNamedType, isCompositeType, isObjectType, Kind } from 'graphql';
import { isConnection } from './schema.mjs';

export const MAX_COST = 1000;

/** Maximum and restored points per second of the bucket, by plan. */
export const BUCKETS = {
  standard: { maximum: 2000, rate: 100 },
  advanced: { maximum: 4000, rate: 200 },
  plus: { maximum: 20000, rate: 1000 },
};

/** The points that an operation may cost at most. */
export function requestedCost(schema, document, operation, variables) {
  const fragments = new Map();
  for (const node of document.definitions)
    if (node.kind === Kind.FRAGMENT_DEFINITION) fragments.set(node.name.value, node);

  const argument = (field, name) => {
    const value = field.arguments?.find((one) => one.name.value === name)?.value;
    if (value?.kind === Kind.VARIABLE) return variables[value.name.value];
    return value?.kind === Kind.INT ? Number(value.value) : undefined;
  };
  const skipped = (node) =>
    node.directives?.some(({ name, arguments: [{ value }] }) => {
      const given = value.kind === Kind.VARIABLE ? variables[value.name.value] : value.value;
      return (name.value === 'skip' && given === true) || (name.value === 'include' && given === false);
    });

  /** Of an interface or union the dearest type counts. */
  const selection = (set, type) => {
    const shared = new Map();
    const byType = new Map();
    collect(set, type, type, shared, byType);
    const sum = (fields) => [...fields.values()].reduce((total, cost) => total + cost, 0);
    const dearest = Math.max(0, ...[...byType.values()].map(sum));
    return sum(shared) + dearest;
  };
  const collect = (set, type, outer, shared, byType) => {
    for (const node of set.selections) {
      if (skipped(node)) continue;
      if (node.kind === Kind.FIELD) {
        const into = type === outer ? shared : byType.get(type.name);
        const key = node.alias?.value ?? node.name.value;
        // A field that is asked for twice is answered once.
        into.set(key, Math.max(into.get(key) ?? 0, costOf(node, type)));
        continue;
      }
      const fragment = node.kind === Kind.FRAGMENT_SPREAD ? fragments.get(node.name.value) : node;
      const on = fragment.typeCondition ? schema.getType(fragment.typeCondition.name.value) : type;
      const inner = on === outer || isObjectType(outer) ? outer : on;
      if (inner !== outer && !byType.has(inner.name)) byType.set(inner.name, new Map());
      collect(fragment.selectionSet, inner, outer, shared, byType);
    }
  };
  const costOf = (node, parent) => {
    const name = node.name.value;
    const definition = name.startsWith('__') ? undefined : parent.getFields()[name];
    const type = definition && getNamedType(definition.type);
    if (!type || !isCompositeType(type) || name === 'pageInfo') return 0;
    const children = node.selectionSet ? selection(node.selectionSet, type) : 0;
    if (parent === schema.getMutationType()) return 10;
    if (isConnection(type)) {
      const size = argument(node, 'first') ?? argument(node, 'last') ?? 1;
      return 2 + children * factor(size);
    }
    // `edges` only wraps its nodes.
    return children + (name === 'edges' ? 0 : 1);
  };
  const root = schema.getRootType(operation.operation);
  return selection(operation.selectionSet, root);
}

const factor = (size) => (size > 0 ? Math.floor(2 * Math.log(Math.max(2, Math.min(size, 250)))) : 0);

/** What was answered, in points: its objects, never more than was asked for. */
export function actualCost(data, requested, isMutation) {
  if (!data) return Math.min(requested, 1);
  if (isMutation) return Math.min(requested, 10 * Object.keys(data).length);
  let objects = 0;
  const walk = (value) => {
    if (Array.isArray(value)) return value.forEach(walk);
    if (value === null || typeof value !== 'object') return;
    objects++;
    for (const [name, inner] of Object.entries(value)) if (name !== 'pageInfo') walk(inner);
  };
  walk(data);
  return Math.min(requested, Math.max(1, objects - 1));
}

/** A leaky bucket of one app in one shop. Times are the machine's: a test's clock doesn't fill it. */
export class Bucket {
  constructor({ maximum, rate }) {
    this.set({ maximum, rate });
    this.available = maximum;
    this.at = performance.now();
  }

  set({ maximum = this.maximum, rate = this.rate }) {
    this.maximum = maximum;
    this.rate = rate;
    this.available = Math.min(this.available ?? maximum, maximum);
  }

  level() {
    const now = performance.now();
    this.available = Math.min(this.maximum, this.available + ((now - this.at) / 1000) * this.rate);
    this.at = now;
    return this.available;
  }

  /** Whether the points were there; they are gone then. */
  take(points) {
    if (this.level() < points) return false;
    this.available -= points;
    return true;
  }

  giveBack(points) {
    this.available = Math.min(this.maximum, this.level() + points);
  }

  status() {
    const currentlyAvailable = Math.floor(this.level());
    return { maximumAvailable: this.maximum, currentlyAvailable, restoreRate: this.rate };
  }
}
