//! Replies that come by mail: matched by the token in the address they were sent to, kept in the deal.

use crate::app::App;
use crate::domain::ids::MessageId;
use crate::domain::json::json;
use crate::domain::secret::token_hash;
use crate::domain::time::Zone;
use crate::partners::inbound_mail::{read, token};
use crate::storage::DbError;
use crate::storage::messages::{self, Received};
use crate::web::outreach::seal;

use super::noted;

/// So many mails of people in a conversation are kept in a day of the brand,
const MOST_A_DAY: i64 = 50;
/// and so many of machines: two that answer each other come to an end, and take no room of hers.
const MOST_AUTOMATIC_A_DAY: i64 = 10;

/// What became of a mail that came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// It stands in its deal.
    Kept,
    /// It stood there already.
    Known,
    /// Its address is no conversation's.
    Unknown,
    /// There were too many that day.
    TooMany,
    /// It can't be read, or is too large.
    Unreadable,
    /// It couldn't be kept just now: whoever sent it should try again.
    Later,
}

impl Taken {
    /// In logs.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Kept => "kept",
            Self::Known => "known",
            Self::Unknown => "unknown",
            Self::TooMany => "too_many",
            Self::Unreadable => "unreadable",
            Self::Later => "later",
        }
    }
}

/// Takes a mail that was sent to `recipient` on its envelope. What the mail itself says of its recipients
/// isn't looked at.
pub async fn receive(app: &App, recipient: &str, raw: &[u8]) -> Taken {
    let taken = match kept(app, recipient, raw).await {
        Ok(taken) => taken,
        Err(error) => {
            app.log.write(&json!({ "event": "reply_left", "detail": error.to_string() }));
            Taken::Later
        }
    };
    if !matches!(taken, Taken::Kept | Taken::Known) {
        // Who wrote what to whom is nobody's business here.
        app.log.write(&json!({ "event": "reply_dropped", "why": taken.word() }));
    }
    taken
}

async fn kept(app: &App, recipient: &str, raw: &[u8]) -> Result<Taken, DbError> {
    let Some(token) = token(recipient) else { return Ok(Taken::Unknown) };
    let found = messages::by_reply(app.db(), &token_hash(&token)).await?;
    let Some(found) = found else { return Ok(Taken::Unknown) };
    let Some(mail) = read(raw) else { return Ok(Taken::Unreadable) };
    let known = found.email.as_deref().unwrap_or_default().trim();
    let mut note = mail.note;
    if !mail.from.eq_ignore_ascii_case(known) {
        let glue = if note.is_empty() { "" } else { "; " };
        note = format!("{note}{glue}not from the address that is known of her");
    }
    // Without a name of its own a mail is named by what it says.
    let own = if mail.message_id.is_empty() { &mail.text } else { &mail.message_id };
    let deal = found.deal_id.to_string();
    let key = app.config.data_key.keyed_hash("inbound", &[&*deal, own, &mail.from]);
    let id: MessageId = app.new_id();
    let content = json!([mail.subject, mail.text, mail.from, note]);
    let Some(content) = seal(app, id, &content) else { return Ok(Taken::Later) };
    let now_ms = app.now_ms();
    let day = Zone::named(&found.timezone).unwrap_or_else(Zone::utc).day(now_ms);
    let automatic = mail.automatic;
    let most = if automatic { MOST_AUTOMATIC_A_DAY } else { MOST_A_DAY };
    let name = (found.brand_id, found.deal_id, id);
    let reply = Received { name, content, key: &key, automatic, day, most };
    let mut batch = messages::receive(&reply, now_ms);
    let after = json!({ "deal_id": found.deal_id, "message_id": id, "automatic": automatic });
    let what = ("inbound_mail", "message.receive");
    batch.push(noted(app, Some(found.brand_id), what, None, Some(after)));
    match app.db().run(batch).await {
        Ok(_) => Ok(Taken::Kept),
        Err(error) if error.is_constraint("messages.state") => Ok(Taken::TooMany),
        Err(error) if error.is_constraint("inbound_key") => Ok(Taken::Known),
        Err(error) => Err(error),
    }
}
