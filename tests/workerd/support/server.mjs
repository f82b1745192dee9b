// A server of one's own for a test: real workerd, fresh state, a free port on loopback.
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildDir } from '../../../scripts/lib/build.mjs';
import { secrets } from '../../../scripts/lib/secrets.mjs';
import { isAlive } from '../../../scripts/lib/shell.mjs';
import { freePort, serve } from '../../../scripts/lib/workerd.mjs';

const temporary = new Set();
process.on('exit', () => temporary.forEach((path) => rmSync(path, { recursive: true, force: true })));

/**
 * Serves the built `variant` and answers once it is healthy. State and secrets are in `stateDir`, so a
 * second server on the same folder goes on where the first one ended, however it ended. Cron triggers
 * fire when the test says so, unless `crons` is true. With `faults` the product's D1 can be broken; with
 * `mail` there is a mail service; `throttle` is how much a caller may ask of the API in ten seconds.
 */
export async function startServer({
  variant = 'release',
  vars = {},
  stateDir,
  port,
  crons = false,
  faults = false,
  mail = false,
  throttle = 0,
} = {}) {
  const state = stateDir ?? mkdtempSync(join(tmpdir(), 'tributary-'));
  if (stateDir === undefined) temporary.add(state);
  mkdirSync(state, { recursive: true });
  const logFile = join(state, 'worker.log');
  const bindings = secrets(join(state, 'secrets'), vars);
  const log = () => readFileSync(logFile, 'utf8');
  const output = openSync(logFile, 'a');
  const start = async () =>
    serve({
      build: buildDir(variant),
      state,
      port: port ?? (await freePort()),
      vars: bindings,
      crons,
      output,
      temporary: stateDir === undefined,
      faults,
      mail,
      throttle,
    });
  const server = await start()
    // Another test's server was quicker to take the port.
    .catch((error) => {
      if (port !== undefined || !log().includes('Address already in use')) throw error;
      return start();
    })
    .catch((error) => {
      error.message += `\n${log()}`;
      throw error;
    })
    .finally(() => closeSync(output));

  const end = async (signal) => {
    await server.stop(signal);
    if (temporary.delete(state)) rmSync(state, { recursive: true, force: true });
  };
  return {
    origin: server.origin,
    port: server.port,
    operatorToken: bindings.OPERATOR_TOKEN,
    stateDir: state,
    /** Everything the worker and workerd have logged in this state so far. */
    log,
    /** workerd is one process: D1, Durable Objects, queues and the worker together. */
    workerdPids: () => [server.pid].filter(isAlive),
    /** Ends the server; its state goes too if it was made here. */
    stop: () => end('SIGTERM'),
    /** Pulls the plug. The state stays, for the next `startServer({ stateDir })`. */
    kill9: () => server.stop('SIGKILL'),
    /** Runs the scheduled handler to its end; `time` in milliseconds. */
    triggerCron: (options = {}) => server.control('/cron', options),
    /** Breaks D1 for the product alone: see scripts/lib/gate.mjs. Answers how often it was called since. */
    breakD1: async (mode, options = {}) => (await server.control('/fault', { mode, ...options })).calls,
    /** Counts what the product asks of D1: calls, rows read and written since this was asked last. Needs `faults`. */
    countD1: () => server.control('/fault', { mode: 'count' }),
    /** The mails that the mail service took; told a `mode`, it fails like that (scripts/lib/mail.mjs). */
    mails: (fault = {}) => server.control('/mail', fault),
    /** Tells an event of the mail service to its queue, as an object. */
    mailEvent: (event) => server.control('/mail-event', event),
    /** Hands the product a mail that came to `to`; answers `{ rejected }`, why or null. */
    email: (to, raw, from = 'anna@creator.example') => server.control('/email', { from, to, raw }),
    /** Asks the object of `subject` that counts attempts, `times` at once: what each was answered. */
    attempts: (subject, limit, periodMs, times) =>
      server.control('/attempts', { subject, question: `${limit} ${periodMs}`, times }),
    /** Runs SQL statements as one batch, for looking at what the API does not show. */
    sql: async (...statements) => (await server.control('/d1', statements)).map(({ results }) => results),
  };
}
