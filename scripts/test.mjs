// npm test: everything that is needed, all tests, and a summary.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { build, buildDir } from './lib/build.mjs';
import { chromium } from './lib/chromium.mjs';
import { fuzzAll } from './lib/fuzz.mjs';
import { node22, setup } from './lib/setup.mjs';
import { cargoEnv, Failure, main, root, run, say } from './lib/shell.mjs';

const results = [];

async function step(name, work) {
  say(`\n== ${name}`);
  const started = Date.now();
  const error = await work().then(
    () => undefined,
    (reason) => reason,
  );
  if (error) say(error instanceof Failure ? error.message : error.stack);
  results.push({ name, ok: !error, seconds: (Date.now() - started) / 1000 });
  return !error;
}

main(async () => {
  if (await step('set-up', setup)) {
    await step('cargo test', () => run('cargo', ['test', '--locked'], { env: cargoEnv }));
    // The optimiser has one core of its own to wait for: both together take little longer than one.
    const [, built] = await Promise.all([
      step('fuzz targets', () => fuzzAll({ seconds: 4, seed: 2026 })),
      step('build for Workers', async () => {
        await Promise.all([build('release'), build('canary')]);
      }),
    ]);
    if (built) {
      await step('nothing of the test builds in the release', checkRelease);
      await step('tests in workerd', () => nodeTests('tests/workerd', { except: TIMED }));
      await step('tests in workerd that measure times', () => nodeTests('tests/workerd', { only: TIMED }));
      await step('tests of pages in Chromium', async () => {
        await chromium();
        await nodeTests('tests/pages', { atOnce: 2 });
      });
      await step('the document and the product', conformance);
    }
  }
  say('');
  for (const { name, ok, seconds } of results) {
    say(`${ok ? 'ok    ' : 'FAILED'} ${seconds.toFixed(1).padStart(7)} s  ${name}`);
  }
  process.exit(results.every(({ ok }) => ok) ? 0 : 1);
});

/** The clock override and the faults are for laptops: what is deployed must not even know their names. */
async function checkRelease() {
  for (const word of ['x-tributary-now', 'CANARY']) {
    // The glue in JavaScript is part of the build too.
    const found = (variant) =>
      ['index_bg.wasm', 'index.js'].some((file) => readFileSync(join(buildDir(variant), file)).includes(word));
    if (found('release')) throw new Failure(`The release build contains ${word}.`);
    // Otherwise the search above would be looking for the wrong word.
    if (!found('canary')) throw new Failure(`The canary build does not contain ${word}.`);
  }
}

/** Tests that compare how long things take: nothing else runs beside them. */
const TIMED = ['sign-in.test.mjs'];

/** Files that take a minute and more begin first, so that none of them is left to run alone at the end. */
const LONG = ['day.test.mjs', 'sync.test.mjs', 'goaffpro.test.mjs', 'bad-input.test.mjs'];

/** A file waits for its own servers most of the time, so that more of them run at once than there are cores. */
async function nodeTests(folder, { only, except = [], atOnce = 3 }) {
  const names = existsSync(join(root, folder)) ? readdirSync(join(root, folder)) : [];
  const wanted = only ?? names.filter((name) => name.endsWith('.test.mjs') && !except.includes(name));
  if (wanted.length === 0) throw new Failure(`There are no tests in ${folder}.`);
  const rank = (name) => (LONG.includes(name) ? LONG.indexOf(name) : LONG.length);
  const files = wanted
    .sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1))
    .map((name) => `${folder}/${name}`);
  const reported = ['--test-reporter=spec', '--test-timeout=600000', `--test-concurrency=${atOnce}`];
  await run(node22(), ['--test', ...reported, ...files]);
}

/** schemathesis, briefly: `npm run conformance` tries more. */
async function conformance() {
  await run(node22(), ['tests/workerd/conformance.mjs', '--short', '--examples', '3']);
}
