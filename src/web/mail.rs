//! Composing mails: written out, checked, sealed and put into the batch of what causes them.

use crate::app::App;
use crate::domain::ids::{BrandId, CreatorId, MailId, StoreId};
use crate::domain::json::json;
use crate::domain::letter::{Envelope, Letter, Written, is_one_address};
use crate::domain::time::Millis;
use crate::error::{Error, Result};
use crate::storage::mails::{self, NewMail, Only};
use crate::storage::rows::from_json;
use crate::storage::store_access::{self, OwnerToTell};
use crate::storage::{DbError, Statement, creators};

/// Writes a letter to one person, for the batch of the command that causes it. Whoever answers the
/// request sends it afterwards; a job does it otherwise.
///
/// `brand` is whose it is: it sees the mail in its list. Letters between the product and a person,
/// such as sign-in links, are nobody's. `cause` is told only once: a second letter of the same cause
/// isn't sent.
///
/// # Errors
/// 422 if `to` isn't one address.
pub fn compose(
    app: &App,
    brand: Option<BrandId>,
    cause: &str,
    to: &str,
    letter: &Letter<'_>,
) -> Result<Statement> {
    put(app, brand, cause, to, letter, (Only::Always, app.now_ms()))
}

/// As [`compose`], but to an address that somebody has told us: nothing is sent to one that nobody
/// signs in with.
///
/// # Errors
/// 422 if `to` isn't one address.
pub fn compose_if_known(
    app: &App,
    cause: &str,
    to: &str,
    letter: &Letter<'_>,
) -> Result<Statement> {
    put(app, None, cause, to, letter, (Only::IfKnown, app.now_ms()))
}

/// What tells the owners of a brand that its store can't be reached any more, for the batch that finds so: it is
/// sent only if the statements before these lose a store that was connected, at `now_ms`.
///
/// # Errors
/// [`DbError`]
pub async fn tell_lost(
    app: &App,
    brand: BrandId,
    store: StoreId,
    problem: &str,
    now_ms: Millis,
) -> Result<Vec<Statement>, DbError> {
    let owners = store_access::owners_to_tell(app.db(), brand, store).await?;
    let letter = |owner: &OwnerToTell| {
        let letter = Letter::StoreLost { brand: &owner.brand, shop: &owner.shop, problem };
        let cause = format!("store-lost/{store}/{now_ms}/{}", owner.id);
        // Whose address isn't one that a mail can be sent to sees it in the store's state.
        put(app, Some(brand), &cause, &owner.email, &letter, (Only::IfLost(store), now_ms)).ok()
    };
    Ok(owners.iter().filter_map(letter).collect())
}

fn put(
    app: &App,
    brand: Option<BrandId>,
    cause: &str,
    to: &str,
    letter: &Letter<'_>,
    (only, now_ms): (Only, Millis),
) -> Result<Statement> {
    if !is_one_address(to) {
        return Err(Error::invalid("email", "must be one e-mail address"));
    }
    let id: MailId = app.new_id();
    let fault = || Error::Internal("a letter can't be written".to_owned());
    let sealed = sealed(app, id, &letter.write().ok_or_else(fault)?);
    let name = (brand, id);
    let (kind, content) = (letter.kind(), sealed.ok_or_else(fault)?);
    let mail = NewMail { name, cause, kind, to, content, only };
    app.note_mail(name);
    Ok(mails::put(&mail, now_ms))
}

/// A creator's address, if she has one that a mail can be sent to, and the name of the brand that writes.
///
/// # Errors
/// 503 if D1 is away.
pub async fn creators_address(
    app: &App,
    brand: BrandId,
    creator: CreatorId,
) -> Result<Option<(String, String)>> {
    let creator = creators::find(app.db(), brand, creator).await?;
    let Some(to) = creator.and_then(|c| c.email).filter(|to| is_one_address(to)) else {
        return Ok(None);
    };
    Ok(Some((to, super::api::brand::find(app, brand).await?.brand.name)))
}

/// A mail's content, sealed to it.
pub(super) fn sealed(app: &App, id: MailId, written: &Written) -> Option<String> {
    let Written { subject, text, html, envelope } = written;
    let Envelope { sender, reply_to, unsubscribe, automatic } = envelope;
    let content = json!([subject, text, html, sender, reply_to, unsubscribe, automatic]);
    app.config.data_key.seal(&id.to_string(), content.as_bytes(), app.random())
}

/// What [`compose`] sealed; `None` if it belongs to another mail or was altered.
#[must_use]
pub fn opened(app: &App, id: MailId, content: &str) -> Option<Written> {
    let bytes = app.config.data_key.open(&id.to_string(), content)?;
    let parts: Vec<String> = from_json(std::str::from_utf8(&bytes).ok()?)?;
    let mut parts = parts.into_iter();
    let (subject, text, html) = (parts.next()?, parts.next()?, parts.next()?);
    // Mails from before there were messages end here.
    let mut next = || parts.next().unwrap_or_default();
    let envelope =
        Envelope { sender: next(), reply_to: next(), unsubscribe: next(), automatic: next() };
    Some(Written { subject, text, html, envelope })
}
