//! Clicks on their way: from the answered request to the counter objects, and back as totals.

use worker::send::SendFuture;
use worker::{Context, Env};

use super::bindings;
use super::glue::Facts;
use crate::app::{App, Clicks, Pending};
use crate::domain::click::{
    RawVisit, Role, SHARDS, Term, WaitingClick, batches, object_name, shard_of,
};
use crate::domain::ids::LinkId;
use crate::domain::json::json;
use crate::domain::sorted::Sorted;
use crate::domain::time::Day;
use crate::storage::click_counter::DayTotals;
use crate::storage::rows::from_json;
use crate::web::redirect::Destination;

/// The leader carries what has gathered this often: clicks appear within ten seconds, and more of
/// them share a call the longer it waits.
const GATHER_MS: u32 = 1000;

/// The namespace of the counter objects.
const COUNTERS: &str = "CLICK_COUNTERS";

/// Takes a click in after its answer is made; its request may become the leader.
pub fn record(app: &App, ctx: &Context, destination: &Destination, facts: &Facts) {
    let at_ms = app.now_ms();
    let visit = RawVisit::new(
        facts.method() == "HEAD",
        facts.purpose().looks_ahead(),
        facts.visitor_address().to_owned(),
        facts.user_agent().to_owned(),
    );
    let click = WaitingClick {
        brand: destination.brand,
        deal: destination.deal,
        link: destination.link,
        at_ms,
        day: destination.day(at_ms),
        visit,
    };
    let role = app.memory.waiting().add(click, wall_clock_ms());
    if let Role::Leader(term) = role {
        let app = app.clone();
        let env = ENV.with(|slot| slot.borrow().clone());
        if let Some(env) = env {
            super::afterwards(ctx, async move { lead(&app, &env, term).await });
        }
    }
}

thread_local! {
    /// The isolate's bindings, for the leader.
    static ENV: std::cell::RefCell<Option<Env>> = const { std::cell::RefCell::new(None) };
}

/// The counter objects, asked for their totals.
pub struct Counters(Env);

impl Counters {
    pub fn new(env: Env) -> Self {
        ENV.with(|slot| slot.replace(Some(env.clone())));
        Self(env)
    }
}

/// Leadership is about this isolate's real time, whatever time a laptop build plays.
fn wall_clock_ms() -> i64 {
    super::glue::now_ms()
}

async fn lead(app: &App, env: &Env, term: Term) {
    loop {
        bindings::sleep(GATHER_MS).await;
        let clicks = app.memory.waiting().take(term, wall_clock_ms());
        for (shard, batch) in batches(clicks, SHARDS) {
            let object = object_name(shard);
            if bindings::ask(env, COUNTERS, &object, "absorb", &batch.encode()).await.is_err() {
                // It may have arrived: sending it again could count it twice.
                app.memory.waiting().lose(batch.visits());
            }
        }
        let lost = app.memory.waiting().lost();
        if lost > 0 {
            app.log.write(&json!({ "event": "clicks_lost", "clicks": lost }));
        }
        if !app.memory.waiting().leads(term) {
            return;
        }
    }
}

impl Clicks for Counters {
    fn totals<'a>(
        &'a self,
        links: &'a [LinkId],
        from: Day,
        to: Day,
    ) -> Pending<'a, Result<Vec<DayTotals>, String>> {
        Box::pin(SendFuture::new(async move {
            let mut by_shard: Sorted<u32, Vec<LinkId>> = Sorted::new();
            for link in links {
                by_shard.change(shard_of(*link, SHARDS), |links| links.push(*link));
            }
            let mut all = Vec::new();
            for (shard, links) in by_shard {
                let question = json!([links, from, to]);
                let object = object_name(shard);
                let question = question.as_bytes();
                let text = bindings::ask(&self.0, COUNTERS, &object, "totals", question).await?;
                let rows: Option<Vec<DayTotals>> = from_json(&text);
                let rows = rows.ok_or("the counter's answer can't be read")?;
                all.extend(rows);
            }
            Ok(all)
        }))
    }
}
