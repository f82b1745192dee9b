// Serves a built worker with workerd itself: D1, Durable Objects, queues and cron triggers are the
// ones it brings along, on SQLite files, without another process in the path of a request.
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { writeConfig } from './config.mjs';
import { workerd } from './setup.mjs';
import { Failure, root } from './shell.mjs';
import { parseToml } from './toml.mjs';

/**
 * Starts serving `build` on 127.0.0.1 and answers once the migrations are applied and /healthz is well.
 *
 * `vars` become the worker's variables and secrets; `state` is where everything persists; with `crons`
 * false no cron trigger fires by itself; `output` is where the worker's log goes (a file descriptor or
 * 'inherit'); a `temporary` state is removed if this process dies before it can do so; with `faults` D1
 * can be broken and mended; `mail` and `throttle`: see config.mjs.
 */
export async function serve({
  build,
  state,
  port,
  vars,
  crons = true,
  output = 'inherit',
  temporary = false,
  faults = false,
  mail = false,
  throttle = 0,
}) {
  const settings = parseToml(readFileSync(join(root, 'wrangler.toml'), 'utf8'));
  const origin = `http://localhost:${port}`;
  // LOCAL: shops on loopback are allowed, and link domains count as verified at once.
  const bindings = { ...settings.vars, PUBLIC_ORIGIN: origin, LOCAL: '1', ...vars };
  const token = randomBytes(24).toString('base64url');
  const names = Object.keys(bindings);
  const config = writeConfig({ settings, build, state, port, names, crons, faults, mail, throttle });
  // Values travel in the environment: a secret then stands in no file and no process list.
  const env = { ...process.env, CONTROL_TOKEN: token };
  for (const [name, value] of Object.entries(bindings)) env[`VAR_${name}`] = value;

  // Its own D1, queues and crons count as experimental: package.json pins the exact version.
  const child = spawn(workerd(), ['serve', config, '--control-fd=3', '--experimental'], {
    env,
    stdio: ['ignore', output, output, 'pipe'],
    // Out of reach of a terminal's Ctrl-C: who started it ends it, in order.
    detached: true,
  });
  const exited = new Promise((resolve) => child.once('exit', (code, signal) => resolve(signal ?? code)));
  const guard = guardProcess(child.pid, temporary ? state : '');
  exited.then(() => guard.kill());
  const stop = async (signal = 'SIGTERM') => {
    child.ref();
    child.kill(signal);
    // workerd waits for open requests; a stuck one must not keep it.
    const late = setTimeout(() => child.kill('SIGKILL'), 3000);
    await exited;
    clearTimeout(late);
  };

  try {
    const controlPort = await listening(child, exited);
    const control = (path, body) => callControl(controlPort, token, path, body);
    const applied = await migrate(control, join(root, settings.d1_databases[0].migrations_dir));
    await healthy(port, exited);
    // Whoever waits for `exited` only, and for nothing else, must hold on to the process.
    const hold = () => child.ref();
    return { origin, port, pid: child.pid, applied, exited, hold, stop, control };
  } catch (error) {
    await stop('SIGKILL');
    throw error;
  }
}

/**
 * A port nobody listens on; `wanted` is refused when somebody does. Without one it is of those that systems don't
 * give to outgoing connections: one of those could take it before it is listened on.
 */
export async function freePort(wanted = 0) {
  for (let tries = 0; tries < 50 && wanted === 0; tries++) {
    const port = 10_000 + Math.floor(Math.random() * 22_000);
    if (await isFree(port)) return port;
  }
  if (wanted !== 0 && (await isFree(wanted))) return wanted;
  throw new Failure(`Port ${wanted || 'after port'} is taken: choose another with PORT=….`);
}

function isFree(port) {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}

/**
 * Kills `pid` when this process is gone, however it went, and removes `folder` then: the guard reads a
 * pipe that only this process holds open.
 */
function guardProcess(pid, folder) {
  const script = 'read -r _; kill -9 "$1"; [ -z "$2" ] || rm -rf "$2"';
  const guard = spawn('sh', ['-c', script, 'guard', String(pid), folder], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  });
  guard.unref();
  guard.stdin.unref();
  return guard;
}

/** The port of the control socket, which workerd reports once every socket listens. */
function listening(child, exited) {
  return new Promise((resolve, reject) => {
    exited.then((how) => reject(new Failure(`workerd ended while starting (${how}).`)));
    let text = '';
    const pipe = child.stdio[3];
    pipe.on('data', (data) => {
      text += data;
      const events = text
        .split('\n')
        .slice(0, -1)
        .map((line) => JSON.parse(line));
      const ports = Object.fromEntries(events.map(({ socket, port }) => [socket, port]));
      if (ports.http === undefined || ports.control === undefined) return;
      // From here on the caller may end without stopping: neither of these keeps it alive.
      pipe.unref();
      child.unref();
      resolve(ports.control);
    });
  });
}

async function callControl(port, token, path, body) {
  const response = await fetch(`http://127.0.0.1:${port}${path}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}` },
    body: JSON.stringify(body),
  });
  const answer = await response.json();
  if (!response.ok) throw new Failure(answer.error);
  return answer;
}

/** Applies what is missing, in the bookkeeping that `wrangler d1 migrations apply` keeps too. */
async function migrate(control, folder) {
  const columns = [
    'id INTEGER PRIMARY KEY AUTOINCREMENT',
    'name TEXT UNIQUE',
    'applied_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP NOT NULL',
  ];
  await control('/d1', [`CREATE TABLE IF NOT EXISTS d1_migrations (${columns})`]);
  const [{ results }] = await control('/d1', ['SELECT name FROM d1_migrations']);
  const done = new Set(results.map(({ name }) => name));
  const missing = readdirSync(folder).filter((name) => name.endsWith('.sql') && !done.has(name));
  for (const name of missing.sort()) {
    const record = `INSERT INTO d1_migrations (name) VALUES ('${name.replaceAll("'", "''")}')`;
    await control('/d1', [readFileSync(join(folder, name), 'utf8'), record]).catch((error) => {
      throw new Failure(`Migration ${name} failed: ${error.message}`);
    });
  }
  return missing;
}

async function healthy(port, exited) {
  let gone = false;
  exited.then(() => (gone = true));
  for (let tries = 0; ; tries++) {
    const answer = await fetch(`http://127.0.0.1:${port}/healthz`).then(
      async (response) => ({ ok: response.ok, text: `${response.status} ${await response.text()}` }),
      (error) => ({ ok: false, text: String(error.cause ?? error) }),
    );
    if (answer.ok) return;
    if (gone || tries === 50) throw new Failure(`The worker does not become healthy: ${answer.text}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
