//! Plain HTTP to doubles on this machine, for what the product asks of platforms.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use tributary::app::{WebAnswer, WebRequest};

/// Sends a request as the worker would: no redirects, 20 seconds, answers up to the limit.
pub fn send(request: &WebRequest<'_>) -> Result<WebAnswer, String> {
    let rest = request.url.strip_prefix("http://").ok_or("not a loopback address")?;
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    assert!(host.starts_with("127.0.0.1:"), "only doubles on this machine are asked: {host}");
    let failed = |error: std::io::Error| error.to_string();
    let mut stream = TcpStream::connect(host).map_err(failed)?;
    stream.set_read_timeout(Some(Duration::from_secs(20))).map_err(failed)?;
    let body = request.body.unwrap_or_default();
    let mut head = format!("{} /{path} HTTP/1.1\r\nhost: {host}\r\n", request.method);
    for (name, value) in &request.headers {
        head += &format!("{name}: {value}\r\n");
    }
    head += &format!("connection: close\r\ncontent-length: {}\r\n\r\n", body.len());
    stream.write_all(head.as_bytes()).map_err(failed)?;
    stream.write_all(body.as_bytes()).map_err(failed)?;
    let mut answer = Vec::new();
    let most = u64::try_from(request.limit).unwrap_or(u64::MAX) + 64 * 1024;
    stream.take(most).read_to_end(&mut answer).map_err(failed)?;
    read(&answer, request.limit)
}

fn read(answer: &[u8], limit: usize) -> Result<WebAnswer, String> {
    let end = answer.windows(4).position(|w| w == b"\r\n\r\n").ok_or("no answer")?;
    let head = String::from_utf8_lossy(&answer[..end]).into_owned();
    let mut body = answer[end + 4..].to_vec();
    let header = |name: &str| {
        let of = |line: &str| {
            let (told, value) = line.split_once(':')?;
            told.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
        };
        head.lines().find_map(of)
    };
    if header("transfer-encoding").is_some_and(|t| t.contains("chunked")) {
        body = unchunked(&body).ok_or("broke off")?;
    } else if let Some(length) = header("content-length") {
        let length: usize = length.parse().map_err(|_| "no length")?;
        if body.len() < length.min(limit + 1) {
            return Err("broke off".to_owned());
        }
    }
    if body.len() > limit {
        return Err("too large".to_owned());
    }
    let status = head.split(' ').nth(1).and_then(|s| s.parse().ok()).ok_or("no status")?;
    let body = String::from_utf8_lossy(&body).into_owned();
    Ok(WebAnswer { status, retry_after: header("retry-after").unwrap_or_default(), body })
}

fn unchunked(mut body: &[u8]) -> Option<Vec<u8>> {
    let mut whole = Vec::new();
    loop {
        let end = body.windows(2).position(|w| w == b"\r\n")?;
        let length = std::str::from_utf8(&body[..end]).ok()?;
        let length = usize::from_str_radix(length.split(';').next()?.trim(), 16).ok()?;
        if length == 0 {
            return Some(whole);
        }
        whole.extend(body.get(end + 2..end + 2 + length)?);
        body = body.get(end + 4 + length..)?;
    }
}
