// What a newcomer reads when the demo programme is loaded.
import { sum } from './load.mjs';
import { BRAND } from './words.mjs';

const number = (n) => n.toLocaleString('en-US');
const dollars = (n) => n.toLocaleString('en-US', { style: 'currency', currency: BRAND.currency });

export function report({ plan, found, speed }, keys, print) {
  const { orders, performance, balances, verification } = found;
  const all = [...performance.values()];
  const owned = orders.filter((order) => order.deal_id !== null);
  const clicks = sum(all, (p) => p.clicks.total);
  const filtered = sum(all, (p) => p.clicks.filtered);
  print(`
${BRAND.name}: ${plan.deals.length} creators' deals since ${new Date(plan.start).toISOString().slice(0, 10)}
  clicks      ${number(clicks)} of shoppers, ${number(filtered)} of bots and previews left out
  orders      ${number(orders.length)}, of which ${number(owned.length)} belong to a deal
  revenue     ${dollars(sum(owned, (o) => Number(o.base.amount)))} after refunds
  commission  ${dollars(sum(owned, (o) => Number(o.commission.amount)))}
  balances    ${dollars(total(balances, 'available'))} available, ${dollars(total(balances, 'pending'))} in hold periods
  books       ${books(verification)}
  loaded in   ${speed.seconds.toFixed(0)} s: ${number(speed.requests)} requests, ${number(perSecond(speed))} a second
`);
  bestDeals(performance, print);
  if (found.clicksLate) print('\nReports show the clicks of past days within five minutes.');
  complaints({ plan, orders, clicks }, print);
  howTo(keys, print);
}

const total = (balances, account) => sum([...balances.values()], (balance) => Number(balance[account]));

const perSecond = ({ requests, seconds }) => Math.round(requests / seconds);

function books({ transactions, entries, balances_match, chain_intact, head }) {
  const sealed = head ? `${number(head.size)} sealed` : 'not sealed yet';
  const verdict = balances_match && chain_intact ? 'verified' : 'DO NOT VERIFY';
  return `${number(transactions)} transactions, ${number(entries)} entries (${sealed}): ${verdict}`;
}

function bestDeals(performance, print) {
  const revenue = ({ revenue: [money] }) => Number(money?.amount ?? 0);
  const best = [...performance].sort((a, b) => revenue(b[1]) - revenue(a[1])).slice(0, 5);
  print('Best creators             niche               clicks  orders      revenue');
  for (const [deal, p] of best) {
    const { name, niche } = deal.creator;
    const cells = [number(p.clicks.total).padStart(8), number(p.orders).padStart(8)];
    print(`  ${name.padEnd(22)}  ${niche.padEnd(18)}${cells.join('')}${dollars(revenue(p)).padStart(13)}`);
  }
}

/** What was sent and what is found are the same, or the product has a fault worth knowing. */
function complaints({ plan, orders, clicks }, print) {
  const sent = plan.clicks.filter((click) => click.shopper && click.counted).length;
  if (orders.length !== plan.orders.length)
    print(`\nOf ${plan.orders.length} orders ${orders.length} are found.`);
  if (clicks !== sent) print(`\nOf ${sent} clicks ${clicks} are found so far.`);
}

function howTo({ origin, shopify, brand, creator, deal }, print) {
  print(`
Sign in as the brand's owner: ${origin}/mailbox has the invitation, and the mails after it.
Or call the API as the brand, with its key:
  BRAND=${brand.api_key}
  curl -H "Authorization: Bearer $BRAND" ${origin}/v1/deals/${deal.id}/performance
  curl -H "Authorization: Bearer $BRAND" '${origin}/v1/orders?deal_id=${deal.id}&limit=3'
  curl -H "Authorization: Bearer $BRAND" ${origin}/v1/ledger/verification
As ${creator.name}, a creator, with an access token:
  CREATOR=${creator.access_token}
  curl -H "Authorization: Bearer $CREATOR" ${origin}/v1/me/earnings
Follow the link as a shopper${shopify ? ', and buy' : ''}: ${deal.link.url}
See an order come in and what it changes: npm run demo:order
`);
}
