//! Link domains on their way: Cloudflare is asked for a custom hostname where the operator set that up,
//! and a domain is served once it is verified. For that the product asks the domain itself, and only where
//! it reaches the product does it get the right answer.

use crate::app::{App, Hostnames};
use crate::domain::auth::Actor;
use crate::domain::json::json;
use crate::domain::merkle::hex;
use crate::domain::time::{DAY_MS, Millis};
use crate::error::Result;
use crate::partners::cloudflare::{Hostname, Standing, Told, records_json};
use crate::storage::hosts::{self, LinkHost, Seen};
use crate::storage::{DbError, brands};
use crate::web::extract::{By, note};

/// The path on which a domain proves that it leads here.
pub const PROOF_PATH: &str = ".well-known/tributary";

/// A domain may take a week to lead here.
const PENDING_MS: Millis = 7 * DAY_MS;

/// The longer a domain has waited, the longer until it is looked at again; at most so long.
const MAX_PAUSE_MS: Millis = 30 * 60_000;
/// A removal that failed is tried again after so long.
const REMOVE_AGAIN_MS: Millis = 10 * 60_000;

/// What a domain must answer: nobody else can know it.
#[must_use]
pub fn proof(app: &App, host: &str) -> String {
    let key = app.config.data_key.subkey(&format!("domain/{host}"), None);
    hex(&key)
}

/// Looks at the domains that wait to be verified, and removes what was given up; tells how many became
/// active.
///
/// # Errors
/// [`crate::error::Error`] if D1 was away.
pub async fn verify_pending(app: &App) -> Result<i64> {
    let mut handled = 0;
    let now_ms = app.now_ms();
    app.db().run(brands::expire_pending(now_ms - PENDING_MS, app.new_id(), now_ms)).await?;
    for host in hosts::due(app.db(), now_ms).await? {
        handled += i64::from(check(app, &host, false).await?);
    }
    remove_given_up(app).await?;
    Ok(handled)
}

/// What a look at a domain showed.
struct Look {
    hostname_id: Option<String>,
    /// We asked for that.
    ours: bool,
    records: String,
    /// Nothing is in the way.
    ready: bool,
    problem: String,
    failed: bool,
}

/// Looks at a domain that waits, and serves it if it may be; tells whether it did. With `again` what
/// failed is tried once more.
///
/// # Errors
/// [`crate::error::Error`] if D1 was away.
pub async fn check(app: &App, row: &LinkHost, again: bool) -> Result<bool> {
    let mut look = match &app.hostnames {
        Some(port) => match at_cloudflare(app, &**port, row, again).await? {
            Some(look) => look,
            None => return Ok(false),
        },
        None => Look {
            hostname_id: None,
            ours: false,
            records: "[]".to_owned(),
            ready: true,
            problem: String::new(),
            failed: false,
        },
    };
    if look.ready {
        match leads_here(app, &row.host).await {
            Ok(()) if activate(app, row, &look).await? => return Ok(true),
            Ok(()) => return Ok(false),
            Err(words) => look.problem = words,
        }
    }
    let now_ms = app.now_ms();
    let pause = ((now_ms - row.created_at_ms) / 20).clamp(0, MAX_PAUSE_MS);
    let seen = Seen {
        hostname_id: look.hostname_id.as_deref(),
        ours: look.ours,
        records: &look.records,
        problem: &look.problem,
        failed: look.failed,
        due_at_ms: now_ms + pause,
    };
    let mut batch = hosts::saw(row.brand_id, &row.host, &seen, now_ms);
    if look.failed && row.failed == 0 {
        let told = json!({ "link_domain_pending": row.host, "problem": look.problem });
        let (brand, by) = (row.brand_id, By { actor: BY, request_id: "" });
        batch.push(note(app, brand, &by, "domain.fail", &brand.to_string(), None, Some(told)));
    }
    app.db().run(batch).await?;
    Ok(false)
}

const BY: Actor = Actor::Job("verify_domains");

/// Asks Cloudflare for the domain's custom hostname, and what became of it. Before one is made it is looked
/// up: the answer to an earlier request may have been lost. Whatever else the zone has is looked at only.
/// `None` where the host waits for the brand no more.
async fn at_cloudflare(
    app: &App,
    port: &dyn Hostnames,
    row: &LinkHost,
    again: bool,
) -> Result<Option<Look>> {
    let (mut ours, mut known) = (row.ours == 1, row.hostname_id.clone());
    let mut told = match &known {
        Some(id) if again && ours => port.again(id).await,
        Some(id) => port.show(id).await,
        None => Told::Missing,
    };
    if told == Told::Missing {
        told = port.find(&row.host).await;
        // The one we knew is gone.
        ours &= known.is_none();
    }
    if told == Told::Missing {
        match app.db().run(vec![hosts::ask(row.brand_id, &row.host)]).await {
            Err(DbError::Constraint(_)) => return Ok(None),
            done => done.map(drop)?,
        }
        known = None;
        told = port.create(&row.host).await;
        ours = !matches!(told, Told::Refused(_));
    }
    let look = |ready, problem: String, failed| Look {
        hostname_id: known.clone(),
        ours,
        records: row.records.clone(),
        ready,
        problem,
        failed,
    };
    Ok(Some(match told {
        Told::Hostname(found) => {
            let Hostname { id, standing, records } = *found;
            let known = Look {
                hostname_id: Some(id),
                records: records_json(&records),
                ..look(false, String::new(), false)
            };
            match standing {
                Standing::Active => Look { ready: true, ..known },
                Standing::Pending(problem) => Look { problem, ..known },
                Standing::Failed(problem) => Look { problem, failed: true, ..known },
            }
        }
        Told::Refused(problem) => look(false, problem, true),
        Told::Later(problem) => look(false, problem, false),
        Told::Missing => look(false, "Cloudflare gave no clear answer".to_owned(), false),
    }))
}

/// Whether the domain answers as only this deployment can. A laptop can't be asked by its domains: there
/// Cloudflare's double has the last word.
async fn leads_here(app: &App, host: &str) -> Result<(), String> {
    if app.config.local {
        return Ok(());
    }
    let url = format!("https://{host}/{PROOF_PATH}");
    match app.http.get(&url).await {
        Ok(body) if body.trim() == proof(app, host) => Ok(()),
        Ok(_) => Err("the host leads elsewhere: another site answers there".to_owned()),
        Err(_) => Err("the host doesn't lead here yet, or not by HTTPS".to_owned()),
    }
}

/// Serves and hands out the brand's links on the host, if it still waits for that: the brand may have
/// chosen another one while it was asked, or another brand this one.
async fn activate(app: &App, row: &LinkHost, look: &Look) -> Result<bool> {
    let (brand, host, now_ms) = (row.brand_id, row.host.as_str(), app.now_ms());
    let by = By { actor: BY, request_id: "" };
    let told = Some(json!({ "link_domain": host }));
    let (hostname_id, ours) = (look.hostname_id.as_deref(), look.ours);
    let seen =
        Seen { hostname_id, ours, records: "[]", problem: "", failed: false, due_at_ms: now_ms };
    let mut batch = vec![brands::require_pending(brand, host)];
    batch.extend(hosts::saw(brand, host, &seen, now_ms));
    batch.extend(brands::use_host(brand, host, now_ms));
    batch.push(note(app, brand, &by, "domain.activate", &brand.to_string(), None, told));
    match app.db().run(batch).await {
        Ok(_) => app.memory.forget_host(host),
        Err(DbError::Constraint(_)) => return Ok(false),
        Err(error) => return Err(error.into()),
    }
    Ok(true)
}

/// Removes custom hostnames whose hosts were given up before they were served. One that is served stays:
/// links were handed out on it.
async fn remove_given_up(app: &App) -> Result<()> {
    let Some(port) = &app.hostnames else { return Ok(()) };
    let now_ms = app.now_ms();
    for removal in hosts::removals(app.db(), now_ms).await? {
        let id = &removal.hostname_id;
        // Taken before it is done: of one that is given up half-way a custom hostname too many is left,
        // which does less harm than one too few of a host that is served again.
        match app.db().run(hosts::take_removal(id)).await {
            Err(DbError::Constraint(_)) => continue,
            done => done.map(drop)?,
        }
        if port.remove(id).await != Told::Missing {
            app.log.write(&json!({ "event": "hostname_not_removed", "host": removal.host }));
            let later = hosts::remove_later(&removal, now_ms + REMOVE_AGAIN_MS);
            app.db().run(vec![later]).await?;
        }
    }
    Ok(())
}
