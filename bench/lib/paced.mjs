// Open-loop load at a fixed rate: a slow answer does not delay the next request, so the tail is honest.
// Raw sockets with keep-alive, one request in flight on each. A child process of its own core:
// node paced.mjs '{"port":1,"rate":1000,"secs":8,"urls":"file"}', or "orders", "offset" and "hook".
import { readFileSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';

const options = JSON.parse(process.argv[2]);
const MOST_SOCKETS = options.sockets ?? 64;
const total = Math.round(options.rate * options.secs);
const make = options.orders ? orders(options) : clicks(options);

const latencies = [];
const idle = [];
const queue = [];
let sockets = 0;
let sent = 0;
let bad = 0;

function clicks({ urls }) {
  const agent =
    'Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1 Instagram 354.0.0.29.90';
  const paths = readFileSync(urls, 'utf8').trim().split('\n');
  const headers = `Host: 127.0.0.1\r\nUser-Agent: ${agent}\r\nAccept: text/html\r\nAccept-Language: en-GB,en;q=0.9\r\n`;
  return (n) =>
    `GET ${paths[n % paths.length]} HTTP/1.1\r\n${headers}CF-Connecting-IP: 203.0.113.${n % 250}\r\n\r\n`;
}

function orders({ orders, offset, hook }) {
  const template = readFileSync(join(orders, 'body.json'), 'utf8');
  const rows = readFileSync(join(orders, 'orders.txt'), 'utf8').trim().split('\n');
  return (n) => {
    const [id, code, signature] = rows[(n + offset) % rows.length].split(' ');
    const body = template.replace('@@ID', id).replaceAll('@@CODE', code);
    return `POST ${hook} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\nX-Shopify-Topic: orders/create\r\nX-Shopify-Hmac-Sha256: ${signature}\r\n\r\n${body}`;
  };
}

/** Where the answer in `text` ends, or -1 if more is to come. */
function endOfAnswer(text) {
  const head = text.indexOf('\r\n\r\n');
  if (head < 0) return -1;
  const length = /content-length: (\d+)/i.exec(text.slice(0, head));
  if (length) return head + 4 + Number(length[1]);
  if (!/transfer-encoding: chunked/i.test(text.slice(0, head))) return head + 4;
  const last = text.indexOf('0\r\n\r\n', head + 2);
  return last < 0 ? -1 : last + 5;
}

function open() {
  const socket = net.connect(options.port, '127.0.0.1');
  sockets++;
  socket.setNoDelay(true);
  socket.setEncoding('latin1');
  let text = '';
  socket.on('data', (data) => {
    text += data;
    const end = endOfAnswer(text);
    if (end < 0 || text.length < end) return;
    if (!/^HTTP\/1\.1 [23]/.test(text)) bad++;
    text = text.slice(end);
    latencies.push(Number(process.hrtime.bigint() - socket.since) / 1e3);
    const next = queue.shift();
    if (next) begin(socket, next);
    else idle.push(socket);
  });
  // Servers close connections that were idle for some seconds: those are not to be used again, and
  // what was sent to one at that very moment counts as unanswered.
  socket.on('error', () => {});
  socket.on('end', () => socket.destroy());
  socket.on('close', () => {
    const place = idle.indexOf(socket);
    if (place < 0) bad++;
    else idle.splice(place, 1);
    sockets--;
  });
  return socket;
}

function begin(socket, { at, request }) {
  socket.since = at;
  socket.write(request);
}

const start = process.hrtime.bigint();

function tick() {
  const elapsed = Number(process.hrtime.bigint() - start) / 1e9;
  const due = Math.min(total, Math.floor(elapsed * options.rate));
  while (sent < due) {
    const job = { at: process.hrtime.bigint(), request: make(sent++) };
    if (idle.length > 0) begin(idle.pop(), job);
    else if (sockets < MOST_SOCKETS) begin(open(), job);
    else queue.push(job);
  }
  if (sent < total) setImmediate(tick);
  else finish(Date.now() + 10_000);
}

function finish(until) {
  if (latencies.length + bad < total && Date.now() < until) return setTimeout(finish, 5, until);
  latencies.sort((a, b) => a - b);
  const at = (share) => latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * share))];
  const lost = total - latencies.length;
  const answer = { requests: total, bad: Math.max(bad, lost), p50: at(0.5), p99: at(0.99), p999: at(0.999), max: latencies.at(-1) };
  console.log(`@@${JSON.stringify(answer)}`);
  process.exit();
}

setImmediate(tick);
