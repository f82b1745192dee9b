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
    await step('fuzz targets', () => fuzzAll({ seconds: 4, seed: 2026 }));
    const built = await step('build for Workers', async () => {
      await build('release');
      await build('canary');
    });
    if (built) {
      await step('nothing of the test builds in the release', checkRelease);
      await step('tests in workerd', () => nodeTests('tests/workerd'));
      await step('tests of pages in Chromium', async () => {
        await chromium();
        await nodeTests('tests/pages');
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

async function nodeTests(folder) {
  const names = existsSync(join(root, folder)) ? readdirSync(join(root, folder)) : [];
  const files = names.filter((name) => name.endsWith('.test.mjs')).map((name) => `${folder}/${name}`);
  if (files.length === 0) throw new Failure(`There are no tests in ${folder}.`);
  await run(node22(), ['--test', '--test-reporter=spec', '--test-timeout=300000', ...files.sort()]);
}

/** schemathesis, briefly: `npm run conformance` tries more. */
async function conformance() {
  await run(node22(), ['tests/workerd/conformance.mjs', '--short', '--examples', '3']);
}
