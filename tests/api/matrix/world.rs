//! The brand that everything is asked of, and a call for each operation.

use super::*;

/// A brand with one of everything.
pub(super) struct Brand {
    pub(super) id: String,
    pub(super) key: String,
    pub(super) store: String,
    /// A store on GoAffPro, with an affiliate of the id 7.
    pub(super) goaffpro: String,
    pub(super) creator: String,
    pub(super) campaign: String,
    pub(super) deal: String,
    pub(super) neighbour: String,
    pub(super) link: String,
    pub(super) group: String,
    pub(super) code: String,
    pub(super) order: String,
    pub(super) quarantined: String,
    pub(super) key_id: String,
    pub(super) template: String,
    pub(super) term_template: String,
    pub(super) sequence: String,
    pub(super) payout: String,
    pub(super) line: String,
    pub(super) claim: String,
    pub(super) post: String,
    pub(super) fee: String,
    pub(super) note: String,
    pub(super) follow_up: String,
    pub(super) cost: String,
    pub(super) field: String,
    pub(super) endpoint: String,
    pub(super) automation: String,
    pub(super) run: String,
    pub(super) owner: Member,
    pub(super) manager: Member,
    pub(super) viewer: Member,
    /// Its creator, signed in, and by her token.
    pub(super) signed_in: Browser,
    pub(super) token: String,
}

pub(super) fn id(json: &Value) -> String {
    json["id"].as_str().unwrap().to_owned()
}

impl Brand {
    pub(super) async fn new(product: &Product, word: &str, seed: u8) -> Self {
        let owner_mail = format!("{word}-owner@casa.example");
        let body = json!({ "name": format!("{word} brand"), "currency": "USD",
            "homepage_url": format!("https://{word}.example"), "owner_email": owner_mail });
        let made = product.call("POST", "/v1/brands", Some(body), OPERATOR).await.expect(201);
        let key = made["api_key"].as_str().unwrap().to_owned();
        let post = async |path: &str, body: Value| {
            product.call("POST", path, Some(body), &key).await.expect(201)
        };
        let shop = format!("{word}.myshopify.com");
        let store = id(&post(
            "/v1/stores",
            json!({ "platform": "shopify", "shop_domain": shop,
            "storefront_url": format!("https://shop.{word}.example"), "client_id": word,
            "client_secret": SECRET }),
        )
        .await);
        let goaffpro = id(&post(
            "/v1/stores",
            json!({ "platform": "goaffpro", "storefront_url": format!("https://gap.{word}.example"),
                "access_token": word }),
        )
        .await);
        crate::api::goaffpro::affiliate(product, &id(&made["brand"]), &goaffpro, 7, word);
        let hook = json!({ "url": format!("https://hooks.{word}.example/"), "description": word });
        let endpoint = id(&post("/v1/webhook-endpoints", hook).await["endpoint"]);
        let creator = json!({ "name": format!("{word} Anna"), "handle": format!("{word}-anna"),
            "email": format!("{word}-anna@creator.example"), "niche": word, "tags": [word] });
        let creator = id(&post("/v1/creators", creator).await);
        let campaign = json!({ "name": format!("{word} autumn"), "stages": [word] });
        let campaign = id(&post("/v1/campaigns", campaign).await);
        let deal = async |creator: &str, code: &str| {
            let body = json!({ "creator_id": creator, "campaign_id": campaign,
                "commission_percent": "10", "starts_at": "2026-01-01T00:00:00Z" });
            let deal = id(&post("/v1/deals", body).await);
            let links = format!("/v1/deals/{deal}/links");
            let link =
                id(&post(&links, json!({ "slug": code, "target": format!("/{code}") })).await);
            let codes = format!("/v1/deals/{deal}/codes");
            post(&codes, json!({ "code": code, "create_in_store": false })).await;
            (deal, link)
        };
        let other = json!({ "name": format!("{word}-neighbour"), "handle": format!("{word}-neighbour"),
            "email": format!("{word}-neighbour@creator.example") });
        let other = id(&post("/v1/creators", other).await);
        let (neighbour, _) = deal(&other, &format!("{word}-neighbour")).await;
        // Who signs in has no use for a token: another creator has one.
        let body = json!({ "name": format!("{word} api"), "handle": format!("{word}-api") });
        let by_token = id(&post("/v1/creators", body).await);
        let (token_deal, _) = deal(&by_token, &format!("{word}-api")).await;
        let (deal, link) = deal(&creator, &format!("{word}-code")).await;
        for (number, code) in [(1, "code"), (2, "neighbour")] {
            let mut body = coded(order(u64::from(seed) * 10 + number), &format!("{word}-{code}"));
            body["name"] = json!(format!("#{word}-{code}"));
            let bytes = body.to_string().into_bytes();
            assert_eq!(product.deliver(&store, SECRET, &bytes).await, 200);
        }
        assert_eq!(product.deliver(&store, SECRET, b"not json").await, 200);
        let get = async |path: &str| product.call("GET", path, None, &key).await.expect(200);
        let order = id(&get(&format!("/v1/orders?deal_id={deal}")).await["data"][0]);
        let quarantined = id(&get("/v1/quarantine").await["data"][0]);
        let code = id(&get(&format!("/v1/codes?deal_id={deal}")).await["data"][0]);
        let group = json!({ "name": word, "mode": "one_discount",
            "discount": { "kind": "percentage", "percent": "10" } });
        let group = id(&post("/v1/affiliate-groups", group).await);
        let template = json!({ "name": word, "subject": word, "text": word });
        let template = id(&post("/v1/message-templates", template).await);
        let terms =
            json!({ "name": word, "terms": { "commission_percent": "10" }, "contract": word });
        let term_template = id(&post("/v1/term-templates", terms).await);
        let sequence = json!({ "name": word, "steps": [{ "template_id": template }] });
        let sequence = id(&post("/v1/sequences", sequence).await);
        // It ran once; that it failed is made up, so that it can be tried again.
        let automation = json!({ "name": word, "trigger": { "on": "stage_entered", "stage": word },
            "steps": [{ "do": "add_tags", "tags": [word] }] });
        let automation = id(&post("/v1/automations", automation).await);
        let moved = json!({ "creator_id": other, "campaign_id": campaign });
        post("/v1/deals", moved).await;
        let runs = format!("/v1/automations/{automation}/runs");
        let run = id(&product.call("GET", &runs, None, &key).await.expect(200)["data"][0]);
        let failed =
            "UPDATE automation_runs SET state = 'failed', due_at_ms = NULL, ended_at_ms = 1";
        product.db.execute(failed).unwrap();
        let spare = post("/v1/keys", json!({ "name": word, "scopes": ["read"] })).await;
        let invite = async |role: &str, seed: u8| {
            let email = format!("{word}-{role}@casa.example");
            post("/v1/members", json!({ "email": email, "role": role })).await;
            Member::joins(product, &email, seed).await
        };
        let accepted = async |deal: &str| {
            let invitation = format!("/v1/deals/{deal}/invitation");
            let made = product.call("POST", &invitation, None, &key).await.expect(201);
            made["url"].as_str().unwrap().split_once('#').unwrap().1.to_owned()
        };
        let signed_in = Browser::default();
        signed_in.sign_in(product, json!({ "invitation": accepted(&deal).await })).await;
        let token = json!({ "token": accepted(&token_deal).await });
        let token = product.call("POST", "/v1/invitations/acceptance", Some(token), "").await;
        let access = token.expect(201)["access_token"].as_str().unwrap().to_owned();
        let details = json!({ "method": "paypal", "email": format!("{word}@pay.example") });
        let put = product.call("PUT", "/v1/me/payment-details", Some(details), &access).await;
        put.expect(200);
        let claim = Some(json!({ "order_number": format!("{word}-code"), "note": word }));
        let claim = product.call("POST", "/v1/me/claims", claim, &access).await.expect(201);
        let published = json!({ "platform": "blog", "url": format!("https://{word}.example/p"),
            "published_at": "2026-10-01T00:00:00Z" });
        let published = post(&format!("/v1/deals/{token_deal}/posts"), published).await;
        let fee = json!({ "amount": { "amount": "5.00", "currency": "USD" }, "note": word });
        let pay = async |path: &str, body: Value| {
            crate::api::payouts::pay(product, &key, path, path, body).await.expect(201)
        };
        pay(&format!("/v1/deals/{token_deal}/fees"), fee.clone()).await;
        let mut planned = fee;
        planned["due_on"] = json!("2027-01-01");
        let planned = pay(&format!("/v1/deals/{deal}/fees"), planned).await;
        let cost = json!({ "product": { "amount": "5.00", "currency": "USD" }, "note": word });
        let cost = id(&pay(&format!("/v1/deals/{deal}/costs"), cost).await);
        let note = post(&format!("/v1/deals/{deal}/notes"), json!({ "text": word })).await;
        let follow_up = json!({ "text": word, "due_on": "2026-12-01" });
        let follow_up = post(&format!("/v1/deals/{deal}/follow-ups"), follow_up).await;
        let field = post("/v1/creator-fields", json!({ "name": word, "kind": "text" })).await;
        let payout = pay("/v1/payouts", json!({ "currency": "USD" })).await;
        Self {
            id: id(&made["brand"]),
            payout: id(&payout),
            line: id(&payout["lines"][0]),
            claim: id(&claim),
            post: id(&published),
            fee: id(&planned),
            note: id(&note),
            follow_up: id(&follow_up),
            cost,
            field: id(&field),
            endpoint,
            automation,
            run,
            store,
            goaffpro,
            creator,
            campaign,
            neighbour,
            link,
            group,
            code,
            order,
            quarantined,
            key_id: id(&spare["key"]),
            template,
            term_template,
            sequence,
            owner: Member::joins(product, &owner_mail, seed).await,
            manager: invite("manager", seed + 1).await,
            viewer: invite("viewer", seed + 2).await,
            signed_in,
            token: access,
            key,
            deal,
        }
    }

    /// The route with this brand's things in it, and a body that would do.
    pub(super) fn call(&self, route: &str, method: &str) -> (String, Option<Value>) {
        let of = match route {
            r if r.starts_with("/v1/brands/") => &self.id,
            r if r.starts_with("/v1/payouts/") => &self.payout,
            r if r.starts_with("/v1/keys/") => &self.key_id,
            r if r.starts_with("/v1/members/") => &self.viewer.id,
            "/v1/stores/{id}" => &self.store,
            r if r.starts_with("/v1/stores/") => &self.goaffpro,
            r if r.starts_with("/v1/quarantine/") => &self.quarantined,
            r if r.starts_with("/v1/creator-fields/") => &self.field,
            r if r.starts_with("/v1/creators/") => &self.creator,
            r if r.starts_with("/v1/campaigns/") => &self.campaign,
            r if r.starts_with("/v1/links/") => &self.link,
            r if r.starts_with("/v1/affiliate-groups/") => &self.group,
            r if r.starts_with("/v1/codes/") => &self.code,
            r if r.starts_with("/v1/orders/") => &self.order,
            r if r.starts_with("/v1/claims/") => &self.claim,
            r if r.starts_with("/v1/message-templates/") => &self.template,
            r if r.starts_with("/v1/term-templates/") => &self.term_template,
            r if r.starts_with("/v1/sequences/") => &self.sequence,
            r if r.starts_with("/v1/posts/") || r.starts_with("/v1/me/posts/") => &self.post,
            r if r.starts_with("/v1/webhook-endpoints/") => &self.endpoint,
            "/v1/automations/templates" => &self.endpoint,
            r if r.starts_with("/v1/automations/") => &self.automation,
            r if r.starts_with("/v1/automation-runs/") => &self.run,
            _ => &self.deal,
        };
        let mut body = match (method, route) {
            ("get" | "delete", _) => None,
            (_, "/v1/deals") => {
                Some(json!({ "creator_id": self.creator, "campaign_id": self.campaign }))
            }
            (_, "/v1/deals/{id}") => Some(json!({ "tags": ["stolen"] })),
            (_, "/v1/creators/import") => Some(json!("handle\nstolen\n")),
            (_, "/v1/deals/import") => {
                Some(json!(format!("creator_id,campaign_id\n{},{}\n", self.creator, self.campaign)))
            }
            (_, "/v1/codes/import") => Some(json!(format!("code,deal_id\nSTOLEN,{}\n", self.deal))),
            (_, "/v1/posts/import") => Some(json!(format!(
                "deal_id,platform,url,published_at\n{},tiktok,https://tiktok.com/@x/1,2026-10-01\n",
                self.deal
            ))),
            (_, "/v1/goaffpro/import") => Some(json!("email\nstolen@evil.example\n")),
            (_, "/v1/deals/{id}/move") => Some(json!({ "stage": CANARY })),
            (_, "/v1/deals/{id}/costs") => {
                Some(json!({ "product": { "amount": "1.00", "currency": "USD" } }))
            }
            (_, "/v1/deals/{id}/notes" | "/v1/deals/{id}/notes/{note_id}") => {
                Some(json!({ "text": "stolen" }))
            }
            (_, "/v1/deals/{id}/follow-ups") => {
                Some(json!({ "text": "stolen", "due_on": "2026-12-01" }))
            }
            (_, "/v1/deals/{id}/follow-ups/{follow_up_id}") => Some(json!({ "done": true })),
            (_, "/v1/creators/{id}") => Some(json!({ "name": "stolen" })),
            (_, "/v1/creators/{id}/merge") => Some(json!({ "from_id": self.creator })),
            (_, "/v1/creator-fields") => Some(json!({ "name": "x", "kind": "text" })),
            (_, "/v1/creator-fields/{id}") => Some(json!({ "name": "stolen" })),
            (_, "/v1/campaigns/{id}") => Some(json!({ "name": "stolen" })),
            (_, "/v1/campaigns/{id}/stages") => Some(json!({ "change": "add", "stage": "stolen" })),
            (_, "/v1/deals/{id}/terms") => Some(json!({ "commission_percent": "99" })),
            (_, "/v1/deals/{id}/collaboration") => {
                Some(json!({ "terms": { "commission_percent": "99" } }))
            }
            (_, "/v1/deals/{id}/offers") => {
                Some(json!({ "terms": { "commission_percent": "99" } }))
            }
            (_, "/v1/me/deals/{id}/requests") => Some(json!({ "commission_percent": "99" })),
            (_, "/v1/me/offers/{id}/decision" | "/v1/offers/{id}/decision") => {
                Some(json!({ "outcome": "declined" }))
            }
            (_, "/v1/bulk-actions") => Some(json!({ "preview": true, "deal_ids": [self.deal],
                "action": { "do": "add_tags", "tags": ["stolen"] } })),
            (_, "/v1/terms/bulk") => Some(json!({ "terms": { "commission_percent": "99" } })),
            (_, "/v1/segments") => Some(json!({ "name": "x", "filter": "invited" })),
            (_, "/v1/segments/{id}") => Some(json!({ "name": "stolen" })),
            (_, "/v1/message-templates") => {
                Some(json!({ "name": "x", "subject": "x", "text": "x" }))
            }
            (_, "/v1/term-templates") => {
                Some(json!({ "name": "x", "terms": { "commission_percent": "99" } }))
            }
            (_, "/v1/term-templates/{id}") => Some(json!({ "name": "stolen" })),
            (_, "/v1/message-templates/{id}") => Some(json!({ "name": "stolen" })),
            (_, "/v1/message-templates/{id}/preview") => Some(json!({ "deal_id": self.deal })),
            (_, "/v1/messages/preview") => {
                Some(json!({ "deal_id": self.deal, "subject": "x", "text": "x" }))
            }
            (_, "/v1/deals/{id}/messages") => Some(json!({ "subject": "x", "text": "x" })),
            (_, "/v1/outreach-settings") => Some(json!({ "daily_limit": 1 })),
            (_, "/v1/sequences") => {
                Some(json!({ "name": "x", "steps": [{ "template_id": self.template }] }))
            }
            (_, "/v1/automations") => Some(json!({ "name": "x", "trigger": { "on": "invited" },
                "steps": [{ "do": "webhook" }] })),
            (_, "/v1/automations/templates") => Some(json!({ "template": "no_sale" })),
            (_, "/v1/automations/{id}") => Some(json!({ "name": "x" })),
            (_, "/v1/automations/{id}/try") => Some(json!({ "deal_id": self.deal })),
            (_, "/v1/deals/{id}/sequences") => Some(json!({ "sequence_id": self.sequence })),
            (_, "/v1/tiers") => Some(json!({ "metric": "orders", "period": "all", "levels":
                [{ "name": "x", "threshold": "1", "commission_percent": "99" }] })),
            (_, "/v1/deals/{id}/codes") => {
                Some(json!({ "code": "STOLEN", "create_in_store": false }))
            }
            (_, "/v1/affiliate-groups") => Some(json!({ "name": "x", "mode": "one_discount",
                "discount": { "kind": "percentage", "percent": "99" } })),
            (_, "/v1/affiliate-groups/{id}") => Some(json!({ "name": "stolen" })),
            (_, "/v1/affiliate-groups/{id}/codes") => Some(json!({ "deal_ids": [self.deal] })),
            (_, "/v1/codes/{id}") => Some(json!({ "state": "deactivated" })),
            (_, "/v1/deals/{id}/links") => Some(json!({ "slug": "stolen" })),
            (_, "/v1/links/{id}") => Some(json!({ "state": "closed" })),
            (_, "/v1/conversions") => Some(json!({ "store_id": self.store, "external_id": CANARY,
                "currency": "USD", "amount": "1" })),
            (_, "/v1/conversions/{external_id}/refunds") => Some(json!({ "store_id": self.store,
                "id": "r", "currency": "USD", "amount": "1" })),
            (_, "/v1/stores/{id}") => Some(json!({ "client_secret": "stolen" })),
            (_, "/v1/stores/{id}/backfill") => Some(json!({})),
            (_, "/v1/stores/{id}/goaffpro") => Some(json!({ "ref_parameter": "stolen" })),
            (_, "/v1/stores/{id}/affiliates/{affiliate_id}/assignment") => {
                Some(json!({ "deal_id": self.deal }))
            }
            (_, "/v1/stores/{id}/comparison/{external_id}") => {
                Some(json!({ "another_order": true }))
            }
            (_, "/v1/deals/{id}/affiliate") => Some(json!({ "store_id": self.goaffpro })),
            (_, "/v1/members/{id}") => Some(json!({ "role": "owner" })),
            (_, "/v1/members") => Some(json!({ "email": "e@evil.example", "role": "owner" })),
            (_, "/v1/keys") => Some(json!({ "name": "k", "scopes": ["read"] })),
            (_, "/v1/webhook-endpoints") => Some(json!({ "url": "https://evil.example/" })),
            (_, "/v1/webhook-endpoints/{id}") => Some(json!({ "url": "https://evil.example/" })),
            (_, "/v1/brand") => Some(json!({ "hold_days": 0 })),
            (_, "/v1/creators") => Some(json!({ "name": "x", "handle": "x" })),
            (_, "/v1/campaigns") => Some(json!({ "name": "x" })),
            (_, "/v1/brands/{id}/keys") => Some(json!({ "name": "k" })),
            (_, "/v1/people/erasure") => Some(json!({ "email": "former@casa.example" })),
            (_, "/v1/people/reset") => Some(json!({ "email": self.owner.email })),
            (_, "/v1/brands/{id}/owners") => Some(json!({ "email": "e@evil.example" })),
            (_, "/v1/deals/{id}/fees") => {
                Some(json!({ "amount": { "amount": "1.00", "currency": "USD" } }))
            }
            (_, "/v1/creators/{id}/adjustments") => {
                Some(json!({ "amount": { "amount": "1.00", "currency": "USD" }, "reason": CANARY }))
            }
            (_, "/v1/simulations") => {
                Some(json!({ "changes": { "terms": { "commission_percent": "99" } } }))
            }
            (_, "/v1/orders/{id}/move") => Some(json!({ "deal_id": null, "reason": CANARY })),
            (_, "/v1/orders/{id}/disputes") => Some(json!({ "state": "lost" })),
            (_, "/v1/claims/{id}/decision") => Some(json!({ "outcome": "granted" })),
            (_, "/v1/deals/{id}/posts" | "/v1/me/posts") => Some(json!({ "platform": "blog",
                "url": "https://evil.example/p", "published_at": "2026-10-01T00:00:00Z" })),
            (_, "/v1/posts/{id}") => Some(json!({ "state": "removed" })),
            (_, "/v1/posts/{id}/metrics" | "/v1/me/posts/{id}/metrics") => {
                Some(json!({ "likes": 1 }))
            }
            (_, "/v1/media-formulas") => Some(json!({ "default": { "measure": "views",
                "cpm": { "amount": "1.00", "currency": "USD" } } })),
            (_, "/v1/me/claims") => Some(json!({ "order_number": "x" })),
            (_, "/v1/me/links") => Some(json!({ "slug": "stolen" })),
            (_, "/v1/payouts") => Some(json!({ "currency": "USD" })),
            (_, "/v1/payouts/{id}/settlement") => Some(json!({ "outcome": "failed" })),
            (_, "/v1/payouts/{id}/lines/{line_id}/settlement") => {
                Some(json!({ "outcome": "failed" }))
            }
            (_, "/v1/brand/payout-provider") => Some(
                json!({ "provider": "paypal", "client_id": "stolen", "client_secret": "stolen" }),
            ),
            (_, "/v1/me/payment-details") => {
                Some(json!({ "method": "paypal", "email": "thief@evil.example" }))
            }
            _ => Some(json!({})),
        };
        if matches!(route, "/v1/me/posts" | "/v1/me/links") && method == "post" {
            body = body.map(|mut body| {
                body["deal_id"] = json!(self.deal);
                body
            });
        }
        let path = route.replace("{id}", of).replace("{line_id}", &self.line);
        let first = self.id.replace("brand_", "evt_") + "_1";
        let path = path.replace("{fee_id}", &self.fee).replace("{external_id}", CANARY);
        let path = path.replace("{note_id}", &self.note).replace("{cost_id}", &self.cost);
        let path = path.replace("{follow_up_id}", &self.follow_up);
        let path = path.replace("{delivery_id}", &first);
        let query = match route {
            "/v1/goaffpro/import" => {
                format!("?kind=affiliates&hash=x&campaign_id={}", self.campaign)
            }
            r if r.ends_with("/import") => "?hash=x".to_owned(),
            _ => String::new(),
        };
        (path.replace("{affiliate_id}", "7") + &query, body)
    }
}

/// Someone who calls.
pub(super) enum Who<'a> {
    Bearer(&'a str),
    Person(&'a Browser),
}

impl Who<'_> {
    pub(super) async fn call(
        &self,
        product: &Product,
        method: &str,
        path: &str,
        body: Option<Value>,
    ) -> Answer {
        match self {
            Self::Bearer(token) => {
                let mut request = http::Request::builder().method(method).uri(path);
                request = request.header("idempotency-key", "k");
                if !token.is_empty() {
                    request = request.header("authorization", format!("Bearer {token}"));
                }
                let (content_type, body) = sent(body);
                if !body.is_empty() {
                    request = request.header("content-type", content_type);
                }
                product.raw(request.body(body).unwrap()).await
            }
            Self::Person(browser) => {
                let headers = [("sec-fetch-site", "same-origin"), ("idempotency-key", "k")];
                browser.send_with(product, method, path, body, &headers).await
            }
        }
    }
}
