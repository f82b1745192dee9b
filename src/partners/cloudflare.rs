//! Cloudflare for SaaS: custom hostnames, as its API tells them
//! (developers.cloudflare.com/api/resources/custom_hostnames), in words for brands.

use serde_json::Value;

use super::at;
use crate::domain::json::json;

/// The longest text of Cloudflare's that is passed on, in characters.
const MAX_WORDS: usize = 300;
/// More records than a hostname needs.
const MAX_RECORDS: usize = 10;

/// What Cloudflare says of a custom hostname.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hostname {
    /// Its name there.
    pub id: String,
    /// Where it stands.
    pub standing: Standing,
    /// Records that prove whose the host is, beside the one that leads here.
    pub records: Vec<Record>,
}

/// Where a custom hostname stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It is served, with a certificate.
    Active,
    /// Not yet: what it waits for.
    Pending(String),
    /// It won't be by itself: why.
    Failed(String),
}

/// A DNS record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// `TXT`
    pub kind: &'static str,
    /// Its name, whole.
    pub name: String,
    /// What it says.
    pub value: String,
    /// `ownership` or `certificate`.
    pub purpose: &'static str,
}

/// What an answer tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// The hostname.
    Hostname(Box<Hostname>),
    /// There is none.
    Missing,
    /// Nobody knows, or not now: in words.
    Later(String),
    /// Never like this: in words.
    Refused(String),
}

/// The body that asks for a hostname. The certificate is proven by HTTP, which works by itself once the
/// host leads here.
#[must_use]
pub fn wanted(host: &str) -> String {
    format!("{{\"hostname\":{},\"ssl\":{SSL}}}", crate::domain::json::text(&host))
}

/// The body that asks to try the certificate again.
#[must_use]
pub fn again() -> String {
    format!("{{\"ssl\":{SSL}}}")
}

const SSL: &str = r#"{"method":"http","type":"dv","settings":{"min_tls_version":"1.2"}}"#;

/// What the answer to a request for one hostname tells.
#[must_use]
pub fn one(status: u16, answer: &Value) -> Told {
    match status {
        200..=299 => hostname(at(answer, "/result")),
        404 => Told::Missing,
        _ => failed(status, answer),
    }
}

/// What the answer to a search by the host's name tells.
#[must_use]
pub fn found(status: u16, answer: &Value, host: &str) -> Told {
    if !(200..=299).contains(&status) {
        return failed(status, answer);
    }
    let Some(list) = at(answer, "/result").as_array() else { return unclear() };
    // Searches find what begins alike, too.
    let same = |one: &&Value| at(one, "/hostname").as_str() == Some(host);
    list.iter().find(same).map_or(Told::Missing, hostname)
}

/// What the answer to a removal tells: `Missing` when it is gone.
#[must_use]
pub fn removed(status: u16, answer: &Value) -> Told {
    match status {
        200..=299 | 404 => Told::Missing,
        _ => failed(status, answer),
    }
}

fn unclear() -> Told {
    Told::Later("Cloudflare gave no clear answer".to_owned())
}

fn failed(status: u16, answer: &Value) -> Told {
    let why = clip(at(answer, "/errors/0/message").as_str().unwrap_or_default());
    match status {
        401 | 403 => Told::Later(
            "the operator's access to Cloudflare was refused: whoever runs this has to look at it"
                .to_owned(),
        ),
        408 | 429 | 500..=599 => Told::Later("Cloudflare can't be asked just now".to_owned()),
        400..=499 if why.is_empty() => Told::Refused("Cloudflare refused this host".to_owned()),
        400..=499 => Told::Refused(format!("Cloudflare refused this host: {why}")),
        _ => unclear(),
    }
}

fn hostname(result: &Value) -> Told {
    let id = at(result, "/id").as_str().filter(|id| is_name(id));
    let (Some(id), Some(status)) = (id, at(result, "/status").as_str()) else { return unclear() };
    let certificate = at(result, "/ssl/status").as_str().unwrap_or_default();
    let errors = texts(at(result, "/verification_errors"));
    let certificate_errors = texts(at(result, "/ssl/validation_errors"));
    let standing = standing(status, certificate, &errors, &certificate_errors);
    Told::Hostname(Box::new(Hostname { id: id.to_owned(), standing, records: records(result) }))
}

/// Ids stand in addresses of later requests.
fn is_name(id: &str) -> bool {
    (1..=100).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

/// Texts of a list of texts, or of objects with a message.
fn texts(list: &Value) -> Vec<String> {
    let list = list.as_array().map(Vec::as_slice).unwrap_or_default();
    let text = |one: &Value| one.as_str().or(at(one, "/message").as_str()).map(clip);
    list.iter().take(MAX_RECORDS).filter_map(text).filter(|text| !text.is_empty()).collect()
}

fn standing(
    status: &str,
    certificate: &str,
    errors: &[String],
    certificate_errors: &[String],
) -> Standing {
    let told = |errors: &[String]| {
        errors.first().map_or_else(String::new, |first| format!(" (Cloudflare: {first})"))
    };
    match status {
        "active" | "active_redeploying" | "provisioned" => (),
        "blocked" | "pending_blocked" | "test_blocked" => {
            return Standing::Failed(format!(
                "Cloudflare doesn't let this host be used: another account has it, or it isn't \
                 allowed{}",
                told(errors)
            ));
        }
        "moved" => {
            return Standing::Failed(format!(
                "the host led here and doesn't any more: make the CNAME record again{}",
                told(errors)
            ));
        }
        "deleted" | "pending_deletion" | "test_failed" => {
            return Standing::Failed(format!("Cloudflare gave this host up{}", told(errors)));
        }
        _ if certificate_errors.is_empty() => {
            return Standing::Pending(format!(
                "the host doesn't lead here yet: make the CNAME record, which may take an hour to be \
                 seen{}",
                told(errors)
            ));
        }
        _ => (),
    }
    let caa = certificate_errors.iter().any(|error| error.to_ascii_lowercase().contains("caa"));
    match certificate {
        "active" | "pending_expiration" | "backup_issued"
            if status.starts_with("active") || status == "provisioned" =>
        {
            Standing::Active
        }
        _ if caa => Standing::Failed(format!(
            "the domain's CAA records let nobody make a certificate for it that Cloudflare works \
             with: allow letsencrypt.org and pki.goog{}",
            told(certificate_errors)
        )),
        "expired"
        | "deleted"
        | "inactive"
        | "initializing_timed_out"
        | "validation_timed_out"
        | "issuance_timed_out"
        | "deployment_timed_out" => Standing::Failed(format!(
            "no certificate could be made for this host: it must lead here first{}",
            told(certificate_errors)
        )),
        _ => {
            Standing::Pending(format!("its certificate is being made{}", told(certificate_errors)))
        }
    }
}

fn records(result: &Value) -> Vec<Record> {
    let text = |value: &Value| value.as_str().map(clip).filter(|text| !text.is_empty());
    let txt = |name: &Value, value: &Value, purpose| {
        Some(Record { kind: "TXT", name: text(name)?, value: text(value)?, purpose })
    };
    let proof = at(result, "/ownership_verification");
    let own = txt(at(proof, "/name"), at(proof, "/value"), "ownership");
    let list = at(result, "/ssl/validation_records").as_array();
    let list = list.map(Vec::as_slice).unwrap_or_default().iter().take(MAX_RECORDS);
    let certificates =
        list.filter_map(|one| txt(at(one, "/txt_name"), at(one, "/txt_value"), "certificate"));
    own.into_iter().chain(certificates).collect()
}

/// A text of somebody else's: not too long, in one line.
fn clip(text: &str) -> String {
    let visible = |c: char| if c.is_control() { ' ' } else { c };
    text.chars().take(MAX_WORDS).map(visible).collect::<String>().trim().to_owned()
}

/// Records as they are kept and shown.
#[must_use]
pub fn records_json(records: &[Record]) -> String {
    let each: Vec<String> = records
        .iter()
        .map(|r| json!({ "type": r.kind, "name": r.name, "value": r.value, "purpose": r.purpose }))
        .collect();
    format!("[{}]", each.join(","))
}
