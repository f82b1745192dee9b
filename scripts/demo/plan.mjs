// Half a year of an influencer programme, thought up before anything is sent: deals, clicks, orders
// and what became of them. A pure function of seed, size and the moment it ends at.
import { BOT_AGENTS, SHOPPER_AGENTS } from './agents.mjs';
import { random } from './random.mjs';
import * as words from './words.mjs';

export const MINUTE = 60_000;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;

/** Of a whole programme (scale 1). */
const SIZE = { deals: 270, top: 35, clicks: 40_000, orders: 4_000 };
const DAYS = 182;

/** How an order came to be: how many of 1,000. What is missing to 1,000 came by itself. */
const KINDS = {
  link: 430,
  code: 230,
  both: 120,
  foreignCodeAndLink: 45,
  twoClicks: 30,
  codeOfAnother: 20,
  foreignCode: 20,
  bareRef: 15,
  lateClick: 10,
  automaticDiscount: 5,
};
/** And so many of each, however small the programme is. */
const RARE = { selfPurchase: 4, testOrder: 3, forgedClick: 4, closedDeal: 6, beforeTerms: 3 };

/** Everything that happens until `end`, with `events` in the order of their times. */
export function makePlan({ seed = 23, scale = 1, end }) {
  const chance = random(seed);
  const start = end - DAYS * DAY;
  const deals = makeDeals(chance, { scale, start, end });
  const clicks = makeClicks(chance, { deals, count: Math.round(SIZE.clicks * scale), end });
  const orders = makeOrders(chance, { deals, clicks, count: Math.round(SIZE.orders * scale), end });
  const events = [
    ...clicks.map((click) => ({ kind: 'click', at: click.at, click })),
    ...orders.flatMap((order) => deliveriesOf(chance, order, end)),
    ...deals.filter((d) => d.raise).map((deal) => ({ kind: 'terms', at: deal.raise.at, deal })),
    ...deals.filter((d) => d.closesAt).map((deal) => ({ kind: 'closeDeal', at: deal.closesAt, deal })),
    ...deals
      .flatMap((d) => d.links)
      .filter((l) => l.closesAt)
      .map((link) => ({ kind: 'closeLink', at: link.closesAt, link })),
  ];
  events.sort((a, b) => a.at - b.at);
  const star = deals.reduce((best, deal) => (deal.weight > best.weight ? deal : best));
  return { start, end, deals, star, clicks, orders, events };
}

function makeDeals(chance, { scale, start, end }) {
  const count = Math.max(12, Math.round(SIZE.deals * scale));
  const top = Math.max(3, Math.round(SIZE.top * scale));
  const names = chance.shuffled(
    words.FIRST_NAMES.flatMap((first) => words.LAST_NAMES.map((last) => [first, last])),
  );
  const taken = new Set();
  const deals = Array.from({ length: count }, (_, index) => {
    const isTop = index < top;
    const stage = isTop ? 'Ambassador' : chance.pick(STAGES);
    const active = ['Posted', 'Ambassador'].includes(stage);
    const startsAt = Math.round(start + chance.between(0.2, isTop ? 50 : 150) * DAY);
    const creator = makeCreator(chance, names[index], taken, isTop);
    const deal = {
      index,
      creator,
      campaign: isTop ? 0 : chance.whole(0, words.CAMPAIGNS.length - 1),
      stage,
      top: isTop,
      active,
      startsAt,
      termsAt: startsAt,
      percent: isTop ? 12 : chance.pick([8, 10, 10, 10, 12, 12.5, 15]),
      tags: chance.shuffled(words.DEAL_TAGS).slice(0, chance.whole(0, 2)),
      weight: isTop ? chance.between(8, 20) : Math.exp(0.7 * chance.normal()),
      links: [],
      code: null,
      raise: null,
      closesAt: null,
    };
    if (active || stage === 'Awaiting Post') {
      deal.code = codeOf(creator, taken);
      deal.links = linksOf(chance, deal);
    }
    return deal;
  });
  extraordinary(chance, deals, end);
  for (const deal of deals) deal.posts = postsOf(chance, deal, end);
  return deals;
}

const STAGES = [
  ...Array(3).fill('Outreach'),
  ...Array(2).fill('Negotiation'),
  ...Array(3).fill('Awaiting Post'),
  ...Array(17).fill('Posted'),
  ...Array(2).fill('Ambassador'),
  ...Array(2).fill('Lost'),
];

function makeCreator(chance, [first, last], taken, isTop) {
  const base = first.toLowerCase();
  const options = chance
    .shuffled(words.HANDLE_WORDS)
    .flatMap((word) => [`${base}.${word}`, `${base}${word}`]);
  const handle = options.find((option) => !taken.has(option)) ?? `${base}.${last.toLowerCase()}`;
  taken.add(handle);
  const followers = Math.round(Math.exp(chance.normal() * 1.1 + (isTop ? 11.3 : 10.2)));
  // The larger the audience, the smaller the part of it that answers.
  const engagement = Math.min(12, Math.max(0.4, 9 - Math.log10(followers) * 1.2 + chance.normal()));
  return {
    name: `${first} ${last}`,
    handle: `@${handle}`,
    email: `${handle}@creators.example`,
    niche: chance.pick(words.NICHES),
    followers,
    engagement_percent: engagement.toFixed(1),
    tags: chance.shuffled(words.CREATOR_TAGS).slice(0, chance.whole(1, 2)),
  };
}

function codeOf({ name }, taken) {
  const first = name.split(' ')[0].toUpperCase();
  for (let suffix = 10; ; suffix++) {
    const code = `${first}${suffix}`;
    if (!taken.has(code)) return taken.add(code) && code;
  }
}

function linksOf(chance, deal) {
  const product = () => `/products/${chance.pick(words.PRODUCTS)[0]}`;
  const targets = [chance.chance(0.5) ? undefined : product()];
  if (deal.top || chance.chance(0.2)) targets.push(product());
  return targets.map((target) => ({ deal, target, closesAt: null, id: null, url: null, slug: null }));
}

/** Higher rates for some, a closed link, a closed deal, and one whose terms start late. */
function extraordinary(chance, deals, end) {
  const active = deals.filter((deal) => deal.active);
  for (const deal of active) {
    const latest = end - 20 * DAY;
    const earliest = deal.startsAt + 30 * DAY;
    if (earliest < latest && chance.chance(deal.top ? 0.5 : 0.05)) {
      const at = Math.round(chance.between(earliest, latest));
      deal.raise = { at, percent: deal.percent + chance.pick([2, 2.5, 3]) };
    }
  }
  const ordinary = active.filter((d) => !d.top && !d.raise && d.startsAt < end - 90 * DAY);
  const [late, closed] = ordinary;
  const two = active.find((deal) => deal.links.length > 1 && deal !== closed && deal !== late);
  if (late) late.termsAt = late.startsAt + 12 * DAY;
  if (closed) closed.closesAt = end - 40 * DAY;
  if (two) two.links[1].closesAt = end - 25 * DAY;
}

/** When a creator posted: clicks and orders come in the days after. */
function postsOf(chance, deal, end) {
  const until = Math.min(deal.closesAt ?? end, end - HOUR);
  const posts = Math.max(1, Math.round((until - deal.startsAt) / DAY / (deal.top ? 8 : 24)));
  return Array.from({ length: posts }, () => chance.between(deal.startsAt, until));
}

/** A moment some time after a post of the deal, rather in the evening than at night. */
function afterPost(chance, deal, end, meanDays) {
  for (;;) {
    const at = Math.round(chance.pick(deal.posts) + chance.exponential(meanDays) * DAY);
    const hour = new Date(at - 5 * HOUR).getUTCHours();
    const busy = 0.55 - 0.45 * Math.cos(((hour - 5) / 24) * 2 * Math.PI);
    if (at <= end && at > deal.startsAt && chance.chance(busy)) return at;
  }
}

function makeClicks(chance, { deals, count, end }) {
  const draw = chance.drawer(
    deals.filter((deal) => deal.active),
    (deal) => deal.weight,
  );
  const clicks = [];
  while (clicks.length < count) {
    const deal = draw();
    const link = deal.links.length > 1 && chance.chance(0.3) ? deal.links[1] : deal.links[0];
    const click = makeClick(chance, link, afterPost(chance, deal, end, 1.5));
    clicks.push(click);
    if (click.shopper && clicks.length < count && chance.chance(0.08)) {
      const at = Math.min(end, click.at + chance.whole(5_000, 20 * MINUTE));
      clicks.push({ ...click, at });
    }
  }
  // Clicks after a link was closed lead to the home page and count nothing.
  for (const click of clicks) click.counted = !(click.link.closesAt && click.at >= click.link.closesAt);
  return clicks;
}

function makeClick(chance, link, at) {
  const hex = () => chance.whole(0, 0xffff).toString(16);
  const agent = chance.pick(SHOPPER_AGENTS);
  const click = {
    link,
    at,
    method: 'GET',
    headers: { 'user-agent': agent, 'cf-connecting-ip': `2001:db8:${hex()}:${hex()}::1` },
    query: chance.chance(0.3) ? '?utm_source=social&utm_medium=influencer' : '',
    shopper: true,
    id: null,
  };
  const kind = chance.between(0, 100);
  if (kind < 5) click.headers['user-agent'] = chance.pick(BOT_AGENTS);
  else if (kind < 6) click.method = 'HEAD';
  else if (kind < 7) click.headers['sec-purpose'] = 'prefetch;prerender';
  click.shopper = kind >= 7;
  return click;
}

function makeOrders(chance, { deals, clicks, count, end }) {
  const kinds = Object.entries(KINDS).flatMap(([kind, n]) =>
    Array(Math.round((count * n) / 1000)).fill(kind),
  );
  for (const [kind, most] of Object.entries(RARE)) {
    kinds.push(...Array(Math.min(most, Math.ceil(count / 100))).fill(kind));
  }
  while (kinds.length < count) kinds.push('byItself');
  const pools = poolsOf(chance, deals, clicks, end);
  const buyers = [];
  const orders = kinds.slice(0, count).map((kind) => makeOrder(chance, kind, pools, buyers));
  // A shop's times are whole seconds.
  for (const order of orders) order.placedAt = Math.floor(order.placedAt / 1000) * 1000;
  orders.sort((a, b) => a.placedAt - b.placedAt);
  // Ids are the shop's.
  orders.forEach((order, index) => (order.number = 1001 + index));
  for (const order of orders) fate(chance, order, end);
  return orders;
}

/** Where orders come from. */
function poolsOf(chance, deals, clicks, end) {
  const shoppers = clicks.filter((click) => click.shopper && click.counted);
  const active = deals.filter((deal) => deal.active);
  const deal = chance.drawer(active, ({ weight }) => weight);
  const soon = () => (chance.chance(0.7) ? chance.exponential(0.06) : chance.exponential(5)) * DAY;
  /** A click and a moment in the next 29 days (or `after` days) at which its shopper buys. */
  const click = (after) => {
    for (;;) {
      const found = chance.pick(shoppers);
      const wait = after === undefined ? soon() + MINUTE : after * DAY;
      const at = Math.round(found.at + wait);
      if (at < end && (after !== undefined || wait < 29 * DAY)) return [found, at];
    }
  };
  const byCode = () => {
    const found = deal();
    return [found, afterPost(chance, found, end, 3)];
  };
  const anytime = () => Math.round(end - chance.between(0.1, DAYS - 1) * DAY);
  const late = active.find((d) => d.termsAt > d.startsAt);
  const closed = active.find((d) => d.closesAt);
  return { click, byCode, anytime, late, closed, active };
}

function makeOrder(chance, kind, pools, buyers) {
  const order = { kind, placedAt: 0, clicks: [], ref: null, codes: [], automatic: null, test: false };
  const own = (deal) => order.codes.push(deal.code);
  const viaClick = (after) => {
    const [click, at] = pools.click(after);
    order.placedAt = at;
    order.clicks.push(click);
    return click.link.deal;
  };
  const viaCode = () => {
    const [deal, at] = pools.byCode();
    order.placedAt = at;
    own(deal);
    return deal;
  };
  const fallBack = () => void (order.placedAt = pools.anytime());

  const makers = {
    link: () => viaClick(),
    code: () => viaCode(),
    both: () => own(viaClick()),
    foreignCodeAndLink: () => viaClick() && order.codes.push(chance.pick(words.FOREIGN_CODES)),
    codeOfAnother: () => viaClick() && own(chance.pick(pools.active)),
    foreignCode: () => {
      fallBack();
      order.codes.push(chance.pick(words.FOREIGN_CODES));
    },
    lateClick: () => viaClick(chance.between(31, 60)),
    twoClicks: () => {
      viaClick();
      for (let tries = 0; tries < 50 && order.clicks.length < 2; tries++) {
        const [other] = pools.click();
        const age = order.placedAt - other.at;
        if (age > 0 && age < 29 * DAY) order.clicks.push(other);
      }
    },
    bareRef: () => {
      const deal = viaClick();
      order.clicks = [];
      order.ref = deal.links[0];
    },
    automaticDiscount: () => {
      fallBack();
      order.automatic = chance.pick(pools.active).code;
    },
    selfPurchase: () => (order.email = viaCode().creator.email),
    testOrder: () => viaCode() && (order.test = true),
    forgedClick: () => viaClick() && (order.forged = true),
    closedDeal: () => {
      if (!pools.closed) return fallBack();
      own(pools.closed);
      order.placedAt = Math.round(pools.closed.closesAt + chance.between(1, 35) * DAY);
    },
    beforeTerms: () => {
      if (!pools.late) return fallBack();
      own(pools.late);
      order.placedAt = Math.round(chance.between(pools.late.startsAt + HOUR, pools.late.termsAt));
    },
    byItself: fallBack,
  };
  makers[kind]();
  order.clicks.sort((a, b) => b.at - a.at);
  order.email ??= buyer(chance, buyers);
  order.lines = linesOf(chance, order.codes.length > 0 || order.automatic !== null);
  return order;
}

function buyer(chance, buyers) {
  if (buyers.length > 0 && chance.chance(0.15)) return chance.pick(buyers);
  const name = `${chance.pick(words.BUYER_NAMES)}.${chance.pick(words.LAST_NAMES).toLowerCase()}`;
  const email = `${name}${chance.whole(1, 999)}@example.com`;
  buyers.push(email);
  return email;
}

/** Amounts in cents; discount and tax are those of the whole line. */
function linesOf(chance, discounted) {
  const products = chance.shuffled(words.PRODUCTS).slice(0, chance.pick([1, 1, 1, 2, 2, 3]));
  const lines = products.map(([handle, title, price]) => {
    const quantity = price < 10_000 && chance.chance(0.3) ? 2 : 1;
    const discount = discounted ? Math.round((price * quantity) / 10) : 0;
    return { handle, title, price, quantity, discount, earns: true };
  });
  if (chance.chance(0.015)) {
    lines.push({ title: 'Gift card', price: 5000, quantity: 1, discount: 0, earns: false, giftCard: true });
  }
  for (const line of lines) {
    const net = line.price * line.quantity - line.discount;
    line.tax = line.earns ? Math.round(net * 0.08) : 0;
  }
  return lines;
}


/** Payment, refunds and cancellation; `refunds` holds those that have happened by the end. */
function fate(chance, order, end) {
  const kind = chance.between(0, 100);
  const later = (from, to) => order.placedAt + Math.round(chance.between(from, to) * (DAY / 1000)) * 1000;
  order.paidAt = kind < 4 ? later(0.8, 3) : kind < 5 ? Infinity : order.placedAt;
  order.cancelledAt = kind >= 5 && kind < 7 ? later(0.05, 1.5) : Infinity;
  order.refunds = [];
  const refund = (more) => {
    const at = later(3, chance.chance(0.1) ? 70 : 25);
    if (at <= end)
      order.refunds.push({ at, lines: [], amount: 0, shipping: 0, ...more });
  };
  const back = (line, quantity) => {
    const part = (whole) => Math.floor((whole * quantity) / line.quantity);
    const subtotal = part(line.price * line.quantity - line.discount);
    return { line, quantity, subtotal, tax: part(line.tax) };
  };
  if (kind >= 7 && kind < 11) refund({ lines: [back(chance.pick(order.lines), 1)] });
  else if (kind < 13.5 && kind >= 11) refund({ lines: order.lines.map((line) => back(line, line.quantity)) });
  else if (kind < 14.5 && kind >= 13.5) refund({ shipping: 795 });
  else if (kind < 16 && kind >= 14.5) refund({ amount: 500 * chance.whole(1, 3) });
}

/** What the store tells of an order: late, twice and out of order now and then. */
function deliveriesOf(chance, order, end) {
  const lag = () => (chance.chance(0.01) ? chance.between(1, 20) * HOUR : chance.between(500, 20_000));
  const told = [];
  const tell = (at, what) => {
    if (at > end) return;
    const copies = chance.chance(0.03) ? 2 : 1;
    told.push({ kind: 'delivery', at: Math.min(end, Math.round(at + lag())), order, copies, ...what });
  };
  const snapshot = (at) => tell(at, { asOf: at });
  const paidAtOnce = order.paidAt === order.placedAt;
  if (!paidAtOnce) snapshot(order.placedAt);
  // `orders/create` and `orders/paid` arrive together.
  else if (chance.chance(0.25)) [0, 1].forEach((n) => snapshot(order.placedAt + 1000 * (n + 1)));
  else snapshot(order.placedAt + 1000);
  if (!paidAtOnce) snapshot(order.paidAt);
  snapshot(order.cancelledAt);
  for (const refund of order.refunds) {
    tell(refund.at, { refund });
    if (chance.chance(0.5)) snapshot(refund.at + 2000);
  }
  return told;
}
