//! The few JavaScript functions that cross into WebAssembly: each crossing costs a copy, so one
//! call brings all that a visit needs, and one makes the answer.

use std::cell::RefCell;
use std::rc::Rc;

use http::StatusCode;
use wasm_bindgen_futures::future_to_promise;
use worker::js_sys::Uint8Array;
use worker::wasm_bindgen::JsCast;
use worker::wasm_bindgen::JsValue;
use worker::wasm_bindgen::closure::Closure;
use worker::wasm_bindgen::prelude::wasm_bindgen;
use worker::web_sys;

use crate::domain::json::json;
use crate::domain::time::Millis;
use crate::error::Error;
use crate::web;
use crate::web::message::{Chunks, Response};

#[wasm_bindgen(inline_js = "
export function facts(request) {
  const h = request.headers, g = (n) => h.get(n) ?? '';
  return [request.method, request.url, g('user-agent'), g('cf-connecting-ip'), g('sec-purpose'),
    g('purpose'), g('x-purpose'), g('x-moz')].join('\\n');
}
export function more(request) {
  const h = request.headers, g = (n) => h.get(n) ?? '';
  return [g('x-shopify-hmac-sha256'), g('content-length'), g('authorization'),
    g('content-type'), g('cookie'), g('origin'), g('sec-fetch-site'), g('tributary-brand'),
    g('idempotency-key'), g('accept').includes('text/html') ? 'text/html' : '', g('if-match'),
    g('webhook-id'), g('webhook-timestamp'), g('webhook-signature'), g('accept-language')].join('\\n');
}
export function found(location, transport) {
  const headers = { location, 'cache-control': 'no-store', 'strict-transport-security': transport };
  return new Response(null, { status: 302, headers });
}
export function answer(status, headers, body) {
  return new Response(body, { status, headers: JSON.parse(headers) });
}
export function streamed(status, headers, next) {
  const body = new ReadableStream({
    async pull(controller) {
      const chunk = await next();
      if (chunk === undefined) controller.close();
      else controller.enqueue(chunk);
    },
  });
  return new Response(body, { status, headers: JSON.parse(headers) });
}
export async function read(request, most) {
  const told = request.headers.get('content-length');
  // Without a look at `body`, which makes a stream that the collector has to take down.
  if (told && Number(told) <= most) {
    const whole = new Uint8Array(await request.arrayBuffer());
    return whole.length > most ? null : whole;
  }
  if (!request.body) return new Uint8Array(0);
  const chunks = [];
  let size = 0;
  for await (const chunk of request.body) {
    size += chunk.length;
    if (size > most) return null;
    chunks.push(chunk);
  }
  if (chunks.length === 1) return chunks[0];
  const whole = new Uint8Array(size);
  let at = 0;
  for (const chunk of chunks) { whole.set(chunk, at); at += chunk.length; }
  return whole;
}
const texts = [];
export function keep(sql) { return texts.push(sql) - 1; }
export async function run(binding, nearest, batch) {
  try {
    const db = nearest ? binding.withSession('first-unconstrained') : binding;
    const head = batch.indexOf('\\n');
    let at = head + 1;
    const value = (told) => {
      if (told === '') return null;
      return told[0] === 't' ? batch.slice(at, (at += Number(told.slice(1)))) : Number(told);
    };
    const statements = batch.slice(0, head).split(';').map((told) => {
      const [text, ...params] = told.split(' ');
      const sql = text[0] === 's' ? batch.slice(at, (at += Number(text.slice(1)))) : texts[text];
      return db.prepare(sql).bind(...params.map(value));
    });
    const results = await db.batch(statements);
    return 'R' + JSON.stringify(results.map((r) => r.results));
  } catch (error) {
    return 'E' + (error?.message ?? error);
  }
}
")]
extern "C" {
    fn facts(request: &web_sys::Request) -> String;
    fn more(request: &web_sys::Request) -> String;
    #[wasm_bindgen(js_name = found)]
    fn js_found(location: &str, transport: &str) -> web_sys::Response;
    fn answer(status: u16, headers: &str, body: Option<Uint8Array>) -> web_sys::Response;
    fn streamed(status: u16, headers: &str, next: JsValue) -> web_sys::Response;
    #[wasm_bindgen(catch)]
    async fn read(request: &web_sys::Request, most: usize) -> Result<JsValue, JsValue>;
    fn keep(sql: &str) -> u32;
    #[wasm_bindgen(catch)]
    async fn run(binding: &JsValue, nearest: bool, batch: &str) -> Result<JsValue, JsValue>;
}

/// What is read of every request, in one crossing: one text per line.
pub struct Facts(String);

impl Facts {
    pub fn of(request: &web_sys::Request) -> Self {
        Self(facts(request))
    }

    pub fn method(&self) -> &str {
        line(&self.0, 0)
    }

    /// The address after `https://`.
    fn address(&self) -> &str {
        line(&self.0, 1).split_once("://").map_or("", |(_, rest)| rest)
    }

    pub fn host(&self) -> &str {
        self.address().split('/').next().unwrap_or_default()
    }

    /// Path and query.
    pub fn uri(&self) -> &str {
        let address = self.address();
        address.get(self.host().len()..).filter(|uri| !uri.is_empty()).unwrap_or("/")
    }

    pub fn path(&self) -> &str {
        self.uri().split('?').next().unwrap_or_default()
    }

    pub fn query(&self) -> &str {
        self.uri().split_once('?').map_or("", |(_, query)| query)
    }

    pub fn user_agent(&self) -> &str {
        line(&self.0, 2)
    }

    pub fn visitor_address(&self) -> &str {
        line(&self.0, 3)
    }

    pub fn purpose(&self) -> crate::domain::click::Purpose<'_> {
        crate::domain::click::Purpose {
            sec_purpose: given(&self.0, 4),
            purpose: given(&self.0, 5),
            x_purpose: given(&self.0, 6),
            x_moz: given(&self.0, 7),
        }
    }
}

/// What is read besides of requests that visit no link.
pub struct MoreFacts(String);

impl MoreFacts {
    pub fn of(request: &web_sys::Request) -> Self {
        Self(more(request))
    }

    pub fn signature(&self) -> Option<&str> {
        given(&self.0, 0)
    }

    pub fn content_length(&self) -> usize {
        line(&self.0, 1).parse().unwrap_or(0)
    }

    pub fn content_type(&self) -> &str {
        line(&self.0, 3)
    }

    /// The headers that the API looks at. What stands there twice arrives as one with a comma, and
    /// is told as two again: none of them but cookies, tags and languages may hold a comma itself.
    pub fn api_headers(&self) -> Vec<(&'static str, &str)> {
        let mut headers = Vec::new();
        for (name, number) in [
            ("authorization", 2),
            ("content-type", 3),
            ("cookie", 4),
            ("origin", 5),
            ("sec-fetch-site", 6),
            ("tributary-brand", 7),
            ("idempotency-key", 8),
            ("accept", 9),
            ("if-match", 10),
            ("webhook-id", 11),
            ("webhook-timestamp", 12),
            ("webhook-signature", 13),
            ("accept-language", 14),
        ] {
            let Some(told) = given(&self.0, number) else { continue };
            let whole = matches!(name, "cookie" | "if-match" | "accept-language");
            let separator = if whole { "\n" } else { ", " };
            headers.extend(told.split(separator).map(|value| (name, value)));
        }
        headers
    }
}

/// What only laptop builds have: a request may say what time it is.
#[cfg(feature = "local")]
pub mod laptop {
    use worker::wasm_bindgen::prelude::wasm_bindgen;
    use worker::web_sys;

    #[wasm_bindgen(inline_js = "
export function clock(request) { return request.headers.get('x-tributary-now') ?? ''; }
")]
    extern "C" {
        fn clock(request: &web_sys::Request) -> String;
    }

    /// The time that a request brings along.
    pub fn now_ms(request: &web_sys::Request) -> Option<i64> {
        clock(request).parse().ok()
    }
}

fn line(lines: &str, number: usize) -> &str {
    lines.split('\n').nth(number).unwrap_or_default()
}

fn given(lines: &str, number: usize) -> Option<&str> {
    Some(line(lines, number)).filter(|text| !text.is_empty())
}

/// The time, without making a `Date` of it.
pub fn now_ms() -> Millis {
    worker::js_sys::Date::now() as Millis
}

/// 302 to `location`: no cookie, and nothing else but that the next visit comes by HTTPS too.
pub fn found(location: &str, on_own_host: bool) -> web_sys::Response {
    js_found(location, web::transport(on_own_host).1)
}

/// An answer without a body.
pub fn empty(status: StatusCode) -> web_sys::Response {
    finished(Response::empty(status), true)
}

/// A plain text.
pub fn text(status: StatusCode, text: &str, on_own_host: bool) -> web_sys::Response {
    finished(Response::new(status, "text/plain", text), on_own_host)
}

/// 405 with what is allowed.
pub fn method_not_allowed(allow: &'static str, on_own_host: bool) -> web_sys::Response {
    let mut refusal = Response::from(Box::new(Error::MethodNotAllowed));
    refusal.set("allow", allow);
    finished(refusal, on_own_host)
}

/// An answer that doesn't come from a handler.
pub fn finished(mut response: Response, on_own_host: bool) -> web_sys::Response {
    web::secure(&mut response, on_own_host);
    self::response(response)
}

/// Any answer.
pub fn response(response: Response) -> web_sys::Response {
    let headers = serde_json::to_string(&response.headers).unwrap_or_else(|_| "[]".to_owned());
    let status = response.status.as_u16();
    if let Some(stream) = response.stream {
        return streamed(status, &headers, next_chunk(stream));
    }
    let body = (!response.body.is_empty()).then(|| Uint8Array::from(response.body.as_slice()));
    answer(status, &headers, body)
}

/// The function that JavaScript asks for one chunk after the other. A fault breaks the answer off.
fn next_chunk(stream: Box<dyn Chunks>) -> JsValue {
    let stream = Rc::new(RefCell::new(Some(stream)));
    let next = move || {
        let stream = stream.clone();
        future_to_promise(async move {
            // Nobody asks for the next before this one came.
            let Some(mut chunks) = stream.take() else { return Ok(JsValue::UNDEFINED) };
            match chunks.next().await {
                Ok(Some(chunk)) => {
                    stream.replace(Some(chunks));
                    Ok(Uint8Array::from(chunk.as_slice()).into())
                }
                Ok(None) => Ok(JsValue::UNDEFINED),
                Err(error) => {
                    let detail = format!("{error:?}");
                    worker::console_error!("{}", json!({ "event": "stream", "detail": detail }));
                    Err(JsValue::from_str("the answer breaks off"))
                }
            }
        })
    };
    Closure::<dyn FnMut() -> worker::js_sys::Promise>::new(next).into_js_value()
}

/// The body, if it is at most so many bytes; one that breaks off is as good as empty.
pub async fn body(request: &web_sys::Request, most: usize) -> Option<Vec<u8>> {
    match read(request, most).await {
        Ok(value) if value.is_null() => None,
        Ok(value) => Some(value.dyn_into::<Uint8Array>().map(|b| b.to_vec()).unwrap_or_default()),
        Err(_) => Some(Vec::new()),
    }
}

thread_local! {
    /// The statements that JavaScript has, by the address of their text.
    static KEPT: RefCell<Vec<(&'static str, u32)>> = const { RefCell::new(Vec::new()) };
}

/// The number under which JavaScript keeps a statement: its text crosses once per isolate.
pub fn kept(sql: &'static str) -> u32 {
    KEPT.with_borrow_mut(|kept| {
        if let Some((_, number)) = kept.iter().find(|(text, _)| std::ptr::eq(*text, sql)) {
            return *number;
        }
        let number = keep(sql);
        kept.push((sql, number));
        number
    })
}

/// Runs a batch on D1. Its first line has the statements between `;`: each the number of its text
/// (or `s` and the length of one that isn't kept) and its parameters between spaces, nothing for NULL, `t` and a length for a text; the texts
/// follow. (JSON would be JSON in JSON, escaped twice.) Answers `R` and the rows, or `E` and the
/// error.
pub async fn run_batch(binding: &JsValue, nearest: bool, batch: &str) -> String {
    match run(binding, nearest, batch).await {
        Ok(value) => value.as_string().unwrap_or_default(),
        Err(_) => "Ethe database binding failed".to_owned(),
    }
}
