// workerd's configuration for a local run: the bindings of wrangler.toml, and workerd's own services
// (D1, queues, crons) behind them.
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));

/**
 * Writes the configuration into `state` and answers its path. Folders and unique keys are those of
 * `wrangler … --local --persist-to`, so that wrangler's commands work on the same database. With
 * `faults` the product reaches D1 through gate.mjs, which can break it; with `mail` it hands its mails
 * to mail.mjs, which keeps them; with `throttle` a caller may make so many requests in the limiter's
 * period. Without these a local run has no mail service and no such limit.
 */
export function writeConfig({
  settings,
  build,
  state,
  port,
  names,
  crons,
  faults = false,
  mail = false,
  throttle = 0,
}) {
  const [database] = settings.d1_databases;
  const objects = settings.durable_objects.bindings;
  const date = settings.compatibility_date;
  const module = (folder, name, kind) =>
    `(name = ${text(name)}, ${kind} = embed ${text(relative(state, join(folder, name)))})`;
  const bundled = (name) => `(name = "${name}", bundled = "/workerd/${name}")`;
  const wasm = readdirSync(build).filter((name) => name.endsWith('.wasm'));
  const direct = to('d1', { database: database.database_id });
  const d1 = (service) => {
    const inner = `innerBindings = [(name = "fetcher", service = ${service})]`;
    return `(name = "${database.binding}", wrapped = (moduleName = "cloudflare-internal:d1-api", ${inner}))`;
  };
  // For services that call the product's scheduled() and queue() handlers.
  const flags = ['service_binding_extra_handlers'];
  const product = '(name = "MAIN", service = "product")';

  const services = [
    worker('product', date, {
      flags: settings.compatibility_flags,
      modules: [module(build, 'index.js', 'esModule'), ...wasm.map((name) => module(build, name, 'wasm'))],
      bindings: [
        d1(faults ? '"gate"' : direct),
        ...objects.map(
          ({ name, class_name }) => `(name = "${name}", durableObjectNamespace = "${class_name}")`,
        ),
        ...(mail ? ['(name = "EMAIL", service = (name = "mail", entrypoint = "Mail"))'] : []),
        ...(throttle ? ['(name = "API_LIMIT", service = (name = "limiter", entrypoint = "Limiter"))'] : []),
        ...settings.queues.producers.map(
          ({ binding, queue }) => `(name = "${binding}", queue = ${to('queues', { queue })})`,
        ),
        `(name = "${settings.assets.binding}", service = "assets")`,
        ...names.map((name) => `(name = "${name}", fromEnvironment = "VAR_${name}")`),
      ],
      disk: 'do',
      objects: objects.map(({ class_name }) => [class_name, `${settings.name}-${class_name}`]),
      more: 'globalOutbound = "network", cacheApiOutbound = "cache"',
    }),
    worker('d1', date, {
      modules: [bundled('d1.js')],
      bindings: ['(name = "DATABASE", durableObjectNamespace = "D1Database")'],
      disk: 'd1',
      objects: [['D1Database', 'miniflare-D1DatabaseObject']],
    }),
    worker('queues', date, {
      flags,
      modules: [bundled('queues.js')],
      bindings: [
        '(name = "SHARD", durableObjectNamespace = "QueueShard")',
        product,
        `(name = "CONSUMERS", json = ${json(consumers(settings))})`,
      ],
      disk: 'queues',
      objects: [['QueueShard', 'queues']],
    }),
    worker('cron', date, {
      flags,
      modules: [bundled('cron.js')],
      bindings: [
        '(name = "SCHEDULE", durableObjectNamespace = "Schedule")',
        product,
        `(name = "CRONS", json = ${json(crons ? { MAIN: settings.triggers.crons } : {})})`,
      ],
      disk: 'cron',
      objects: [['Schedule', 'cron']],
    }),
    worker('assets', date, {
      modules: [module(here, 'static.mjs', 'esModule')],
      bindings: ['(name = "DISK", service = "disk-assets")'],
    }),
    `(name = "disk-assets", disk = (path = ${text(join(build, 'assets'))}))`,
    worker('cache', date, { modules: [module(here, 'cache.mjs', 'esModule')] }),
    worker('control', date, {
      flags,
      modules: [module(here, 'control.mjs', 'esModule')],
      bindings: [
        d1(direct),
        product,
        '(name = "TOKEN", fromEnvironment = "CONTROL_TOKEN")',
        '(name = "ATTEMPTS", durableObjectNamespace = (className = "Attempts", serviceName = "product"))',
        ...(faults ? ['(name = "GATE", service = "gate")'] : []),
        ...(mail ? ['(name = "MAIL", service = "mail")'] : []),
        // As Email Sending does it, which is bound to no name of the product's.
        `(name = "MAIL_EVENTS", queue = ${to('queues', { queue: `${settings.name}-mail-events` })})`,
      ],
    }),
    ...(faults ? [gate(date, module, direct)] : []),
    ...(mail ? [worker('mail', date, { modules: [module(here, 'mail.mjs', 'esModule')] })] : []),
    ...(throttle ? [limiter(settings, date, module, throttle)] : []),
    // Private addresses too: the tests' stand-ins for other platforms listen on this machine.
    '(name = "network", network = (allow = ["public", "private"], tlsOptions = (trustBrowserCas = true)))',
    ...['d1', 'do', 'queues', 'cron'].map((name) => disk(name, join(state, 'v3', name))),
  ];
  const sockets = [
    `(name = "http", address = "127.0.0.1:${port}", http = (), service = "product")`,
    '(name = "control", address = "127.0.0.1:0", http = (), service = "control")',
  ];
  const file = join(state, 'workerd.capnp');
  writeFileSync(
    file,
    `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    ${services.join(',\n    ')}
  ],
  sockets = [
    ${sockets.join(',\n    ')}
  ]
);
`,
  );
  return file;
}

function worker(name, date, { flags = [], modules, bindings = [], objects, disk, more }) {
  const fields = [
    `compatibilityDate = "${date}"`,
    `compatibilityFlags = [${flags.map(text).join(', ')}]`,
    `modules = [${modules.join(', ')}]`,
    `bindings = [${bindings.join(', ')}]`,
  ];
  if (objects) {
    const classes = objects.map(
      ([className, key]) => `(className = "${className}", uniqueKey = "${key}", enableSql = true)`,
    );
    fields.push(
      `durableObjectNamespaces = [${classes.join(', ')}]`,
      `durableObjectStorage = (localDisk = "disk-${disk}")`,
    );
  }
  if (more) fields.push(more);
  return `(name = "${name}", worker = (${fields.join(',\n      ')}))`;
}

const gate = (date, module, direct) =>
  worker('gate', date, {
    modules: [module(here, 'gate.mjs', 'esModule')],
    bindings: [`(name = "D1", service = ${direct})`],
  });

function limiter(settings, date, module, limit) {
  const simple = { period: settings.ratelimits[0].simple.period, limit };
  return worker('limiter', date, {
    modules: [module(here, 'limiter.mjs', 'esModule')],
    bindings: [`(name = "SIMPLE", json = ${json(simple)})`],
  });
}

function disk(name, path) {
  mkdirSync(path, { recursive: true });
  return `(name = "disk-${name}", disk = (path = ${text(path)}, writable = true))`;
}

const consumers = (settings) =>
  Object.fromEntries(
    settings.queues.consumers.map((consumer) => [
      consumer.queue,
      {
        consumer: 'MAIN',
        maxBatchSize: consumer.max_batch_size,
        maxBatchTimeout: consumer.max_batch_timeout,
        maxRetries: consumer.max_retries,
        retryDelay: consumer.retry_delay,
        deadLetterQueue: consumer.dead_letter_queue,
      },
    ]),
  );

/** A service with the properties that tell it which of its databases or queues is meant. */
const to = (service, props) => `(name = "${service}", props = (json = ${json(props)}))`;

// Cap'n Proto's strings are written as JSON's are.
const text = (value) => JSON.stringify(value);
const json = (value) => text(JSON.stringify(value));
