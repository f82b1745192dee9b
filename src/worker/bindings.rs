//! What the worker is bound to, each use of it one JavaScript function: workers-rs wraps the whole
//! of each binding, which is a multiple in size and in crossings.
//!
//! A function that answers later tells a text, `R` and the result or `E` and the error, so that
//! one [`outcome`] reads them all.

use wasm_bindgen_futures::JsFuture;
use worker::js_sys::{Error, Promise, Uint8Array};
use worker::wasm_bindgen::prelude::wasm_bindgen;
use worker::wasm_bindgen::{JsCast, JsValue};
use worker::{Env, State};

use crate::app::{Outgoing, WebRequest};
use crate::domain::json::{self, ToJson, json};
use crate::domain::letter::Envelope;

#[wasm_bindgen(inline_js = "
async function told(work) {
  try { return 'R' + (await work() ?? ''); } catch (error) { return 'E' + (error?.message ?? error); }
}
export function ask(env, binding, object, path, body) {
  return told(async () => {
    const stub = env[binding].getByName(object);
    const response = await stub.fetch('https://object/' + path, { method: 'POST', body });
    if (response.status !== 200) throw new Error('object answered ' + response.status);
    return response.text();
  });
}
export function allowed(env, key) {
  return told(async () => {
    const { success } = (await env.API_LIMIT?.limit({ key })) ?? { success: true };
    if (!success) throw 'refused';
  });
}
export function mail(env, content, sender, reply_to, unsubscribe, automatic) {
  return told(async () => {
    if (!env.EMAIL || !env.MAIL_FROM) throw 'NO_SERVICE';
    const late = new Promise((_, no) => setTimeout(() => no(new Error('no answer in time')), 20000));
    const from = sender ? { email: env.MAIL_FROM, name: sender } : env.MAIL_FROM;
    const mail = { from, ...JSON.parse(content) };
    if (reply_to) mail.replyTo = reply_to;
    if (automatic) mail.headers = { 'Auto-Submitted': automatic };
    if (unsubscribe) {
      const post = 'List-Unsubscribe=One-Click';
      mail.headers = { ...mail.headers, 'List-Unsubscribe': `<${unsubscribe}>`, 'List-Unsubscribe-Post': post };
    }
    const sent = env.EMAIL.send(mail);
    try { return (await Promise.race([sent, late]))?.messageId; }
    catch (error) { throw (error?.code ?? '') + ' ' + (error?.message ?? error); }
  });
}
export async function bytes(stream, most) {
  const all = new Uint8Array(await new Response(stream).arrayBuffer());
  if (all.length > most) throw new Error('too large');
  return all;
}
export function enqueue(env, message) {
  return told(() => env.OVERFLOW.send(message));
}
async function text(response, most) {
  if (!most) { await response.body?.cancel(); return ''; }
  const decoder = new TextDecoder();
  let [told, size] = ['', 0];
  for await (const chunk of response.body ?? []) {
    size += chunk.length;
    if (size > most) throw new Error('too large');
    told += decoder.decode(chunk, { stream: true });
  }
  return told + decoder.decode();
}
export function look(url, most_ms, most) {
  return told(async () => {
    const response = await fetch(url, { redirect: 'manual', signal: AbortSignal.timeout(most_ms) });
    if (response.status !== 200) throw new Error('answered ' + response.status);
    return text(response, most);
  });
}
export function send(method, url, headers, body, most_ms, most) {
  return told(async () => {
    const signal = AbortSignal.timeout(most_ms);
    const request = { method, headers: JSON.parse(headers), body, redirect: 'manual', signal };
    const response = await fetch(url, request);
    const head = response.status + ' ' + (response.headers.get('retry-after') ?? '') + '\\n';
    return head + (await text(response, most));
  });
}
const ecdsa = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const p256 = (key) => crypto.subtle.importKey('raw', key, ecdsa, false, ['verify']);
export function is_key(key) {
  return told(async () => { await p256(key); });
}
export function es256(key, message, signature) {
  return told(async () => {
    if (!(await crypto.subtle.verify(ecdsa, await p256(key), signature, message))) throw 'forged';
  });
}
export async function asset(env, path) {
  try {
    const found = await env.ASSETS.fetch('https://assets.tributary.internal' + path);
    return found.status === 200 ? new Uint8Array(await found.arrayBuffer()) : undefined;
  } catch { return undefined; }
}
export function cached(url) {
  return told(async () => {
    const found = await caches.default.match(url, { ignoreMethod: true });
    if (!found) throw 'not cached';
    return found.text();
  });
}
export function cache(url, text, seconds) {
  const headers = { 'cache-control': 'max-age=' + seconds };
  return told(() => caches.default.put(url, new Response(text, { headers })));
}
export function uncache(url) {
  return told(() => caches.default.delete(url, { ignoreMethod: true }));
}
export function sleep(ms) {
  return new Promise((done) => setTimeout(() => done('R'), ms));
}
export function alarm(state) {
  return told(() => state.storage.getAlarm());
}
export function arm(state, in_ms) {
  return told(() => state.storage.setAlarm(Date.now() + in_ms));
}
export function noted(state) {
  return state.storage.kv.get('noted') ?? '';
}
export function note(state, text) {
  state.storage.kv.put('noted', text);
}
export function forget(state) {
  return told(() => state.storage.deleteAll());
}
export function exec(state, sql, input) {
  const sqlite = state.storage.sql;
  const cursor = input === undefined ? sqlite.exec(sql) : sqlite.exec(sql, input);
  // Never `one()`: it throws on no rows.
  return cursor.columnNames.length === 0 ? [] : cursor.toArray().map((row) => String(row.row));
}
")]
extern "C" {
    #[wasm_bindgen(js_name = ask)]
    fn js_ask(env: &JsValue, binding: &str, object: &str, path: &str, body: Uint8Array) -> Promise;
    #[wasm_bindgen(js_name = allowed)]
    fn js_allowed(env: &JsValue, key: &str) -> Promise;
    #[wasm_bindgen(js_name = mail)]
    fn js_mail(
        env: &JsValue,
        content: &str,
        sender: &str,
        reply_to: &str,
        unsubscribe: &str,
        automatic: &str,
    ) -> Promise;
    #[wasm_bindgen(catch, js_name = bytes)]
    async fn js_bytes(stream: &JsValue, most: u32) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(js_name = enqueue)]
    fn js_enqueue(env: &JsValue, message: &str) -> Promise;
    #[wasm_bindgen(js_name = look)]
    fn js_look(url: &str, most_ms: u32, most: usize) -> Promise;
    #[wasm_bindgen(js_name = send)]
    fn js_send(
        method: &str,
        url: &str,
        headers: &str,
        body: Option<&str>,
        most_ms: u32,
        most: usize,
    ) -> Promise;
    #[wasm_bindgen(js_name = is_key)]
    fn js_is_key(key: Uint8Array) -> Promise;
    #[wasm_bindgen(js_name = es256)]
    fn js_es256(key: Uint8Array, message: Uint8Array, signature: Uint8Array) -> Promise;
    #[wasm_bindgen(js_name = asset)]
    fn js_asset(env: &JsValue, path: &str) -> Promise;
    #[wasm_bindgen(js_name = cached)]
    fn js_cached(url: &str) -> Promise;
    #[wasm_bindgen(js_name = cache)]
    fn js_cache(url: &str, text: &str, seconds: u32) -> Promise;
    #[wasm_bindgen(js_name = uncache)]
    fn js_uncache(url: &str) -> Promise;
    #[wasm_bindgen(js_name = sleep)]
    fn js_sleep(ms: u32) -> Promise;
    #[wasm_bindgen(js_name = alarm)]
    fn js_alarm(state: &JsValue) -> Promise;
    #[wasm_bindgen(js_name = arm)]
    fn js_arm(state: &JsValue, in_ms: u32) -> Promise;
    #[wasm_bindgen(catch, js_name = noted)]
    fn js_noted(state: &JsValue) -> Result<String, JsValue>;
    #[wasm_bindgen(catch, js_name = note)]
    fn js_note(state: &JsValue, text: &str) -> Result<(), JsValue>;
    #[wasm_bindgen(js_name = forget)]
    fn js_forget(state: &JsValue) -> Promise;
    #[wasm_bindgen(catch, js_name = exec)]
    fn js_exec(state: &JsValue, sql: &str, input: Option<&str>) -> Result<Vec<String>, JsValue>;
}

/// What a function that answers later told.
async fn outcome(promise: Promise) -> Result<String, String> {
    let told = JsFuture::from(promise).await.ok().and_then(|told| told.as_string());
    let mut told = told.unwrap_or_default();
    let worked = told.starts_with('R');
    // The mark is the first byte of every text but an empty one.
    let text = told.split_off(told.len().min(1));
    if worked { Ok(text) } else { Err(text) }
}

/// Asks an object of a namespace.
///
/// # Errors
/// Why it can't be told what it answered, which was nothing but 200.
pub async fn ask(
    env: &Env,
    binding: &str,
    object: &str,
    path: &str,
    body: &[u8],
) -> Result<String, String> {
    outcome(js_ask(env, binding, object, path, Uint8Array::from(body))).await
}

/// Counts a request of a caller; without a limiter, or when it fails, everyone may go on.
pub async fn allowed(env: &Env, key: &str) -> bool {
    outcome(js_allowed(env, key)).await != Err("refused".to_owned())
}

/// Hands a mail to the mail service; answers the service's id of it.
///
/// # Errors
/// The error's code and message between a space; `NO_SERVICE` if none is bound.
pub async fn mail(env: &Env, mail: &Outgoing) -> Result<String, String> {
    let Outgoing { to, subject, text, html, envelope } = mail;
    let content = json!({ "to": to, "subject": subject, "text": text, "html": html });
    let Envelope { sender, reply_to, unsubscribe, automatic } = envelope;
    outcome(js_mail(env, &content, sender, reply_to, unsubscribe, automatic)).await
}

/// All bytes of a stream.
///
/// # Errors
/// There are more than `most`, or it broke off.
pub async fn bytes(stream: &JsValue, most: usize) -> Result<Vec<u8>, JsValue> {
    let most = u32::try_from(most).unwrap_or(u32::MAX);
    let all = js_bytes(stream, most).await?;
    Ok(all.dyn_into::<Uint8Array>()?.to_vec())
}

/// Hands a message to the overflow queue, as a JSON text: objects would arrive empty (workers-rs
/// #1013).
///
/// # Errors
/// Why the queue didn't take it.
pub async fn enqueue(env: &Env, message: &str) -> Result<(), String> {
    outcome(js_enqueue(env, message)).await.map(drop)
}

/// What is at an address, followed nowhere else.
///
/// # Errors
/// Why there is nothing, nothing in time, or too much.
pub async fn look(url: &str, most_ms: u32, most: usize) -> Result<String, String> {
    outcome(js_look(url, most_ms, most)).await
}

/// Sends a request: status, a space, `Retry-After`, a line's end, and the body of the answer.
///
/// # Errors
/// Why there was no answer, none in time, or one that is too large.
pub async fn send(request: &WebRequest<'_>, most_ms: u32) -> Result<String, String> {
    let WebRequest { method, url, headers, body, limit } = request;
    let headers: Vec<(&str, &dyn ToJson)> =
        headers.iter().map(|(name, value)| (*name, value as &dyn ToJson)).collect();
    let headers = json::text(&json::Fields(&headers));
    outcome(js_send(method, url, &headers, *body, most_ms, *limit)).await
}

/// A point (x and y) as SEC 1 writes it whole.
fn point(key: &[u8]) -> Uint8Array {
    Uint8Array::from([&[4], key].concat().as_slice())
}

/// Whether a P-256 key (x and y) is one: the runtime takes no point beside the curve.
pub async fn is_key(key: &[u8]) -> bool {
    outcome(js_is_key(point(key))).await.is_ok()
}

/// Whether a P-256 key (x and y) signed a message.
pub async fn es256(key: &[u8], message: &[u8], signature: &[u8]) -> bool {
    let bytes = |bytes: &[u8]| Uint8Array::from(bytes);
    outcome(js_es256(point(key), bytes(message), bytes(signature))).await.is_ok()
}

/// A file that is deployed beside the worker.
pub async fn asset(env: &Env, path: &str) -> Option<Vec<u8>> {
    let found = JsFuture::from(js_asset(env, path)).await.ok()?;
    found.dyn_ref().map(Uint8Array::to_vec)
}

/// A text from the data centre's cache.
pub async fn cached(url: &str) -> Option<String> {
    outcome(js_cached(url)).await.ok()
}

/// Keeps a text in the data centre's cache, if there is one.
pub async fn cache(url: &str, text: &str, seconds: u32) {
    let _ = outcome(js_cache(url, text, seconds)).await;
}

/// Drops a text from the data centre's cache.
pub async fn uncache(url: &str) {
    let _ = outcome(js_uncache(url)).await;
}

/// Waits.
pub async fn sleep(ms: u32) {
    let _ = outcome(js_sleep(ms)).await;
}

/// The time that the object's alarm is set to.
pub async fn alarm(state: &State) -> Option<i64> {
    outcome(js_alarm(state.as_raw())).await.ok()?.parse().ok()
}

/// Sets the object's alarm to so many milliseconds from now.
///
/// # Errors
/// Why it isn't set.
pub async fn arm(state: &State, in_ms: u32) -> Result<(), String> {
    outcome(js_arm(state.as_raw(), in_ms)).await.map(drop)
}

/// The text that the object has noted, if it has.
///
/// # Errors
/// The storage can't be read.
pub fn noted(state: &State) -> Result<Option<String>, JsValue> {
    js_noted(state.as_raw()).map(|text| Some(text).filter(|text| !text.is_empty()))
}

/// Notes a text in place of the one before; it is on disk before any answer leaves the object.
///
/// # Errors
/// The storage can't be written.
pub fn note(state: &State, text: &str) -> Result<(), JsValue> {
    js_note(state.as_raw(), text)
}

/// Forgets all that the object has stored.
pub async fn forget(state: &State) {
    let _ = outcome(js_forget(state.as_raw())).await;
}

/// Runs a statement in the object's SQLite: the texts of its column `row`.
///
/// # Errors
/// What SQLite says.
pub fn exec(state: &JsValue, sql: &str, input: Option<&str>) -> Result<Vec<String>, String> {
    js_exec(state, sql, input)
        .map_err(|error| error.dyn_ref().map_or_else(String::new, |e: &Error| e.message().into()))
}
