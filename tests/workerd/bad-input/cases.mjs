// Inputs that shouldn't be, and what each must get. Adding one costs a row.
//
// A row is `[id, what, ask, expected]`. `ask` makes one request or several (a list) in the world `w`
// that bad-input.test.mjs builds. `expected` is a status, or an object:
//   status       one status, or those that are right
//   body         what the text of the answer must match
//   quarantined  how many deliveries more are in quarantine afterwards (0 if absent)
//   changes      true if the request may change anything, or the tables that it may change; otherwise
//                all tables of money, clicks and permissions must be as they were
//   check        looks at the answers and at the world, for what a status doesn't say
//
// The ids are those of our list of bad inputs: R redirect, W webhook, A API, D signing in and
// pages, G GoAffPro. A file for each group; what belongs to parts which are not built yet is named here, with what it waits for.
import { api } from './api.mjs';
import { automations } from './automations.mjs';
import { conversions } from './conversions.mjs';
import { crm } from './crm.mjs';
import { filters } from './filters.mjs';
import { imports } from './imports.mjs';
import { money } from './money.mjs';
import { orderLife } from './order-life.mjs';
import { redirects } from './redirect.mjs';
import { signIn } from './sign-in.mjs';
import { webhooks } from './webhook.mjs';

/** Ids of the list that have no row here, or not all of theirs: who shows them, or what they wait for. */
export const elsewhere = {
  R12: 'deliveries.test.mjs, “shoppers count”',
  R13: 'deliveries.test.mjs, “shoppers count”',
  R17: 'outage.test.mjs',
  W6: 'deliveries.test.mjs, “every store has its own secret”',
  A19: 'limits.test.mjs, “a key that asks too much”',
  D6: 'sign-in.test.mjs, “a scanner in between changes nothing”',
  A10: 'tests/api/payouts/, “who cannot be paid”, tests/api/payments/refusals.rs, “payouts that break a rule”, and payouts.test.mjs',
  'D12, payment details': 'tests/api/payouts/, “a change of payment details”',
  C5: 'imports.test.mjs, “the same again”',
  C10: 'a payout has one currency: tests/api/payouts/ and currencies.rs',
  C12: 'imports.test.mjs, “an answer that is lost”; a batch of D1 is whole or not at all: kill.test.mjs',
  D16: 'payouts.test.mjs; pages for it come with the dashboards',
  W24: 'outage.test.mjs and kill.test.mjs',
  ...Object.fromEntries(Array.from({ length: 13 }, (_, at) => [`G${at + 1}`, 'goaffpro.test.mjs'])),
};
export const waiting = {};

export const cases = [...redirects, ...webhooks, ...orderLife, ...api, ...money, ...crm, ...filters, ...automations, ...signIn, ...conversions, ...imports];
