// The contenders: workerd processes with the same stand-ins, each of which can be pinned to a core,
// run under an instruction counter, and asked for SQL.
import { execFileSync, spawn } from 'node:child_process';
import { closeSync, cpSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { writeConfig } from '../../scripts/lib/config.mjs';
import { secrets } from '../../scripts/lib/secrets.mjs';
import { workerd } from '../../scripts/lib/setup.mjs';
import { root } from '../../scripts/lib/shell.mjs';
import { parseToml } from '../../scripts/lib/toml.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const scripts = join(root, 'scripts/lib');
const settings = parseToml(readFileSync(join(root, 'wrangler.toml'), 'utf8'));
const text = (value) => JSON.stringify(value);

const children = new Set();
const folders = new Set();
process.on('exit', () => {
  children.forEach((child) => child.kill('SIGKILL'));
  folders.forEach((folder) => rmSync(folder, { recursive: true, force: true }));
});

export function temporaryFolder() {
  const folder = mkdtempSync(join(tmpdir(), 'tributary-bench-'));
  folders.add(folder);
  return folder;
}

/** Starts workerd on `config`; `wrap` are the words of a command that runs it. */
async function run(name, config, sockets, { wrap = [], env = {} } = {}) {
  const binary = config.endsWith('.bin') ? ['--binary'] : [];
  const words = [...wrap, workerd(), 'serve', config, ...binary, '--control-fd=3', '--experimental'];
  const began = performance.now();
  const child = spawn(words[0], words.slice(1), {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
  });
  children.add(child);
  let log = '';
  const keep = (data) => (log = (log + data).slice(-20_000));
  child.stdout.on('data', keep);
  child.stderr.on('data', keep);
  const exited = new Promise((resolve) => child.once('exit', resolve));
  const ports = await new Promise((resolve, reject) => {
    exited.then((code) => reject(new Error(`${name}: workerd ended (${code})\n${log}`)));
    const found = {};
    let lines = '';
    child.stdio[3].on('data', (data) => {
      lines += data;
      for (const line of lines.split('\n').slice(0, -1)) {
        const { event, socket, port } = JSON.parse(line);
        if (event === 'listen') found[socket] = port;
      }
      if (sockets.every((socket) => socket in found)) resolve(found);
    });
  });
  const stop = async () => {
    child.kill('SIGKILL');
    await exited;
    children.delete(child);
  };
  return { name, began, pid: child.pid, ports, origin: `http://127.0.0.1:${ports.http}`, log: () => log, stop };
}

/** The product's release build, migrated, with everything of wrangler.toml around it. */
export async function product(build, options = {}) {
  const { name = 'tributary', state = temporaryFolder(), wrap, countD1 = false, migrate = true, binary = false } = options;
  const vars = { ...settings.vars, PUBLIC_ORIGIN: 'http://localhost', LOCAL: '1' };
  Object.assign(vars, secrets(join(state, 'secrets')), { CONTROL_TOKEN: 'bench' });
  const names = Object.keys(vars).filter((name) => name !== 'CONTROL_TOKEN');
  let config = writeConfig({ settings, build, state, port: 0, names, crons: false });
  if (countD1) insertCounter(config, state);
  if (binary) config = compiled(config);
  const env = { CONTROL_TOKEN: 'bench' };
  for (const name of names) env[`VAR_${name}`] = vars[name];
  const sockets = ['http', 'control', ...(countD1 ? ['sums'] : [])];
  const server = await run(name, config, sockets, { wrap, env });
  const sql = control(server.ports.control);
  if (migrate) {
    // In parts: D1 takes no text of more than 100 kB.
    const schema = readFileSync(join(root, 'schema.sql'), 'utf8');
    for (const part of schema.split(/\n\n+/)) if (/^[^-]/m.test(part)) await sql(part);
  }
  const d1 = async () => (await fetch(`http://127.0.0.1:${server.ports.sums}/__sums`)).json();
  const cron = async () => {
    const headers = { authorization: 'Bearer bench' };
    const answer = await fetch(`http://127.0.0.1:${server.ports.control}/cron`, { method: 'POST', headers, body: '{}' });
    if (!answer.ok) throw new Error(await answer.text());
  };
  return { ...server, sql, cron, d1, state, operatorToken: vars.OPERATOR_TOKEN };
}

/** Another worker in the folder `build`, with a D1 of its own if it has a schema. */
export async function peer(name, build, { wrap, vars = {}, schema } = {}) {
  const state = temporaryFolder();
  const config = peerConfig(state, build, vars, schema !== undefined);
  const sockets = schema === undefined ? ['http'] : ['http', 'control'];
  const server = await run(name, config, sockets, { wrap, env: { VAR_TOKEN: 'bench' } });
  if (schema === undefined) return server;
  const sql = control(server.ports.control);
  await sql(...schema.split(/^--$/m));
  return { ...server, sql };
}

/** A folder with one JavaScript worker in it; `more` is added to its source. */
export function javascript(file, more = '') {
  const folder = temporaryFolder();
  writeFileSync(join(folder, 'index.js'), readFileSync(join(here, '../workers', file), 'utf8') + more);
  return folder;
}

const control = (port) => {
  return async (...statements) => {
    const answer = await fetch(`http://127.0.0.1:${port}/d1`, {
      method: 'POST',
      headers: { authorization: 'Bearer bench' },
      body: JSON.stringify(statements),
    });
    const results = await answer.json();
    if (!answer.ok) throw new Error(results.error);
    return results.map((result) => result.results);
  };
};

/**
 * The same as workerd reads it without a parser, which takes 2 ms for each megabyte of embedded files, whatever is
 * in them: Cloudflare doesn't hand workers over as text.
 */
function compiled(config) {
  const path = `${config}.bin`;
  const file = openSync(path, 'w');
  execFileSync(workerd(), ['compile', '--config-only', config], { stdio: ['ignore', file, 'inherit'] });
  closeSync(file);
  return path;
}

/** Puts lib/d1count.mjs between the product and D1. */
function insertCounter(config, state) {
  cpSync(join(here, 'd1count.mjs'), join(state, 'd1count.mjs'));
  let source = readFileSync(config, 'utf8');
  const [d1] = /\(name = "d1", props = \(json = "(?:[^"\\]|\\.)*"\)\)/.exec(source);
  // The first to name it is the product, the second the control worker, which stays uncounted.
  source = source.replace(`service = ${d1}`, 'service = "d1count"');
  const counter = `(name = "d1count", worker = (compatibilityDate = "${settings.compatibility_date}",
      modules = [(name = "d1count.mjs", esModule = embed "d1count.mjs")],
      bindings = [(name = "D1", service = ${d1})])),`;
  source = source.replace('services = [', `services = [\n    ${counter}`);
  const socket = '(name = "sums", address = "127.0.0.1:0", http = (), service = "d1count"),';
  writeFileSync(config, source.replace('sockets = [', `sockets = [\n    ${socket}`));
}

function peerConfig(state, build, vars, withD1) {
  cpSync(build, join(state, 'build'), { recursive: true });
  cpSync(join(scripts, 'control.mjs'), join(state, 'control.mjs'));
  mkdirSync(join(state, 'd1'));
  const date = `compatibilityDate = "${settings.compatibility_date}"`;
  const wasm = isThere(join(state, 'build/index_bg.wasm'))
    ? ', (name = "index_bg.wasm", wasm = embed "build/index_bg.wasm")'
    : '';
  const d1 = `(name = "DB", wrapped = (moduleName = "cloudflare-internal:d1-api",
        innerBindings = [(name = "fetcher", service = (name = "d1", props = (json = ${text('{"database":"bench"}')})))]))`;
  const bindings = Object.entries(vars).map(([key, value]) => `(name = ${text(key)}, text = ${text(value)})`);
  if (withD1) bindings.push(d1);
  const services = [
    `(name = "peer", worker = (${date}, bindings = [${bindings}],
      modules = [(name = "index.js", esModule = embed "build/index.js")${wasm}]))`,
  ];
  const sockets = ['(name = "http", address = "127.0.0.1:0", http = (), service = "peer")'];
  if (withD1) {
    services.push(
      `(name = "d1", worker = (${date}, modules = [(name = "d1.js", bundled = "/workerd/d1.js")],
      bindings = [(name = "DATABASE", durableObjectNamespace = "D1Database")],
      durableObjectNamespaces = [(className = "D1Database", uniqueKey = "d1", enableSql = true)],
      durableObjectStorage = (localDisk = "disk")))`,
      `(name = "control", worker = (${date}, modules = [(name = "control.mjs", esModule = embed "control.mjs")],
      bindings = [${d1}, (name = "TOKEN", fromEnvironment = "VAR_TOKEN")]))`,
      `(name = "disk", disk = (path = ${text(join(state, 'd1'))}, writable = true))`,
    );
    sockets.push('(name = "control", address = "127.0.0.1:0", http = (), service = "control")');
  }
  const config = join(state, 'workerd.capnp');
  writeFileSync(
    config,
    `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    ${services.join(',\n    ')}
  ],
  sockets = [${sockets}]
);
`,
  );
  return config;
}

function isThere(path) {
  try {
    readFileSync(path);
    return true;
  } catch {
    return false;
  }
}
