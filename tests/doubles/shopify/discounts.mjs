// Discounts with codes: what is kept, when they count, and what they take off a basket.
import { GraphQLError } from 'graphql';
import { divide, gid, minor, newId, utc } from './values.mjs';

export const KINDS = {
  basic: { type: 'DiscountCodeBasic', argument: 'basicCodeDiscount' },
  bxgy: { type: 'DiscountCodeBxgy', argument: 'bxgyCodeDiscount' },
  freeShipping: { type: 'DiscountCodeFreeShipping', argument: 'freeShippingCodeDiscount' },
};

export const TAKEN = 'Code must be unique. Please try a different code.';
const MAX_TEXT = 255;

/** Makes or changes a discount; answers `{ discount }` or `{ errors }` as userErrors. */
export function save(shop, kind, input, discount) {
  const { argument } = KINDS[kind];
  const errors = [];
  const refuse = (path, code, message) =>
    errors.push({ field: [argument, ...path], code, message, extraInfo: null });
  check(shop, kind, input, discount, refuse);
  if (errors.length > 0) return { errors };

  const now = shop.clock.now();
  const made = discount ?? { id: newId(), kind, codes: [], usage: 0, createdAt: now, input: {} };
  // Lists are told by what is added and removed, all the rest by its new value.
  made.input = { ...made.input, ...input, items: undefined };
  for (const side of ['customerGets', 'customerBuys'])
    if (input[side]?.items) made[side] = items(made[side], input[side].items);
  made.startsAt = time(input.startsAt, made.startsAt);
  made.endsAt = time(input.endsAt, made.endsAt ?? null);
  made.updatedAt = now;
  shop.discounts.set(made.id, made);
  if (input.code) {
    const first = made.codes[0];
    if (first) rename(shop, first, input.code);
    else addCode(shop, made, input.code);
  }
  const topic = discount ? 'discounts/update' : 'discounts/create';
  shop.emit(topic, () => discountBody(shop, made));
  return { discount: made };
}

const time = (given, before) => (given === undefined ? before : given === null ? null : Date.parse(given));

function items(before, given) {
  const kept = before ?? { products: [], variants: [], collections: [] };
  const changed = (list, add = [], remove = []) =>
    [...new Set([...list, ...add])].filter((id) => !remove.includes(id));
  if (given.all) return { all: true, products: [], variants: [], collections: [] };
  const { products: p = {}, collections: c = {} } = given;
  return {
    products: changed(kept.products, p.productsToAdd, p.productsToRemove),
    variants: changed(kept.variants, p.productVariantsToAdd, p.productVariantsToRemove),
    collections: changed(kept.collections, c.add, c.remove),
  };
}

function check(shop, kind, input, discount, refuse) {
  const blank = (name, words) => {
    const missing = input[name] === undefined ? !discount : input[name] === null || input[name] === '';
    if (missing) refuse([name], 'BLANK', `${words} can't be blank`);
    return missing;
  };
  if (!blank('title', 'Title') && input.title?.length > MAX_TEXT)
    refuse(['title'], 'TOO_LONG', `Title is too long (maximum is ${MAX_TEXT} characters)`);
  if (!blank('code', 'Code') && input.code !== undefined) checkCode(shop, input.code, discount, refuse);
  if (input.context === undefined && input.customerSelection === undefined && !discount)
    refuse(['context'], 'BLANK', "Context can't be blank");
  if (input.context && input.customerSelection)
    refuse(['context'], 'INVALID', 'Only one of context and customerSelection can be provided');
  const { customers, customerSegments, markets } = { ...input.context, ...input.customerSelection };
  if (customers || customerSegments || markets)
    throw new GraphQLError('The double has only discounts for all customers');
  blank('startsAt', 'Starts at');
  const startsAt = input.startsAt ? Date.parse(input.startsAt) : discount?.startsAt;
  if (input.endsAt && startsAt !== undefined && Date.parse(input.endsAt) <= startsAt)
    refuse(['endsAt'], 'END_DATE_BEFORE_START_DATE', 'Ends at needs to be after starts_at');
  if (typeof input.usageLimit === 'number' && input.usageLimit < 1)
    refuse(['usageLimit'], 'GREATER_THAN', 'Usage limit must be greater than 0');
  if (input.tags?.length > 250) refuse(['tags'], 'TOO_MANY_TAGS', 'Too many tags');
  const { subtotal, quantity } = input.minimumRequirement ?? {};
  if (subtotal && quantity) {
    const message = 'Minimum subtotal and minimum quantity cannot both be present';
    refuse(['minimumRequirement'], 'MINIMUM_SUBTOTAL_AND_QUANTITY_RANGE_BOTH_PRESENT', message);
  }
  if (kind === 'freeShipping') {
    if (!input.destination && !discount) refuse(['destination'], 'BLANK', "Destination can't be blank");
    return;
  }
  if (input.customerGets || !discount) checkGets(shop, kind, input.customerGets, refuse, !discount);
  if (kind === 'bxgy' && (input.customerBuys || !discount))
    checkSide(shop, 'customerBuys', input.customerBuys, refuse, !discount);
}

function checkCode(shop, code, discount, refuse) {
  if (code.trim() === '') return refuse(['code'], 'BLANK', "Code can't be blank");
  if (code.length > MAX_TEXT)
    return refuse(['code'], 'TOO_LONG', `Code is too long (maximum is ${MAX_TEXT} characters)`);
  const known = shop.codes.get(code.toLowerCase());
  if (known && known.discount !== discount) refuse(['code'], 'TAKEN', TAKEN);
}

function checkGets(shop, kind, gets, refuse, creating) {
  const value = gets?.value;
  checkSide(shop, 'customerGets', gets, refuse, creating);
  if (!value) return creating && gets && refuse(['customerGets', 'value'], 'BLANK', "Value can't be blank");
  if (Object.values(value).filter((one) => one !== null && one !== undefined).length !== 1)
    return refuse(['customerGets', 'value'], 'TOO_MANY_ARGUMENTS', 'Exactly one value must be provided');
  const onQuantity = value.discountOnQuantity !== undefined;
  if ((kind === 'bxgy') !== onQuantity) {
    const words = onQuantity
      ? 'discountOnQuantity is only for buy X get Y'
      : 'Only discountOnQuantity is allowed';
    return refuse(['customerGets', 'value'], 'INVALID', words);
  }
  const percentage = onQuantity ? value.discountOnQuantity.effect?.percentage : value.percentage;
  const path = onQuantity ? ['value', 'discountOnQuantity', 'effect', 'percentage'] : ['value', 'percentage'];
  if (typeof percentage === 'number' && !(percentage > 0 && percentage <= 1))
    refuse(['customerGets', ...path], 'VALUE_OUTSIDE_RANGE', 'Value must be between 0.0 and 1.0');
  const amount = value.discountAmount?.amount;
  if (amount !== undefined && !(Number(amount) > 0))
    refuse(
      ['customerGets', 'value', 'discountAmount', 'amount'],
      'GREATER_THAN',
      'Value must be greater than 0',
    );
}

function checkSide(shop, side, given, refuse, creating) {
  const items = given?.items;
  if (!items) return creating && refuse([side, 'items'], 'BLANK', "Items can't be blank");
  const { all, products, collections } = items;
  if ([all, products, collections].filter(Boolean).length > 1)
    return refuse([side, 'items'], 'CONFLICT', 'Only one of all, products and collections can be provided');
  const known = {
    Product: (id) => shop.products.has(id),
    ProductVariant: (id) => [...shop.products.values()].some(({ variant }) => variant.id === id),
    Collection: (id) => shop.collections.has(id),
  };
  const wanted = [
    ...(products?.productsToAdd ?? []).map((id) => ['Product', id]),
    ...(products?.productVariantsToAdd ?? []).map((id) => ['ProductVariant', id]),
    ...(collections?.add ?? []).map((id) => ['Collection', id]),
  ];
  for (const [type, text] of wanted) {
    const id = /^gid:\/\/shopify\/(\w+)\/(\d+)$/.exec(text);
    if (!id || id[1] !== type || !known[type](id[2]))
      refuse([side, 'items'], 'INVALID', `${type} with id: ${id?.[2] ?? text} is invalid`);
  }
  if (!all && creating && wanted.length === 0)
    refuse([side, 'items'], 'APPLIES_ON_NOTHING', 'The discount applies on nothing');
}

/** Adds a code; the caller has looked whether it is free. */
export function addCode(shop, discount, text) {
  const code = { id: newId(), code: text, usage: 0, createdAt: shop.clock.now() };
  discount.codes.push(code);
  shop.codes.set(text.toLowerCase(), { discount, code });
  return code;
}

function rename(shop, code, text) {
  const { discount } = shop.codes.get(code.code.toLowerCase());
  shop.codes.delete(code.code.toLowerCase());
  code.code = text;
  shop.codes.set(text.toLowerCase(), { discount, code });
}

export function removeCodes(shop, discount, gone) {
  discount.codes = discount.codes.filter((code) => !gone.has(code));
  for (const code of gone) {
    shop.codes.delete(code.code.toLowerCase());
    shop.emit('discounts/redeemcode_removed', () => redeemCodeBody(shop, discount, code));
  }
}

export function remove(shop, discount) {
  for (const { code } of discount.codes) shop.codes.delete(code.toLowerCase());
  shop.discounts.delete(discount.id);
  const deleted = {
    admin_graphql_api_id: gid('DiscountCodeNode', discount.id),
    deleted_at: utc(shop.clock.now()),
  };
  shop.emit('discounts/delete', () => deleted);
}

export function setActive(shop, discount, active) {
  const now = shop.clock.now();
  if (active) {
    discount.startsAt = Math.min(discount.startsAt, now);
    discount.endsAt = null;
  } else {
    discount.endsAt = now;
  }
  discount.updatedAt = now;
  shop.emit('discounts/update', () => discountBody(shop, discount));
}

export function statusOf(discount, now) {
  if (discount.endsAt !== null && discount.endsAt <= now) return 'EXPIRED';
  return discount.startsAt > now ? 'SCHEDULED' : 'ACTIVE';
}

export const discountBody = (shop, discount) => ({
  admin_graphql_api_id: gid('DiscountCodeNode', discount.id),
  title: discount.input.title,
  status: statusOf(discount, shop.clock.now()),
  created_at: utc(discount.createdAt),
  updated_at: utc(discount.updatedAt),
});

export const redeemCodeBody = (shop, discount, code) => ({
  admin_graphql_api_id: gid('DiscountCodeNode', discount.id),
  redeem_code: { id: gid('DiscountRedeemCode', code.id), code: code.code },
  updated_at: utc(shop.clock.now()),
});

/**
 * What codes take off a basket: `lines` with `price`, `quantity`, `product`, `giftCard` (minor units), `shipping`
 * in minor units. Answers applications with what each allocates to which line, and why codes didn't count.
 */
export function apply(shop, { lines, shipping, codes, customer, at }) {
  const applications = [];
  const refused = [];
  for (const typed of codes) {
    const found = shop.codes.get(typed.toLowerCase());
    const reason = found
      ? whyNot(shop, found.discount, lines, customer, at, applications)
      : 'not a code of this shop';
    const application = reason
      ? undefined
      : reckon(shop, found.discount, typed, lines, shipping, applications);
    if (application) applications.push({ ...application, found });
    else refused.push({ code: typed, reason: reason || 'nothing to take off' });
  }
  return { applications, refused };
}

/** Counts the uses of what was applied to a placed order. */
export function use(applications, customer) {
  for (const { found } of applications) {
    if (!found) continue;
    found.discount.usage++;
    found.code.usage++;
    if (customer) (found.discount.customers ??= new Set()).add(customer.id);
  }
}

function whyNot(shop, discount, lines, customer, at, applied) {
  const { input, kind } = discount;
  const status = statusOf(discount, at);
  if (status !== 'ACTIVE') return `it is ${status.toLowerCase()}`;
  if (input.usageLimit && discount.usage >= input.usageLimit) return 'its usage limit is reached';
  if (input.appliesOncePerCustomer && customer && discount.customers?.has(customer.id))
    return 'this customer has used it';
  const { subtotal, quantity } = input.minimumRequirement ?? {};
  const entitled = lines.filter((line) => isEntitled(discount.customerGets, line));
  const sum = entitled.reduce((total, line) => total + line.price * line.quantity, 0);
  if (subtotal && sum < minor(subtotal.greaterThanOrEqualToSubtotal, shop.currency))
    return 'the subtotal is too small';
  const units = entitled.reduce((total, line) => total + line.quantity, 0);
  if (quantity && units < Number(quantity.greaterThanOrEqualToQuantity)) return 'the quantity is too small';
  const classes = { ORDER: 'orderDiscounts', PRODUCT: 'productDiscounts', SHIPPING: 'shippingDiscounts' };
  const combines = (one, other) => one.input.combinesWith?.[classes[classOf(other)]] === true;
  for (const { found } of applied)
    if (!combines(found.discount, discount) || !combines(discount, found.discount))
      return `it doesn't combine with ${found.code.code}`;
  return kind === 'bxgy' && !bought(shop, discount, lines) ? 'what must be bought is not there' : '';
}

export function classOf({ kind, customerGets, input }) {
  if (kind === 'freeShipping') return 'SHIPPING';
  if (kind === 'bxgy' || !customerGets?.all) return 'PRODUCT';
  return input.customerGets?.value?.discountAmount?.appliesOnEachItem ? 'PRODUCT' : 'ORDER';
}

function isEntitled(items, { product, giftCard }) {
  if (giftCard) return false;
  if (!items || items.all) return true;
  if (!product) return false;
  return (
    items.products.includes(gid('Product', product.id)) ||
    items.variants.includes(gid('ProductVariant', product.variant.id)) ||
    items.collections.some((id) => [...product.collections].some((one) => gid('Collection', one.id) === id))
  );
}

function bought(shop, discount, lines) {
  const { value } = discount.input.customerBuys;
  const those = lines.filter((line) => isEntitled(discount.customerBuys, line));
  const units = those.reduce((total, { quantity }) => total + quantity, 0);
  const sum = those.reduce((total, { price, quantity }) => total + price * quantity, 0);
  return value.quantity
    ? Math.floor(units / Number(value.quantity))
    : sum >= minor(value.amount, shop.currency)
      ? 1
      : 0;
}

function reckon(shop, discount, typed, lines, shipping, before) {
  const base = { type: 'discount_code', code: typed };
  if (discount.kind === 'freeShipping') {
    const { maximumShippingPrice: most } = discount.input;
    if (shipping === 0 || (most && shipping > minor(most, shop.currency))) return undefined;
    const how = { targetType: 'shipping_line', targetSelection: 'all', allocationMethod: 'each' };
    return {
      ...base,
      ...how,
      valueType: 'percentage',
      value: '100.0',
      codeType: 'percentage',
      lines: new Map(),
      shipping,
    };
  }
  const left = (line) =>
    line.price * line.quantity - before.reduce((sum, one) => sum + (one.lines.get(line) ?? 0), 0);
  const entitled = lines.filter((line) => isEntitled(discount.customerGets, line) && left(line) > 0);
  const targetSelection = discount.customerGets.all ? 'all' : 'entitled';
  const found = (amounts, details) => {
    const taken = new Map(entitled.map((line, at) => [line, amounts[at]]).filter(([, amount]) => amount > 0));
    if (taken.size === 0) return undefined;
    return { ...base, targetType: 'line_item', targetSelection, ...details, lines: taken, shipping: 0 };
  };
  const weights = entitled.map(left);
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const { percentage, discountAmount, discountOnQuantity } = discount.input.customerGets.value;
  if (discountOnQuantity) return buyAndGet(shop, discount, discountOnQuantity, lines, entitled, found);
  if (discountAmount?.appliesOnEachItem) {
    const each = minor(discountAmount.amount, shop.currency);
    const amounts = entitled.map((line, at) => Math.min(each * line.quantity, weights[at]));
    return found(amounts, fixed(discountAmount.amount, 'each'));
  }
  if (discountAmount) {
    const whole = Math.min(minor(discountAmount.amount, shop.currency), total);
    return found(divide(whole, weights), fixed(discountAmount.amount, 'across'));
  }
  const whole = Math.round(total * percentage);
  return found(divide(whole, weights), percent(percentage, 'across'));
}

const fixed = (amount, allocationMethod) => ({
  ...{ valueType: 'fixed_amount', value: String(amount), codeType: 'fixed_amount', allocationMethod },
});
const percent = (part, allocationMethod) => {
  const value = String(Math.round(part * 10_000) / 100);
  return {
    valueType: 'percentage',
    value: value.includes('.') ? value : `${value}.0`,
    codeType: 'percentage',
    allocationMethod,
  };
};

/** How often the deal is met: where the same things are bought and got, a unit counts on one side only. */
function times(shop, discount, lines, entitled) {
  const often = bought(shop, discount, lines);
  const quantity = discount.input.customerBuys.value.quantity;
  const both = entitled.filter((line) => isEntitled(discount.customerBuys, line));
  if (!quantity || both.length < entitled.length) return often;
  const units = both.reduce((sum, line) => sum + line.quantity, 0);
  return Math.floor(
    units / (Number(quantity) + Number(discount.input.customerGets.value.discountOnQuantity.quantity)),
  );
}

/** The cheapest units that can be got are. */
function buyAndGet(shop, discount, { quantity, effect }, lines, entitled, found) {
  const limit = discount.input.usesPerOrderLimit ?? Infinity;
  let units = Math.min(times(shop, discount, lines, entitled), limit) * Number(quantity);
  const amounts = entitled.map(() => 0);
  for (const line of entitled.toSorted((a, b) => a.price - b.price)) {
    const got = Math.min(units, line.quantity);
    units -= got;
    const off = effect.percentage
      ? Math.round(line.price * effect.percentage)
      : minor(effect.amount, shop.currency);
    amounts[entitled.indexOf(line)] = Math.min(off, line.price) * got;
  }
  return found(
    amounts,
    effect.percentage ? percent(effect.percentage, 'each') : fixed(effect.amount, 'each'),
  );
}
