// Discounts: their view, and what is done with them.
import { GraphQLError } from 'graphql';
import { connection, count } from '../connection.mjs';
import {
  addCode,
  classOf,
  discountBody,
  KINDS,
  redeemCodeBody,
  remove,
  removeCodes,
  save,
  setActive,
  statusOf,
  TAKEN,
} from '../discounts.mjs';
import { matcher } from '../search.mjs';
import { decimal, gid, idOf, minor, newId, utc } from '../values.mjs';
import { collectionOf, productOf, variantOf } from './products.mjs';

const MAX_CODES = 250;
const byCreation = ({ createdAt, id }) => [createdAt, id];

const find = (shop, id) =>
  shop.discounts.get(idOf('DiscountCodeNode', id) ?? idOf('DiscountNode', id) ?? idOf('DiscountCode', id));

const node = (shop, discount) => ({
  __typename: 'DiscountCodeNode',
  id: gid('DiscountCodeNode', discount.id),
  codeDiscount: () => view(shop, discount),
});

const discountNode = (shop, discount) => ({
  __typename: 'DiscountNode',
  id: gid('DiscountNode', discount.id),
  discount: () => view(shop, discount),
});

const money = (shop, amount) => ({
  amount: decimal(minor(amount, shop.currency), shop.currency),
  currencyCode: shop.currency,
});

const redeemCode = ({ id, code, usage }) => ({
  id: gid('DiscountRedeemCode', id),
  code,
  asyncUsageCount: usage,
  createdBy: null,
});

function view(shop, discount) {
  const { input, kind } = discount;
  const { combinesWith = {}, minimumRequirement } = input;
  const classes = [classOf(discount)];
  const summary = () => summaryOf(shop, discount);
  return {
    __typename: KINDS[kind].type,
    title: input.title,
    status: statusOf(discount, shop.clock.now()),
    startsAt: utc(discount.startsAt),
    endsAt: utc(discount.endsAt),
    createdAt: utc(discount.createdAt),
    updatedAt: utc(discount.updatedAt),
    usageLimit: input.usageLimit ?? null,
    usesPerOrderLimit: input.usesPerOrderLimit ?? null,
    recurringCycleLimit: input.recurringCycleLimit ?? null,
    appliesOncePerCustomer: input.appliesOncePerCustomer ?? false,
    appliesOnOneTimePurchase: input.appliesOnOneTimePurchase ?? true,
    appliesOnSubscription: input.appliesOnSubscription ?? false,
    asyncUsageCount: discount.usage,
    codesCount: ({ limit } = {}) => count(discount.codes, limit),
    codes: (args, context) => {
      const fits = matcher(args.query, { code: ({ code }) => code, id: ({ id }) => BigInt(id) });
      return connection(discount.codes.filter(fits), args, { view: redeemCode, keyOf: byCreation }, context);
    },
    combinesWith: {
      orderDiscounts: combinesWith.orderDiscounts ?? false,
      productDiscounts: combinesWith.productDiscounts ?? false,
      shippingDiscounts: combinesWith.shippingDiscounts ?? false,
      productDiscountsWithTagsOnSameCartLine: null,
    },
    discountClass: classes[0],
    discountClasses: classes,
    context: () => contextView(input),
    customerGets: () => ({
      items: itemsView(shop, discount.customerGets),
      value: valueView(shop, input.customerGets.value),
      appliesOnOneTimePurchase: input.customerGets.appliesOnOneTimePurchase ?? true,
      appliesOnSubscription: input.customerGets.appliesOnSubscription ?? false,
    }),
    customerBuys: () => ({
      items: itemsView(shop, discount.customerBuys),
      value: buysView(input.customerBuys.value),
      isOneTimePurchase: input.customerBuys.isOneTimePurchase ?? true,
      isSubscription: input.customerBuys.isSubscription ?? false,
    }),
    minimumRequirement: minimumView(shop, minimumRequirement),
    destinationSelection: () =>
      input.destination?.all
        ? { __typename: 'DiscountCountryAll', allCountries: true }
        : {
            __typename: 'DiscountCountries',
            countries: input.destination?.countries?.add ?? [],
            includeRestOfWorld: input.destination?.countries?.includeRestOfWorld ?? false,
          },
    maximumShippingPrice: input.maximumShippingPrice ? money(shop, input.maximumShippingPrice) : null,
    shareableUrls: () =>
      discount.codes.slice(0, 1).map(({ code }) => ({
        title: shop.name,
        targetType: 'HOME',
        url: `https://${shop.domain}/discount/${encodeURIComponent(code)}`,
      })),
    summary,
    shortSummary: summary,
    tags: input.tags ?? [],
    totalSales: null,
    hasTimelineComment: false,
  };
}

const contextView = ({ context }) => {
  if (!context || context.all) return { __typename: 'DiscountBuyerSelectionAll', all: 'ALL' };
  throw new GraphQLError('The double shows only discounts for all customers');
};

function itemsView(shop, items) {
  if (items.all) return { __typename: 'AllDiscountItems', allItems: true };
  const pick = (list, known) => list.map((id) => known.get(id.split('/').pop())).filter(Boolean);
  if (items.collections.length > 0) {
    const list = pick(items.collections, shop.collections);
    const collections = (args, context) =>
      connection(list, args, { view: (one) => collectionOf(shop, one) }, context);
    return { __typename: 'DiscountCollections', collections };
  }
  const variants = new Map([...shop.products.values()].map(({ variant }) => [variant.id, variant]));
  return {
    __typename: 'DiscountProducts',
    products: (args, context) =>
      connection(pick(items.products, shop.products), args, { view: (one) => productOf(shop, one) }, context),
    productVariants: (args, context) =>
      connection(pick(items.variants, variants), args, { view: (one) => variantOf(shop, one) }, context),
  };
}

function valueView(shop, { percentage, discountAmount, discountOnQuantity }) {
  if (discountOnQuantity) {
    const { quantity, effect } = discountOnQuantity;
    const shown = effect.percentage
      ? { percentage: effect.percentage }
      : { discountAmount: { amount: effect.amount } };
    return {
      __typename: 'DiscountOnQuantity',
      quantity: { quantity: String(quantity) },
      effect: valueView(shop, shown),
    };
  }
  if (discountAmount) {
    const appliesOnEachItem = discountAmount.appliesOnEachItem ?? false;
    return { __typename: 'DiscountAmount', amount: money(shop, discountAmount.amount), appliesOnEachItem };
  }
  return { __typename: 'DiscountPercentage', percentage };
}

const buysView = ({ quantity, amount }) =>
  quantity
    ? { __typename: 'DiscountQuantity', quantity: String(quantity) }
    : { __typename: 'DiscountPurchaseAmount', amount: String(amount) };

function minimumView(shop, { subtotal, quantity } = {}) {
  if (subtotal) {
    const amount = money(shop, subtotal.greaterThanOrEqualToSubtotal);
    return { __typename: 'DiscountMinimumSubtotal', greaterThanOrEqualToSubtotal: amount };
  }
  if (!quantity) return null;
  const units = String(quantity.greaterThanOrEqualToQuantity);
  return { __typename: 'DiscountMinimumQuantity', greaterThanOrEqualToQuantity: units };
}

function summaryOf(shop, { kind, input, customerGets }) {
  if (kind === 'freeShipping') return 'Free shipping on all products';
  const { percentage, discountAmount } = input.customerGets.value;
  if (kind === 'bxgy') return 'Buy X, get Y';
  const off = percentage
    ? `${Math.round(percentage * 10_000) / 100}%`
    : `${discountAmount.amount} ${shop.currency}`;
  return `${off} off ${customerGets.all ? 'entire order' : 'selected products'}`;
}

/** What lists of discounts can be searched by. */
const FIELDS = (shop) => ({
  id: ({ id }) => BigInt(id),
  code: ({ codes }) => codes.map(({ code }) => code),
  title: ({ input }) => input.title,
  status: (one) => statusOf(one, shop.clock.now()),
  created_at: ({ createdAt }) => createdAt,
  updated_at: ({ updatedAt }) => updatedAt,
  starts_at: ({ startsAt }) => startsAt,
  ends_at: ({ endsAt }) => endsAt,
  times_used: ({ usage }) => BigInt(usage),
  method: () => 'code',
});

const KEYS = {
  ID: ({ id }) => ['', id],
  CREATED_AT: ({ createdAt, id }) => [createdAt, id],
  UPDATED_AT: ({ updatedAt, id }) => [updatedAt, id],
  STARTS_AT: ({ startsAt, id }) => [startsAt, id],
  TITLE: ({ input, id }) => [input.title, id],
};

export function discountQueries(shop, finders) {
  const list = (args, shown, context) => {
    const keyOf = KEYS[args.sortKey];
    if (!keyOf) throw new GraphQLError(`The double can't sort discounts by ${args.sortKey}`);
    const found = [...shop.discounts.values()].filter(matcher(args.query, FIELDS(shop)));
    found.sort((a, b) => compareKeys(keyOf(a), keyOf(b)));
    return connection(found, args, { view: (one) => shown(shop, one), keyOf }, context);
  };
  const one =
    (shown) =>
    ({ id }) => {
      const found = find(shop, id);
      return found ? shown(shop, found) : null;
    };
  const creation = ({ id }) => {
    const found = shop.creations.get(idOf('DiscountRedeemCodeBulkCreation', id));
    return found ? creationView(shop, found) : null;
  };
  finders.DiscountCodeNode = one(node);
  finders.DiscountNode = one(discountNode);
  finders.DiscountRedeemCodeBulkCreation = creation;
  return {
    codeDiscountNode: one(node),
    discountNode: one(discountNode),
    codeDiscountNodeByCode: ({ code }) => {
      const found = shop.codes.get(code.toLowerCase());
      return found ? node(shop, found.discount) : null;
    },
    codeDiscountNodes: (args, context) => list(args, node, context),
    discountNodes: (args, context) => list(args, discountNode, context),
    discountNodesCount: ({ limit, query }) =>
      count([...shop.discounts.values()].filter(matcher(query, FIELDS(shop))), limit),
    discountCodesCount: ({ limit, query }) => {
      if (query) throw new GraphQLError('The double has no query of discountCodesCount');
      return count([...shop.codes.keys()], limit);
    },
    discountRedeemCodeBulkCreation: creation,
  };
}

const compareKeys = ([a, idA], [b, idB]) => (a < b ? -1 : a > b ? 1 : Number(BigInt(idA) - BigInt(idB)));

export function discountMutations(shop) {
  const failed = (rest, field, code, message) => ({
    ...rest,
    userErrors: [{ field, code, message, extraInfo: null }],
  });
  const missing = (rest, field = ['id']) => failed(rest, field, 'INVALID', 'Discount does not exist.');
  const saved = ({ discount, errors }) => ({
    codeDiscountNode: discount ? node(shop, discount) : null,
    userErrors: errors ?? [],
  });
  const create = (kind) => (args) => saved(save(shop, kind, args[KINDS[kind].argument]));
  const update = (kind) => (args) => {
    const discount = find(shop, args.id);
    if (!discount || discount.kind !== kind) return missing({ codeDiscountNode: null });
    return saved(save(shop, kind, args[KINDS[kind].argument], discount));
  };
  const activate =
    (active) =>
    ({ id }) => {
      const discount = find(shop, id);
      if (!discount) return missing({ codeDiscountNode: null });
      setActive(shop, discount, active);
      return { codeDiscountNode: node(shop, discount), userErrors: [] };
    };
  /** A job over discounts: done a moment later. */
  const bulk =
    (work) =>
    ({ ids, search, savedSearchId }) => {
      if (savedSearchId) throw new GraphQLError('The double has no saved searches');
      if ((ids === undefined) === (search === undefined))
        return failed(
          { job: null },
          ['ids'],
          'MISSING_ARGUMENT',
          'Exactly one of ids, search and savedSearchId is needed',
        );
      tooMany(ids);
      const list = ids
        ? ids.map((id) => find(shop, id)).filter(Boolean)
        : [...shop.discounts.values()].filter(matcher(search, FIELDS(shop)));
      return { job: later(shop, () => list.forEach(work)), userErrors: [] };
    };
  return {
    discountCodeBasicCreate: create('basic'),
    discountCodeBasicUpdate: update('basic'),
    discountCodeBxgyCreate: create('bxgy'),
    discountCodeBxgyUpdate: update('bxgy'),
    discountCodeFreeShippingCreate: create('freeShipping'),
    discountCodeFreeShippingUpdate: update('freeShipping'),
    discountCodeActivate: activate(true),
    discountCodeDeactivate: activate(false),
    discountCodeDelete: ({ id }) => {
      const discount = find(shop, id);
      if (!discount) return missing({ deletedCodeDiscountId: null });
      remove(shop, discount);
      return { deletedCodeDiscountId: gid('DiscountCodeNode', discount.id), userErrors: [] };
    },
    discountCodeBulkActivate: bulk((discount) => setActive(shop, discount, true)),
    discountCodeBulkDeactivate: bulk((discount) => setActive(shop, discount, false)),
    discountCodeBulkDelete: bulk((discount) => remove(shop, discount)),
    discountRedeemCodeBulkAdd: ({ discountId, codes }) => {
      tooMany(codes);
      const discount = find(shop, discountId);
      if (!discount) return missing({ bulkCreation: null }, ['discountId']);
      if (codes.length === 0)
        return failed({ bulkCreation: null }, ['codes'], 'BLANK', "Codes can't be blank");
      return { bulkCreation: creationView(shop, startCreation(shop, discount, codes)), userErrors: [] };
    },
    discountCodeRedeemCodeBulkDelete: ({ discountId, ids, search }) => {
      const discount = find(shop, discountId);
      if (!discount) return missing({ job: null }, ['discountId']);
      if ((ids === undefined) === (search === undefined))
        return failed(
          { job: null },
          ['ids'],
          'MISSING_ARGUMENT',
          'Exactly one of ids, search and savedSearchId is needed',
        );
      tooMany(ids);
      const wanted = new Set(ids?.map((id) => idOf('DiscountRedeemCode', id)));
      const fits = ids ? ({ id }) => wanted.has(id) : matcher(search, { code: ({ code }) => code });
      const gone = new Set(discount.codes.filter(fits));
      return { job: later(shop, () => removeCodes(shop, discount, gone)), userErrors: [] };
    },
  };
}

function tooMany(list) {
  if (!list || list.length <= MAX_CODES) return;
  const message = `The input array size of ${list.length} is greater than the maximum allowed of ${MAX_CODES}.`;
  throw new GraphQLError(message, { extensions: { code: 'MAX_INPUT_SIZE_EXCEEDED' } });
}

function later(shop, work) {
  const job = { id: gid('Job', newId()), done: false };
  shop.jobs.set(job.id, job);
  setTimeout(() => {
    work();
    job.done = true;
  }, shop.settings.bulkAddSliceMs).unref();
  return { ...job };
}

const creationView = (shop, one) => ({
  __typename: 'DiscountRedeemCodeBulkCreation',
  id: gid('DiscountRedeemCodeBulkCreation', one.id),
  createdAt: utc(one.createdAt),
  done: one.done,
  codesCount: one.codes.length,
  importedCount: one.imported,
  failedCount: one.failed,
  discountCode: () => (shop.discounts.has(one.discount.id) ? node(shop, one.discount) : null),
  codes: (args, context) =>
    connection(
      one.codes,
      args,
      {
        view: ({ code, errors, made }) => ({
          code,
          errors,
          discountRedeemCode: made ? redeemCode(made) : null,
        }),
      },
      context,
    ),
});

/** Adds the codes slice by slice, as Shopify does beside its answer. */
function startCreation(shop, discount, codes) {
  const one = { id: newId(), discount, createdAt: shop.clock.now(), done: false, imported: 0, failed: 0 };
  one.codes = codes.map(({ code }) => ({ code: code ?? '', errors: [], made: null }));
  shop.creations.set(one.id, one);
  const { bulkAddSlice, bulkAddSliceMs } = shop.settings;
  let at = 0;
  const slice = () => {
    for (const entry of one.codes.slice(at, at + bulkAddSlice)) addEntry(shop, one, entry);
    at += bulkAddSlice;
    one.done = at >= one.codes.length;
    if (!one.done) setTimeout(slice, bulkAddSliceMs).unref();
    else shop.emit('discounts/update', () => discountBody(shop, discount));
  };
  setTimeout(slice, bulkAddSliceMs).unref();
  return one;
}

function addEntry(shop, one, entry) {
  const refuse = (code, message) => {
    one.failed++;
    entry.errors.push({ field: ['code'], code, message, extraInfo: null });
  };
  if (!shop.discounts.has(one.discount.id)) return refuse('INVALID', 'Discount does not exist.');
  if (entry.code.trim() === '') return refuse('BLANK', "Code can't be blank");
  if (entry.code.length > 255) return refuse('TOO_LONG', 'Code is too long (maximum is 255 characters)');
  if (shop.codes.has(entry.code.toLowerCase())) return refuse('TAKEN', TAKEN);
  entry.made = addCode(shop, one.discount, entry.code);
  one.imported++;
  shop.emit('discounts/redeemcode_added', () => redeemCodeBody(shop, one.discount, entry.made));
}
