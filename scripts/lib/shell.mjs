// Paths, child processes and locks: what every script here needs.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** Tools and compiled crates live outside the clone, so that a second clone starts warm. */
export const cache =
  process.env.TRIBUTARY_CACHE ?? join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'tributary');

export const cargoTarget = process.env.CARGO_TARGET_DIR ?? join(cache, 'target');

/** What cargo is run with, everywhere, so that all its callers share one set of compiled crates. */
export const cargoEnv = { CARGO_TARGET_DIR: cargoTarget, ...(process.env.CI && { CARGO_INCREMENTAL: '0' }) };

export const say = (line) => process.stdout.write(`${line}\n`);

/** Says what went wrong and nothing else: for mistakes and failures whose stack helps nobody. */
export class Failure extends Error {}

/** Runs a script; a signal ends it with all it has started, or does what `stop` says. */
export function main(work, stop) {
  const interrupted = (code) => () => {
    killRunning();
    process.exit(code);
  };
  process.on('SIGINT', stop ?? interrupted(130));
  process.on('SIGTERM', stop ?? interrupted(143));
  work().catch((error) => {
    process.stderr.write(`${error instanceof Failure ? error.message : error.stack}\n`);
    process.exit(1);
  });
}

const running = new Set();

/** Ends what `run` has started, with all that those started in turn. */
export function killRunning(signal = 'SIGTERM') {
  for (const child of running) {
    try {
      process.kill(-child.pid, signal);
    } catch {
      // It ended by itself.
    }
  }
}

/** Runs a command to its end and rejects unless it exits with 0; `quiet` answers its output. */
export function run(command, args, { env = {}, quiet = false, cwd = root } = {}) {
  return new Promise((resolve, reject) => {
    // A process group of its own, so that an interrupted build leaves no compiler behind.
    const child = spawn(command, args, {
      cwd,
      env: { ...process.env, ...env },
      stdio: quiet ? ['ignore', 'pipe', 'pipe'] : ['ignore', 'inherit', 'inherit'],
      detached: true,
    });
    running.add(child);
    let output = '';
    child.stdout?.on('data', (data) => (output += data));
    child.stderr?.on('data', (data) => (output += data));
    child.on('error', (error) => {
      running.delete(child);
      reject(new Failure(`${command} could not be run: ${error.message}`));
    });
    child.on('close', (code, signal) => {
      running.delete(child);
      if (code === 0) return resolve(output);
      reject(new Failure(`${output}${command} ${args.join(' ')} failed (${signal ?? `exit ${code}`})`));
    });
  });
}

/** Runs `work` while no other process holds the lock file `path`. */
export async function withLock(path, work) {
  mkdirSync(dirname(path), { recursive: true });
  const mine = `${path}.${process.pid}`;
  writeFileSync(mine, String(process.pid));
  try {
    for (let waits = 0; !tryLock(mine, path); waits++) {
      if (waits === 5) say(`waiting for process ${readFileSync(path, 'utf8')}, which holds ${path}`);
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  } finally {
    rmSync(mine, { force: true });
  }
  const release = () => rmSync(path, { force: true });
  process.once('exit', release);
  try {
    return await work();
  } finally {
    process.removeListener('exit', release);
    release();
  }
}

function tryLock(mine, path) {
  try {
    // A link appears with its content, and only if nobody else's is there.
    linkSync(mine, path);
    return true;
  } catch (error) {
    if (error.code !== 'EEXIST') throw error;
  }
  try {
    const owner = readFileSync(path, 'utf8');
    if (isAlive(Number(owner))) return false;
    // Left behind by a killed process. The rename decides who of those waiting removes it.
    const stale = `${mine}.stale`;
    renameSync(path, stale);
    if (readFileSync(stale, 'utf8') !== owner) linkSync(stale, path);
    rmSync(stale, { force: true });
  } catch (error) {
    if (error.code !== 'ENOENT' && error.code !== 'EEXIST') throw error;
  }
  return false;
}

export function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

/** A hash over files and folders (those that exist) and further words. */
export function fingerprint(paths, words = []) {
  const hash = createHash('sha256');
  const add = (path) => {
    const info = statSync(join(root, path), { throwIfNoEntry: false });
    if (info?.isDirectory()) {
      for (const name of readdirSync(join(root, path)).sort()) add(`${path}/${name}`);
    } else if (info) {
      hash.update(`${path}\0${info.size}\0`).update(readFileSync(join(root, path)));
    }
  };
  paths.forEach(add);
  return hash.update(JSON.stringify(words)).digest('hex');
}

export function readIfThere(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  }
}
