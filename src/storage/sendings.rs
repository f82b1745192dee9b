//! Payments handed to a provider, and the brands' accounts there.

use super::{Database, DbError, Reading, Statement, bind, row, spelling, statements};
use crate::domain::ids::{BrandId, CreatorId, PayoutId, PayoutLineId};
use crate::domain::json;
use crate::domain::money::Currency;
use crate::domain::sending::{Next, State};
use crate::domain::time::Millis;

statements! {
    /// ?3 a JSON list of lines and their references. Without an account nothing is queued.
    QUEUE = "
INSERT INTO payout_sendings (brand_id, line_id, attempt, payout_id, reference, state, queued_at_ms,
  due_at_ms)
SELECT ?1, l.id, l.attempt, l.payout_id, j.value ->> 1, iif(EXISTS (SELECT 1 FROM payout_providers
    WHERE brand_id = ?1), 'waiting', 'none'), ?4, ?4
FROM json_each(?3) j CROSS JOIN payout_lines l ON l.brand_id = ?1 AND l.payout_id = ?2
  AND l.id = j.value ->> 0";

    /// What is to be sent or asked about.
    DUE_SENDINGS = "
SELECT brand_id, line_id, attempt, payout_id, reference, state, revision, details_version, doubtful,
  batch, tries, first_sent_at_ms FROM payout_sendings
WHERE due_at_ms IS NOT NULL AND due_at_ms <= ?1 ORDER BY due_at_ms LIMIT ?2";

    /// One of them again, as it stands now.
    FIND_SENDING = "
SELECT brand_id, line_id, attempt, payout_id, reference, state, revision, details_version, doubtful,
  batch, tries, first_sent_at_ms FROM payout_sendings
WHERE brand_id = ?1 AND line_id = ?2 AND attempt = ?3";

    /// ?4 the revision that was read: another aborts. A claim on what somebody had claimed is in doubt
    /// from then on; the details that are used are those of the first claim.
    CLAIM = "
UPDATE payout_sendings SET revision = iif(revision = ?4, revision + 1, NULL), state = 'sending',
  doubtful = iif(state = 'sending', 1, doubtful), tries = tries + 1,
  details_version = coalesce(details_version, (SELECT d.version FROM payout_lines l
    JOIN payment_details d ON d.brand_id = l.brand_id AND d.creator_id = l.creator_id
    WHERE l.brand_id = ?1 AND l.payout_id = payout_sendings.payout_id AND l.id = ?2)),
  first_sent_at_ms = coalesce(first_sent_at_ms, ?5), due_at_ms = ?6
WHERE brand_id = ?1 AND line_id = ?2 AND attempt = ?3";

    /// Where the money of a claimed payment goes.
    TARGET = "
SELECT l.creator_id, l.amount_minor, l.state AS line_state, l.attempt AS line_attempt, p.currency,
  d.method, d.sealed, d.version, d.usable_at_ms
FROM payout_lines l JOIN payouts p ON p.brand_id = l.brand_id AND p.id = l.payout_id
LEFT JOIN payment_details d ON d.brand_id = l.brand_id AND d.creator_id = l.creator_id
WHERE l.brand_id = ?1 AND l.payout_id = ?2 AND l.id = ?3";

    /// ?4 the revision of the claim: somebody else's since aborts. ?8 '' leaves what was told.
    RECORD = "
UPDATE payout_sendings SET revision = iif(revision = ?4, revision + 1, NULL), state = ?5,
  doubtful = ?6, batch = coalesce(?7, batch), told = iif(?8 = '', told, ?8), due_at_ms = ?9, tries = tries + ?10,
  details_version = iif(?5 = 'waiting', NULL, details_version),
  first_sent_at_ms = iif(?5 = 'waiting', NULL, first_sent_at_ms)
WHERE brand_id = ?1 AND line_id = ?2 AND attempt = ?3";

    ACCOUNT = "
SELECT provider, client_id, secret_sealed, updated_at_ms FROM payout_providers WHERE brand_id = ?1";

    PUT_ACCOUNT = "
INSERT INTO payout_providers (brand_id, provider, client_id, secret_sealed, updated_at_ms)
VALUES (?1, 'paypal', ?2, ?3, ?4) ON CONFLICT (brand_id) DO UPDATE SET
  client_id = excluded.client_id, secret_sealed = excluded.secret_sealed,
  updated_at_ms = excluded.updated_at_ms";

    DROP_ACCOUNT = "DELETE FROM payout_providers WHERE brand_id = ?1";
}

spelling!(State {
    Waiting = "waiting",
    Sending = "sending",
    Sent = "sent",
    Settled = "settled",
    Failed = "failed",
    Unknown = "unknown",
    Contradicted = "contradicted",
});

/// Queues payments of a payout, each line with its reference, in the batch that marks the lines as
/// going this way. A brand without an account at a provider, or a line that isn't in payout, aborts.
#[must_use]
pub fn queue(
    brand: BrandId,
    payout: PayoutId,
    lines: &[(PayoutLineId, String)],
    now_ms: Millis,
) -> Statement {
    let lines = lines.iter().map(|(line, reference)| json::json!([line, reference]));
    bind!(QUEUE, brand, payout, json::list_of(&lines.collect::<Vec<_>>()), now_ms)
}

row! {
    /// A payment at a provider.
    #[derive(Clone)]
    pub struct SendingRow {
        /// Whose.
        pub brand_id: BrandId,
        /// Of which line.
        pub line_id: PayoutLineId,
        /// Which try of it.
        pub attempt: i64,
        /// Of which payout.
        pub payout_id: PayoutId,
        /// Its name at the provider.
        pub reference: String,
        /// Where it stands.
        pub state: State,
        /// How often it changed.
        pub revision: i64,
        /// The payment details that it was claimed with.
        pub details_version: Option<i64>,
        /// Whether an earlier request may have been taken.
        pub doubtful: bool,
        /// The provider's name of it.
        pub batch: Option<String>,
        /// How often it was sent or asked about.
        pub tries: i64,
        /// When it was first sent.
        pub first_sent_at_ms: Option<Millis>,
    }
    /// Where the money of a payment goes.
    pub struct PaymentRow {
        /// To whom.
        pub creator_id: CreatorId,
        /// How much.
        pub amount_minor: i64,
        /// Where the line stands.
        pub line_state: super::payouts::LineState,
        /// At which try the line is.
        pub line_attempt: i64,
        /// In which currency.
        pub currency: Currency,
        /// How she is paid.
        pub method: Option<String>,
        /// Her payment details.
        pub sealed: Option<String>,
        /// Their version.
        pub version: Option<i64>,
        /// From when on they are used.
        pub usable_at_ms: Option<Millis>,
    }
    /// A brand's account at a provider.
    pub struct AccountRow {
        /// `paypal`
        pub provider: String,
        /// Who it is there.
        pub client_id: String,
        /// Its secret.
        pub secret_sealed: String,
        /// When it was set.
        pub updated_at_ms: Millis,
    }
}

/// Payments that are to be sent or asked about now.
///
/// # Errors
/// [`DbError`].
pub fn due(db: &dyn Database, now_ms: Millis, most: u32) -> Reading<'_, Vec<SendingRow>> {
    db.all(bind!(DUE_SENDINGS, now_ms, most))
}

/// A payment as it stands now, and where its money goes.
///
/// # Errors
/// [`DbError`].
pub async fn again(
    db: &dyn Database,
    row: &SendingRow,
) -> Result<Option<(SendingRow, PaymentRow)>, DbError> {
    read(db, row, Vec::new()).await
}

/// Claims a payment, in one batch with these statements, and tells where its money goes. Nobody else
/// can claim it until its lease ends.
///
/// # Errors
/// [`DbError::Constraint`]: somebody else has.
pub async fn claim(
    db: &dyn Database,
    row: &SendingRow,
    with: Vec<Statement>,
    (now_ms, lease_ms): (Millis, Millis),
) -> Result<Option<(SendingRow, PaymentRow)>, DbError> {
    let (brand, line, attempt) = (row.brand_id, row.line_id, row.attempt);
    let until_ms = now_ms + lease_ms;
    let mut batch = vec![bind!(CLAIM, brand, line, attempt, row.revision, now_ms, until_ms)];
    batch.extend(with);
    read(db, row, batch).await
}

async fn read(
    db: &dyn Database,
    row: &SendingRow,
    mut batch: Vec<Statement>,
) -> Result<Option<(SendingRow, PaymentRow)>, DbError> {
    batch.push(bind!(FIND_SENDING, row.brand_id, row.line_id, row.attempt));
    batch.push(bind!(TARGET, row.brand_id, row.payout_id, row.line_id));
    let rows = db.run(batch).await?;
    let [.., sending, target] = rows.as_slice() else { return Ok(None) };
    Ok(sending.first()?.zip(target.first()?))
}

/// Stores what is known of a payment now; whoever claimed it since then aborts the batch. `asked`
/// counts an ask that needed no claim.
#[must_use]
pub fn record(row: &SendingRow, next: &Next, asked: bool) -> Statement {
    bind!(
        RECORD,
        row.brand_id,
        row.line_id,
        row.attempt,
        row.revision,
        next.state,
        next.doubtful,
        next.batch.as_ref(),
        &next.told,
        next.due_at_ms,
        asked,
    )
}

/// The brand's account at a provider.
///
/// # Errors
/// [`DbError`].
pub fn account(db: &dyn Database, brand: BrandId) -> Reading<'_, Option<AccountRow>> {
    db.first(bind!(ACCOUNT, brand))
}

/// Sets the account. Another one while payments are in flight aborts.
#[must_use]
pub fn put_account(brand: BrandId, client_id: &str, sealed: &str, now_ms: Millis) -> Statement {
    bind!(PUT_ACCOUNT, brand, client_id, sealed, now_ms)
}

/// Lets go of the account; while payments are in flight it aborts.
#[must_use]
pub fn drop_account(brand: BrandId) -> Statement {
    bind!(DROP_ACCOUNT, brand)
}
