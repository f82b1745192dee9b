//! What she published: reporting it, and telling its numbers.

use askama::Template;

use super::words::{self, EN, Texts};
use super::{Filled, Her, HerForm, Told, Wrong, brand_of};
use crate::app::App;
use crate::domain::ids::{DealId, Post};
use crate::domain::post::{Platform, Source};
use crate::domain::time::Day;
use crate::error::{Error, Result};
use crate::web::api::me;
use crate::web::api::posts::{self, MyNewPost, NewMetrics, PostView};
use crate::web::api::view::Time;
use crate::web::body::FromJson;
use crate::web::extract::{Body, Params, PathId};
use crate::web::handler::{Json, State};
use crate::web::message::Response;
use crate::web::pages::ui;

#[derive(Template)]
#[template(path = "creator/posts.html")]
struct Posts<'a> {
    t: &'static Texts,
    csrf: String,
    path: String,
    today: String,
    platforms: Vec<(&'static str, &'static str)>,
    deals: Vec<(DealId, String)>,
    posts: Vec<Line>,
    first: bool,
    next: Option<String>,
    filled: Filled<'a>,
}

struct Line {
    id: String,
    platform: &'static str,
    url: String,
    /// Only what leads to the web is a link.
    safe: bool,
    date: String,
    campaign: String,
    removed: bool,
    by_brand: bool,
    numbers: Vec<(&'static str, &'static str, Option<i64>, String)>,
    any: bool,
}

fn line(post: PostView, deals: &[(DealId, String)], date: String, her: &Her) -> Line {
    let metrics = &post.metrics;
    let numbers = [
        ("impressions", EN.impressions, metrics.impressions),
        ("views", EN.views, metrics.views),
        ("likes", EN.likes, metrics.likes),
        ("comments", EN.comments, metrics.comments),
        ("shares", EN.shares, metrics.shares),
    ];
    let shown = |count: Option<i64>| count.map(|n| her.locale.count(n)).unwrap_or_default();
    let deal = deals.iter().find(|(id, _)| *id == post.deal_id);
    Line {
        id: post.id.to_string(),
        platform: words::platform(post.platform),
        safe: post.url.starts_with("https://") || post.url.starts_with("http://"),
        date,
        campaign: deal.map(|(_, name)| name.clone()).unwrap_or_default(),
        removed: post.state == "removed",
        by_brand: post.reported_by != Source::Creator,
        any: numbers.iter().any(|(.., count)| count.is_some()),
        numbers: numbers.map(|(name, label, count)| (name, label, count, shown(count))).to_vec(),
        url: post.url,
    }
}

async fn page(
    app: &App,
    her: &Her,
    cursor: &str,
    told: Told<'_>,
    filled: Filled<'_>,
) -> Result<Response> {
    let zone = brand_of(app, her).await?.timezone;
    let Json(earnings) = me::earnings(State(app.clone()), her.me).await?;
    let deals: Vec<_> = earnings.deals.into_iter().map(|deal| (deal.id, deal.campaign)).collect();
    let wanted = Params::of(&[("limit", "25"), ("cursor", cursor)]);
    let Json(found) = posts::list_mine(State(app.clone()), her.me, wanted).await?;
    let lines = found.data.into_iter().map(|post| {
        let date = her.locale.date(zone.day(post.published_at.0));
        line(post, &deals, date, her)
    });
    let content = Posts {
        t: &EN,
        csrf: her.proof(app),
        path: her.path("posts"),
        today: zone.day(app.now_ms()).to_iso(),
        platforms: Platform::ALL
            .map(|platform| (platform.name(), words::platform(platform)))
            .to_vec(),
        posts: lines.collect(),
        deals,
        first: cursor.is_empty(),
        next: found.next_cursor,
        filled,
    };
    her.page(app, ("posts", EN.posts), told, &content)
}

/// Her posts, latest first.
pub async fn list(State(app): State<App>, her: Her, params: Params) -> Result<Response> {
    let params = params.only(&["cursor", "done"])?;
    let done = params.get("done").map(|what| match what {
        "numbers" => EN.done_numbers,
        _ => EN.done_post,
    });
    let cursor = params.get("cursor").unwrap_or_default();
    page(&app, &her, cursor, Told { done, wrong: None }, Filled { form: None, wrong: None }).await
}

fn new_post(sent: &HerForm, start: impl Fn(Day) -> i64) -> Result<MyNewPost> {
    let chosen = |name| move |_| Error::invalid(name, "must be chosen");
    let platform = serde_json::Value::from(sent.form.get("platform"));
    let day = Day::from_iso(sent.form.get("published_at"));
    let day = day.ok_or_else(|| Error::invalid("published_at", "must be a date"))?;
    Ok(MyNewPost {
        deal_id: sent.form.get("deal_id").parse().map_err(chosen("deal_id"))?,
        platform: Platform::from_json(&platform)
            .map_err(|_| Error::invalid("platform", "must be chosen"))?,
        url: sent.form.get("url").trim().to_owned(),
        published_at: Time(start(day)),
        metrics: None,
    })
}

/// Reports a post.
pub async fn create(State(app): State<App>, sent: HerForm) -> Result<Response> {
    let her = &sent.her;
    let zone = brand_of(&app, her).await?.timezone;
    let made = match new_post(&sent, |day| zone.start_of(day)) {
        Ok(new) => posts::create_mine(State(app.clone()), her.me, her.request(), Body(new)).await,
        Err(error) => Err(error),
    };
    match made {
        Ok(_) => Ok(her.see("posts?done=post")),
        Err(error) => {
            let wrong = Wrong::of(error)?;
            let filled = Filled { form: Some(&sent.form), wrong: Some(&wrong) };
            page(&app, her, "", Told { done: None, wrong: Some(&wrong) }, filled).await
        }
    }
}

/// The numbers of a form; an empty field isn't known.
fn numbers(sent: &HerForm) -> Result<NewMetrics, Wrong> {
    let read = |name: &str| match sent.text(name) {
        None => Ok(None),
        Some(text) => match text.parse::<i64>() {
            Ok(count) => Ok(Some(Some(count))),
            Err(_) => Err(Wrong::field(name, "must be a number in digits")),
        },
    };
    Ok(NewMetrics {
        impressions: read("impressions")?,
        views: read("views")?,
        likes: read("likes")?,
        comments: read("comments")?,
        shares: read("shares")?,
        measured_at: None,
    })
}

/// Tells a post's numbers.
pub async fn measure(State(app): State<App>, sent: HerForm) -> Result<Response> {
    let her = &sent.her;
    let post = PathId(her.second::<Post>()?);
    let wrong = match numbers(&sent) {
        Err(wrong) => wrong,
        Ok(new) => {
            let done =
                posts::measure_mine(State(app.clone()), her.me, her.request(), post, Body(new));
            match done.await {
                Ok(_) => return Ok(her.see("posts?done=numbers")),
                Err(error) => Wrong::of(error)?,
            }
        }
    };
    let told = Told { done: None, wrong: Some(&wrong) };
    page(&app, her, "", told, Filled { form: None, wrong: None }).await
}
