// Builds and runs the fuzz targets, with libFuzzer on the pinned stable toolchain: only instrumentation
// that stable rustc can do, no sanitizers (the product has no unsafe code).
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cargoEnv, cargoTarget, Failure, root, run, say } from './shell.mjs';

const FLAGS = [
  ...['--cfg', 'fuzzing', '-Cpasses=sancov-module', '-Cllvm-args=-sanitizer-coverage-level=4'],
  '-Cllvm-args=-sanitizer-coverage-inline-8bit-counters',
  ...['-Cllvm-args=-sanitizer-coverage-pc-table', '-Cllvm-args=-sanitizer-coverage-trace-compares'],
];

export const targets = () =>
  readdirSync(join(root, 'fuzz/fuzz_targets')).map((name) => name.replace('.rs', '')).sort();

/** Builds all targets and answers the folder that they are in. */
export async function buildFuzz() {
  try {
    execFileSync('c++', ['--version'], { stdio: 'ignore' });
  } catch {
    throw new Failure('libFuzzer is written in C++, and there is no compiler called c++ here.');
  }
  const told = execFileSync('rustc', ['-vV'], { cwd: root, encoding: 'utf8' });
  const host = /^host: (.+)$/m.exec(told)[1];
  const target = join(cargoTarget, 'fuzz');
  const manifest = join(root, 'fuzz/Cargo.toml');
  // With a target named, build scripts and macros are not instrumented.
  await run('cargo', ['build', '--locked', '--release', '--manifest-path', manifest, '--target', host], {
    env: { ...cargoEnv, CARGO_TARGET_DIR: target, CARGO_ENCODED_RUSTFLAGS: FLAGS.join('\x1f') },
  });
  return join(target, host, 'release');
}

/**
 * Runs one target for some seconds, from its corpus. What it stumbles over is kept in fuzz/artifacts;
 * with `keep` new inputs that reach new code are added to the corpus.
 */
export async function fuzz(built, name, { seconds, seed, keep = false, planted = false }) {
  const corpus = join(root, 'fuzz/corpus', name);
  const artifacts = planted ? mkdtempSync(join(tmpdir(), 'planted-')) : join(root, 'fuzz/artifacts', name);
  const found = mkdtempSync(join(tmpdir(), `fuzz-${name}-`));
  mkdirSync(artifacts, { recursive: true });
  const limits = ['-timeout=10', '-rss_limit_mb=2048', '-max_len=16384', `-artifact_prefix=${artifacts}/`];
  const args = [`-max_total_time=${seconds}`, `-seed=${seed}`, '-print_final_stats=1', ...limits, found];
  try {
    const output = await run(join(built, name), planted ? args : [...args, corpus], {
      quiet: true,
      env: planted ? { PLANTED: '1' } : {},
    });
    const runs = /number_of_executed_units: (\d+)/.exec(output)?.[1];
    const cover = /cov: (\d+)/.exec(output.slice(output.lastIndexOf('cov:')))?.[1];
    say(`${name}: ${runs} inputs, ${cover} places reached`);
    if (keep) await run(join(built, name), ['-merge=1', corpus, found], { quiet: true });
  } finally {
    rmSync(found, { recursive: true, force: true });
    if (planted) rmSync(artifacts, { recursive: true, force: true });
  }
}

/** All targets, two at a time; and one with a planted fault, which must be found. */
export async function fuzzAll({ seconds, seed }) {
  const built = await buildFuzz();
  say(`seed ${seed}`);
  const found = await fuzz(built, 'tokens', { seconds: 30, seed, planted: true }).catch((error) => error);
  if (!/panicked[^]*planted/.test(found?.message ?? ''))
    throw new Failure('The fuzzer did not find the planted fault.');
  const left = targets();
  const faults = [];
  const worker = async () => {
    for (let name = left.shift(); name; name = left.shift())
      await fuzz(built, name, { seconds, seed }).catch((error) => faults.push(error.message.slice(-4000)));
  };
  await Promise.all([worker(), worker()]);
  if (faults.length > 0) throw new Failure(faults.join('\n\n'));
}
