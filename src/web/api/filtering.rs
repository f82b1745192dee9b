//! Filters and sorts in requests, and the cursors of lists that have them.

use crate::app::App;
use crate::domain::brand::Brand;
use crate::domain::filter::{Filter, FilterError, Now, Sort, parse};
use crate::domain::ids::{BrandId, DealId, SegmentId};
use crate::domain::json::json;
use crate::domain::secret::token_hash;
use crate::error::{Error, Result};
use crate::storage::filter::deals::{self, Budget, Found, Key, NoPage, Query};
use crate::storage::filter::{self as stored, creators};
use crate::storage::rows::parse as parse_json;
use crate::storage::segments;
use crate::web::extract::Params;

/// The parameters of a list that can be filtered.
pub(super) const PARAMS: &[&str] = &["limit", "cursor", "filter", "sort", "segment"];

/// A list that can be filtered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Of {
    /// Of deals.
    Deals,
    /// Of creators: those of whose deals one is found.
    Creators,
}

/// What a request asks for, if it asks for anything.
pub(super) struct Asked {
    of: Of,
    filter: Option<Filter>,
    sort: Sort,
}

/// A filter as a field of a request.
///
/// # Errors
/// 422 with the place and what was expected there.
pub(super) fn filter(text: &str) -> Result<Filter> {
    parse(text).map_err(|error| wrong("filter", &error))
}

/// A sort as a field of a request.
///
/// # Errors
/// 422 with the place and what was expected there.
pub(super) fn sort(text: &str) -> Result<Sort> {
    text.parse().map_err(|error| wrong("sort", &error))
}

fn wrong(field: &str, error: &FilterError) -> Box<Error> {
    Error::invalid(field, error)
}

impl Asked {
    /// What the parameters ask for; `None` if none of them narrows or sorts the list.
    ///
    /// # Errors
    /// 422; 404 for no such segment.
    pub(super) async fn of(
        app: &App,
        brand: BrandId,
        of: Of,
        params: &Params,
    ) -> Result<Option<Self>> {
        let (text, order) = (params.get("filter"), params.get("sort"));
        let segment = params.id("segment")?;
        if text.is_none() && order.is_none() && segment.is_none() {
            return Ok(None);
        }
        let mut found = Self { of, filter: None, sort: Sort::DEFAULT };
        if let Some(text) = text {
            found.filter = Some(filter(text)?);
        }
        if let Some(order) = order {
            found.sort = sort(order)?;
            if of == Of::Creators && !found.sort.is_of_creators() {
                let why =
                    "creators are sorted by created, name or followers; their deals by all else";
                return Err(Error::invalid("sort", why));
            }
        }
        if let Some(id) = segment {
            let (saved, by) = of_segment(app, brand, id).await?;
            found.filter = Some(match found.filter {
                Some(also) => Filter::And(vec![saved, also]),
                None => saved,
            });
            let fits = of == Of::Deals || by.is_of_creators();
            found.sort = if order.is_none() && fits { by } else { found.sort };
        }
        Ok(Some(found))
    }

    /// Those of these deals that fit.
    ///
    /// # Errors
    /// 503.
    pub(super) async fn fitting(
        &self,
        app: &App,
        brand: &Brand,
        ids: Vec<DealId>,
    ) -> Result<Vec<DealId>> {
        let Some(filter) = &self.filter else { return Ok(ids) };
        let today = brand.timezone.day(app.now_ms());
        let now = Now { today, zone: &brand.timezone, currency: brand.currency };
        Ok(stored::fitting(app.db(), brand.id, filter, now, &ids).await?)
    }

    /// A page of what is asked for: ids, and the cursor of the next page.
    ///
    /// # Errors
    /// 422.
    pub(super) async fn page(
        &self,
        app: &App,
        brand: &Brand,
        params: &Params,
    ) -> Result<(Vec<String>, Option<String>)> {
        let limit = params.limit()?;
        let after = match params.get("cursor") {
            None => None,
            Some(text) => {
                let key = self.opened(brand.id, text);
                Some(key.ok_or_else(|| Error::invalid("cursor", "is none that this list gave"))?)
            }
        };
        let today = brand.timezone.day(app.now_ms());
        let now = Now { today, zone: &brand.timezone, currency: brand.currency };
        let (filter, sort) = (self.filter.as_ref(), self.sort);
        let query = Query { brand: brand.id, filter, sort, now, budget: Budget::PAGE };
        let found: Result<Found, NoPage> = match self.of {
            Of::Deals => deals::page(app.db(), &query, after.as_ref(), limit).await,
            Of::Creators => creators::page(app.db(), &query, after.as_ref(), limit).await,
        };
        let found = found.map_err(|error| match error {
            NoPage::TooMany(most) => Error::invalid(
                "sort",
                format!(
                    "more than {most} deals can't be sorted by a period of days: narrow the filter by a \
                     text, owner, tag or campaign, or sort by all time or a calendar month"
                ),
            ),
            NoPage::Db(error) => error.into(),
        })?;
        let next = found.next.as_ref().map(|key| self.closed(brand.id, key));
        Ok((found.keys.into_iter().map(|key| key.id).collect(), next))
    }

    /// A cursor: where a row stands, with a mark of the list that it stands in.
    fn closed(&self, brand: BrandId, key: &Key) -> String {
        use base64::Engine;
        let Key { id, via, value } = key;
        let text = json!([self.mark(brand, key), value, via, id]);
        base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(text)
    }

    fn opened(&self, brand: BrandId, cursor: &str) -> Option<Key> {
        use base64::Engine;
        let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(cursor).ok()?;
        let told = parse_json(core::str::from_utf8(&bytes).ok()?).ok()?;
        let [mark, value, via, id] = told.as_array()?.as_slice() else { return None };
        let text = |value: &serde_json::Value| value.as_str().map(str::to_owned);
        let key = Key { id: text(id)?, via: text(via)?, value: text(value)? };
        // What is compared is a number or a text, whoever made the cursor.
        let compared = parse_json(&key.value).ok()?;
        let fits = (compared.is_i64() || compared.is_string())
            && mark.as_str() == Some(&*self.mark(brand, &key));
        fits.then_some(key)
    }

    /// Tells the list, and the place in it, from all others.
    fn mark(&self, brand: BrandId, key: &Key) -> String {
        let filter = self.filter.as_ref().map(ToString::to_string).unwrap_or_default();
        let list = format!("{:?} {}", self.of, self.sort);
        let told = [&*brand.to_string(), &filter, &list, &key.value, &key.via, &key.id];
        token_hash(&told.join("\n")).chars().take(20).collect()
    }
}

/// How far each page looks where all deals are wanted that a filter finds.
const ALL: Budget = Budget { rows: 30_000, many: 10_000, few: 10_000, free: 10_000 };
/// So many deals a page has there.
const ALL_A_PAGE: i64 = 1000;
/// So many pages are asked for: where nothing narrows a filter each looks at some thousands of deals.
const MOST_PAGES: usize = 40;

/// All deals that a filter, a segment or both find, `most` of them at most.
///
/// # Errors
/// 422, also where there are more or where it takes too long to tell; 404 for no such segment.
pub(in crate::web) async fn all(
    app: &App,
    brand: &Brand,
    (text, segment): (Option<&str>, Option<SegmentId>),
    most: usize,
) -> Result<Vec<DealId>> {
    let mut told: Vec<Filter> = text.map(filter).transpose()?.into_iter().collect();
    if let Some(id) = segment {
        told.push(of_segment(app, brand.id, id).await?.0);
    }
    let filter = Filter::And(told);
    let today = brand.timezone.day(app.now_ms());
    let now = Now { today, zone: &brand.timezone, currency: brand.currency };
    let (brand, sort) = (brand.id, Sort::DEFAULT);
    let query = Query { brand, filter: Some(&filter), sort, now, budget: ALL };
    let (mut found, mut after): (Vec<DealId>, Option<Key>) = (Vec::new(), None);
    for _ in 0..MOST_PAGES {
        let page = deals::page(app.db(), &query, after.as_ref(), ALL_A_PAGE).await;
        let page = page.map_err(|error| match error {
            NoPage::TooMany(_) => Error::invalid("filter", "looks at too many deals: narrow it"),
            NoPage::Db(error) => error.into(),
        })?;
        for key in &page.keys {
            let odd = |_| Error::Internal("a list of deals has another id".to_owned());
            found.push(key.id.parse().map_err(odd)?);
        }
        if found.len() > most {
            return Err(Error::invalid(
                "filter",
                format!("finds more than {most} deals: narrow it"),
            ));
        }
        after = page.next;
        if after.is_none() {
            return Ok(found);
        }
    }
    Err(Error::invalid("filter", "looks at too many deals: narrow it"))
}

/// A segment's filter and sort.
async fn of_segment(app: &App, brand: BrandId, id: SegmentId) -> Result<(Filter, Sort)> {
    let segment = segments::find(app.db(), brand, id).await?.ok_or(Error::NotFound)?;
    let fault = |what: FilterError| Error::Internal(format!("a stored segment: {what}"));
    let sort = segment.sort.parse().map_err(fault)?;
    Ok((parse(&segment.filter).map_err(fault)?, sort))
}
