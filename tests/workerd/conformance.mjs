// npm run conformance: schemathesis over the whole document, as each kind of caller, against the built
// worker: nothing answers 5xx, and every answer is one that the document describes.
//
//   npm run conformance -- --examples 200 --seed 7 --as "a key that may read"
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { schemathesis } from '../../scripts/lib/setup.mjs';
import { orderOf, programme } from './support/client.mjs';
import { owner } from './support/people.mjs';
import { startServer } from './support/server.mjs';
import { order } from './support/shopify.mjs';

/** Each kind of caller, by what it shows for each scheme of the document; and ids of its brand's things. */
async function world(server) {
  const p = await programme(server);
  const own = await owner(server, p);
  const paid = order({ codes: [[p.code, '1.00']] });
  await p.store.send(paid);
  await p.store.deliver('not json');
  const first = async (path) => (await p.client.get(path)).data[0].id;
  const ids = {
    brands: p.brand.id,
    keys: await first('/v1/keys'),
    members: own.id,
    stores: p.store.id,
    quarantine: await first('/v1/quarantine'),
    creators: p.creator.id,
    campaigns: p.campaign.id,
    deals: p.deal.id,
    links: p.link.id,
    orders: (await orderOf(p, paid.id)).id,
  };
  // Whatever an operation asks for, this is what the caller has.
  const bearer = (token) => ({ operator: { bearer: token }, api_key: { bearer: token }, creator: { bearer: token } });
  const key = async (...scopes) => (await p.client.post('/v1/keys', { name: 'k', scopes })).api_key;
  const { url } = await p.client.post(`/v1/deals/${p.deal.id}/invitation`);
  const accepted = { token: url.split('#')[1] };
  const { access_token } = await p.client.as().post('/v1/invitations/acceptance', accepted);
  ids.claims = (await p.client.as(access_token).post('/v1/me/claims', { order_number: '#0' })).id;
  const callers = {
    nobody: {},
    'the operator': bearer(server.operatorToken),
    'a key that may everything': bearer(await key('read', 'deals', 'money', 'admin')),
    'a key that may read': bearer(await key('read')),
    'a creator': bearer(access_token),
    'an owner': { session: { api_key: own.browser.cookies.get('__Host-sid') } },
  };
  return { callers, ids, bodies: bodies(p), brand: p.brand.id };
}

/** Bodies that are good, which no schema can tell: what they name is there, and rules allow it. */
const bodies = ({ mark, creator, campaign }) => ({
  'POST /v1/brands': {
    name: 'Casa',
    currency: 'USD',
    homepage_url: 'https://casa.example',
    owner_email: `other-${mark}@casa.example`,
  },
  'PATCH /v1/brand': { hold_days: 14 },
  'POST /v1/keys': { name: 'CRM', scopes: ['read'] },
  'POST /v1/brands/{id}/keys': { name: 'Rescue' },
  'POST /v1/brands/{id}/owners': { email: `owner-of-${mark}@casa.example` },
  'POST /v1/members': { email: `member-of-${mark}@casa.example`, role: 'viewer' },
  'POST /v1/stores': {
    platform: 'shopify',
    shop_domain: `more-${mark}.myshopify.com`,
    storefront_url: `https://more-${mark}.casa.example`,
    client_id: 'app',
    client_secret: 'hush',
  },
  'POST /v1/creators': { name: 'Ben', handle: `@ben-${mark}` },
  'POST /v1/campaigns': { name: 'Spring' },
  'POST /v1/deals': { creator_id: creator.id, campaign_id: campaign.id, commission_percent: '12.5' },
  'PATCH /v1/deals/{id}': { tags: ['x'] },
  'POST /v1/deals/{id}/terms': { commission_percent: '15' },
  'POST /v1/deals/{id}/links': { target: '/products/x' },
  'POST /v1/deals/{id}/codes': { code: 'MORE', create_in_store: false },
  'POST /v1/affiliate-groups': { name: 'Autumn', mode: 'one_discount', discount: { kind: 'percentage', percent: '10' } },
  'PATCH /v1/links/{id}': { target: '/products/y' },
  'POST /v1/orders/{id}/move': { deal_id: null, reason: 'agreed' },
  'POST /v1/orders/{id}/disputes': { state: 'won' },
  'POST /v1/claims/{id}/decision': { outcome: 'declined' },
  'POST /v1/me/claims': { order_number: '#1' },
  'POST /v1/sign-in': { email: `owner-${mark}@casa.example` },
});

/** Puts those into the document, with the number of things that a list may be asked for. */
function withExamples(document, bodies) {
  for (const [path, item] of Object.entries(document.paths)) {
    for (const [method, operation] of Object.entries(item)) {
      const body = bodies[`${method.toUpperCase()} ${path}`];
      if (body) operation.requestBody.content['application/json'].example = body;
      for (const parameter of operation.parameters ?? []) if (parameter.name === 'limit') parameter.example = 50;
    }
  }
}

/**
 * Who is tried, and in a short run with which phases and of which tags: an owner may what a key may that
 * may everything, and has a session besides.
 */
const KINDS = [
  ['a key that may everything', ['--phases=examples,coverage,fuzzing']],
  ['an owner', ['--phases=examples,coverage,fuzzing', '--include-tag=sign-in']],
  ['a key that may read', ['--phases=examples,fuzzing']],
  ['a creator', ['--phases=examples,fuzzing']],
  ['the operator', ['--phases=examples,fuzzing']],
  ['nobody', ['--phases=examples,fuzzing']],
];

/** Runs schemathesis as each kind of caller, two at a time; answers what is wrong. */
export async function conforms({ examples, seed, as, short = false }) {
  const tool = await schemathesis();
  if (tool === undefined) return [];
  const faults = [];
  const left = KINDS.filter(([who]) => !as || who === as);
  const worker = async () => {
    for (let kind = left.shift(); kind; kind = left.shift()) {
      const [who, phases] = kind;
      const limits = short ? phases : ['--phases=examples,coverage,fuzzing'];
      const { code, output } = await trial(tool, who, [...limits, `--max-examples=${examples}`, `--seed=${seed}`]);
      console.log(`as ${who}: ${output.trim().split('\n').at(-1).replaceAll('=', '').trim()}`);
      if (code !== 0) faults.push(`as ${who}:\n${output}`);
    }
  };
  await Promise.all([worker(), worker()]);
  return faults;
}

/** Known-bad: a document that says of a brand's name that it is a number must be caught. */
export async function caught() {
  const tool = await schemathesis();
  if (tool === undefined) return true;
  const wrong = (document) => {
    document.components.schemas.Brand.properties.name = { type: 'integer' };
    delete document.paths['/v1/stores'].get.responses.default;
  };
  const limits = ['--phases=coverage', '--include-path=/v1/brand', '--include-path=/v1/stores'];
  const only = [...limits, '--include-method=GET', '--seed=1'];
  const { output } = await trial(tool, 'a key that may everything', only, wrong);
  return /Response violates schema/.test(output) && /Undocumented status code/.test(output);
}

/** Its own server for each: what one caller does to its brand is nothing to the next. */
async function trial(tool, who, args, change) {
  const server = await startServer({ mail: true });
  try {
    const { callers, ids, bodies, brand } = await world(server);
    const document = await (await fetch(`${server.origin}/openapi.json`)).json();
    withExamples(document, bodies);
    change?.(document);
    const file = join(server.stateDir, 'openapi.json');
    writeFileSync(file, JSON.stringify(document));
    // Keys and tokens are one brand's; a session is told it with every change.
    const about = ['-H', `Tributary-Brand: ${brand}`];
    const { code, output } = await run(tool, server, settings(callers[who], ids), [file, ...args, ...about]);
    const broken = server.log().match(/panicked|unreachable|RuntimeError|"status":5\d\d.*/g) ?? [];
    return { code: code || broken.length, output: [...broken.slice(0, 5), output].join('\n') };
  } finally {
    await server.stop();
  }
}

/**
 * What schemathesis is told. Rules that no schema can say (a shop's name, a day before another) refuse
 * with 422 what fits it, and what isn't good for signing in with 400. Nobody signs out in between.
 */
function settings(auth, ids) {
  const fine = ['2xx', '401', '403', '404', '409', '412', '422', '429'];
  const accepted = (more) => `expected-statuses = ${JSON.stringify([...fine, ...more])}\n`;
  const schemes = Object.entries(auth).map(([scheme, shown]) => {
    const [[name, value]] = Object.entries(shown);
    return `[auth.openapi.${scheme}]\n${name} = ${JSON.stringify(value)}\n`;
  });
  const operations = Object.entries(ids).map(
    ([name, id]) =>
      `[[operations]]\ninclude-path-regex = "^/v1/${name}/"\n[operations.parameters]\n"path.id" = "${id}"\n`,
  );
  return [
    `[checks.positive_data_acceptance]\n${accepted([])}`,
    ...schemes,
    ...operations,
    '[[operations]]\ninclude-method = "DELETE"\ninclude-path = "/v1/session"\nenabled = false\n',
    '[[operations]]\ninclude-path-regex = "^/v1/sign-in/"\n',
    `[operations.checks.positive_data_acceptance]\n${accepted(['400'])}`,
  ].join('');
}

async function run(tool, server, settings, args) {
  const file = join(server.stateDir, 'schemathesis.toml');
  writeFileSync(file, settings, { mode: 0o600 });
  const always = ['--url', server.origin, '--checks=all', '--no-shrink', '--continue-on-failure'];
  always.push('--warnings=off', '-H', 'Sec-Fetch-Site: same-origin');
  const child = spawn(tool, ['--config-file', file, 'run', ...args, ...always], {
    cwd: server.stateDir,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, NO_COLOR: '1', COLUMNS: '120' },
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => (output += data));
  const [code] = await once(child, 'close');
  return { code, output };
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const { values } = parseArgs({
    options: {
      examples: { type: 'string', default: '50' },
      seed: { type: 'string' },
      as: { type: 'string' },
      short: { type: 'boolean', default: false },
    },
  });
  // The short run of `npm test` asks the same each time: what is new to try is found by the long ones.
  values.seed ??= values.short ? '2026' : String(Date.now() % 1_000_000);
  console.log(`seed ${values.seed}`);
  const faults = await conforms(values);
  if (values.short && !(await caught())) faults.push('a wrong document is not caught');
  for (const fault of faults) console.log(fault);
  process.exit(faults.length > 0 ? 1 : 0);
}
