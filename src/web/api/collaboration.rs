//! A deal's collaboration in one command: what is agreed, a code and a link, all of it or nothing.

use crate::app::App;
use crate::domain::ids::{CodeId, Deal, DealId};
use crate::error::{Error, FieldError, Result};
use crate::storage::deals::DealRow;
use crate::storage::{DbError, Statement, creators};
use crate::web::body::body;
use crate::web::extract::{Body, Caller, PathId, may};
use crate::web::handler::{Json, State};
use crate::web::once::{Once, Perhaps, contended};
use crate::web::redirect;

use super::codes::{self, ApplyCode, NewCodeBody};
use super::collections;
use super::deals::{self, DealView, not_erased};
use super::links::{self, NewLinkBody};
use super::terms::{self, NewTerms};

/// Spellings and slugs that others take in the same moment: so often in all another one is tried.
const ATTEMPTS: usize = 24;

body! {
    /// What to agree and to hand out; what is absent isn't touched.
    pub struct Collaboration {
        /// A new version of terms.
        terms: Option<NewTerms>,
        /// A code, as for `POST /v1/deals/{id}/codes`.
        code: Option<NewCodeBody>,
        /// A link, as for `POST /v1/deals/{id}/links`. Its `apply_code: true` means the code of this very call, if
        /// there is one.
        link: Option<NewLinkBody>,
    }
}

/// Which code the new link applies.
enum Applied {
    This(Option<CodeId>),
    TheNewOne,
}

/// What is wrong with a part, by its name in the whole.
fn within<T>(part: &str, result: Result<T>) -> Result<T> {
    result.map_err(|error| match *error {
        Error::Invalid(errors) => {
            let named = errors.into_iter().map(|wrong| {
                let field = format!("{part}.{}", wrong.field);
                FieldError { field, ..wrong }
            });
            Error::Invalid(named.collect()).into()
        }
        other => other.into(),
    })
}

/// What a call asks for, once it is known that it can be.
struct Asked {
    deal: DealId,
    agreed: Vec<Statement>,
    code: Option<codes::Asked>,
    link: Option<links::Asked>,
    applied: Applied,
    handle: String,
    /// How many slugs of hers were found taken.
    slugs: u32,
}

impl Asked {
    /// Looks at every part before anything is done.
    async fn of(
        app: &App,
        caller: &Caller<may::Deals>,
        deal: &DealRow,
        new: Collaboration,
    ) -> Result<Self> {
        let mut agreed = Vec::new();
        if let Some(mut told) = new.terms {
            within("terms", collections::resolve(app, caller, &mut told).await)?;
            agreed = within("terms", terms::adding(app, &caller.acting(), deal.id, told, None))?.1;
        }
        let applied = match new.link.as_ref().and_then(NewLinkBody::apply_code) {
            Some(ApplyCode::Deals(true)) if new.code.is_some() => Applied::TheNewOne,
            Some(told) => Applied::This(within("link", told.code_of(&deal.codes))?),
            None => Applied::This(None),
        };
        let code = match new.code {
            Some(told) => Some(within("code", codes::asked(app, caller, deal, told).await)?),
            None => None,
        };
        let link = match &new.link {
            Some(told) => Some(within("link", links::asked(app, caller.brand, told).await)?),
            None => None,
        };
        let creator = creators::find(app.db(), caller.brand, deal.creator_id).await?;
        let handle = creator.ok_or(Error::NotFound)?.handle;
        Ok(Self { deal: deal.id, agreed, code, link, applied, handle, slugs: 0 })
    }

    /// The batch that does it all, and the slug of the link.
    async fn batch(
        &self,
        app: &App,
        caller: &Caller<may::Deals>,
    ) -> Result<(Vec<Statement>, Option<String>)> {
        let (mut batch, mut given, mut slug) = (self.agreed.clone(), None, None);
        if let Some(code) = &self.code {
            let (id, made) = code.batch(app, &caller.acting(), self.deal).await?;
            batch.extend(made);
            given = Some(id);
        }
        if let Some(link) = &self.link {
            let applied = match self.applied {
                Applied::TheNewOne => given,
                Applied::This(code) => code,
            };
            let hers = (&*self.handle, self.slugs);
            let (view, made) = link.batch(app, &caller.acting(), (self.deal, applied), hers)?;
            batch.extend(made);
            slug = Some(view.slug);
        }
        Ok((batch, slug))
    }

    /// That another spelling or slug may be tried after this.
    fn another(&mut self, error: DbError) -> Result<()> {
        if error.is_constraint("codes.code_key") {
            let differs = self.code.as_ref().is_some_and(codes::Asked::may_differ);
            return if differs { Ok(()) } else { Err(codes::code_taken()) };
        }
        if error.is_constraint("slug_key") {
            self.slugs += 1;
            let differs = self.link.as_ref().is_some_and(|link| link.slug.is_none());
            return if differs { Ok(()) } else { Err(links::slug_taken()) };
        }
        Err(terms::refused(error))
    }
}

/// Agrees new terms, gives a code and makes a link: whatever is said, all at once or, if any of it can't be,
/// nothing. Sent twice with one Idempotency-Key it is done once.
#[utoipa::path(post, path = "/v1/deals/{id}/collaboration", tag = "deals", request_body = Collaboration,
    security(("api_key" = ["deals"])), params(("id" = DealId, Path),
    ("Idempotency-Key" = Option<String>, Header)), responses((status = 200, body = DealView),
    (status = 409, description = "The code or the slug is taken, the deal is closed, or there is no store yet")))]
pub async fn set(
    State(app): State<App>,
    caller: Caller<may::Deals>,
    id: PathId<Deal>,
    Perhaps(once): Perhaps,
    Body(new): Body<Collaboration>,
) -> Result<Json<DealView>> {
    if new.terms.is_none() && new.code.is_none() && new.link.is_none() {
        return Err(Error::invalid("terms", "say terms, a code or a link"));
    }
    let deal = deals::find(&app, caller.brand, id.0).await?;
    if done(&app, &caller, once.as_ref()).await? {
        return Ok(Json(deals::view(&app, deal)));
    }
    not_erased(&app, caller.brand, deal.creator_id).await?;
    let mut asked = Asked::of(&app, &caller, &deal, new).await?;
    for _ in 0..ATTEMPTS {
        let (mut batch, slug) = asked.batch(&app, &caller).await?;
        let kept = once.as_ref().map(|once| once.keep(caller.brand, String::new(), app.now_ms()));
        batch.extend(kept);
        match app.db().run(batch).await {
            Ok(_) => {
                if let Some((link, slug)) = asked.link.as_ref().zip(slug) {
                    redirect::forget(&app, &link.host, &slug).await;
                }
                let deal = deals::find(&app, caller.brand, deal.id).await?;
                return Ok(Json(deals::view(&app, deal)));
            }
            // The same call came twice at once: the other one did it.
            Err(error)
                if error.is_constraint("idempotency")
                    && done(&app, &caller, once.as_ref()).await? =>
            {
                let deal = deals::find(&app, caller.brand, deal.id).await?;
                return Ok(Json(deals::view(&app, deal)));
            }
            Err(error) => asked.another(error)?,
        }
    }
    Err(contended())
}

/// Whether the same call was done before.
async fn done(app: &App, caller: &Caller<may::Deals>, once: Option<&Once>) -> Result<bool> {
    match once {
        Some(once) => Ok(once.stored(app, caller.brand).await?.is_some()),
        None => Ok(false),
    }
}
