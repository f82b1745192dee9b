//! Forms that pages post, and what becomes of them: another page, or the same with what is wrong.

use std::sync::Arc;

use http::StatusCode;

use crate::app::App;
use crate::domain::secret::token_hash;
use crate::domain::session::{form_token, is_form_token};
use crate::error::{Error, Result};
use crate::storage::sessions::SessionRow;
use crate::web::caller::{Browser, SignedIn, same_origin};
use crate::web::handler::{Call, Extract};
use crate::web::message::Response;

use super::see;

/// The field that proves that a form was on a page of ours, and in this very session.
pub const PROOF: &str = "csrf";

/// A form of anybody's, sent by a page of ours.
pub struct Form(Vec<(String, String)>);

impl Extract for Form {
    fn extract(call: &Call<'_>) -> Result<Self> {
        same_origin(call.app, call.request)?;
        let told = call.request.header("content-type").unwrap_or_default();
        let essence = told.split(';').next().unwrap_or_default().trim();
        if !essence.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            return Err(Error::UnsupportedMediaType.into());
        }
        Ok(Self(form_urlencoded::parse(call.request.body).into_owned().collect()))
    }
}

impl Form {
    /// A field's text; empty if it isn't there.
    #[must_use]
    pub fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(n, _)| n == name).map_or("", |(_, value)| value)
    }

    /// All texts of a field that may be there several times.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// All that it says, but for what proves where it comes from.
    pub fn told(&self) -> Vec<&str> {
        let said = self.0.iter().filter(|(name, _)| name != PROOF);
        said.flat_map(|(name, value)| [name.as_str(), value.as_str()]).collect()
    }

    /// That the form belongs to the secret whose hash this is.
    fn proves(&self, app: &App, hash: &str) -> Result<()> {
        let ours = is_form_token(&app.config.data_key, hash, self.get(PROOF));
        let why = "this page is from before you signed in or out: go back, reload it and try again";
        ours.then_some(()).ok_or_else(|| Error::Forbidden(why).into())
    }

    /// That the form belongs to the sign-in that was begun in this browser.
    ///
    /// # Errors
    /// 403.
    pub fn of_browser(&self, app: &App, browser: &Browser) -> Result<()> {
        let secret = browser.secret.as_deref();
        self.proves(app, &token_hash(secret.unwrap_or_default()))
    }
}

/// What a form of this session carries.
#[must_use]
pub fn proof(app: &App, session: &SessionRow) -> String {
    form_token(&app.config.data_key, &session.secret_hash, app.random())
}

/// What a form carries in a browser where a sign-in was begun.
#[must_use]
pub fn browser_proof(app: &App, secret: &str) -> String {
    form_token(&app.config.data_key, &token_hash(secret), app.random())
}

/// A form that a page showed to this person in this session.
pub struct MyForm {
    /// Whose.
    pub session: Arc<SessionRow>,
    /// What she filled in.
    pub form: Form,
}

impl Extract for MyForm {
    const IDENTIFIES: bool = true;
    fn extract(call: &Call<'_>) -> Result<Self> {
        let form = Form::extract(call)?;
        let SignedIn(session) = SignedIn::extract(call)?;
        form.proves(call.app, &session.secret_hash)?;
        Ok(Self { session, form })
    }
}

impl MyForm {
    /// Whose it is, as the API's handlers take it.
    #[must_use]
    pub fn me(&self) -> SignedIn {
        SignedIn(self.session.clone())
    }
}

/// The next page after what the API's handler did, with the cookies it set.
#[must_use]
pub fn then(done: Response, location: &'static str) -> Response {
    let mut response = see(location);
    let cookies = done.headers.into_iter().filter(|(name, _)| *name == "set-cookie");
    cookies.for_each(|(name, value)| response.push(name, value));
    response.after = done.after;
    response
}

/// What to tell on the form about an error that whoever filled it in can mend, and with which
/// status; all others are pages of their own.
///
/// # Errors
/// The error, if it is of another kind.
pub fn mendable(error: Error) -> Result<(StatusCode, String)> {
    let status = error.status();
    let told = match error {
        Error::Denied { detail, .. } => sentence(detail),
        Error::Forbidden(detail) => sentence(detail),
        Error::Refused { detail, .. } => sentence(&detail),
        Error::Invalid(errors) => errors
            .first()
            .map_or_else(String::new, |wrong| sentence(&format!("this {}", wrong.reason))),
        Error::TooLarge => "A file may have 1 MiB: send it in parts.".to_owned(),
        Error::TooMany(seconds) => {
            let minutes = seconds.div_ceil(60);
            format!("Too many attempts. Try again in {minutes} min, or begin again.")
        }
        other => return Err(other.into()),
    };
    Ok((status, told))
}

/// The API's words as a sentence.
#[must_use]
pub fn sentence(words: &str) -> String {
    let mut letters = words.chars();
    let first = letters.next().map(|c| c.to_ascii_uppercase()).into_iter();
    first.chain(letters).chain(['.']).collect()
}

/// The name that a form carries: sent twice it does once what it says. See [`crate::web::once::Once::of_form`].
#[must_use]
pub fn once(app: &App) -> String {
    crate::domain::merkle::hex(&app.random::<16>())
}
