//! The creator's own pages, brand by brand: what she earns and why, her links, posts, statements, payouts, payment
//! details and claims. Each shows what the API's routes under `/v1/me` tell, by the same functions; their forms call the
//! same handlers. What they say is in [`words`].

pub mod claims;
pub mod home;
pub mod links;
pub mod orders;
pub mod payment;
pub mod payouts;
pub mod posts;
pub mod statements;
pub mod terms;
pub mod words;

use std::sync::Arc;

use askama::{DynTemplate, Template};
use http::StatusCode;

use super::form::{self, Form, MyForm};
use super::see;
use super::shell::{self, Nav, Shell};
use crate::app::App;
use crate::domain::brand::Brand;
use crate::domain::ids::{Id, Kind};
use crate::domain::link::percent_decode;
use crate::domain::locale::Locale;
use crate::domain::money::Money;
use crate::error::{Error, Result};
use crate::storage::sessions::SessionRow;
use crate::web::caller::{Me, RequestId, SignedIn};
use crate::web::handler::{Call, Extract};
use crate::web::message::Response;

use words::{EN, Texts};

/// A creator who signed in, at the brand that the path names.
pub struct Her {
    /// As the API knows her.
    pub me: Me,
    /// Her session.
    pub session: Arc<SessionRow>,
    /// How she writes numbers and dates.
    pub locale: Locale,
    /// What the brand calls her.
    name: String,
    /// The brand's name.
    brand: String,
    /// What stands in the path behind the brand, as it was sent.
    second: String,
    request_id: String,
}

impl Her {
    fn of(call: &Call<'_>, session: Arc<SessionRow>) -> Result<Self> {
        // Whether there is such a brand isn't told to who isn't its creator.
        let me = Me::of(&session, percent_decode(call.id).parse().ok())?;
        let side = session.creators.iter().find(|side| side.brand_id == me.brand);
        let (name, brand) =
            side.map_or_else(Default::default, |side| (side.name.clone(), side.brand.clone()));
        let second = percent_decode(call.second);
        let request_id = call.request.id.to_owned();
        Ok(Self { locale: reader(call), me, session, name, brand, second, request_id })
    }

    /// What the path names behind the brand.
    fn second<K: Kind>(&self) -> Result<Id<K>> {
        self.second.parse().map_err(|_| Error::NotFound.into())
    }

    fn request(&self) -> RequestId {
        RequestId(self.request_id.clone())
    }

    /// Where a page of hers is: `links`, or empty for the first.
    fn path(&self, at: &str) -> String {
        let slash = if at.is_empty() { "" } else { "/" };
        format!("/c/{}{slash}{at}", self.me.brand)
    }

    /// Go to a page of hers, with GET.
    fn see(&self, at: &str) -> Response {
        see(self.path(at))
    }

    /// What her forms carry.
    fn proof(&self, app: &App) -> String {
        form::proof(app, &self.session)
    }

    /// The page `at` around its content.
    fn page(
        &self,
        app: &App,
        (at, title): (&str, &'static str),
        told: Told<'_>,
        content: &dyn DynTemplate,
    ) -> Result<Response> {
        let body = content.dyn_render().map_err(|e| Error::Internal(e.to_string()))?;
        let wrong = told.wrong.map(|wrong| wrong.texts.as_slice()).unwrap_or_default();
        let frame = Frame { t: &EN, title, wrong, body: &body };
        let home = self.path("");
        let nav = PLACES.iter().map(|(place, label, icon)| Nav {
            label,
            href: self.path(place),
            icon,
            current: *place == at,
        });
        let csrf = self.proof(app);
        let shell = Shell {
            title,
            brand: &self.brand,
            role: EN.role,
            places: shell::places(&self.session, &home),
            home,
            nav: nav.collect(),
            email: &self.session.email,
            csrf: &csrf,
            told: told.done,
        };
        shell::page(told.wrong.map_or(StatusCode::OK, |wrong| wrong.status), &shell, &frame)
    }
}

/// How a browser's reader writes numbers and dates.
fn reader(call: &Call<'_>) -> Locale {
    Locale::of(call.request.header("accept-language").unwrap_or_default())
}

impl Extract for Her {
    const IDENTIFIES: bool = true;
    fn extract(call: &Call<'_>) -> Result<Self> {
        let SignedIn(session) = SignedIn::extract(call)?;
        Self::of(call, session)
    }
}

/// A form of one of her pages.
pub struct HerForm {
    /// Hers.
    pub her: Her,
    /// What she filled in.
    pub form: Form,
}

impl Extract for HerForm {
    const IDENTIFIES: bool = true;
    fn extract(call: &Call<'_>) -> Result<Self> {
        let MyForm { session, form } = MyForm::extract(call)?;
        Ok(Self { her: Her::of(call, session)?, form })
    }
}

impl HerForm {
    /// A field's text without the spaces around it, if there is any.
    fn text(&self, name: &str) -> Option<String> {
        Some(self.form.get(name).trim().to_owned()).filter(|text| !text.is_empty())
    }
}

/// What a page says above its content.
#[derive(Clone, Copy, Default)]
struct Told<'a> {
    /// That something was done.
    done: Option<&'static str>,
    /// What is wrong with the form that was sent.
    wrong: Option<&'a Wrong>,
}

/// What was wrong with a form.
struct Wrong {
    status: StatusCode,
    texts: Vec<String>,
    fields: Vec<String>,
}

impl Wrong {
    /// What whoever filled the form in can mend.
    ///
    /// # Errors
    /// The error, if it is of another kind.
    #[allow(clippy::boxed_local, reason = "errors travel in boxes")]
    fn of(error: Box<Error>) -> Result<Self> {
        if let Error::Invalid(errors) = &*error {
            let text = |wrong: &crate::error::FieldError| {
                format!("{} {}.", words::field(&wrong.field), wrong.reason)
            };
            let field = |wrong: &crate::error::FieldError| {
                wrong.field.rsplit('.').next().unwrap_or_default().to_owned()
            };
            return Ok(Self {
                status: error.status(),
                texts: errors.iter().map(text).collect(),
                fields: errors.iter().map(field).collect(),
            });
        }
        let (status, text) = form::mendable(*error)?;
        Ok(Self { status, texts: vec![text], fields: Vec::new() })
    }

    /// What a form says that can't be read before the API is asked.
    fn field(name: &str, reason: &str) -> Self {
        Self {
            status: StatusCode::UNPROCESSABLE_ENTITY,
            texts: vec![format!("{} {reason}.", words::field(name))],
            fields: vec![name.to_owned()],
        }
    }
}

/// What a form shows: what was filled in, if something was wrong with it.
struct Filled<'a> {
    form: Option<&'a Form>,
    wrong: Option<&'a Wrong>,
}

impl Filled<'_> {
    /// A field's text.
    fn get(&self, name: &str) -> &str {
        self.form.map_or("", |form| form.get(name))
    }

    /// Whether a choice is the one that was made.
    fn chosen(&self, name: &str, value: &(impl ToString + ?Sized)) -> bool {
        self.get(name) == value.to_string()
    }

    /// Whether a field is what is wrong.
    fn bad(&self, name: &str) -> bool {
        self.wrong.is_some_and(|wrong| wrong.fields.iter().any(|field| field == name))
    }
}

/// The pages at a brand: the last part of the path, the name, and the icon.
const PLACES: [(&str, &str, &str); 9] = [
    ("", EN.earnings, "coin"),
    ("links", EN.links, "link"),
    ("orders", EN.orders, "shopping-cart"),
    ("posts", EN.posts, "speakerphone"),
    ("statements", EN.statements, "file-text"),
    ("payouts", EN.payouts, "cash"),
    ("payment", EN.payment, "lock"),
    ("claims", EN.claims, "help-circle"),
    ("terms", EN.terms, "receipt"),
];

#[derive(Template)]
#[template(path = "creator/frame.html")]
struct Frame<'a> {
    t: &'static Texts,
    title: &'a str,
    wrong: &'a [String],
    /// HTML.
    body: &'a str,
}

/// The brand, as the API's routes of the creator find it.
async fn brand_of(app: &App, her: &Her) -> Result<Brand> {
    Ok(crate::web::api::brand::find(app, her.me.brand).await?.brand)
}

/// Amounts side by side: one per currency.
fn amounts(locale: &Locale, all: &[Money]) -> String {
    let told: Vec<String> = all.iter().map(|amount| locale.money(*amount)).collect();
    if told.is_empty() { "–".to_owned() } else { told.join(" + ") }
}
