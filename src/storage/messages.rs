//! Messages to creators and from them, the conversations they stand in, and who wants none.

use super::{Database, Freshness, Page, Reading, Statement, bind, row, statements};
use crate::domain::ids::{BrandId, CreatorId, DealId, EnrolmentId, MailId, MessageId, TemplateId};
use crate::domain::money::Currency;
use crate::domain::time::{Day, Millis};

statements! {
    /// What a message is written from, beside the deal itself.
    ABOUT = "
SELECT c.id AS creator_id, c.name, c.handle, c.email, c.country, c.erased_at_ms, b.name AS brand, b.timezone,
  b.currency, s.daily_limit, s.days, s.from_minute, s.to_minute,
  EXISTS (SELECT 1 FROM unsubscribes u WHERE u.brand_id = ?1 AND u.email_hash = c.email_hash) AS unsubscribed,
  (SELECT json_group_array(json_object('currency', part.currency, 'orders', part.orders, 'base', part.base,
       'commission', part.commission)) FROM (SELECT currency, sum(orders) AS orders,
       sum(base_minor) AS base, sum(commission_minor) AS commission FROM deal_days
     WHERE brand_id = ?1 AND deal_id = ?2 GROUP BY currency) part) AS totals
FROM deals d CROSS JOIN creators c ON c.brand_id = ?1 AND c.id = d.creator_id
CROSS JOIN brands b ON b.id = ?1 LEFT JOIN outreach_settings s ON s.brand_id = ?1
WHERE d.brand_id = ?1 AND d.id = ?2";

    SETTINGS = "
SELECT daily_limit, days, from_minute, to_minute FROM outreach_settings WHERE brand_id = ?1";

    SET = "
INSERT INTO outreach_settings (brand_id, daily_limit, days, from_minute, to_minute)
VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (brand_id) DO UPDATE SET daily_limit = excluded.daily_limit,
  days = excluded.days, from_minute = excluded.from_minute, to_minute = excluded.to_minute";

    /// ?3 the hash of what stands in its reply addresses.
    CONVERSE = "
INSERT INTO conversations (brand_id, deal_id, reply_hash, last_at_ms) VALUES (?1, ?2, ?3, ?4)
ON CONFLICT (brand_id, deal_id) DO UPDATE SET last_at_ms = max(last_at_ms, excluded.last_at_ms)";

    /// Always waiting at first, until [`HAND_OVER`]. A second one of a step of an enrolment aborts.
    INSERT = "
INSERT INTO messages (brand_id, deal_id, id, direction, state, content, template_id, enrolment_id, step,
  due_at_ms, created_at_ms) VALUES (?1, ?2, ?3, 'out', 'scheduled', ?4, ?5, ?6, ?7, ?8, ?9)";

    /// ?4 its mail, ?5 the brand's day, ?6 the hash of the address, ?7 the daily limit. Whoever gets it
    /// through, and nobody else, puts the mail.
    HAND_OVER = "
UPDATE messages SET state = 'waiting', mail_id = ?4, handed_day = ?5, due_at_ms = NULL
WHERE brand_id = ?1 AND deal_id = ?2 AND id = ?3 AND state = 'scheduled'
  AND NOT EXISTS (SELECT 1 FROM unsubscribes WHERE brand_id = ?1 AND email_hash = ?6)
  AND coalesce((SELECT sent FROM outreach_days WHERE brand_id = ?1 AND day = ?5), 0) < ?7";

    /// If the message got this mail. ?4 recipient, ?5 content, ?6 now.
    PUT_MAIL = "
INSERT INTO mails (brand_id, id, cause, kind, recipient, content, state, due_at_ms, created_at_ms)
SELECT ?1, mail_id, 'message/' || id, 'message', ?4, ?5, 'waiting', ?6, ?6 FROM messages
WHERE brand_id = ?1 AND deal_id = ?2 AND id = ?7 AND mail_id = ?3 AND state = 'waiting'
ON CONFLICT (cause) DO NOTHING";

    POSTPONE = "
UPDATE messages SET due_at_ms = ?4, reason = ?5
WHERE brand_id = ?1 AND deal_id = ?2 AND id = ?3 AND state = 'scheduled'";

    CANCEL = "
UPDATE messages SET state = 'cancelled', reason = ?4, due_at_ms = NULL
WHERE brand_id = ?1 AND deal_id = ?2 AND id = ?3 AND state = 'scheduled' RETURNING id";

    DUE = "
SELECT brand_id, deal_id, id FROM messages INDEXED BY messages_due
WHERE state = 'scheduled' AND due_at_ms <= ?1 ORDER BY due_at_ms LIMIT ?2";

    FIND = "
SELECT id, direction, state, reason, content, template_id, enrolment_id, automatic, due_at_ms,
  created_at_ms, sent_at_ms FROM messages WHERE brand_id = ?1 AND deal_id = ?2 AND id = ?3";

    /// ?3 before id. Latest first.
    LIST = "
SELECT id, direction, state, reason, content, template_id, enrolment_id, automatic, due_at_ms,
  created_at_ms, sent_at_ms FROM messages
WHERE brand_id = ?1 AND deal_id = ?2 AND id < ?3 ORDER BY id DESC LIMIT ?4";

    /// ?4: only with replies that nobody has read.
    CONVERSATIONS = "
SELECT deal_id, unread, last_at_ms FROM conversations
WHERE brand_id = ?1 AND deal_id > ?2 ORDER BY deal_id LIMIT ?3";

    UNREAD = "
SELECT deal_id, unread, last_at_ms FROM conversations INDEXED BY conversations_unread
WHERE brand_id = ?1 AND deal_id > ?2 AND unread > 0 ORDER BY deal_id LIMIT ?3";

    READ = "UPDATE conversations SET unread = 0 WHERE brand_id = ?1 AND deal_id = ?2 AND unread > 0";

    /// Whose reply this is. Erased creators have no conversations.
    BY_REPLY = "
SELECT v.brand_id, v.deal_id, d.creator_id, c.email, b.timezone FROM conversations v
CROSS JOIN deals d ON d.brand_id = v.brand_id AND d.id = v.deal_id
CROSS JOIN creators c ON c.brand_id = v.brand_id AND c.id = d.creator_id
CROSS JOIN brands b ON b.id = v.brand_id WHERE v.reply_hash = ?1";

    /// ?5 what names the mail: a second one aborts. ?6 automatic, ?8 the day; one more of its
    /// kind than ?9 on it makes
    /// its state NULL, which aborts.
    RECEIVE = "
INSERT INTO messages (brand_id, deal_id, id, direction, state, content, inbound_key, automatic,
  created_at_ms) SELECT ?1, ?2, ?3, 'in', iif((SELECT iif(in_day = ?8, iif(?6 = 1, in_automatic, in_count), 0) FROM conversations
    WHERE brand_id = ?1 AND deal_id = ?2) < ?9, 'received', NULL), ?4, ?5, ?6, ?7";

    /// ?3 so many more are unread, ?4 the day, ?6 whether a machine wrote it: those are counted apart.
    RECEIVED = "
UPDATE conversations SET unread = unread + ?3, last_at_ms = max(last_at_ms, ?5),
  in_count = iif(in_day = ?4, in_count, 0) + (?6 = 0), in_automatic = iif(in_day = ?4, in_automatic, 0) + (?6 = 1),
  in_day = ?4 WHERE brand_id = ?1 AND deal_id = ?2";

    IS_UNSUBSCRIBED = "SELECT at_ms FROM unsubscribes WHERE brand_id = ?1 AND email_hash = ?2";

    UNSUBSCRIBE = "
INSERT INTO unsubscribes (brand_id, email_hash, at_ms) VALUES (?1, ?2, ?3)
ON CONFLICT (brand_id, email_hash) DO NOTHING";

    BRAND = "SELECT name FROM brands WHERE id = ?1";
}

row! {
    /// What a message is written from, beside the deal itself.
    #[derive(Debug, Clone)]
    pub struct AboutRow {
        /// Who gets it.
        pub creator_id: CreatorId,
        /// Her name.
        pub name: String,
        /// Her handle.
        pub handle: String,
        /// Her address.
        pub email: Option<String>,
        /// Where she lives.
        pub country: Option<String>,
        /// When she was erased, if she was.
        pub erased_at_ms: Option<Millis>,
        /// The brand's name.
        pub brand: String,
        /// The brand's time zone.
        pub timezone: String,
        /// The brand's currency.
        pub currency: Currency,
        /// How many go out in a day; nothing was set if this is `None`.
        pub daily_limit: Option<i64>,
        /// On which days of the week.
        pub days: Option<u16>,
        /// From which minute on.
        pub from_minute: Option<u16>,
        /// Until which.
        pub to_minute: Option<u16>,
        /// She wants no messages of this brand.
        pub unsubscribed: bool,
        /// What her links and codes brought, by currency.
        pub totals: Vec<Total>,
    }
    /// What a deal brought in a currency.
    #[derive(Debug, Clone)]
    pub struct Total {
        /// Which.
        pub currency: Currency,
        /// How many orders.
        pub orders: i64,
        /// What they come to, in minor units.
        pub base: i64,
        /// What they earn, in minor units.
        pub commission: i64,
    }
    /// What a brand set about messages.
    #[derive(Debug, Clone, Copy)]
    pub struct SettingsRow {
        /// How many go out in a day.
        pub daily_limit: i64,
        /// On which days of the week.
        pub days: u16,
        /// From which minute on.
        pub from_minute: u16,
        /// Until which.
        pub to_minute: u16,
    }
    /// A message.
    #[derive(Debug, Clone)]
    pub struct MessageRow {
        /// Its id.
        pub id: MessageId,
        /// `out` or `in`.
        pub direction: String,
        /// How it does.
        pub state: String,
        /// Why.
        pub reason: String,
        /// What it says, sealed to the id.
        pub content: String,
        /// What it was written from.
        pub template_id: Option<TemplateId>,
        /// The enrolment that it is a step of.
        pub enrolment_id: Option<EnrolmentId>,
        /// A machine wrote it.
        pub automatic: bool,
        /// When it goes out.
        pub due_at_ms: Option<Millis>,
        /// When it was written.
        pub created_at_ms: Millis,
        /// When the mail service took it.
        pub sent_at_ms: Option<Millis>,
    }
    /// A deal's conversation.
    #[derive(Debug, Clone)]
    pub struct ConversationRow {
        /// Whose.
        pub deal_id: DealId,
        /// How many replies nobody has read.
        pub unread: i64,
        /// When something last went or came.
        pub last_at_ms: Millis,
    }
    /// Whose a reply is.
    #[derive(Debug, Clone)]
    pub struct ReplyRow {
        /// Which brand's.
        pub brand_id: BrandId,
        /// In which conversation.
        pub deal_id: DealId,
        /// With whom.
        pub creator_id: CreatorId,
        /// Her address.
        pub email: Option<String>,
        /// The brand's time zone.
        pub timezone: String,
    }
    /// A message whose time has come.
    #[derive(Debug, Clone)]
    pub struct DueRow {
        /// Whose.
        pub brand_id: BrandId,
        /// In which deal.
        pub deal_id: DealId,
        /// Which.
        pub id: MessageId,
    }
    struct Named {
        name: String,
    }
    struct At {
        at_ms: Millis,
    }
    struct Cancelled {
        id: MessageId,
    }
}

/// A message by its deal.
pub type MessageName = (BrandId, DealId, MessageId);

/// What a message is written from.
///
/// # Errors
/// [`super::DbError`].
pub fn about(db: &dyn Database, brand: BrandId, deal: DealId) -> Reading<'_, Option<AboutRow>> {
    db.first(bind!(ABOUT, brand, deal))
}

/// What the brand set about messages.
///
/// # Errors
/// [`super::DbError`].
pub fn settings(db: &dyn Database, brand: BrandId) -> Reading<'_, Option<SettingsRow>> {
    db.first(bind!(SETTINGS, brand))
}

/// Sets it.
#[must_use]
pub fn set(brand: BrandId, row: SettingsRow) -> Statement {
    bind!(SET, brand, row.daily_limit, row.days, row.from_minute, row.to_minute)
}

/// A message to be stored.
#[derive(Debug, Clone)]
pub struct NewMessage<'a> {
    /// Its name.
    pub name: MessageName,
    /// What it says, sealed to the id.
    pub content: String,
    /// What it is written from.
    pub template: Option<TemplateId>,
    /// Which step of which enrolment it is.
    pub step: Option<(EnrolmentId, i64)>,
    /// When it goes out.
    pub due_at_ms: Millis,
    /// What stands in the deal's reply addresses, hashed.
    pub reply_hash: &'a str,
}

/// Stores a message that waits, and its conversation.
#[must_use]
pub fn insert(message: &NewMessage<'_>, now_ms: Millis) -> Vec<Statement> {
    let (brand, deal, id) = message.name;
    let (enrolment, step) = message.step.unzip();
    let (content, due) = (&message.content, message.due_at_ms);
    vec![
        bind!(CONVERSE, brand, deal, message.reply_hash, now_ms),
        bind!(INSERT, brand, deal, id, content, message.template, enrolment, step, due, now_ms),
    ]
}

/// A message's mail.
#[derive(Debug, Clone)]
pub struct Handed<'a> {
    /// Its id.
    pub mail: MailId,
    /// The one address.
    pub to: &'a str,
    /// That address's hash.
    pub email_hash: &'a str,
    /// The mail's content, sealed to it.
    pub content: String,
    /// The brand's day.
    pub day: Day,
    /// So many go out on one.
    pub daily_limit: i64,
}

/// Gives a message that waits its mail; does nothing if it doesn't wait any more, the day is full or
/// the address wants none.
#[must_use]
pub fn hand_over(name: MessageName, handed: &Handed<'_>, now_ms: Millis) -> Vec<Statement> {
    let (brand, deal, id) = name;
    let Handed { mail, to, email_hash, content, day, daily_limit } = handed;
    vec![
        bind!(HAND_OVER, brand, deal, id, *mail, day.0, *email_hash, *daily_limit),
        bind!(PUT_MAIL, brand, deal, *mail, *to, content, now_ms, id),
    ]
}

/// Lets a message that waits wait longer.
#[must_use]
pub fn postpone(name: MessageName, due_at_ms: Millis, reason: &str) -> Statement {
    let (brand, deal, id) = name;
    bind!(POSTPONE, brand, deal, id, due_at_ms, reason)
}

/// Cancels a message that waits.
#[must_use]
pub fn cancel(name: MessageName, reason: &str) -> Statement {
    let (brand, deal, id) = name;
    bind!(CANCEL, brand, deal, id, reason)
}

/// Whether [`cancel`] did, from its rows.
///
/// # Errors
/// [`super::DbError`].
pub fn cancelled(rows: &super::Rows) -> Result<bool, super::DbError> {
    Ok(rows.first::<Cancelled>()?.is_some_and(|row| !row.id.to_string().is_empty()))
}

/// Messages whose time has come.
///
/// # Errors
/// [`super::DbError`].
pub fn due(db: &dyn Database, now_ms: Millis, most: u32) -> Reading<'_, Vec<DueRow>> {
    db.all(bind!(DUE, now_ms, most))
}

/// One message.
///
/// # Errors
/// [`super::DbError`].
pub fn find(db: &dyn Database, name: MessageName) -> Reading<'_, Option<MessageRow>> {
    let (brand, deal, id) = name;
    db.first(bind!(FIND, brand, deal, id))
}

/// A page of a deal's messages, latest first.
///
/// # Errors
/// [`super::DbError`].
pub fn list<'a>(
    db: &'a dyn Database,
    brand: BrandId,
    deal: DealId,
    page: &Page,
) -> Reading<'a, Vec<MessageRow>> {
    // After all ids, whose alphabet ends with z.
    let before = if page.after.is_empty() { "message_~" } else { &page.after };
    db.all(bind!(LIST, brand, deal, before, page.limit))
}

/// A page of conversations, all of them or those with replies that nobody has read.
///
/// # Errors
/// [`super::DbError`].
pub fn conversations<'a>(
    db: &'a dyn Database,
    brand: BrandId,
    unread: bool,
    page: &Page,
) -> Reading<'a, Vec<ConversationRow>> {
    let sql = if unread { UNREAD } else { CONVERSATIONS };
    db.all(bind!(sql, brand, &page.after, page.limit))
}

/// Everything in a conversation was read.
#[must_use]
pub fn read(brand: BrandId, deal: DealId) -> Statement {
    bind!(READ, brand, deal)
}

/// Whose reply this is, by the hash of what stood in the address.
///
/// # Errors
/// [`super::DbError`].
pub fn by_reply<'a>(db: &'a dyn Database, reply_hash: &str) -> Reading<'a, Option<ReplyRow>> {
    db.first(bind!(BY_REPLY, reply_hash))
}

/// A reply.
#[derive(Debug, Clone)]
pub struct Received<'a> {
    /// Its name.
    pub name: MessageName,
    /// What it says, sealed to the id.
    pub content: String,
    /// What names the mail.
    pub key: &'a str,
    /// A machine wrote it.
    pub automatic: bool,
    /// The day that its conversation counts it on.
    pub day: Day,
    /// So many may come on one.
    pub most: i64,
}

/// Stores a reply; one that came before aborts (`messages.inbound_key`), one too many as well
/// (`messages.state`).
#[must_use]
pub fn receive(reply: &Received<'_>, now_ms: Millis) -> Vec<Statement> {
    let (brand, deal, id) = reply.name;
    let (content, automatic) = (&reply.content, reply.automatic);
    vec![
        bind!(
            RECEIVE,
            brand,
            deal,
            id,
            content,
            reply.key,
            automatic,
            now_ms,
            reply.day.0,
            reply.most
        ),
        bind!(RECEIVED, brand, deal, !automatic, reply.day.0, now_ms, automatic),
    ]
}

/// When an address was unsubscribed from a brand, if it was.
///
/// # Errors
/// [`super::DbError`].
pub async fn unsubscribed(
    db: &dyn Database,
    brand: BrandId,
    email_hash: &str,
) -> Result<Option<Millis>, super::DbError> {
    let found: Option<At> = db.first(bind!(IS_UNSUBSCRIBED, brand, email_hash)).await?;
    Ok(found.map(|row| row.at_ms))
}

/// Unsubscribes an address from a brand, for ever.
#[must_use]
pub fn unsubscribe(brand: BrandId, email_hash: &str, now_ms: Millis) -> Statement {
    bind!(UNSUBSCRIBE, brand, email_hash, now_ms)
}

/// A brand's name.
///
/// # Errors
/// [`super::DbError`].
pub fn brand_name(db: &dyn Database, brand: BrandId) -> Reading<'_, Option<String>> {
    db.ask(Freshness::Primary, bind!(BRAND, brand), |rows| {
        Ok(rows.first::<Named>()?.map(|r| r.name))
    })
}
