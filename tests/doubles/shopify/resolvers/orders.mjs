// Orders as GraphQL shows them, from the same state as the webhook bodies.
import { GraphQLError } from 'graphql';
import { referral } from '../bodies.mjs';
import { compare, connection, count } from '../connection.mjs';
import { financialStatus, journeyOf, net, part, presented, totals } from '../orders.mjs';
import { matcher } from '../search.mjs';
import { decimal, gid, idOf, utc } from '../values.mjs';
import { productOf, variantOf } from './products.mjs';

const SIXTY_DAYS = 60 * 86_400_000;

/** Writes one order's amounts as MoneyBags. */
const bagOf = (order) => (value) => {
  const { currency } = order.presentment;
  return {
    shopMoney: { amount: decimal(value, order.currency), currencyCode: order.currency },
    presentmentMoney: { amount: decimal(presented(order, value), currency), currencyCode: currency },
  };
};

class OrderView {
  __typename = 'Order';
  #shop;
  #order;
  #totals;

  constructor(shop, order) {
    this.#shop = shop;
    this.#order = order;
  }

  id = () => gid('Order', this.#order.id);
  legacyResourceId = () => this.#order.id;
  name = () => `#${this.#order.number}`;
  number = () => this.#order.number;
  createdAt = () => utc(this.#order.createdAt);
  updatedAt = () => utc(this.#order.updatedAt);
  processedAt = () => utc(this.#order.processedAt);
  cancelledAt = () => utc(this.#order.cancelledAt);
  closedAt = null;
  closed = false;
  cancelReason = () => this.#order.cancelReason?.toUpperCase() ?? null;
  confirmationNumber = () => this.#order.confirmationNumber;
  confirmed = true;
  test = () => this.#order.test;
  edited = () => this.#order.edited;
  email = () => this.#order.email;
  note = () => this.#order.note;
  tags = () => this.#order.tags;
  sourceName = () => this.#order.sourceName;
  cartToken = () => this.#order.cartToken;
  checkoutToken = () => this.#order.checkoutToken;
  taxesIncluded = () => this.#order.taxesIncluded;
  currencyCode = () => this.#order.currency;
  presentmentCurrencyCode = () => this.#order.presentment.currency;
  displayFinancialStatus = () => financialStatus(this.#order).toUpperCase();
  displayFulfillmentStatus = 'UNFULFILLED';
  fullyPaid = () => ['paid', 'partially_refunded', 'refunded'].includes(financialStatus(this.#order));
  unpaid = () => this.#order.paid === 0;
  discountCode = () => this.discountCodes()[0] ?? null;
  discountCodes = () =>
    this.#order.applications.filter(({ type }) => type === 'discount_code').map(({ code }) => code);
  discountApplications = (args, context) => {
    const list = this.#order.applications.map((one, index) => [one, index]);
    const view = ([one, index]) => applicationView(this.#order, one, index);
    return connection(list, args, { view }, context);
  };
  customAttributes = () => this.#order.noteAttributes.map(({ name, value }) => ({ key: name, value }));
  customer = () => (this.#order.customer ? customerView(this.#order.customer) : null);
  customerJourneySummary = () => journeyView(this.#shop, this.#order);
  landingPageUrl = () => {
    const { landingSite } = this.#order;
    const shop = `https://${this.#shop.domain}`;
    return landingSite && URL.canParse(landingSite, shop) ? new URL(landingSite, shop).href : null;
  };
  referrerUrl = () => this.#order.referringSite;
  disputes = () =>
    this.#order.disputes.map((one) => ({
      id: gid('OrderDisputeSummary', one.id),
      initiatedAs: one.type.toUpperCase(),
      status: one.status.toUpperCase(),
    }));
  lineItems = (args, context) => {
    const view = (line) => lineView(this.#shop, this.#order, line);
    return connection(this.#order.lines, args, { view }, context);
  };
  refunds = ({ first }) =>
    this.#order.refunds.slice(0, first ?? undefined).map((one) => refundView(this.#shop, this.#order, one));
  shippingLines = (args, context) => {
    const list = this.#order.shipping.price > 0 ? [this.#order] : [];
    return connection(list, args, { view: shippingView }, context);
  };
  shippingLine = () => (this.#order.shipping.price > 0 ? shippingView(this.#order) : null);
  taxLines = () => taxLineViews(this.#order, this.#sums().tax, rateOf(this.#order));
  currentTaxLines = () => taxLineViews(this.#order, this.#sums().currentTax, rateOf(this.#order));
  subtotalLineItemsQuantity = () => this.#order.lines.reduce((sum, { quantity }) => sum + quantity, 0);
  currentSubtotalLineItemsQuantity = () =>
    this.#order.lines.reduce((sum, line) => sum + line.currentQuantity, 0);

  subtotalPriceSet = () => this.#bag(this.#sums().subtotal);
  currentSubtotalPriceSet = () => this.#bag(this.#sums().currentSubtotal);
  totalDiscountsSet = () => this.#bag(this.#sums().discounts);
  currentTotalDiscountsSet = () => this.#bag(this.#sums().currentDiscounts);
  totalTaxSet = () => this.#bag(this.#sums().tax);
  currentTotalTaxSet = () => this.#bag(this.#sums().currentTax);
  totalShippingPriceSet = () => this.#bag(this.#sums().shippingPrice);
  currentShippingPriceSet = () => this.#bag(this.#sums().shippingLeft);
  totalTipReceivedSet = () => this.#bag(this.#order.tip);
  totalPriceSet = () => this.#bag(this.#sums().total);
  originalTotalPriceSet = () => this.#bag(this.#order.originalTotal);
  currentTotalPriceSet = () => this.#bag(this.#sums().currentTotal);
  totalRefundedSet = () => this.#bag(this.#sums().refunded);
  totalReceivedSet = () => this.#bag(this.#order.paid);
  netPaymentSet = () => this.#bag(this.#order.paid - this.#sums().refunded);

  #sums = () => (this.#totals ??= totals(this.#order));
  #bag = (value) => bagOf(this.#order)(value);
}

export const orderView = (shop, order) => new OrderView(shop, order);

const customerView = ({ id, email, orders, createdAt }) => ({
  __typename: 'Customer',
  id: gid('Customer', id),
  legacyResourceId: id,
  email,
  displayName: email,
  createdAt: utc(createdAt),
  updatedAt: utc(createdAt),
  numberOfOrders: String(orders),
});

function applicationView(order, one, index) {
  const types = { discount_code: 'DiscountCodeApplication', manual: 'ManualDiscountApplication' };
  const value =
    one.valueType === 'percentage'
      ? { __typename: 'PricingPercentageValue', percentage: Number(one.value) }
      : { __typename: 'MoneyV2', amount: `${Number(one.value)}`, currencyCode: order.currency };
  return {
    __typename: types[one.type],
    index,
    allocationMethod: one.allocationMethod.toUpperCase(),
    targetSelection: one.targetSelection.toUpperCase(),
    targetType: one.targetType.toUpperCase(),
    value,
    ...(one.type === 'discount_code' ? { code: one.code } : { title: one.title, description: one.title }),
  };
}

const allocationViews = (order, allocations) =>
  allocations.map(({ index, amount }) => ({
    allocatedAmountSet: bagOf(order)(amount),
    discountApplication: applicationView(order, order.applications[index], index),
  }));

const rateOf = (order) => order.lines.find(({ taxRate }) => taxRate > 0)?.taxRate ?? 0;

function taxLineViews(order, tax, rate) {
  if (tax === 0 && rate === 0) return [];
  return [
    {
      title: 'VAT',
      rate,
      ratePercentage: rate * 100,
      channelLiable: false,
      source: null,
      priceSet: bagOf(order)(tax),
    },
  ];
}

function lineView(shop, order, line) {
  const bag = bagOf(order);
  const taken = line.price * line.quantity - net(line);
  // Discounts of the whole order are never in it, those by code only if that is asked for.
  const discounted = (withCodes) =>
    line.allocations.reduce((left, { index, amount }) => {
      const { type, targetSelection, allocationMethod } = order.applications[index];
      const isOfOrder = targetSelection === 'all' && allocationMethod === 'across';
      return isOfOrder || (type === 'discount_code' && !withCodes) ? left : left - amount;
    }, line.price * line.quantity);
  return {
    __typename: 'LineItem',
    id: gid('LineItem', line.id),
    title: line.title,
    name: line.title,
    sku: line.sku,
    vendor: null,
    variantTitle: null,
    quantity: line.quantity,
    currentQuantity: line.currentQuantity,
    refundableQuantity: line.currentQuantity,
    unfulfilledQuantity: line.currentQuantity,
    isGiftCard: line.giftCard,
    requiresShipping: !line.giftCard,
    taxable: line.taxRate > 0,
    customAttributes: [],
    product: () => (line.product ? productOf(shop, line.product) : null),
    variant: () => (line.product ? variantOf(shop, line.product.variant) : null),
    originalUnitPriceSet: () => bag(line.price),
    originalTotalSet: () => bag(line.price * line.quantity),
    discountedTotalSet: ({ withCodeDiscounts }) => bag(discounted(withCodeDiscounts)),
    totalDiscountSet: () => bag(taken),
    discountedUnitPriceAfterAllDiscountsSet: () => bag(part(net(line), 1, line.quantity)),
    discountAllocations: () => allocationViews(order, line.allocations),
    taxLines: () => taxLineViews(order, line.tax, line.taxRate),
  };
}

function shippingView(order) {
  const { shipping } = order;
  const bag = bagOf(order);
  const taken = shipping.allocations.reduce((sum, { amount }) => sum + amount, 0);
  return {
    id: gid('ShippingLine', shipping.id),
    title: shipping.title,
    code: shipping.title,
    custom: false,
    isRemoved: false,
    originalPriceSet: bag(shipping.price),
    discountedPriceSet: bag(shipping.price - taken),
    currentDiscountedPriceSet: bag(shipping.price - taken),
    discountAllocations: () => allocationViews(order, shipping.allocations),
    taxLines: [],
  };
}

function refundView(shop, order, one) {
  const bag = bagOf(order);
  const lines = (args, context) =>
    connection(one.lines, args, { view: (line) => refundLineView(shop, order, line) }, context);
  return {
    __typename: 'Refund',
    id: gid('Refund', one.id),
    legacyResourceId: one.id,
    createdAt: utc(one.createdAt),
    updatedAt: utc(one.createdAt),
    processedAt: utc(one.createdAt),
    note: one.note,
    duties: [],
    order: () => orderView(shop, order),
    totalRefundedSet: () => bag(one.amount),
    refundLineItems: lines,
    refundShippingLines: (args, context) => {
      const view = (amount) => ({
        id: gid('RefundShippingLine', one.id),
        shippingLine: shippingView(order),
        subtotalAmountSet: bag(amount),
        taxAmountSet: bag(0),
      });
      return connection(one.shipping > 0 ? [one.shipping] : [], args, { view }, context);
    },
    orderAdjustments: (args, context) => {
      const view = ({ id, amount, reason }) => ({
        id: gid('OrderAdjustment', id),
        reason: reason.toUpperCase(),
        amountSet: bag(amount),
        taxAmountSet: bag(0),
      });
      return connection(one.adjustments, args, { view }, context);
    },
    transactions: (args, context) => {
      const view = () => ({
        id: gid('OrderTransaction', one.transactionId),
        kind: 'REFUND',
        status: 'SUCCESS',
        gateway: 'bogus',
        test: order.test,
        createdAt: utc(one.createdAt),
        processedAt: utc(one.createdAt),
        amountSet: bag(one.amount),
      });
      return connection(one.amount > 0 ? [one] : [], args, { view }, context);
    },
  };
}

function refundLineView(shop, order, { id, line, quantity, subtotal, tax }) {
  const bag = bagOf(order);
  return {
    id: gid('RefundLineItem', id),
    quantity,
    restockType: 'NO_RESTOCK',
    restocked: false,
    lineItem: () => lineView(shop, order, line),
    priceSet: bag(line.price),
    subtotalSet: bag(subtotal),
    totalTaxSet: bag(tax),
  };
}

function journeyView(shop, order) {
  const { ready, firstVisit, lastVisit } = journeyOf(shop, order);
  const none = { customerOrderIndex: null, daysToConversion: null, firstVisit: null, lastVisit: null };
  if (!ready) return { ready: false, ...none, momentsCount: null };
  const visits = [firstVisit, lastVisit].filter(Boolean);
  return {
    ready: true,
    customerOrderIndex: order.customerIndex,
    daysToConversion: visits.length > 0 ? 0 : null,
    firstVisit: firstVisit ? visitView(shop, order, firstVisit, 'first') : null,
    lastVisit: lastVisit ? visitView(shop, order, lastVisit, 'last') : null,
    momentsCount: count(visits),
  };
}

function visitView(shop, order, visit, which) {
  const { landingPage = '/', referrerUrl = null, occurredAt } = visit;
  const page = new URL(landingPage, `https://${shop.domain}`);
  const query = page.searchParams;
  const utm = (name) => query.get(`utm_${name}`);
  const parameters = Object.fromEntries(
    ['source', 'medium', 'campaign', 'term', 'content'].map((name) => [name, utm(name)]),
  );
  const tagged = Object.values(parameters).some((value) => value !== null);
  return {
    id: gid('CustomerVisit', `${order.id}${which === 'first' ? 1 : 2}`),
    occurredAt: utc(occurredAt ? Date.parse(occurredAt) : order.createdAt - 60_000),
    landingPage: page.href,
    referralCode: visit.referralCode ?? referral(page.href),
    referrerUrl,
    source: visit.source ?? utm('source') ?? (referrerUrl ? new URL(referrerUrl).hostname : 'direct'),
    sourceDescription: null,
    sourceType: visit.sourceType ?? null,
    utmParameters: tagged ? parameters : null,
  };
}

const disputeView = (shop, one) => ({
  __typename: 'ShopifyPaymentsDispute',
  id: gid('ShopifyPaymentsDispute', one.id),
  legacyResourceId: one.id,
  amount: { amount: decimal(one.amount, shop.currency), currencyCode: shop.currency },
  evidenceDueBy: utc(one.initiatedAt + 7 * 86_400_000),
  evidenceSentOn: null,
  finalizedOn: utc(one.finalizedOn),
  initiatedAt: utc(one.initiatedAt),
  reasonDetails: { reason: one.reason.toUpperCase(), networkReasonCode: '4837' },
  status: one.status.toUpperCase(),
  type: one.type.toUpperCase(),
  order: () => orderView(shop, one.order),
});

/** What orders can be searched by. */
const FIELDS = {
  id: ({ id }) => BigInt(id),
  name: ({ number }) => `#${number}`,
  created_at: ({ createdAt }) => createdAt,
  updated_at: ({ updatedAt }) => updatedAt,
  processed_at: ({ processedAt }) => processedAt,
  test: ({ test }) => test,
  email: ({ email }) => email,
  customer_id: ({ customer }) => (customer ? BigInt(customer.id) : null),
  discount_code: ({ applications }) => applications.flatMap(({ code }) => code ?? []),
  financial_status: (order) => financialStatus(order),
  status: (order) => (order.cancelledAt ? ['cancelled', 'any'] : ['open', 'any']),
  source_name: ({ sourceName }) => sourceName,
  tag: ({ tags }) => tags,
  cart_token: ({ cartToken }) => cartToken,
  checkout_token: ({ checkoutToken }) => checkoutToken,
  confirmation_number: ({ confirmationNumber }) => confirmationNumber,
};

const KEYS = {
  ID: ({ id }) => ['', id],
  CREATED_AT: ({ createdAt, id }) => [createdAt, id],
  UPDATED_AT: ({ updatedAt, id }) => [updatedAt, id],
  PROCESSED_AT: ({ processedAt, id }) => [processedAt, id],
  ORDER_NUMBER: ({ number, id }) => [number, id],
};

/** Sorted and found once for all pages, as long as no order changes. */
function found(shop, sortKey, query) {
  const keyOf = KEYS[sortKey];
  if (!keyOf) throw new GraphQLError(`The double can't sort orders by ${sortKey}`);
  const memory = (shop.remembered ??= { version: -1 });
  if (memory.version !== shop.version) {
    memory.version = shop.version;
    memory.lists = new Map();
  }
  const key = `${sortKey} ${query ?? ''}`;
  if (!memory.lists.has(key)) {
    const list = [...shop.orders.values()].filter(matcher(query, FIELDS));
    memory.lists.set(
      key,
      list.sort((a, b) => compare(keyOf(a), keyOf(b))),
    );
  }
  return memory.lists.get(key);
}

export function orderQueries(shop, finders) {
  /** Without read_all_orders nothing older than sixty days is there. */
  const seen = (scopes) => {
    if (scopes.has('read_all_orders')) return () => true;
    const since = shop.clock.now() - SIXTY_DAYS;
    return ({ createdAt }) => createdAt >= since;
  };
  const approved = () => {
    if (shop.settings.protectedCustomerData) return;
    const documentation = 'https://shopify.dev/docs/apps/launch/protected-customer-data';
    const message = `This app is not approved to access the Order object. See ${documentation} for more details.`;
    throw new GraphQLError(message, { extensions: { code: 'ACCESS_DENIED', documentation } });
  };
  const order = ({ id }, { scopes }) => {
    approved();
    const one = shop.orders.get(idOf('Order', id));
    return one && seen(scopes)(one) ? orderView(shop, one) : null;
  };
  finders.Order = order;
  finders.Refund = ({ id }) => {
    approved();
    const wanted = idOf('Refund', id);
    for (const one of shop.orders.values()) {
      const refund = one.refunds.find((each) => each.id === wanted);
      if (refund) return refundView(shop, one, refund);
    }
    return null;
  };
  finders.ShopifyPaymentsDispute = ({ id }) => {
    const one = shop.disputes.get(idOf('ShopifyPaymentsDispute', id));
    return one ? disputeView(shop, one) : null;
  };
  return {
    order,
    refund: finders.Refund,
    orders: (args, context) => {
      approved();
      const list = found(shop, args.sortKey, args.query);
      const visible = context.scopes.has('read_all_orders') ? list : list.filter(seen(context.scopes));
      return connection(
        visible,
        args,
        { view: (one) => orderView(shop, one), keyOf: KEYS[args.sortKey] },
        context,
      );
    },
    ordersCount: ({ limit, query }, { scopes }) =>
      count(found(shop, 'ID', query).filter(seen(scopes)), limit),
    dispute: finders.ShopifyPaymentsDispute,
    disputes: (args, context) => {
      const fields = { status: ({ status }) => status, initiated_at: ({ initiatedAt }) => initiatedAt };
      const list = [...shop.disputes.values()].filter(matcher(args.query, fields));
      return connection(
        list,
        args,
        { view: (one) => disputeView(shop, one), keyOf: ({ id }) => ['', id] },
        context,
      );
    },
  };
}
