//! A deal's collaboration in one command: what is agreed, a code and a link, all of it or nothing.

use crate::app::App;
use crate::domain::ids::{CodeId, Deal};
use crate::error::{Error, FieldError, Result};
use crate::storage::creators;
use crate::web::body::body;
use crate::web::extract::{Body, Caller, PathId, may};
use crate::web::handler::{Json, State};
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

/// Agrees new terms, gives a code and makes a link: whatever is said, all at once or, if any of it can't be,
/// nothing.
#[utoipa::path(post, path = "/v1/deals/{id}/collaboration", tag = "deals", request_body = Collaboration,
    security(("api_key" = ["deals"])), params(("id" = crate::domain::ids::DealId, Path)),
    responses((status = 200, body = DealView),
    (status = 409, description = "The code or the slug is taken, the deal is closed, or there is no store yet")))]
pub async fn set(
    State(app): State<App>,
    caller: Caller<may::Deals>,
    id: PathId<Deal>,
    Body(new): Body<Collaboration>,
) -> Result<Json<DealView>> {
    if new.terms.is_none() && new.code.is_none() && new.link.is_none() {
        return Err(Error::invalid("terms", "say terms, a code or a link"));
    }
    let deal = deals::find(&app, caller.brand, id.0).await?;
    not_erased(&app, caller.brand, deal.creator_id).await?;
    let mut agreed = Vec::new();
    if let Some(mut told) = new.terms {
        within("terms", collections::resolve(&app, &caller, &mut told).await)?;
        agreed = within("terms", terms::adding(&app, &caller.acting(), deal.id, told))?.1;
    }
    let applied = match new.link.as_ref().and_then(NewLinkBody::apply_code) {
        Some(ApplyCode::Deals(true)) if new.code.is_some() => Applied::TheNewOne,
        Some(told) => Applied::This(within("link", told.code_of(&deal.codes))?),
        None => Applied::This(None),
    };
    let code = match new.code {
        Some(told) => Some(within("code", codes::asked(&app, &caller, &deal, told).await)?),
        None => None,
    };
    let link = match &new.link {
        Some(told) => Some(within("link", links::asked(&app, caller.brand, told).await)?),
        None => None,
    };
    let creator = creators::find(app.db(), caller.brand, deal.creator_id).await?;
    let handle = creator.ok_or(Error::NotFound)?.handle;
    let mut slugs = 0;
    for _ in 0..ATTEMPTS {
        let (mut batch, mut given) = (agreed.clone(), None);
        if let Some(code) = &code {
            let (id, made) = code.batch(&app, &caller.acting(), deal.id).await?;
            batch.extend(made);
            given = Some(id);
        }
        let mut slug = None;
        if let Some(link) = &link {
            let applied = match applied {
                Applied::TheNewOne => given,
                Applied::This(code) => code,
            };
            let (view, made) =
                link.batch(&app, &caller.acting(), (deal.id, applied), (&handle, slugs))?;
            batch.extend(made);
            slug = Some(view.slug);
        }
        match app.db().run(batch).await {
            Ok(_) => {
                if let Some((link, slug)) = link.as_ref().zip(slug) {
                    redirect::forget(&app, &link.host, &slug).await;
                }
                let deal = deals::find(&app, caller.brand, deal.id).await?;
                return Ok(Json(deals::view(&app, deal)));
            }
            Err(error) if error.is_constraint("codes.code_key") => {
                if !code.as_ref().is_some_and(codes::Asked::may_differ) {
                    return Err(codes::code_taken());
                }
            }
            Err(error) if error.is_constraint("slug_key") => {
                if link.as_ref().is_none_or(|link| link.slug.is_some()) {
                    return Err(links::slug_taken());
                }
                slugs += 1;
            }
            Err(error) => return Err(terms::refused(error)),
        }
    }
    Err(crate::web::once::contended())
}
