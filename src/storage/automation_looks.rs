//! What only time brings about for automations: days that come, deals that sell nothing, follow-ups that are overdue.
//! Looked for in pages, and kept as causes under names that say the day, so that no look begins anything twice.

use super::automations::AutomationRow;
use super::{Database, Statement, bind, row, statements};
use crate::domain::ids::{AutomationId, BrandId};
use crate::domain::json::json;
use crate::domain::time::{Day, Zone};

statements! {
    /// How far a page of deals after ?2 goes.
    DEALS_TO = "
SELECT max(h.id) AS last, count(*) AS deals FROM (SELECT d.id FROM deals d
  WHERE d.brand_id = ?1 AND d.id > ?2 ORDER BY d.id LIMIT ?3) h";

    /// The day ?6 came, for open deals after ?3 up to ?4, of the campaign ?5 if one is named.
    DAY_CAME = "
INSERT INTO automation_causes (brand_id, sequence, name, kind, deal_id, automation_id)
SELECT ?1, (SELECT coalesce(max(sequence), 0) FROM automation_causes WHERE brand_id = ?1)
  + row_number() OVER (ORDER BY d.id), 'date/' || ?2 || '/' || CAST(?6 AS INTEGER) || '/' || d.id, 'date', d.id, ?2
FROM deals d WHERE d.brand_id = ?1 AND d.id > ?3 AND d.id <= ?4 AND d.closed_at_ms IS NULL
  AND (?5 IS NULL OR d.campaign_id = ?5) ON CONFLICT (brand_id, name) DO NOTHING";

    /// ?6 days without a sale passed between the days ?7 and ?8: since the last one, or since the deal was made. ?9
    /// the days on which one may have been made that counts, each with its first moment and the next one's.
    NO_SALE = "
INSERT INTO automation_causes (brand_id, sequence, name, kind, deal_id, automation_id)
SELECT ?1, (SELECT coalesce(max(sequence), 0) FROM automation_causes WHERE brand_id = ?1)
  + row_number() OVER (ORDER BY h.id), 'no_sale/' || ?2 || '/' || CAST(?6 AS INTEGER) || '/' || h.id || '/' || h.since,
  'no_sale', h.id, ?2
FROM (SELECT d.id, max(coalesce((SELECT j.value ->> 0 FROM json_each(?9) j WHERE d.created_at_ms >= j.value ->> 1
    AND d.created_at_ms < j.value ->> 2), d.created_at_ms / 86400000), coalesce((SELECT max(t.last_day) FROM deal_totals t
    WHERE t.brand_id = ?1 AND t.deal_id = d.id AND t.period = 0), 0)) AS since
  FROM deals d WHERE d.brand_id = ?1 AND d.id > ?3 AND d.id <= ?4 AND d.closed_at_ms IS NULL
  AND (?5 IS NULL OR d.campaign_id = ?5)) h
WHERE h.since + CAST(?6 AS INTEGER) BETWEEN CAST(?7 AS INTEGER) AND CAST(?8 AS INTEGER)
ON CONFLICT (brand_id, name) DO NOTHING";

    /// Follow-ups that were due between the days ?3 and ?4 and still are to be done; at most ?5 at once.
    OVERDUE = "
INSERT INTO automation_causes (brand_id, sequence, name, kind, deal_id, subject, automation_id, run_id)
SELECT ?1, (SELECT coalesce(max(sequence), 0) FROM automation_causes WHERE brand_id = ?1)
  + row_number() OVER (ORDER BY h.id), h.name, 'follow_up_overdue', h.deal_id, h.id, ?2,
  (SELECT s.run_id FROM automation_steps s WHERE s.brand_id = ?1 AND s.made = h.id LIMIT 1)
FROM (SELECT w.id, w.deal_id, 'follow_up_overdue/' || ?2 || '/' || w.id AS name FROM follow_ups w
  INDEXED BY follow_ups_open WHERE w.brand_id = ?1 AND w.done_at_ms IS NULL
  AND w.due_day BETWEEN CAST(?3 AS INTEGER) AND CAST(?4 AS INTEGER) AND NOT EXISTS (SELECT 1 FROM automation_causes c
    WHERE c.brand_id = ?1 AND c.name = 'follow_up_overdue/' || ?2 || '/' || w.id)
  ORDER BY w.due_day, w.id LIMIT ?5) h
WHERE true ON CONFLICT (brand_id, name) DO NOTHING RETURNING sequence";

    /// Where a look for what time brought about has come to: the day, and the last deal, '' at the end.
    LOOKED = "
UPDATE automations SET looked_day = ?3, looked_to = ?4 WHERE brand_id = ?1 AND id = ?2";
}

row! {
    struct To {
        last: Option<String>,
        deals: i64,
    }
}

/// A stretch of a brand's deals, by their ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stretch {
    /// Those after this,
    pub after: String,
    /// up to this.
    pub to: String,
    /// Whether there may be more.
    pub more: bool,
}

/// The next stretch of at most `most` deals after one.
///
/// # Errors
/// [`super::DbError`].
pub async fn stretch(
    db: &dyn Database,
    brand: BrandId,
    after: &str,
    most: i64,
) -> Result<Stretch, super::DbError> {
    let found: Option<To> = db.first(bind!(DEALS_TO, brand, after, most)).await?;
    let (to, deals) = found.map_or((None, 0), |to| (to.last, to.deals));
    let after = after.to_owned();
    Ok(Stretch { to: to.unwrap_or_else(|| after.clone()), after, more: deals >= most })
}

/// A day came, for the deals of this stretch.
#[must_use]
pub fn day_came(brand: BrandId, row: &AutomationRow, stretch: &Stretch, day: Day) -> Statement {
    let campaign = row.trigger.campaign;
    bind!(DAY_CAME, brand, row.id, &stretch.after, &stretch.to, campaign, day.0)
}

/// So many days without a sale passed by one of these days, for the deals of this stretch.
#[must_use]
pub fn no_sale(
    brand: BrandId,
    row: &AutomationRow,
    stretch: &Stretch,
    days: i64,
    (from, to): (Day, Day),
    zone: &Zone,
) -> Statement {
    let campaign = row.trigger.campaign;
    // A day more on both sides: what was made outside of them isn't found, however its day is reckoned.
    let made = (from.0 - days - 1..=to.0 - days + 1).map(Day);
    let made: Vec<Vec<i64>> =
        made.map(|day| vec![day.0, zone.start_of(day), zone.start_of(day.plus(1))]).collect();
    let (after, upto, made) = (&stretch.after, &stretch.to, json!(made));
    bind!(NO_SALE, brand, row.id, after, upto, campaign, days, from.0, to.0, made)
}

/// Follow-ups that were due on one of these days and still are to be done; at most so many.
#[must_use]
pub fn overdue(
    brand: BrandId,
    automation: AutomationId,
    (from, to): (Day, Day),
    most: i64,
) -> Statement {
    bind!(OVERDUE, brand, automation, from.0, to.0, most)
}

/// Where a look has come to.
#[must_use]
pub fn looked(brand: BrandId, automation: AutomationId, day: Day, to: &str) -> Statement {
    bind!(LOOKED, brand, automation, day.0, to)
}
