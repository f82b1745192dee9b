//! Adding a store, by the way that fits it.

use askama::Template;

use crate::app::App;
use crate::domain::auth::Scope;
use crate::error::{Error, Result};
use crate::partners::shopify::admin::NEEDED_SCOPES;
use crate::web::api::connecting;
use crate::web::api::stores as api;
use crate::web::extract::{Body, Params, PathId};
use crate::web::handler::{Json, State};
use crate::web::message::Response;
use crate::web::pages::shell::{Area, At, Sent};
use crate::web::pages::ui::{self, Field, Html};

use super::super::body;
use super::shown::{self, Now};
use super::{Told, wording};

/// A way to connect: its name in the address, what it is called, when it is the right one.
type Way = (&'static str, &'static str, &'static str);

const WAYS: [Way; 5] = [
    (
        "app",
        "Shopify, with an app of your own",
        "One shop, the shortest way. Tokens renew by themselves.",
    ),
    (
        "authorization",
        "Shopify, approved in the shop",
        "Somebody in the shop approves what the app may do.",
    ),
    ("token", "Shopify, with a token", "For an old custom app that has an Admin API access token."),
    (
        "goaffpro",
        "GoAffPro",
        "For a programme that runs there: affiliates and orders are read from it.",
    ),
    ("custom", "Any other shop", "Its own server reports orders over the API, signed."),
];

#[derive(Template)]
#[template(path = "brand/stores/new.html")]
struct New<'a> {
    home: &'a str,
    csrf: &'a str,
    fresh_until: i64,
    chosen: Option<&'static Way>,
    callback: String,
    scopes: String,
    others: Vec<(String, String)>,
    may_admin: bool,
    told: &'a Told,
}

impl New<'_> {
    fn is(&self, way: &str) -> bool {
        self.chosen.is_some_and(|(name, ..)| *name == way)
    }

    fn field(&self, name: &'static str, label: &str, kind: &str, hint: &str) -> Html {
        let value = if kind == "password" { "" } else { self.told.was(name) };
        let required = !matches!(name, "name" | "ref_parameter");
        ui::field(&Field { name, label, kind, hint, value, required, ..Field::default() })
    }

    fn orders_from(&self) -> Html {
        let label = "The shop that tells the same orders itself";
        ui::select("orders_from", label, &self.others, self.told.was("orders_from"))
    }
}

async fn page(app: App, at: At, way: &str, told: &Told) -> Result<Response> {
    let chosen = WAYS.iter().find(|(name, ..)| *name == way);
    let mut others =
        vec![(String::new(), "None: GoAffPro’s orders count by themselves".to_owned())];
    if way == "goaffpro" {
        let many = Params::of(&[("limit", "200")]);
        let Json(all) = api::list(State(app.clone()), at.seat.caller()?, many).await?;
        let fit = all.data.iter().filter(|o| o.platform != "goaffpro" && o.status != "closed");
        others.extend(fit.map(|other| (other.id.to_string(), wording::name(other))));
    }
    let csrf = at.csrf(&app);
    let content = New {
        home: &at.home,
        csrf: &csrf,
        fresh_until: at.seat.session.fresh_until_ms(),
        chosen,
        callback: connecting::callback_url(&app),
        scopes: NEEDED_SCOPES.join(", "),
        others,
        may_admin: at.seat.may(Scope::Admin),
        told,
    };
    at.render((told.status, "Add a store", Area::Stores), &csrf, &content)
}

/// The ways, and the form of the one that is chosen.
pub async fn ask(State(app): State<App>, at: At) -> Result<Response> {
    let way = at.get("way").to_owned();
    page(app, at, &way, &Told::default()).await
}

/// Adds the store, and looks at once whether it lets us in.
pub async fn add(State(app): State<App>, sent: Sent) -> Result<Response> {
    let way = sent.get("way").to_owned();
    let work = async {
        let (platform, names): (&str, &[&str]) = match &*way {
            "app" | "authorization" => {
                ("shopify", &["shop_domain", "storefront_url", "client_id", "client_secret"])
            }
            "token" => {
                ("shopify", &["shop_domain", "storefront_url", "access_token", "client_secret"])
            }
            "goaffpro" => {
                ("goaffpro", &["storefront_url", "access_token", "orders_from", "ref_parameter"])
            }
            "custom" => ("custom", &["storefront_url", "name"]),
            _ => return Err(Error::invalid("way", "must be one of those that are offered")),
        };
        let mut fields = vec![("platform", platform)];
        fields.extend(names.iter().map(|name| (*name, sent.get(name))));
        let new = Body(body(&fields)?);
        api::create(State(app.clone()), sent.at.seat.caller()?, new).await
    };
    match work.await {
        Ok((_, Json(made))) if way == "custom" => {
            let now = Now { secret: made.signing_secret, ..Now::default() };
            shown::page(app, sent.at, made.id, &now).await
        }
        Ok((_, Json(made))) => {
            // The first approval is begun by whoever is to give it; all others let us in already.
            if way != "authorization" {
                let caller = sent.at.seat.caller()?;
                // Whatever hinders it stands on the store's page.
                let _ = connecting::check(State(app), caller, PathId(made.id)).await;
            }
            Ok(sent.at.see(&format!("/stores/{}?done=added", made.id)))
        }
        Err(error) => {
            let kept = [
                "shop_domain",
                "storefront_url",
                "client_id",
                "name",
                "ref_parameter",
                "orders_from",
            ];
            let told = Told::of(&sent, *error, &kept)?;
            page(app, sent.at, &way, &told).await
        }
    }
}
