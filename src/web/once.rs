//! Calls that move money and may be repeated: the first answer is written with the effect, so that
//! whoever repeats a call with its Idempotency-Key gets that and nothing happens twice.

use http::StatusCode;
use sha2::{Digest, Sha256};

use crate::app::App;
use crate::domain::ids::BrandId;
use crate::domain::merkle::hex;
use crate::domain::time::Millis;
use crate::error::{Error, Result};
use crate::storage::payment::{self, AnsweredRow};
use crate::storage::{DbError, Statement};
use crate::web::body::FromJson;
use crate::web::extract::Body;
use crate::web::handler::{Call, Extract};
use crate::web::message::Response;

/// The longest key.
const MAX_KEY: usize = 255;

/// The name of a call.
pub struct Once {
    key: String,
    /// Of method, address, body and who calls: another call with this key is a mistake, and what one
    /// person was answered is no answer to another.
    hash: String,
}

impl Extract for Once {
    fn extract(call: &Call<'_>) -> Result<Self> {
        let key = call.request.header("idempotency-key").unwrap_or_default();
        if key.is_empty() || key.len() > MAX_KEY || !key.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(nameless());
        }
        let mut digest = Sha256::new();
        let actor = call.identity.name();
        for part in [&*actor, "\n", call.request.method, "\n", call.request.uri, "\n"] {
            digest.update(part);
        }
        digest.update(call.request.body);
        Ok(Self { key: key.to_owned(), hash: hex(&digest.finalize()) })
    }
}

impl Once {
    /// The name of what a form asks for: the form has it from the page that showed it, so that a form that is
    /// sent twice does once what it says. `told` is what it says.
    ///
    /// # Errors
    /// 400.
    pub fn of_form(key: &str, actor: &str, told: &[&str]) -> Result<Self> {
        if key.is_empty() || key.len() > MAX_KEY || !key.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(Error::Malformed("this form has no name".to_owned()).into());
        }
        let mut digest = Sha256::new();
        for part in [&[actor, "form"], told].concat() {
            digest.update(part);
            digest.update("\n");
        }
        Ok(Self { key: key.to_owned(), hash: hex(&digest.finalize()) })
    }
}

/// The name of a call that may move money: absent, it must not.
pub struct Perhaps(pub Option<Once>);

impl Extract for Perhaps {
    fn extract(call: &Call<'_>) -> Result<Self> {
        let named = call.request.header("idempotency-key").is_some();
        named.then(|| Once::extract(call)).transpose().map(Self)
    }
}

impl Perhaps {
    /// That the call has a name.
    ///
    /// # Errors
    /// 400.
    pub fn needed(&self) -> Result<()> {
        self.0.as_ref().map(|_| ()).ok_or_else(nameless)
    }
}

fn nameless() -> Box<Error> {
    let why = "this call needs an Idempotency-Key of 1 to 255 printable characters";
    Error::Malformed(why.to_owned()).into()
}

/// A body of a call that moves money.
pub struct Paying<T> {
    /// Its name.
    pub once: Once,
    /// What it asks for.
    pub body: T,
}

impl<T: FromJson> Extract for Paying<T> {
    fn extract(call: &Call<'_>) -> Result<Self> {
        let once = Once::extract(call)?;
        let Body(body) = Body::extract(call)?;
        Ok(Self { once, body })
    }
}

impl Once {
    /// The answer that this call got before.
    ///
    /// # Errors
    /// 422 if the key was another call's.
    pub async fn answered(&self, app: &App, brand: BrandId) -> Result<Option<Response>> {
        let Some(row) = payment::answered(app.db(), brand, &self.key).await? else {
            return Ok(None);
        };
        if row.request_hash != self.hash {
            return Err(Error::invalid("Idempotency-Key", "was another call's"));
        }
        let status = StatusCode::from_u16(row.status).unwrap_or(StatusCode::OK);
        Ok(Some(Response::json(status, row.answer)))
    }

    /// What was stored as the answer of this call before.
    ///
    /// # Errors
    /// 422 if the key was another call's.
    pub async fn stored(&self, app: &App, brand: BrandId) -> Result<Option<String>> {
        let row = payment::answered(app.db(), brand, &self.key).await?;
        match row {
            Some(row) if row.request_hash != self.hash => {
                Err(Error::invalid("Idempotency-Key", "was another call's"))
            }
            row => Ok(row.map(|row| row.answer)),
        }
    }

    /// The statement that stores an answer, for a batch whose sender tells itself why it aborts: at
    /// `idempotency`, because the same call came before.
    #[must_use]
    pub fn keep(&self, brand: BrandId, answer: String, now_ms: Millis) -> Statement {
        let status = StatusCode::OK.as_u16();
        let row = AnsweredRow { request_hash: self.hash.clone(), status, answer };
        payment::answer(brand, &self.key, &row, now_ms)
    }

    /// Commits the effect with its answer. `None`: what the effect was decided from has changed, and
    /// nothing was done.
    ///
    /// # Errors
    /// 422 as [`Self::answered`]; 503 if D1 is away.
    pub async fn commit(
        &self,
        app: &App,
        brand: BrandId,
        mut batch: Vec<Statement>,
        (status, answer): (StatusCode, String),
    ) -> Result<Option<Response>> {
        let row = AnsweredRow { request_hash: self.hash.clone(), status: status.as_u16(), answer };
        batch.push(payment::answer(brand, &self.key, &row, app.now_ms()));
        match app.db().run(batch).await {
            Ok(_) => Ok(Some(Response::json(status, row.answer))),
            // Nobody who decides anew finds her there again.
            Err(error)
                if error.is_constraint("creator_erased")
                    || error.is_constraint("creator_merged") =>
            {
                Err(error.into())
            }
            // Also when the same call came twice at once: the other one's answer is there then.
            Err(DbError::Constraint(_)) => self.answered(app, brand).await,
            Err(error) => Err(error.into()),
        }
    }
}

/// So often an effect is decided anew when what it was decided from changes meanwhile.
pub const ATTEMPTS: usize = 5;

/// What is answered when that didn't help.
#[must_use]
pub fn contended() -> Box<Error> {
    Error::Unavailable("too much changes at once just now; nothing was done").into()
}
