// Installs what building and serving need: npm packages into the clone, build tools into the cache.
// Nothing goes to a global path, and what is there already is left alone.
import { createRequire } from 'node:module';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cache, Failure, fingerprint, readIfThere, root, run, say, withLock } from './shell.mjs';

const WORKER_BUILD = '0.8.7';
const require = createRequire(import.meta.url);

/** Makes everything ready and answers the versions that shape a build. */
export async function setup() {
  await npmPackages();
  await rustTarget();
  const bindgen = wasmBindgenVersion();
  await cargoTool('worker-build', WORKER_BUILD, 'worker-build');
  await cargoTool('wasm-bindgen-cli', bindgen, 'wasm-bindgen');
}

/** Where worker-build finds its helpers; it would download its own otherwise. */
export function tools() {
  return {
    workerBuild: toolPath('worker-build', WORKER_BUILD, 'worker-build'),
    env: {
      WASM_BINDGEN_BIN: toolPath('wasm-bindgen-cli', wasmBindgenVersion(), 'wasm-bindgen'),
      WASM_OPT_BIN: join(root, 'node_modules/.bin/wasm-opt'),
      ESBUILD_BIN: platformPackage('@esbuild', 'bin/esbuild'),
    },
  };
}

/** The pinned Node, for what needs a newer one than may be installed (wrangler, tests). */
export function node22() {
  const pinned = join(root, `node_modules/node-${process.platform}-${process.arch}/bin/node`);
  if (existsSync(pinned)) return pinned;
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major > 22 || (major === 22 && minor >= 12)) return process.execPath;
  throw new Failure(
    `There is no packaged Node for ${process.platform}-${process.arch}: install Node 22.12 or newer.`,
  );
}

export const workerd = () => require('workerd').default;

async function npmPackages() {
  const wanted = fingerprint(['package-lock.json']);
  const stamp = join(root, 'node_modules/.installed');
  if (readIfThere(stamp) === wanted) return;
  say('installing npm packages …');
  // What was downloaded once is kept beside the build tools, whatever becomes of npm's own cache.
  const kept = ['--cache', join(cache, 'npm'), '--prefer-offline'];
  const quiet = ['--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
  await patiently(() => npm(['ci', ...quiet, ...kept]));
  writeFileSync(stamp, wanted);
}

/** Started by npm, this very npm is used; install scripts are not needed by any of the packages. */
function npm(args) {
  const own = process.env.npm_execpath;
  return own?.endsWith('.js') ? run(process.execPath, [own, ...args]) : run('npm', args);
}

/** A registry that doesn't answer for a moment must not fail a whole run: asked again after a while. */
async function patiently(work, waits = [5, 20, 60, 120]) {
  for (const seconds of waits) {
    try {
      return await work();
    } catch (error) {
      say(`${error.message}\ntrying again in ${seconds} s …`);
      await new Promise((resolve) => setTimeout(resolve, 1000 * seconds));
    }
  }
  return work();
}

async function rustTarget() {
  const sysroot = async () =>
    (await run('rustc', ['--print', 'sysroot'], { quiet: true })).trim().split('\n').at(-1);
  const lib = async () => join(await sysroot(), 'lib/rustlib/wasm32-unknown-unknown');
  const found = await lib().catch(() => undefined);
  if (found !== undefined && existsSync(found)) return;
  say('installing the Rust toolchain and its wasm32 target …');
  const [, channel] = readFileSync(join(root, 'rust-toolchain.toml'), 'utf8').match(/channel = "(.+)"/);
  const parts = [
    '--profile',
    'minimal',
    '--component',
    'clippy,rustfmt',
    '--target',
    'wasm32-unknown-unknown',
  ];
  await run('rustup', ['toolchain', 'install', channel, '--no-self-update', ...parts]);
}

function wasmBindgenVersion() {
  // The command-line tool must be of exactly the version that the crate was built with.
  const lock = readFileSync(join(root, 'Cargo.lock'), 'utf8');
  const found = /name = "wasm-bindgen"\nversion = "(.+)"/.exec(lock);
  if (!found) throw new Failure('Cargo.lock names no version of wasm-bindgen.');
  return found[1];
}

const toolPath = (crate, version, binary) => join(cache, 'tools', `${crate}-${version}`, 'bin', binary);

async function cargoTool(crate, version, binary) {
  const done = toolPath(crate, version, binary);
  if (existsSync(done)) return;
  const home = join(cache, 'tools', `${crate}-${version}`);
  await withLock(`${home}.lock`, async () => {
    if (existsSync(done)) return;
    say(`building ${crate} ${version}, once for this machine (some minutes) …`);
    // Renamed when complete: an interrupted installation leaves no half tool, and the next goes on with it.
    const partial = `${home}.partial`;
    const target = join(partial, 'target');
    mkdirSync(partial, { recursive: true });
    const place = ['--root', partial, '--target-dir', target];
    // A quarter sooner there, and no slower to use.
    const env = { CARGO_PROFILE_RELEASE_OPT_LEVEL: '1' };
    const install = (...extra) =>
      run('cargo', ['install', crate, '--version', version, ...place, ...extra], { env });
    await install('--locked').catch((error) => {
      say(`${error.message}\ntrying again with newer dependencies …`);
      return install();
    });
    rmSync(target, { recursive: true, force: true });
    rmSync(home, { recursive: true, force: true });
    renameSync(partial, home);
  });
}

function platformPackage(scope, file) {
  const path = join(root, `node_modules/${scope}/${process.platform}-${process.arch}/${file}`);
  if (!existsSync(path)) throw new Failure(`${path} is missing: remove node_modules and try again.`);
  return path;
}

/**
 * schemathesis, in a Python environment of its own in the cache; nothing where there is no Python. That
 * is a failure in CI: a check that never runs shows nothing.
 */
export async function schemathesis() {
  const list = 'scripts/lib/schemathesis.txt';
  const home = join(cache, 'tools', `schemathesis-${fingerprint([list]).slice(0, 16)}`);
  const done = join(home, '.installed');
  const tool = join(home, 'bin/schemathesis');
  if (existsSync(done)) return tool;
  const version = 'import sys; sys.exit(sys.version_info < (3, 10))';
  const python = await run('python3', ['-c', version], { quiet: true }).catch(() => undefined);
  if (python === undefined) {
    const missing = 'schemathesis needs python3 (3.10 or newer), which is not here.';
    if (process.env.CI) throw new Failure(missing);
    say(`\n!! ${missing} The document is NOT checked against the product.\n`);
    return undefined;
  }
  await withLock(`${home}.lock`, async () => {
    if (existsSync(done)) return;
    say('installing schemathesis, once for this machine …');
    rmSync(home, { recursive: true, force: true });
    await run('python3', ['-m', 'venv', home], { quiet: true });
    const pip = ['-m', 'pip', 'install', '--quiet', '--no-deps', '--disable-pip-version-check'];
    await run(join(home, 'bin/python3'), [...pip, '-r', join(root, list)], { quiet: true });
    writeFileSync(done, '');
  });
  return tool;
}
