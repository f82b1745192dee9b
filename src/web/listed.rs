//! Lists as files for spreadsheets: with `format=csv` a list answers the rows that it would answer in JSON, page by
//! page by its own handler, so that whatever narrows or sorts it, and who may see it, holds for the file.

use std::future::poll_fn;

use http::StatusCode;
use serde_json::Value;

use crate::error::{Error, Result};
use crate::storage::rows::parse;
use crate::web::csv;
use crate::web::handler::{Call, Method};
use crate::web::message::{Request, Response};

/// The lists that are files too, with their columns: `name=path`, or the path where the name is the same. A path is
/// names with dots between; of a list each item's is told, with `|` between; what is an object is told as JSON.
/// Creators have columns for their handles and for the brand's own fields beside these.
pub const LISTS: &[(&str, &str)] = &[
    (
        "/v1/affiliate-groups",
        "id name state mode store_id code_pattern ends_with_deal problem kind=discount.kind \
         percent=discount.percent amount=discount.amount.amount currency=discount.amount.currency \
         starts_at=discount.starts_at ends_at=discount.ends_at usage_limit=discount.usage_limit created_at",
    ),
    (
        "/v1/audit",
        "at actor=actor.kind actor_id=actor.id action subject_id request_id before after",
    ),
    ("/v1/campaigns", "id name state stages"),
    (
        "/v1/claims",
        "id state creator_id deal_id order_id order_number note result=answer.result reason=answer.reason \
         text=answer.text decision_note created_at decided_at",
    ),
    (
        "/v1/codes",
        "id deal_id code state pending reason suggestion store_id affiliate_group_id in_store ends_with_deal created_at",
    ),
    (
        "/v1/creators",
        "id name handle email country language niche followers engagement_percent tags",
    ),
    ("/v1/data-requests", "id kind state store_id stored received_at due_at done_at"),
    (
        "/v1/deals",
        "id creator_id campaign_id stage state kind owner_id commission_percent=terms.commission_percent \
         starts_at=terms.starts_at tags slug=links.slug link=links.url code=codes.code last_contact_at",
    ),
    (
        "/v1/deals/{id}/costs",
        "id deal_id on product=product.amount shipping=shipping.amount currency=product.currency note created_at voided_at",
    ),
    (
        "/v1/deals/{id}/fees",
        "id deal_id creator_id state amount=amount.amount currency=amount.currency stage due_on note created_at \
         posted_at cancelled_at",
    ),
    ("/v1/deals/{id}/follow-ups", FOLLOW_UPS),
    (
        "/v1/deals/{id}/messages",
        "id direction state from subject text template_id enrolment_id automatic reason note created_at due_at sent_at",
    ),
    (
        "/v1/deals/{id}/notes",
        "id deal_id author=author.kind author_id=author.id contact text created_at changed_at",
    ),
    ("/v1/deals/{id}/sequences", "id sequence_id state reason steps_sent next_at created_at"),
    (
        "/v1/deals/{id}/terms",
        "id starts_at ends_at commission_percent first_order_only flat_per_order=flat_per_order.amount \
         cap_per_order=cap_per_order.amount cap_per_month=cap_per_month.amount currency=flat_per_order.currency reason",
    ),
    ("/v1/deals/{id}/tiers", "tiers_id name level measured reached_at"),
    (
        "/v1/deals/{id}/timeline",
        "at kind actor=actor.kind actor_id=actor.id summary subject_id id before details mail",
    ),
    ("/v1/automations", "id name state trigger=trigger.on conditions runs created_at changed_at"),
    ("/v1/automations/{id}/runs", AUTOMATION_RUNS),
    (
        "/v1/bulk-actions",
        "id state reason deals done unchanged refused failed created_at finished_at",
    ),
    ("/v1/bulk-actions/{id}/results", "deal_id outcome rule reason at"),
    ("/v1/deals/{id}/automation-runs", AUTOMATION_RUNS),
    ("/v1/follow-ups", FOLLOW_UPS),
    ("/v1/keys", "id name state scopes created_at expires_at last_used_at revoked_at"),
    ("/v1/mails", "id kind recipient state error created_at sent_at"),
    (
        "/v1/me/claims",
        "id state order_number note result=answer.result reason=answer.reason \
         text=answer.text decision_note created_at decided_at",
    ),
    (
        "/v1/me/offers",
        "id deal_id kind state commission_percent note answer hash document created_at decided_at",
    ),
    ("/v1/me/orders", ORDERS),
    (
        "/v1/me/payouts",
        "id payout_id state amount=amount.amount currency=amount.currency reference reason approved_at settled_at",
    ),
    ("/v1/me/posts", POSTS),
    (
        "/v1/media-formulas",
        "version measure=default.measure cpm=default.cpm.amount \
         currency=default.cpm.currency platform=platforms.platform platform_measure=platforms.measure \
         platform_cpm=platforms.cpm.amount created_at",
    ),
    ("/v1/members", "id email role state invited_at joined_at expires_at mail_state mail_error"),
    ("/v1/message-templates", "id name subject text created_at updated_at"),
    ("/v1/messages", "deal_id unread last_at"),
    (
        "/v1/offers",
        "id deal_id creator_id kind state commission_percent note answer hash document created_at decided_at",
    ),
    ("/v1/orders", ORDERS),
    ("/v1/orders/{id}/disputes", "external_id state at"),
    ("/v1/payouts", "id state currency created_at approved_at"),
    ("/v1/posts", POSTS),
    (
        "/v1/posts/{id}/metrics",
        "measured_at impressions=metrics.impressions views=metrics.views likes=metrics.likes \
         comments=metrics.comments shares=metrics.shares source noted_at",
    ),
    ("/v1/quarantine", "id store_id reason received_at replayable replayed_at"),
    (
        "/v1/segments",
        "id name filter sort made_by=made_by.kind made_by_id=made_by.id created_at changed_at",
    ),
    (
        "/v1/sequences",
        "id name template_id=steps.template_id delay_hours=steps.delay_hours created_at archived_at",
    ),
    (
        "/v1/stores",
        "id platform shop_domain status problem currency timezone storefront_url connected_at checked_at \
         webhook_seen_at scopes missing_scopes",
    ),
    (
        "/v1/stores/{id}/affiliates",
        "id name state status ref_codes coupons commission deal_id proposed_deal_id proposed_by gone goaffpro",
    ),
    (
        "/v1/stores/{id}/collections",
        "id store_id external_id handle title state problem products products_since looked_at",
    ),
    (
        "/v1/stores/{id}/comparison",
        "external_id number placed_at state order_id deal_id another_order ours=figure.ours \
         commission=figure.commission difference=figure.difference status=figure.status affiliate_id=figure.affiliate_id \
         subtotal=figure.subtotal",
    ),
    ("/v1/term-templates", TERM_TEMPLATES),
    ("/v1/term-templates/{id}/versions", TERM_TEMPLATES),
    (
        "/v1/tiers",
        "id campaign_id metric period currency falls_back name=levels.name threshold=levels.threshold \
         commission_percent=levels.commission_percent created_at ended_at",
    ),
    (
        "/v1/webhook-endpoints",
        "id url description state events paused_because failing_since previous_secret_until created_at",
    ),
    (
        "/v1/webhook-endpoints/{id}/deliveries",
        "id event sequence state tries last_status last_error created_at last_tried_at next_try_at delivered_at",
    ),
];

const AUTOMATION_RUNS: &str =
    "id automation_id deal_id cause state step tries reason created_at next_at ended_at";
const TERM_TEMPLATES: &str =
    "id name version state commission_percent=terms.commission_percent created_at";
const FOLLOW_UPS: &str = "id deal_id state due_on owner_id text created_at done_at";
const ORDERS: &str = "id store_id external_id name placed_at state deal_id base=base.amount \
     base_currency=base.currency commission=commission.amount commission_currency=commission.currency";
const POSTS: &str = "id deal_id platform url published_at state reported_by created_at \
     impressions=metrics.impressions views=metrics.views likes=metrics.likes comments=metrics.comments \
     shares=metrics.shares measured_at earned_media_value=earned_media_value.amount \
     earned_media_value_currency=earned_media_value.currency formula";

/// Platforms whose handles have a column by their own name; others are `handle.<platform>`.
pub const PLATFORMS: [&str; 12] = [
    "instagram",
    "tiktok",
    "youtube",
    "facebook",
    "x",
    "twitch",
    "pinterest",
    "snapchat",
    "linkedin",
    "threads",
    "blog",
    "podcast",
];

/// So many rows a file holds; the header `x-next-cursor` says where the next one begins.
const MOST_ROWS: usize = 10_000;
/// So many are read at a time: a page of a list.
const AT_ONCE: usize = 200;
/// So many times at most, where a filter leaves most rows out: D1 takes 1,000 statements in a request.
const MOST_PAGES: usize = 100;

/// The columns of a list that is a file too: names and paths.
#[must_use]
pub fn columns(pattern: &str) -> Option<Vec<(&'static str, &'static str)>> {
    let (_, told) = LISTS.iter().find(|(list, _)| *list == pattern)?;
    Some(told.split_whitespace().map(|one| one.split_once('=').unwrap_or((one, one))).collect())
}

/// A list that was asked for as a file, or with its format named.
pub struct Asked {
    name: &'static str,
    columns: Vec<(&'static str, &'static str)>,
    as_file: bool,
    /// The other parameters, as they were sent.
    rest: String,
    limit: Option<String>,
    cursor: Option<String>,
}

impl Asked {
    /// What is asked of a list, if it is one and a format is named.
    ///
    /// # Errors
    /// 422.
    pub fn of(pattern: &'static str, request: &Request<'_>) -> Result<Option<Self>> {
        let query = request.query();
        let Some(columns) = columns(pattern).filter(|_| query.contains("format=")) else {
            return Ok(None);
        };
        let (mut format, mut limit, mut cursor) = (None, None, None);
        let mut rest = String::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let place = match name {
                "format" => &mut format,
                "limit" => &mut limit,
                "cursor" => &mut cursor,
                _ => {
                    rest.push('&');
                    rest.push_str(pair);
                    continue;
                }
            };
            if place.replace(value.to_owned()).is_some() {
                return Err(Error::invalid(name, "stands there twice"));
            }
        }
        let as_file = match format.as_deref() {
            None => return Ok(None),
            Some("json") => false,
            Some("csv") => true,
            Some(_) => return Err(Error::invalid("format", "must be json or csv")),
        };
        let name = pattern.rsplit('/').next().unwrap_or_default();
        Ok(Some(Self { name, columns, as_file, rest, limit, cursor }))
    }

    /// The list in the format that was asked for: a page in JSON, or as a file all of it from `cursor` on, up to
    /// 10,000 rows or `limit`.
    ///
    /// # Errors
    /// 422, and whatever the list's handler says.
    pub async fn answer(self, method: &Method, call: &Call<'_>) -> Result<Response> {
        if !self.as_file {
            return self.page(method, call, self.limit.as_deref(), self.cursor.as_deref()).await;
        }
        let most = match self.limit.as_deref() {
            None => MOST_ROWS,
            Some(text) => {
                let most = text.parse().ok().filter(|most| (1..=MOST_ROWS).contains(most));
                most.ok_or_else(|| Error::invalid("limit", "must be 1 to 10000"))?
            }
        };
        let mut file = Table::new(&self.columns);
        let mut cursor = self.cursor.clone();
        for _ in 0..MOST_PAGES {
            let rows = AT_ONCE.min(most.saturating_sub(file.rows.len()));
            let page = self.page(method, call, Some(&rows.to_string()), cursor.as_deref()).await?;
            let fault = |_| Error::Internal("a list that is none".to_owned());
            let page = parse(std::str::from_utf8(&page.body).unwrap_or_default()).map_err(fault)?;
            for row in page.get("data").and_then(Value::as_array).into_iter().flatten() {
                file.add(row);
            }
            cursor = page.get("next_cursor").and_then(Value::as_str).map(str::to_owned);
            if cursor.is_none() || file.rows.len() >= most {
                break;
            }
        }
        let mut response = Response::new(StatusCode::OK, "text/csv; charset=utf-8", file.text());
        response.set("content-disposition", format!("attachment; filename=\"{}.csv\"", self.name));
        if let Some(cursor) = cursor {
            response.set("x-next-cursor", cursor);
        }
        Ok(response)
    }

    /// A page as the list's handler answers it.
    async fn page(
        &self,
        method: &Method,
        call: &Call<'_>,
        limit: Option<&str>,
        cursor: Option<&str>,
    ) -> Result<Response> {
        let request = call.request;
        let mut uri = format!("{}?", request.path());
        for (name, value) in [("limit", limit), ("cursor", cursor)] {
            if let Some(value) = value {
                uri.push_str(&format!("&{name}={value}"));
            }
        }
        uri.push_str(&self.rest);
        let headers = request.headers.clone();
        let request = Request { uri: &uri, headers, ..*request };
        let identity = call.identity.clone();
        let mut work = (method.start)(&Call { request: &request, identity, ..*call })?;
        poll_fn(|context| work.as_mut().poll(context)).await
    }
}

/// Cells by the names of their columns.
type Named = Vec<(String, String)>;

/// Rows on their way into a file: those columns that every list of the kind has, then such as only some rows have.
struct Table<'a> {
    columns: &'a [(&'static str, &'static str)],
    more: Vec<String>,
    rows: Vec<(Vec<String>, Named)>,
}

impl<'a> Table<'a> {
    fn new(columns: &'a [(&'static str, &'static str)]) -> Self {
        Self { columns, more: Vec::new(), rows: Vec::new() }
    }

    fn add(&mut self, row: &Value) {
        let cells = self.columns.iter().map(|(_, path)| cell(row, path)).collect();
        let mut more = Named::new();
        for one in row.get("handles").and_then(Value::as_array).into_iter().flatten() {
            let (platform, handle) = (cell(one, "platform"), escaped(&cell(one, "handle")));
            let own = PLATFORMS.contains(&platform.as_str());
            let name = if own { platform } else { format!("handle.{platform}") };
            match more.iter_mut().find(|(other, _)| *other == name) {
                Some((_, handles)) => *handles = format!("{handles}|{handle}"),
                None => more.push((name, handle)),
            }
        }
        for (name, value) in row.get("fields").and_then(Value::as_object).into_iter().flatten() {
            more.push((format!("field.{name}"), plain(value)));
        }
        for (name, _) in &more {
            if !self.more.contains(name) {
                self.more.push(name.clone());
            }
        }
        self.rows.push((cells, more));
    }

    fn text(mut self) -> String {
        self.more.sort_unstable();
        let mut header: Vec<&str> = self.columns.iter().map(|(name, _)| *name).collect();
        header.extend(self.more.iter().map(String::as_str));
        let mut out = String::new();
        csv::line(&mut out, &header);
        for (cells, more) in &self.rows {
            let of = |name: &String| {
                more.iter().find(|(other, _)| other == name).map_or("", |(_, value)| value.as_str())
            };
            let cells = cells.iter().map(String::as_str).chain(self.more.iter().map(of));
            csv::line(&mut out, &cells.collect::<Vec<_>>());
        }
        out
    }
}

/// What stands at a path.
fn cell(row: &Value, path: &str) -> String {
    let mut found = row;
    let mut rest = Some(path);
    while let Some(path) = rest {
        if let Value::Array(items) = found {
            let items = items.iter().map(|item| escaped(&cell(item, path)));
            return items.collect::<Vec<_>>().join("|");
        }
        let (name, after) =
            path.split_once('.').map_or((path, None), |(name, after)| (name, Some(after)));
        let Some(next) = found.get(name) else { return String::new() };
        (found, rest) = (next, after);
    }
    match found {
        Value::Array(items) => {
            items.iter().map(|item| escaped(&plain(item))).collect::<Vec<_>>().join("|")
        }
        other => plain(other),
    }
}

/// A value as a cell: numbers without exponents, so that a file is read as it was written.
fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Number(number) => {
            let text = number.to_string();
            let written = number.as_f64().filter(|_| text.contains(['e', 'E']));
            written.map_or(text, |number| number.to_string())
        }
        other => other.to_string(),
    }
}

/// One of several in a cell, which `import::several` reads.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('|', "\\|").replace(';', "\\;")
}

#[cfg(test)]
mod tests {
    use super::super::api::import::several;
    use super::*;

    #[test]
    fn rows_become_lines_whatever_they_have() {
        let mut table = Table::new(&[
            ("id", "id"),
            ("rate", "terms.rate"),
            ("slug", "links.slug"),
            ("tags", "tags"),
            ("more", "more"),
        ]);
        table.add(&serde_json::json!({ "id": "1", "terms": null, "links": [], "tags": ["a|b", "=c"], "more": { "a": [1] },
            "handles": [{ "platform": "tiktok", "handle": "t" }, { "platform": "bluesky", "handle": "b" }] }));
        table.add(&serde_json::json!({ "id": "2", "terms": { "rate": "1.5" }, "links": [{ "slug": "x" }, { "slug": "y" }],
            "tags": [], "more": null, "fields": { "size": 1e-7 } }));
        assert_eq!(
            table.text(),
            "id,rate,slug,tags,more,field.size,handle.bluesky,tiktok\r\n\
             1,,,a\\|b|=c,\"{\"\"a\"\":[1]}\",,b,t\r\n2,1.5,x|y,,,0.0000001,,\r\n"
        );
        assert_eq!(several("a\\|b|=c"), ["a|b", "=c"]);
        for text in ["a", "a|b;c", "\\", "\\|", "a\\b"] {
            assert_eq!(several(&escaped(text)), [text]);
        }
        assert_eq!(several(" a ; b||\\"), ["a", "b"]);
    }

    #[test]
    fn every_list_has_columns_of_its_own() {
        for (list, _) in LISTS {
            let columns = columns(list).unwrap();
            for (place, (name, _)) in columns.iter().enumerate() {
                assert!(
                    !columns.iter().take(place).any(|(other, _)| other == name),
                    "{list} {name}"
                );
            }
        }
    }
}
