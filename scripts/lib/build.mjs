// Builds the worker into build/<variant>/.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import {
  cargoEnv,
  cargoTarget,
  Failure,
  fingerprint,
  readIfThere,
  root,
  run,
  say,
  withLock,
} from './shell.mjs';
import { node22, tools } from './setup.mjs';
import { writeAssets } from './assets.mjs';
import { graph, withNamesInOrder } from './shrink.mjs';

/** How each variant differs from what is deployed. Optimising with wasm-opt takes longer than compiling. */
const VARIANTS = {
  release: ['--locked'],
  // A laptop: requests may set the clock, because the demo programme lives in the past.
  local: ['--no-opt', '--locked', '--features', 'local'],
  // Known-bad on demand, so that the tests can show that they would notice.
  canary: ['--no-opt', '--locked', '--features', 'canary'],
};

/** What isn't deployed is compiled for whoever waits for it: the same code, on both cores, and larger. */
const QUICK = { CARGO_PROFILE_RELEASE_LTO: 'off', CARGO_PROFILE_RELEASE_CODEGEN_UNITS: '16', CARGO_PROFILE_RELEASE_OPT_LEVEL: 's' };

const INPUTS = [
  ...[
    'src',
    'static',
    'templates',
    'locales',
    'migrations',
    'schema.sql',
    'build.rs',
    'askama.toml',
  ],
  ...['Cargo.toml', 'Cargo.lock', 'rust-toolchain.toml', '.cargo', 'scripts/lib/entry.mjs'],
  ...['openapi.json', 'scripts/lib/assets.mjs', 'scripts/lib/shrink.mjs'],
];

export const buildDir = (variant) => join(root, 'build', variant);

/** Builds unless the last build of this variant was made of the same. */
export async function build(variant) {
  if (!Object.hasOwn(VARIANTS, variant)) {
    throw new Failure(`Unknown variant ${variant}: there are ${Object.keys(VARIANTS).join(', ')}.`);
  }
  const options = VARIANTS[variant];
  const { workerBuild, env } = tools();
  const out = buildDir(variant);
  const stamp = join(out, '.fingerprint');
  const flags = rustFlags();
  const profile = options.includes('--no-opt') ? QUICK : {};
  const inputs = [options, profile, flags, workerBuild, env.WASM_BINDGEN_BIN, lockedVersions()];
  const wanted = fingerprint(INPUTS, inputs);
  if (readIfThere(stamp) === wanted) return out;

  // The compiled module has one place in a target folder, whatever its features and clone. What isn't deployed has a
  // folder of its own: it is compiled while the release is, which waits for one core most of the time.
  const target = options.includes('--no-opt') ? join(cargoTarget, 'quick') : cargoTarget;
  await withLock(join(target, '.tributary-build.lock'), async () => {
    say(`building the ${variant} variant …`);
    mkdirSync(out, { recursive: true });
    rmSync(stamp, { force: true });
    // worker-build starts wasm-opt, which is a Node program.
    const PATH = `${dirname(node22())}${delimiter}${process.env.PATH}`;
    await run(workerBuild, ['--release', '--out-dir', `build/${variant}`, ...options], {
      env: { ...cargoEnv, CARGO_TARGET_DIR: target, ...env, ...profile, PATH, CARGO_ENCODED_RUSTFLAGS: flags },
    });
    await bundle(out, env.ESBUILD_BIN);
    if (!options.includes('--no-opt')) await shrink(out, { ...env, PATH });
    writeAssets(join(out, 'assets'));
    writeFileSync(stamp, wanted);
  });
  return out;
}

/** Short names for the places that panics tell: smaller, and nobody learns where this was built. */
function rustFlags() {
  const cargo = process.env.CARGO_HOME ?? join(homedir(), '.cargo');
  const rust = execFileSync('rustc', ['--print', 'sysroot'], { cwd: root, encoding: 'utf8' }).trim();
  const sources = join(rust, 'lib/rustlib/src/rust/library');
  const registry = join(cargo, 'registry/src');
  const mirrors = existsSync(registry) ? readdirSync(registry) : [];
  // Of prefixes that fit, the last one counts.
  const places = [[root, ''], [sources, 'std'], [registry, 'crates']];
  for (const name of mirrors) places.push([join(registry, name), 'crates']);
  const flags = places.map(([from, to]) => `--remap-path-prefix=${from}=${to}`);
  // Hashing is the most that a webhook's code does: sha2 has a form for four words at once.
  flags.push('-Ctarget-feature=+simd128');
  return flags.join('\x1f');
}

/** Puts our entry around the shim that worker-build made. */
async function bundle(out, esbuild) {
  const shim = join(out, 'shim.js');
  renameSync(join(out, 'index.js'), shim);
  const entry = join(root, 'scripts/lib/entry.mjs');
  const external = ['cloudflare:workers', './index_bg.wasm'].map((name) => `--external:${name}`);
  // Without this, classes of workers-rs that we don't use would stay.
  const unused = '--define:Symbol.dispose=undefined';
  const options = ['--bundle', '--format=esm', '--minify', '--log-level=warning', ...external, unused];
  await run(esbuild, [entry, `--alias:shim=${shim}`, `--outfile=${join(out, 'index.js')}`, ...options]);
  rmSync(shim);
}

/** Takes out of the module what nobody can reach, and puts the rest into an order that compresses well. */
async function shrink(out, env) {
  const module = join(out, 'index_bg.wasm');
  const reached = join(out, 'reached.json');
  const bundle = readFileSync(join(out, 'index.js'), 'utf8');
  writeFileSync(reached, JSON.stringify(graph(readFileSync(module), bundle)));
  const metadce = join(root, 'node_modules/.bin/wasm-metadce');
  await run(metadce, [module, '--enable-simd', '-f', reached, '-o', module], { env, quiet: true });
  rmSync(reached);
  writeFileSync(module, withNamesInOrder(readFileSync(module)));
  const sections = ['--strip-debug', '--strip-producers', '--strip-target-features'];
  const options = [module, '--enable-simd', '--reorder-functions-by-name', ...sections, '-o', module];
  await run(env.WASM_OPT_BIN, options, { env });
}

/** wasm-opt and esbuild shape the result too. */
const lockedVersions = () => fingerprint(['package-lock.json']);
