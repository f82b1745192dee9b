//! The outbox: mails are put in the batch of the command that causes them, claimed before they are
//! handed over, and settled with what became of them.

use super::{Database, Page, Param, Reading, Statement, bind, row, statements};
use crate::app::MailName;
use crate::domain::ids::{AuditId, BrandId, MailId, StoreId};
use crate::domain::time::Millis;

statements! {
    /// A cause has one mail: the second is none. ?8: to anybody, not only to whom we know.
    PUT = "
INSERT INTO mails (brand_id, id, cause, kind, recipient, content, state, due_at_ms, created_at_ms)
SELECT ?1, ?2, ?3, ?4, ?5, ?6, 'waiting', ?7, ?7
WHERE ?8 OR EXISTS (SELECT 1 FROM people WHERE email = +?5) ON CONFLICT (cause) DO NOTHING";

    /// Only if the batch before it lost the store ?8, at ?7.
    PUT_IF_LOST = "
INSERT INTO mails (brand_id, id, cause, kind, recipient, content, state, due_at_ms, created_at_ms)
SELECT ?1, ?2, ?3, ?4, ?5, ?6, 'waiting', ?7, ?7
WHERE EXISTS (SELECT 1 FROM store_access WHERE brand_id = ?1 AND store_id = ?8 AND lost_at_ms = ?7)
ON CONFLICT (cause) DO NOTHING";

    /// Whoever gets the row, and nobody else, sends the mail. ?3 when the outcome counts as unknown.
    CLAIM = "
UPDATE mails SET state = 'sending', tries = tries + 1, due_at_ms = ?3
WHERE brand_id = ?1 AND id = ?2 AND state = 'waiting'
RETURNING kind, recipient, content, tries, created_at_ms";

    /// ?3 state, ?4 error, ?5 when to try again, ?6 when it was sent, ?7 whether the content stays, ?8
    /// the mail service's id.
    SETTLE = "
UPDATE mails SET state = ?3, error = ?4, due_at_ms = ?5, sent_at_ms = ?6,
  content = iif(?7, content, NULL), service_id = ?8 WHERE brand_id = ?1 AND id = ?2 AND state = 'sending'";

    /// ?1 the mail service's id, ?2 when it bounced, if it did, ?3 why. Said twice it is the same.
    TOLD = "
UPDATE mails SET bounced_at_ms = coalesce(bounced_at_ms, ?2), error = ?3, content = NULL
WHERE service_id = ?1 AND state = 'sent' RETURNING id";

    DUE = "
SELECT brand_id, id FROM mails WHERE due_at_ms <= ?1 AND state = 'waiting'
ORDER BY due_at_ms LIMIT ?2";

    LOSE = "
UPDATE mails SET state = 'unknown', error = ?2, due_at_ms = NULL, content = NULL
WHERE due_at_ms <= ?1 AND state = 'sending'";

    /// Before [`EXPIRE`], in the trails of those whose they are. ?2 a row's id, ?3 now.
    NOTE_EXPIRE = "
INSERT INTO audit (brand_id, id, at_ms, actor_kind, actor_id, action, subject_id, request_id, before)
SELECT brand_id, ?2, ?3, 'job', 'expire_mails', 'mails.expire', brand_id, '',
  json_object('mails', count(*)) FROM mails WHERE created_at_ms < ?1 GROUP BY brand_id";

    EXPIRE = "
DELETE FROM mails WHERE created_at_ms < ?1";

    /// ?2 before id. Latest first.
    LIST = "
SELECT id, kind, recipient, iif(bounced_at_ms IS NULL, state, 'bounced') AS state, error,
  created_at_ms, sent_at_ms FROM mails
WHERE brand_id = ?1 AND id < ?2 ORDER BY id DESC LIMIT ?3";

    RECENT = "
SELECT id, kind, recipient, iif(bounced_at_ms IS NULL, state, 'bounced') AS state, error,
  created_at_ms, content FROM mails
ORDER BY created_at_ms DESC, id DESC LIMIT ?1";
}

/// Whose mail, as the table tells it.
fn owner(brand: Option<BrandId>) -> Param {
    brand.map_or_else(|| Param::from(""), Param::from)
}

/// A mail to be sent.
#[derive(Debug, Clone)]
pub struct NewMail<'a> {
    /// Whose, and its id.
    pub name: MailName,
    /// What causes it, and never causes another: `sign-in/<id>`.
    pub cause: &'a str,
    /// What kind of letter it is.
    pub kind: &'static str,
    /// The one address.
    pub to: &'a str,
    /// Subject, text and HTML, sealed to the id.
    pub content: String,
    /// Whether it is sent at all.
    pub only: Only,
}

/// Whether a mail is sent at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Only {
    /// It is.
    Always,
    /// If somebody signs in with this address: the same statement as for all, so that nobody can tell by the
    /// time it takes.
    IfKnown,
    /// If the batch that it is in loses this store, now.
    IfLost(StoreId),
}

/// Puts a mail into the outbox, in the batch of what causes it.
#[must_use]
pub fn put(mail: &NewMail<'_>, now_ms: Millis) -> Statement {
    let (brand, id) = mail.name;
    let (kind, to, content) = (mail.kind, mail.to, mail.content.as_str());
    if let Only::IfLost(store) = mail.only {
        return bind!(PUT_IF_LOST, owner(brand), id, mail.cause, kind, to, content, now_ms, store);
    }
    let to_anybody = mail.only == Only::Always;
    bind!(PUT, owner(brand), id, mail.cause, kind, to, content, now_ms, to_anybody)
}

row! {
    /// A mail that is ours to send.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct Claimed {
        /// What kind of letter it is.
        pub kind: String,
        /// The one address.
        pub recipient: String,
        /// Subject, text and HTML, sealed to the id.
        pub content: Option<String>,
        /// How often it was tried, this time included.
        pub tries: u32,
        /// When it was put.
        pub created_at_ms: Millis,
    }
}

/// Claims a mail that waits; nobody else can then.
///
/// # Errors
/// [`super::DbError`]; it may be claimed nevertheless, and then counts as unknown in time.
pub fn claim(
    db: &dyn Database,
    (brand, id): MailName,
    lost_at_ms: Millis,
) -> Reading<'_, Option<Claimed>> {
    db.first(bind!(CLAIM, owner(brand), id, lost_at_ms))
}

/// What became of a mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settled {
    /// `waiting`, `sent`, `failed` or `unknown`.
    pub state: &'static str,
    /// Why, in words for people.
    pub error: String,
    /// When to try again.
    pub due_at_ms: Option<Millis>,
    /// When it was sent.
    pub sent_at_ms: Option<Millis>,
    /// Whether the content is still needed.
    pub keeps_content: bool,
    /// What the mail service calls it.
    pub service_id: Option<String>,
}

/// Stores what became of a claimed mail.
#[must_use]
pub fn settle((brand, id): MailName, settled: &Settled) -> Statement {
    let Settled { state, error, due_at_ms, sent_at_ms, keeps_content, service_id } = settled;
    bind!(
        SETTLE,
        owner(brand),
        id,
        *state,
        error,
        *due_at_ms,
        *sent_at_ms,
        *keeps_content,
        service_id.as_deref(),
    )
}

row! {
    /// A mail's id.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct ToldOf {
        /// It.
        pub id: MailId,
    }
}

/// Stores what the mail service tells later of a mail that it took under this id; which mail that is.
///
/// # Errors
/// [`super::DbError`].
pub fn told<'a>(
    db: &'a dyn Database,
    service_id: &str,
    bounced_at_ms: Option<Millis>,
    words: &str,
) -> Reading<'a, Option<ToldOf>> {
    db.first(bind!(TOLD, service_id, bounced_at_ms, words))
}

row! {
    struct Due {
        brand_id: String,
        id: MailId,
    }
}

/// Mails whose time to be tried has come.
///
/// # Errors
/// [`super::DbError`].
pub fn due(db: &dyn Database, now_ms: Millis, most: u32) -> Reading<'_, Vec<MailName>> {
    db.ask(super::Freshness::Primary, bind!(DUE, now_ms, most), |rows| {
        let found = rows.all::<Due>()?.into_iter();
        Ok(found.map(|due| (due.brand_id.parse().ok(), due.id)).collect())
    })
}

/// Gives up on claims that nobody settled in time: the mails may have been sent.
#[must_use]
pub fn lose(now_ms: Millis, error: &str) -> Statement {
    bind!(LOSE, now_ms, error)
}

/// Deletes mails that were put before a moment, and notes it if there are any.
#[must_use]
pub fn expire(before_ms: Millis, note: AuditId, now_ms: Millis) -> Vec<Statement> {
    vec![bind!(NOTE_EXPIRE, before_ms, note, now_ms), bind!(EXPIRE, before_ms)]
}

row! {
    /// A mail in a list.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct MailRow {
        /// Its id.
        pub id: MailId,
        /// What kind of letter it is.
        pub kind: String,
        /// The one address.
        pub recipient: String,
        /// `waiting`, `sending`, `sent`, `failed`, `unknown` or `bounced`.
        pub state: String,
        /// Why, in words for people.
        pub error: String,
        /// When it was put.
        pub created_at_ms: Millis,
        /// When it was handed to the mail service.
        pub sent_at_ms: Option<Millis>,
    }

    /// A mail in the mailbox of a local run.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct RecentMail {
        /// Its id.
        pub id: MailId,
        /// What kind of letter it is.
        pub kind: String,
        /// The one address.
        pub recipient: String,
        /// As in [`MailRow`].
        pub state: String,
        /// Why, in words for people.
        pub error: String,
        /// When it was put.
        pub created_at_ms: Millis,
        /// Subject, text and HTML, sealed to the id; while it is kept.
        pub content: Option<String>,
    }
}

/// A page of the brand's mails, latest first; the page's key is the id of its last row.
///
/// # Errors
/// [`super::DbError`].
pub fn list<'a>(db: &'a dyn Database, brand: BrandId, page: &Page) -> Reading<'a, Vec<MailRow>> {
    // After all ids, whose alphabet ends with z.
    let before = if page.after.is_empty() { "mail_~" } else { &page.after };
    db.all(bind!(LIST, brand, before, page.limit))
}

/// The latest mails of everyone: for the mailbox of a local run, and nowhere else.
///
/// # Errors
/// [`super::DbError`].
pub fn recent(db: &dyn Database, most: u32) -> Reading<'_, Vec<RecentMail>> {
    db.all(bind!(RECENT, most))
}
