//! Outgoing webhooks: what is told, where to, when again, and what an answer means.

use super::link::is_host;
use super::time::{DAY_MS, Millis};

/// What can be listened to.
pub const EVENTS: [&str; 17] = [
    "automation.step",
    "deal.created",
    "deal.updated",
    "deal.closed",
    "link.created",
    "link.updated",
    "code.created",
    "code.updated",
    "order.created",
    "order.updated",
    "commission.created",
    "commission.updated",
    "payout.drafted",
    "payout.approved",
    "payout.cancelled",
    "payout.line_settled",
    "payout.line_failed",
];

/// The longest address, in bytes.
const MAX_URL: usize = 2000;
/// Names that mean this machine or a network of somebody's own.
const PRIVATE: [&str; 11] = [
    "localhost",
    "local",
    "internal",
    "intranet",
    "lan",
    "home",
    "corp",
    "arpa",
    "onion",
    "invalid",
    "test",
];

/// The host of an address that events may be told to: https at a public name, on the usual port, without a
/// user and a fragment. In a local run http to this machine, on any port, too.
///
/// Whoever reads addresses for the web takes `0x7f.1`, `2130706433` and `127.0.0.1` for the same; no address
/// of numbers is taken here, however it is spelled, for none has a certificate that a receiver would have.
///
/// # Errors
/// What is wrong, in words.
pub fn host_of(url: &str, local: bool) -> Result<&str, &'static str> {
    let harmless = |b: u8| (0x21..0x7f).contains(&b) && !b"\\\"<>`{}|^#".contains(&b);
    if url.len() > MAX_URL {
        return Err("is longer than 2,000 bytes");
    }
    if url.contains('#') {
        return Err("must not have a fragment");
    }
    if !url.bytes().all(harmless) {
        return Err(
            "must be a web address in plain ASCII: no spaces, and other scripts as punycode",
        );
    }
    let (secure, rest) = match (url.strip_prefix("https://"), url.strip_prefix("http://")) {
        (Some(rest), _) => (true, rest),
        (_, Some(rest)) if local => (false, rest),
        _ => return Err("must begin with https://"),
    };
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, _) = rest.split_at(end);
    if authority.contains('@') {
        return Err("must not name a user");
    }
    if !secure && is_loopback(authority) {
        return Ok(authority);
    }
    let (host, port) = authority.split_once(':').map_or((authority, None), |(h, p)| (h, Some(p)));
    if authority.starts_with('[') || is_number(host) {
        return Err("must name a host, not an address of numbers");
    }
    if !secure {
        return Err("must begin with https://");
    }
    if port.is_some_and(|port| port != "443") {
        return Err("must not name a port: 443 is the only one");
    }
    if !is_host(host) {
        return Err("must have a public host name");
    }
    let last = host.rsplit('.').next().unwrap_or_default();
    if PRIVATE.iter().any(|name| last.eq_ignore_ascii_case(name)) {
        return Err("must have a public host name: this one means a private network");
    }
    Ok(host)
}

/// This machine, as tests and local runs call it.
fn is_loopback(authority: &str) -> bool {
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (authority, None),
    };
    matches!(host, "127.0.0.1" | "localhost" | "[::1]")
        && port.is_none_or(|port| port.parse::<u16>().is_ok())
}

/// Whether browsers and their like take a host for an IPv4 address: its last label (before a final dot)
/// is a number, decimal, octal or hexadecimal.
fn is_number(host: &str) -> bool {
    let last = host.strip_suffix('.').unwrap_or(host).rsplit('.').next().unwrap_or_default();
    let hex = last.strip_prefix("0x").or_else(|| last.strip_prefix("0X"));
    match hex {
        Some(digits) => digits.bytes().all(|b| b.is_ascii_hexdigit()),
        None => !last.is_empty() && last.bytes().all(|b| b.is_ascii_digit()),
    }
}

/// What became of one try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// 2xx.
    Taken,
    /// 410: nothing is wanted there any more.
    Gone,
    /// Anything else, and the milliseconds of its `Retry-After`, 0 without one.
    Failed(Millis),
}

/// What a status means, with the text of `Retry-After`. A redirect is followed nowhere: it is a failure.
#[must_use]
pub fn answer(status: u16, retry_after: &str) -> Answer {
    match status {
        200..=299 => Answer::Taken,
        410 => Answer::Gone,
        _ => {
            let seconds: Millis = retry_after.parse::<u32>().map_or(0, Millis::from);
            Answer::Failed(seconds * 1000)
        }
    }
}

/// Why an answer doesn't count, for the log that the brand sees. Never what the answer said.
#[must_use]
pub fn words(status: u16) -> String {
    match status {
        300..=399 => format!("answered {status}: redirects are not followed"),
        410 => "answered 410: gone".to_owned(),
        _ => format!("answered {status}"),
    }
}

/// What didn't arrive is tried for so long after its first try; an endpoint where nothing arrives for so long
/// is paused.
pub const WINDOW_MS: Millis = 3 * DAY_MS;
const FIRST_WAIT_MS: Millis = 30_000;
const LONGEST_WAIT_MS: Millis = 6 * 3_600_000;
/// An endpoint that fails is let alone for so long at most: other events may arrive there.
const LONGEST_REST_MS: Millis = 600_000;

/// How long what failed `tries` times waits: 30 seconds, then four times as long each time up to six hours,
/// and up to a quarter more by `random`, so that not everything comes at once.
#[must_use]
pub fn wait_ms(tries: u32, asked_ms: Millis, random: u8) -> Millis {
    let waited = (FIRST_WAIT_MS << (2 * tries.saturating_sub(1).min(10))).min(LONGEST_WAIT_MS);
    let waited = waited + waited * Millis::from(random) / 1024;
    waited.max(asked_ms.min(LONGEST_WAIT_MS))
}

/// How long nothing is sent to an endpoint that failed so often in a row.
#[must_use]
pub fn rest_ms(failures: u32) -> Millis {
    wait_ms(failures, 0, 0).min(LONGEST_REST_MS)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BAD: &[&str] = &[
        "",
        "shop.example",
        "//shop.example/",
        "ftp://shop.example/",
        "HTTPS://shop.example/",
        "https:/shop.example/",
        "https:///shop.example/",
        "https://",
        "https://?x",
        "javascript:alert(1)",
        "https://0x7f.1/",
        "https://0X7F.1/",
        "https://1.0x7f/",
        "https://0x/",
        "https://shop.0x/",
        "https://2130706433/",
        "https://0177.0.0.1/",
        "https://10.0.0.1/",
        "https://172.16.0.1/",
        "https://192.168.1.1/",
        "https://100.64.0.1/",
        "https://169.254.169.254/latest/meta-data/",
        "https://224.0.0.1/",
        "https://0.0.0.0/",
        "https://8.8.8.8/",
        "https://10.1/",
        "https://10.0.0.1./",
        "https://shop.1/",
        "https://[::ffff:10.0.0.1]/",
        "https://[::ffff:a00:1]/",
        "https://[fe80::1]/",
        "https://[fd00::1]:443/",
        "https://[ff02::1]/",
        "https://[::]/",
        "https://localhost./",
        "https://localhost.localdomain./",
        "https://app.localhost/",
        "https://printer.local/",
        "https://metadata.google.INTERNAL/",
        "https://shop.example./",
        "https://intranet/",
        "https://user@shop.example/",
        "https://user:word@shop.example/",
        "https://shop.example@127.0.0.1/",
        "https://shop.example:8443/",
        "https://shop.example:/",
        "https://shop.example:443x/",
        "https://shop.example:443:443/",
        "https://shop.example/#x",
        "https://shop.example\\@10.0.0.1/",
        "https://shop.example/ x",
        "https://shop\t.example/",
        "https://shop.example/\n",
        "https://%31%32%37.0.0.1/",
        "https://127%2e0.0.1/",
        "https://１２７.0.0.1/",
        "https://shop。example/",
        "https://münchen.example/",
        "https://-shop.example/",
        "https://shop..example/",
    ];

    #[test]
    fn only_public_names_by_https_are_told_to() {
        for (url, host) in [
            ("https://hooks.shop.example/in?x=1", "hooks.shop.example"),
            ("https://shop.example", "shop.example"),
            ("https://shop.example:443/", "shop.example"),
            ("https://shop.example?x", "shop.example"),
            ("https://xn--mnchen-3ya.example/", "xn--mnchen-3ya.example"),
            ("https://127.0.0.1.nip.io/", "127.0.0.1.nip.io"),
        ] {
            assert_eq!(host_of(url, false), Ok(host));
            assert_eq!(host_of(url, true), Ok(host));
        }
        let long = format!("https://shop.example/{}", "x".repeat(2000));
        for url in BAD.iter().copied().chain([long.as_str()]) {
            assert!(host_of(url, false).is_err(), "{url}");
            assert!(host_of(url, true).is_err(), "{url} in a local run");
        }
    }

    #[test]
    fn this_machine_is_for_local_runs_only() {
        for url in [
            "http://127.0.0.1:8787/in",
            "http://localhost:1/",
            "http://[::1]:9/",
            "http://[::1]/",
            "http://localhost",
        ] {
            assert!(host_of(url, true).is_ok(), "{url}");
            assert!(host_of(url, false).is_err(), "{url}");
        }
        for url in [
            "https://127.0.0.1/",
            "https://localhost:8443/",
            "http://127.0.0.1:99999/",
            "http://127.0.0.1:x/",
            "http://127.0.0.2/",
            "http://localhost:1:2/",
            "http://shop.example/",
        ] {
            assert!(host_of(url, true).is_err(), "{url}");
        }
    }

    #[test]
    fn what_failed_waits_longer_each_time_and_the_window_holds_a_dozen_tries() {
        let waits: Vec<_> = (1..8).map(|tries| wait_ms(tries, 0, 0) / 1000).collect();
        assert_eq!(waits, [30, 120, 480, 1920, 7680, 21_600, 21_600]);
        assert_eq!(wait_ms(u32::MAX, 0, 0), LONGEST_WAIT_MS);
        assert!(wait_ms(9, 0, 255) < LONGEST_WAIT_MS * 5 / 4);
        assert_eq!(wait_ms(1, 90_000, 0), 90_000);
        assert_eq!(wait_ms(1, Millis::MAX, 0), LONGEST_WAIT_MS);
        let (mut at, mut tries) = (0, 1);
        while at < WINDOW_MS {
            at += wait_ms(tries, 0, 128);
            tries += 1;
        }
        assert!((14..18).contains(&tries), "{tries}");
        assert_eq!((rest_ms(1), rest_ms(9)), (30_000, LONGEST_REST_MS));
    }

    #[test]
    fn only_2xx_counts() {
        for (status, told) in [
            (200, Answer::Taken),
            (204, Answer::Taken),
            (301, Answer::Failed(0)),
            (302, Answer::Failed(0)),
            (410, Answer::Gone),
            (404, Answer::Failed(0)),
            (0, Answer::Failed(0)),
        ] {
            assert_eq!(answer(status, ""), told, "{status}");
        }
        assert_eq!(answer(429, "120"), Answer::Failed(120_000));
        for odd in ["", "-1", "soon", "Wed, 21 Oct 2026 07:28:00 GMT", "99999999999999"] {
            assert_eq!(answer(503, odd), Answer::Failed(0), "{odd}");
        }
        assert!(words(302).contains("not followed"));
    }
}
