// Who pays creators while the plug is pulled: fees, payouts, approvals and settlements, each with its
// Idempotency-Key, so that what broke off is asked again with the same key.
import { Client } from './client.mjs';

const FEE = '5.00';
const FEE_MINOR = 500n;
/** So many answers of before are asked for again after each kill. */
const ASKED_AGAIN = 5;

export class Treasurer {
  #run;
  #random;
  #calls = [];
  #next = 0;

  /** `random(n)` is the n-th random number, 0 to 1. */
  constructor(run, random) {
    this.#run = run;
    this.#random = random;
  }

  /** Lets the creators be paid. */
  async begin(server) {
    const { p, creators } = this.#run;
    const anyone = new Client(server);
    for (const { deal } of creators) {
      const { url } = await p.client.post(`/v1/deals/${deal.id}/invitation`);
      const token = { token: url.split('#')[1] };
      const { access_token } = await anyone.post('/v1/invitations/acceptance', token);
      const details = { method: 'paypal', email: 'paid@people.example' };
      await anyone.as(access_token).call('PUT', '/v1/me/payment-details', details);
    }
  }

  /** Pays one of the creators, fee after fee and payout after payout, until `over()`. */
  async work({ creator, deal }, over) {
    while (!over()) {
      await this.#call(`/v1/deals/${deal.id}/fees`, { amount: usd(FEE) });
      if (!over()) await this.#pay(creator, over);
    }
  }

  async #pay(creator, over) {
    const draft = await this.#call('/v1/payouts', { currency: 'USD', creator_ids: [creator.id] });
    if (draft?.status !== 201 || over()) return;
    const { id, lines } = JSON.parse(draft.text);
    const approved = await this.#call(`/v1/payouts/${id}/approval`);
    if (approved?.status !== 200) return;
    for (const line of lines) {
      if (over()) return;
      const outcome = this.#random(this.#next) < 0.3 ? 'failed' : 'settled';
      await this.#call(`/v1/payouts/${id}/lines/${line.id}/settlement`, { outcome });
    }
  }

  /** One call; its status is 0 if nobody answered. */
  async #call(path, body) {
    const call = { path, body, key: `treasurer-${this.#next++}`, status: 0, text: '' };
    this.#calls.push(call);
    return this.#send(call);
  }

  async #send(call) {
    const headers = { 'idempotency-key': call.key };
    const answer = await this.#run.p.client.call('POST', call.path, call.body, headers).catch(() => {});
    if (answer && answer.status !== 503) Object.assign(call, { status: answer.status, text: answer.text });
    return answer;
  }

  /** After a restart: what was told before is told again, and what broke off is done once. */
  async settle() {
    const faults = [];
    const told = this.#calls.filter(({ status }) => status !== 0).slice(-ASKED_AGAIN);
    for (const call of told) {
      const { status, text } = call;
      await this.#send(call);
      const refused = status >= 400;
      if (!refused && (call.status !== status || call.text !== text))
        faults.push(`${call.path} (${call.key}) was ${status} and is ${call.status}: ${call.text.slice(0, 200)}`);
    }
    for (const call of this.#calls.filter(({ status }) => status === 0)) {
      for (let n = 0; n < 5 && call.status === 0; n++) await this.#send(call);
      if (call.status === 0 || call.status >= 500)
        faults.push(`${call.path} (${call.key}) was asked again and got ${call.status}`);
    }
    return faults;
  }

  /** Fees of a creator, in cents: each call that was answered well, once. */
  fees({ deal }) {
    const mine = this.#calls.filter(({ path, status }) => path.includes(deal.id) && status === 201);
    return BigInt(mine.length) * FEE_MINOR;
  }

  /** How many payments were settled. */
  get settled() {
    const settled = ({ path, status, body }) =>
      path.endsWith('/settlement') && status === 200 && body.outcome === 'settled';
    return this.#calls.filter(settled).length;
  }

  /** What payouts say against what the ledger says. */
  async differ(server) {
    const [lines, accounts] = await server.sql(
      'SELECT creator_id, state, sum(amount_minor) AS sum FROM payout_lines GROUP BY creator_id, state',
      "SELECT creator_id, account, sum(amount_minor) AS sum FROM balances WHERE account IN ('paid', 'in_payout') GROUP BY creator_id, account",
    );
    const faults = [];
    for (const { creator } of this.#run.creators) {
      const of = (rows, key, name) =>
        rows.find((row) => row.creator_id === creator.id && row[key] === name)?.sum ?? 0;
      for (const [state, account] of [
        ['settled', 'paid'],
        ['in_payout', 'in_payout'],
      ]) {
        const [paid, booked] = [of(lines, 'state', state), of(accounts, 'account', account)];
        if (paid !== booked) faults.push(`${account} is ${booked} in the books and ${paid} in payouts`);
      }
    }
    return faults;
  }
}

const usd = (amount) => ({ amount, currency: 'USD' });
