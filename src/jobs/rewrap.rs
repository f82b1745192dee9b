//! After a rotation: what older keys have sealed is sealed anew under the active one, in pages, under
//! traffic, as often as it takes. GET /v1/status says how many are left; at zero the older keys may
//! be retired.

use crate::app::App;
use crate::domain::json::json;
use crate::error::{Error, Result};
use crate::storage::rewrap::{self as rows, SEALED, Sealed, SealedRow};

/// So many pages are read in one run: the next goes on.
const MAX_PAGES: usize = 200;

/// Re-wraps what is due; tells how many texts were sealed anew.
///
/// # Errors
/// [`Error`] if D1 was away.
pub async fn rewrap_all(app: &App) -> Result<i64> {
    let ring = &app.config.data_key;
    let prefix = ring.prefix();
    let mut left = rows::left(app.db(), &prefix).await?;
    let mut handled = 0;
    if left > 0 {
        let mut pages = 0;
        for column in SEALED {
            handled += column_again(app, column, &prefix, &mut pages).await?;
        }
        left = rows::left(app.db(), &prefix).await?;
    }
    app.db().run(vec![rows::record(ring.active(), left, app.now_ms())]).await?;
    Ok(handled)
}

async fn column_again(app: &App, column: &Sealed, prefix: &str, pages: &mut usize) -> Result<i64> {
    let mut handled = 0;
    let mut after = String::new();
    while *pages < MAX_PAGES {
        *pages += 1;
        let found = rows::page(app.db(), column, prefix, &after).await?;
        let Some(last) = found.last() else { break };
        after.clone_from(&last.id);
        let mut batch = Vec::new();
        for row in &found {
            match again(app, column, row)? {
                Some(sealed) => batch.push(rows::replace(column, row, sealed)),
                // Left for whoever brings its key back; it counts as left.
                None => app.log.write(&json!({ "event": "unopened", "row": row.id })),
            }
        }
        handled += i64::try_from(batch.len()).unwrap_or(0);
        if !batch.is_empty() {
            // The content is as it was: what changed is the deployment's, and the operator's to know.
            let (key, texts) = (u16::from(app.config.data_key.active()), batch.len());
            let told = json!({ "texts": texts, "under_key": key, "of": column.of });
            batch.push(super::noted(app, None, ("rewrap", "texts.rewrap"), None, Some(told)));
            app.db().run(batch).await?;
        }
    }
    Ok(handled)
}

/// The text of a row, sealed anew; `None` if no key of the ring opens it.
fn again(app: &App, column: &Sealed, row: &SealedRow) -> Result<Option<String>> {
    let ring = &app.config.data_key;
    for more in column.contexts {
        let context = [row.id.as_str(), more].concat();
        if let Some(text) = ring.open(&context, &row.sealed) {
            let sealed = ring.seal(&context, &text, app.random());
            return sealed
                .map(Some)
                .ok_or_else(|| Error::Internal("a text could not be sealed".to_owned()).into());
        }
    }
    Ok(None)
}
