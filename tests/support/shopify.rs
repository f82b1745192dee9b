//! A shop as small as a test needs: tokens, its own description, and webhooks. What it does with
//! discounts and orders, the double in `tests/doubles/shopify` does.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard};

use serde_json::{Value, json};
use tributary::app::{WebAnswer, WebRequest};

pub const SHOP: &str = "casa.myshopify.com";
pub const ORIGIN: &str = "https://casa.myshopify.com/";
pub const GRAPHQL: &str = "https://casa.myshopify.com/admin/api/2026-10/graphql.json";
pub const TOKEN: &str = "https://casa.myshopify.com/admin/oauth/access_token";

pub fn answer(status: u16, body: &Value) -> WebAnswer {
    WebAnswer { status, retry_after: String::new(), body: body.to_string() }
}

/// What a test may look at and change of it.
pub struct Shop {
    pub installed: bool,
    pub secret: String,
    pub scopes: Vec<String>,
    pub tokens: HashSet<String>,
    pub refreshes: HashSet<String>,
    pub codes: HashSet<String>,
    /// Id, topic, address.
    pub hooks: Vec<(String, String, String)>,
    pub name: String,
    /// What was asked: operations, and grants of tokens.
    pub asked: Vec<String>,
    /// What it answers next to an operation (or grant) of this name.
    pub faults: Vec<(&'static str, Result<WebAnswer, String>)>,
    /// Collections by handle, with their ids, titles and products.
    pub collections: Vec<(String, u64, String, Vec<u64>)>,
    /// How many products it tells at once.
    pub page: usize,
    /// How long its tokens last.
    pub seconds: i64,
    made: u32,
}

impl Default for Shop {
    fn default() -> Self {
        let scopes = ["read_orders", "read_discounts", "write_discounts"];
        Self {
            installed: true,
            secret: super::SECRET.to_owned(),
            scopes: scopes.map(str::to_owned).to_vec(),
            tokens: HashSet::new(),
            refreshes: HashSet::new(),
            codes: HashSet::new(),
            hooks: Vec::new(),
            name: SHOP.to_owned(),
            asked: Vec::new(),
            faults: Vec::new(),
            collections: Vec::new(),
            page: 250,
            seconds: 3600,
            made: 0,
        }
    }
}

#[derive(Clone, Default)]
pub struct SmallShop(Arc<Mutex<Shop>>);

impl SmallShop {
    pub fn shop(&self) -> MutexGuard<'_, Shop> {
        self.0.lock().unwrap()
    }

    /// How often this was asked.
    pub fn count(&self, operation: &str) -> usize {
        self.shop().asked.iter().filter(|asked| *asked == operation).count()
    }

    pub fn fail(&self, operation: &'static str, with: Result<WebAnswer, String>) {
        self.shop().faults.push((operation, with));
    }

    /// The shop removes the app: tokens are dead, subscriptions gone.
    pub fn uninstall(&self) {
        let mut shop = self.shop();
        shop.installed = false;
        shop.tokens.clear();
        shop.refreshes.clear();
        shop.hooks.clear();
    }

    pub fn answer(&self, request: &WebRequest<'_>) -> Result<WebAnswer, String> {
        let asked: Value = request.body.unwrap_or("{}").parse().unwrap();
        let mut shop = self.shop();
        let operation = match request.url.as_str() {
            TOKEN if asked.get("code").is_some() => "code".to_owned(),
            TOKEN => asked["grant_type"].as_str().unwrap().to_owned(),
            _ => {
                let text = asked["query"].as_str().unwrap();
                let name = text.split([' ', '(', '{']).filter(|word| !word.is_empty()).nth(1);
                name.unwrap().to_owned()
            }
        };
        shop.asked.push(operation.clone());
        if let Some(at) = shop.faults.iter().position(|(of, _)| *of == operation) {
            return shop.faults.remove(at).1;
        }
        if request.url == TOKEN {
            return Ok(shop.token(&operation, &asked));
        }
        let told = request.headers.iter().find(|(name, _)| *name == "x-shopify-access-token");
        if !told.is_some_and(|(_, token)| shop.tokens.contains(token)) {
            return Ok(answer(401, &json!({ "errors": "[API] Invalid API key or access token" })));
        }
        let data = shop.data(&operation, &asked["variables"]);
        Ok(answer(200, &json!({ "data": data })))
    }
}

impl Shop {
    fn token(&mut self, grant: &str, asked: &Value) -> WebAnswer {
        let page = |name: &str| WebAnswer {
            status: 400,
            retry_after: String::new(),
            body: format!("<html><body>Oauth error {name}: no</body></html>"),
        };
        if asked["client_secret"] != self.secret.as_str() {
            return page("invalid_client");
        }
        if !self.installed && grant == "client_credentials" {
            return page("app_not_installed");
        }
        let text = |name: &str| asked[name].as_str().unwrap_or_default().to_owned();
        let good = match grant {
            "client_credentials" => true,
            "code" => self.codes.remove(&text("code")) && asked["expiring"] == "1",
            // The last one stays good until its successor is used.
            _ => self.refreshes.contains(&text("refresh_token")),
        };
        if !good {
            return page("invalid_grant");
        }
        self.made += 1;
        let token = format!("shpat_secret_{}", self.made);
        self.tokens.insert(token.clone());
        let mut told = json!({ "access_token": token, "scope": self.scopes.join(","),
            "expires_in": self.seconds });
        if grant != "client_credentials" {
            let refresh = format!("shprt_secret_{}", self.made);
            self.refreshes.insert(refresh.clone());
            told["refresh_token"] = refresh.into();
            told["refresh_token_expires_in"] = (90 * 86_400).into();
        }
        answer(200, &told)
    }

    fn data(&mut self, operation: &str, variables: &Value) -> Value {
        let text = |name: &str| variables[name].as_str().unwrap_or_default().to_owned();
        let fine = json!({ "userErrors": [] });
        match operation {
            "Shop" => {
                let scopes: Vec<_> =
                    self.scopes.iter().map(|scope| json!({ "handle": scope })).collect();
                json!({ "currentAppInstallation": { "accessScopes": scopes },
                    "shop": { "myshopifyDomain": self.name, "currencyCode": "EUR",
                        "ianaTimezone": "Europe/Madrid", "primaryDomain": { "host": "casa.example" } } })
            }
            "Webhooks" => {
                let node = |(id, topic, uri): &(String, String, String)| json!({ "id": id, "topic": topic, "uri": uri });
                let nodes: Vec<_> = self.hooks.iter().map(node).collect();
                json!({ "webhookSubscriptions": { "nodes": nodes,
                    "pageInfo": { "hasNextPage": false, "endCursor": null } } })
            }
            "WebhookCreate" => {
                let (topic, uri) = (text("topic"), text("uri"));
                if self.hooks.iter().any(|(_, t, u)| (t, u) == (&topic, &uri)) {
                    return json!({ "webhookSubscriptionCreate": { "userErrors": [
                        { "field": null, "message": "Address for this topic has already been taken" }] } });
                }
                self.made += 1;
                self.hooks.push((
                    format!("gid://shopify/WebhookSubscription/{}", self.made),
                    topic,
                    uri,
                ));
                json!({ "webhookSubscriptionCreate": fine })
            }
            "WebhookMove" => {
                let id = text("id");
                let hook = self.hooks.iter_mut().find(|(of, ..)| *of == id).unwrap();
                hook.2 = variables["uri"].as_str().unwrap().to_owned();
                json!({ "webhookSubscriptionUpdate": fine })
            }
            "WebhookDelete" => {
                self.hooks.retain(|(of, ..)| *of != text("id"));
                json!({ "webhookSubscriptionDelete": fine })
            }
            "Collection" => {
                let by = |name: &str| variables["identifier"][name].as_str().map(str::to_owned);
                let gid = |id: &u64| Some(format!("gid://shopify/Collection/{id}"));
                let one = self.collections.iter().find(|(handle, id, ..)| {
                    by("handle").as_ref() == Some(handle) || by("id") == gid(id)
                });
                let Some((handle, id, title, products)) = one else {
                    return json!({ "collectionByIdentifier": null });
                };
                let mut products = products.clone();
                products.sort_unstable();
                let after: u64 = text("after").parse().unwrap_or(0);
                let rest: Vec<u64> = products.iter().copied().filter(|id| *id > after).collect();
                let some = &rest[..rest.len().min(self.page)];
                let node = |id: &u64| json!({ "legacyResourceId": id.to_string() });
                json!({ "collectionByIdentifier": { "legacyResourceId": id.to_string(),
                    "title": title, "handle": handle, "productsCount": { "count": products.len() },
                    "products": { "nodes": some.iter().map(node).collect::<Vec<_>>(), "pageInfo": {
                        "hasNextPage": some.len() < rest.len(),
                        "endCursor": some.last().map(u64::to_string) } } } })
            }
            // It has no orders: what follows a first connection finds none.
            "OrdersCount" => json!({ "ordersCount": { "count": 0, "precision": "EXACT" } }),
            "OrdersPage" | "OrderIds" => json!({ "orders": { "nodes": [],
                "pageInfo": { "hasNextPage": false, "endCursor": null } } }),
            other => panic!("a small shop doesn't know {other}"),
        }
    }
}
