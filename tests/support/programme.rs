//! A brand with one of everything, and what must hold of its books at any time.

use super::*;

/// A brand with a store, a creator and a deal at 10 %, and what names them.
pub struct Programme {
    pub key: String,
    pub brand: Value,
    pub store: String,
    pub creator: String,
    pub campaign: String,
    pub deal: String,
}

pub const SECRET: &str = "shpss_hush";

impl Programme {
    pub async fn new(product: &Product) -> Self {
        Self::with(product, "USD", "10").await
    }

    pub async fn with(product: &Product, currency: &str, percent: &str) -> Self {
        let made = product
            .call(
                "POST",
                "/v1/brands",
                Some(json!({ "name": "Casa", "currency": currency,
                    "homepage_url": "https://casa.example", "owner_email": "owner@casa.example" })),
                OPERATOR,
            )
            .await
            .expect(201);
        let key = made["api_key"].as_str().unwrap().to_owned();
        let post = async |path: &str, body: Value| {
            product.call("POST", path, Some(body), &key).await.expect(201)
        };
        let id = |json: &Value| json["id"].as_str().unwrap().to_owned();
        let store = id(&post(
            "/v1/stores",
            json!({ "platform": "shopify", "shop_domain": "casa.myshopify.com",
                "storefront_url": "https://shop.casa.example", "client_id": "client", "client_secret": SECRET }),
        )
        .await);
        let creator = id(&post(
            "/v1/creators",
            json!({ "name": "Anna", "handle": "@anna.home", "email": "anna@creator.example" }),
        )
        .await);
        let campaign = id(&post("/v1/campaigns", json!({ "name": "Autumn" })).await);
        let deal = id(&post(
            "/v1/deals",
            json!({ "creator_id": creator, "campaign_id": campaign, "commission_percent": percent,
                "starts_at": "2026-01-01T00:00:00Z" }),
        )
        .await);
        Self { brand: made["brand"].clone(), key, store, creator, campaign, deal }
    }

    pub async fn post(&self, product: &Product, path: &str, body: Value) -> Answer {
        product.call("POST", path, Some(body), &self.key).await
    }

    pub async fn get(&self, product: &Product, path: &str) -> Value {
        product.call("GET", path, None, &self.key).await.expect(200)
    }

    /// A deal with another creator, and a code of it.
    pub async fn rival(&self, product: &Product, code: &str) -> (String, String) {
        let creator = self
            .post(
                product,
                "/v1/creators",
                json!({ "name": "Berta", "handle": format!("berta-{code}") }),
            )
            .await
            .expect(201);
        let deal = self
            .post(
                product,
                "/v1/deals",
                json!({ "creator_id": creator["id"], "campaign_id": self.campaign,
                    "commission_percent": "20", "starts_at": "2026-01-01T00:00:00Z" }),
            )
            .await
            .expect(201);
        let deal = deal["id"].as_str().unwrap().to_owned();
        self.post(
            product,
            &format!("/v1/deals/{deal}/codes"),
            json!({ "code": code, "create_in_store": false }),
        )
        .await
        .expect(201);
        (deal, creator["id"].as_str().unwrap().to_owned())
    }

    pub async fn deliver(&self, product: &Product, body: &Value) -> u16 {
        product.deliver(&self.store, SECRET, body.to_string().as_bytes()).await
    }

    /// The balances in one currency.
    pub async fn balance(&self, product: &Product, creator: &str, currency: &str) -> Value {
        let all = self.get(product, &format!("/v1/creators/{creator}/balances")).await;
        let rows = all["data"].as_array().unwrap();
        rows.iter().find(|row| row["currency"] == currency).cloned().unwrap_or(Value::Null)
    }

    /// The one order with this platform id.
    pub async fn order(&self, product: &Product, external_id: u64) -> Value {
        let found = self.get(product, &format!("/v1/orders?external_id={external_id}")).await;
        assert_eq!(found["data"].as_array().unwrap().len(), 1, "{found}");
        found["data"][0].clone()
    }

    /// The books can be rebuilt from an export. (Exports are limited: a test that asks too often has
    /// been told enough.)
    pub async fn audit(&self, product: &Product) {
        let export = product.call("GET", "/v1/ledger/export", None, &self.key).await;
        if export.status == 429 {
            return;
        }
        assert_eq!(export.status, 200, "{}", export.text);
        let mut audit = tributary::audit::Audit::default();
        let found = export.text.lines().try_for_each(|line| audit.line(line));
        let found = found.and_then(|()| audit.end());
        let report = found.unwrap_or_else(|found| panic!("{found:?}\n{}", export.text));
        assert_eq!(report.given, 0, "{report:?}");
    }

    /// Once whoever reads them has brought them up to date, totals are the sums of the days.
    async fn verify_totals(&self, product: &Product) {
        for row in product.db.rows("SELECT id FROM brands") {
            let brand = row["id"].as_str().unwrap().parse().unwrap();
            tributary::storage::ranks::catch_up(&product.db, brand).await.unwrap();
        }
        let sums =
            "sum(orders) AS orders, sum(base_minor) AS base, sum(commission_minor) AS commission";
        let month = "strftime('%Y', day * 86400, 'unixepoch') * 12 + strftime('%m', day * 86400, 'unixepoch') - 1";
        let days = format!(
            "SELECT deal_id, currency, 0 AS period, {sums} FROM deal_days GROUP BY 1, 2
             UNION ALL SELECT deal_id, currency, {month}, {sums} FROM deal_days GROUP BY 1, 2, 3"
        );
        let totals = "SELECT deal_id, currency, period, orders, base_minor, commission_minor FROM deal_totals
             WHERE orders + base_minor + commission_minor > 0";
        for (some, others) in
            [(days.as_str(), totals), (totals, &format!("SELECT * FROM ({days})"))]
        {
            let more = format!("SELECT * FROM ({some}) EXCEPT SELECT * FROM ({others})");
            let more = product.db.rows(&format!("SELECT * FROM ({more}) WHERE orders <> 0"));
            assert_eq!(more, Vec::<Value>::new(), "totals are the sums of the days");
        }
    }

    /// Everything that must hold of the books at any time.
    pub async fn verify(&self, product: &Product) {
        let found = self.get(product, "/v1/ledger/verification").await;
        for (currency, sum) in found["sums"].as_object().unwrap() {
            assert!(
                sum.as_str().unwrap().bytes().all(|b| b == b'0' || b == b'.'),
                "{currency}: {sum}"
            );
        }
        assert_eq!(found["balances_match"], true, "{found}");
        assert_eq!(found["chain_intact"], true, "{found}");
        self.audit(product).await;
        assert_eq!(
            product.db.rows("SELECT deal_id, day, currency, orders, base_minor, commission_minor FROM deal_days WHERE orders <> 0 OR base_minor <> 0 OR commission_minor <> 0 ORDER BY deal_id, day, currency"),
            product.db.fold_of_orders(),
            "the days of deals are the fold of their orders"
        );
        self.verify_totals(product).await;
        let method = "coalesce(json_extract(decision, '$.winner.method'), '')";
        let of = |methods: &str| {
            format!(
                "sum(({method} IN ({methods})) * (state <> 'cancelled')), sum(({method} IN ({methods})) * base_minor), sum(({method} IN ({methods})) * commission_minor)"
            )
        };
        let differ = format!("SELECT * FROM (SELECT deal_id, day, currency, code_orders, code_base_minor, code_commission_minor, link_orders, link_base_minor, link_commission_minor FROM deal_days
            EXCEPT SELECT deal_id, placed_day, currency, {}, {} FROM orders WHERE deal_id IS NOT NULL GROUP BY deal_id, placed_day, currency)
            WHERE (deal_id, day, currency) IN (SELECT deal_id, placed_day, currency FROM orders) OR code_orders <> 0 OR code_base_minor <> 0 OR code_commission_minor <> 0 OR link_orders <> 0 OR link_base_minor <> 0 OR link_commission_minor <> 0", of("'code'"), of("'link', 'journey'"));
        assert_eq!(
            product.db.rows(&differ),
            Vec::<Value>::new(),
            "what codes and links brought is the fold of their orders"
        );
    }
}
