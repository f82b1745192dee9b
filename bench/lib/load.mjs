// Load and what it costs: wrk for throughput, paced.mjs for latency, CPU time from /proc, and
// instructions from the processor's counter or, where there is none, from qemu.
import { execFileSync, spawn } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { temporaryFolder } from './servers.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const [SERVER_CPU, LOAD_CPU] = cpus().length > 1 ? [0, 1] : [];
const pinned = (cpu) => (cpu === undefined ? [] : ['taskset', '-c', String(cpu)]);

/** The words that pin a server to its core. */
export const onServerCore = pinned(SERVER_CPU);
export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
export const has = (command, ...args) => {
  try {
    execFileSync(command, args, { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
};

/** Clicks on `paths`, one after the other; the same for every contender. */
export function clicks(paths) {
  const urls = join(temporaryFolder(), 'urls.txt');
  writeFileSync(urls, `${paths.join('\n')}\n`);
  const distinct = paths.length === 1 ? 5_000 : 5 * paths.length;
  return {
    script: 'urls.lua',
    env: () => ({ URLS: urls, DISTINCT: String(distinct) }),
    paced: () => ({ urls }),
  };
}

/** Orders of `folder` to `hook`, none of them twice. */
export function orders(folder, hook) {
  let offset = 0;
  return {
    script: 'orders.lua',
    env: () => ({ ORDERS: folder, OFFSET: String(offset), HOOK: hook }),
    paced: () => ({ orders: folder, offset, hook }),
    // wrk has sent one more on every connection than it tells.
    sent: (requests, connections) => (offset += requests + connections),
    count: () => offset,
  };
}

/** As many requests as the server answers in `secs`. */
export async function saturate(server, load, { secs, connections = 32 }) {
  const args = ['-t1', `-c${connections}`, `-d${secs}s`, '--timeout', '30s', '--latency', '-s', join(here, load.script)];
  const result = await child(['wrk', ...args, server.origin], load.env());
  load.sent?.(result.requests, connections);
  return result;
}

/** `rate` requests a second for `secs`, whatever the answers do. */
export async function paced(server, load, { rate, secs }) {
  const spec = { port: server.ports.http, rate, secs, ...load.paced() };
  const result = await child([process.execPath, join(here, 'paced.mjs'), JSON.stringify(spec)]);
  load.sent?.(result.requests, 0);
  return result;
}

/** Runs a load generator on its core; it tells its result in a line that begins with @@. */
function child(words, env = {}) {
  const [command, ...args] = [...pinned(LOAD_CPU), ...words];
  const generator = spawn(command, args, { env: { ...process.env, ...env } });
  let output = '';
  generator.stdout.on('data', (data) => (output += data));
  generator.stderr.on('data', (data) => (output += data));
  return new Promise((resolve, reject) => {
    generator.once('error', reject);
    generator.once('close', () => {
      const found = /@@(\{.*\})/.exec(output);
      if (found) resolve(JSON.parse(found[1]));
      else reject(new Error(`${words[0]}: ${output}`));
    });
  });
}

/** CPU time of all threads of a process so far, in microseconds. */
export function cpuTime(pid) {
  const tasks = readdirSync(`/proc/${pid}/task`);
  const nanoseconds = tasks.map((task) => {
    try {
      return Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8').split(' ')[0]);
    } catch {
      return 0;
    }
  });
  return nanoseconds.reduce((a, b) => a + b, 0) / 1000;
}

/**
 * How instructions are counted here: `wrap(name)` are the words that run a server under the counter,
 * `during(server, work)` answers how many it executed meanwhile, with the result of `work`.
 */
export function instructionCounter() {
  if (has('perf', 'stat', '-x,', '-e', 'instructions:u', 'true') && !perfSaysNo()) {
    const during = async (server, work) => {
      const perf = spawn('perf', ['stat', '-x,', '-e', 'instructions', '-p', String(server.pid)]);
      let output = '';
      perf.stderr.on('data', (data) => (output += data));
      await sleep(150);
      const result = await work();
      perf.kill('SIGINT');
      await new Promise((resolve) => perf.once('close', resolve));
      return { instructions: Number(output.split(',')[0]), result };
    };
    return { kind: 'perf', wrap: () => onServerCore, during };
  }
  const folder = temporaryFolder();
  const plugin = join(folder, 'instructions.so');
  const compiled = has('cc', '-O2', '-shared', '-fPIC', '-o', plugin, join(here, 'instructions.c'));
  if (!compiled || !has('qemu-x86_64', '--version')) return undefined;
  const file = (name) => join(folder, `${name}.counts`);
  const read = (server) => {
    const counts = readFileSync(file(server.name));
    let sum = 0n;
    for (let at = 0; at < counts.length; at += 8) sum += counts.readBigUInt64LE(at);
    return Number(sum);
  };
  return {
    kind: 'qemu',
    wrap: (name) => [...onServerCore, 'qemu-x86_64', '-cpu', 'max', '-plugin', `${plugin},out=${file(name)}`],
    during: async (server, work) => {
      const before = read(server);
      const result = await work();
      return { instructions: read(server) - before, result };
    },
  };
}

function perfSaysNo() {
  const args = ['-c', 'perf stat -x, -e instructions:u true 2>&1'];
  return /not supported|not counted/.test(execFileSync('sh', args, { encoding: 'utf8' }));
}

export function median(values) {
  const sorted = values.filter((value) => Number.isFinite(value)).sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  if (sorted.length === 0) return NaN;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** The ratio of two contenders' runs, round by round: median, least, greatest. */
export function ratio(runs, peers, of) {
  const ratios = runs.map((run, round) => of(run) / of(peers[round]));
  return { median: median(ratios), least: Math.min(...ratios), most: Math.max(...ratios) };
}
