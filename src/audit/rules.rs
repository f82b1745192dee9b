//! What decided orders, at any version: the journal of an export, and what a decision was made from.

use std::collections::HashMap;

use serde_json::{Value, json};

use crate::domain::collection::Span;
use crate::domain::ingest::{FoundGenuine, Loaded};
use crate::domain::order::Evidence;
use crate::domain::time::Millis;
use crate::storage::Rows;
use crate::storage::order_facts::{Named, loaded};

/// A value with the version since which it holds.
type Versions = Vec<(i64, Value)>;

/// The journal.
#[derive(Default)]
pub struct Rules {
    /// Complete up to here.
    pub version: i64,
    /// Where it begins.
    pub first: Option<i64>,
    values: HashMap<(String, String), Versions>,
    /// Terms by deal, rules of the brand, links by slug: what is looked for otherwise than by id.
    terms: HashMap<String, Versions>,
    slugs: HashMap<String, Versions>,
    starts: Vec<String>,
    zones: Vec<String>,
    spans: Vec<Span>,
}

impl Rules {
    /// Takes a line of the journal in; they come in the order of their versions.
    pub fn take(&mut self, version: i64, kind: &str, id: &str, value: Value) {
        self.first.get_or_insert(version);
        let text = |name: &str| value[name].as_str().unwrap_or_default().to_owned();
        match kind {
            "terms" => self.terms.entry(text("deal")).or_default().push((version, value.clone())),
            "link" if !value.is_null() => {
                let slug = self.slugs.entry(text("slug_key")).or_default();
                slug.push((version, id.into()));
            }
            "rules" if !self.starts.iter().any(|start| start == id) => {
                self.starts.push(id.to_owned());
            }
            "collection" => self.collection(id, &value),
            "brand" => self.zones.push(text("timezone")),
            _ => (),
        }
        let key = (kind.to_owned(), id.to_owned());
        self.values.entry(key).or_default().push((version, value));
    }

    /// Products come into a collection and leave it.
    fn collection(&mut self, id: &str, value: &Value) {
        let (Ok(collection), Some(from_ms)) = (id.parse(), value["from_ms"].as_i64()) else {
            return;
        };
        let products = |name: &str| {
            value[name]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(Value::as_u64)
                .collect::<Vec<_>>()
        };
        let removed = products("removed");
        let of = |span: &&mut Span| span.collection == collection && span.to_ms.is_none();
        for span in self.spans.iter_mut().filter(of) {
            if removed.contains(&span.product) {
                span.to_ms = Some(from_ms);
            }
        }
        let added = products("added");
        let span = |product| Span { collection, product, from_ms, to_ms: None };
        self.spans.extend(added.into_iter().map(span));
    }

    /// When products were in collections, as far as the journal was read.
    #[must_use]
    pub fn spans(&self) -> &[Span] {
        &self.spans
    }

    fn at(&self, kind: &str, id: &str, version: i64) -> Option<&Value> {
        let versions = self.values.get(&(kind.to_owned(), id.to_owned()))?;
        let value = versions.iter().rev().find(|(since, _)| *since <= version);
        value.map(|(_, value)| value).filter(|value| !value.is_null())
    }

    /// The brand's calendars so far, the latest first.
    pub fn zones(&self) -> impl Iterator<Item = &str> {
        self.zones.iter().rev().map(String::as_str)
    }

    /// Whether the brand had these earning rules at some version up to one.
    pub fn had_earning(&self, brand: &str, earning: &Value, version: i64) -> bool {
        let versions = self.values.get(&("brand".to_owned(), brand.to_owned()));
        let same = |value: &Value| {
            let count = value["count_test_orders"].as_i64().unwrap_or(0) != 0;
            value["earn_on"] == earning["earn_on"]
                && value["hold_days"] == earning["hold_days"]
                && earning["count_test_orders"] == count
        };
        versions.into_iter().flatten().any(|(since, value)| *since <= version && same(value))
    }

    fn deal(&self, id: &str, version: i64) -> Value {
        let Some(deal) = self.at("deal", id, version) else { return Value::Null };
        let mut facts = deal.clone();
        let creator = deal["creator"].as_str().unwrap_or_default();
        let hash = self.at("creator", creator, version).map(|c| c["email_hash"].clone());
        set(&mut facts, "email_hash", hash.unwrap_or_default());
        let mut terms: Vec<&Value> = self.terms.get(id).map_or(Vec::new(), |versions| {
            versions.iter().filter(|(since, _)| *since <= version).map(|(_, terms)| terms).collect()
        });
        let number = |value: &Value| value.as_i64().unwrap_or(0);
        terms.sort_by_key(|t| (number(&t["terms"]["starts_at_ms"]), number(&t["version"])));
        set(&mut facts, "terms", terms.into_iter().map(|t| t["terms"].clone()).collect());
        facts
    }

    /// With its deal in it, as the views of schema.sql tell it.
    fn with_deal(&self, kind: &str, id: &str, version: i64) -> Option<Value> {
        let mut value = self.at(kind, id, version)?.clone();
        let deal = value["deal"].as_str().unwrap_or_default().to_owned();
        set(&mut value, "deal", self.deal(&deal, version));
        (!value["deal"].is_null()).then_some(value)
    }

    /// What held at a version of what an order's evidence names.
    pub fn loaded(
        &self,
        brand: &str,
        (evidence, placed_at_ms): (&Evidence, Millis),
        clicks: &FoundGenuine<'_>,
        version: i64,
    ) -> Option<Loaded> {
        let named = Named::in_evidence(evidence, placed_at_ms, clicks);
        let mut facts = self.at("brand", brand, version)?.clone();
        set(&mut facts, "version", version.into());
        // What was counted of other orders is taken as given.
        set(&mut facts, "counts_customers", 0.into());
        set(&mut facts, "tiers", 0.into());
        let mut rules: Vec<&Value> =
            self.starts.iter().filter_map(|start| self.at("rules", start, version)).collect();
        rules.sort_by_key(|rules| rules["starts_at_ms"].as_i64());
        set(&mut facts, "rules", rules.into_iter().cloned().collect());
        let codes = named.codes().filter_map(|key| self.with_deal("code", key, version));
        let links = named.links().filter_map(|id| self.with_deal("link", &id, version));
        let slug = named.slug().and_then(|slug| self.slugs.get(slug));
        let link = slug.and_then(|ids| ids.iter().rev().find(|(since, _)| *since <= version));
        let link = link.and_then(|(_, id)| self.with_deal("link", id.as_str()?, version));
        let deals = named.deals().map(|deal| self.deal(&deal, version));
        let deals: Vec<Value> = deals.filter(|deal| !deal.is_null()).collect();
        let row = json!({ "brand": facts, "revision": null, "facts": null, "decision": null,
            "books": null, "codes": codes.collect::<Vec<_>>(), "links": links.collect::<Vec<_>>(),
            "named": link, "deals": deals });
        let (loaded, _) = loaded(&Rows(vec![row]), &named).ok()??;
        Some(loaded)
    }
}

/// Sets a field of an object; what is none (an export may say anything) stays.
fn set(object: &mut Value, name: &str, value: Value) {
    if let Some(fields) = object.as_object_mut() {
        fields.insert(name.to_owned(), value);
    }
}

/// Numbers of facts, a decision's winner or terms that were written as texts because they are large,
/// as numbers again.
pub fn unquoted(facts: &mut Value) {
    fn number(value: &mut Value) {
        if let Some(n) = value.as_str().and_then(|text| text.parse::<u64>().ok()) {
            *value = n.into();
        }
    }
    fn fields(list: &mut Value, names: &[&str]) {
        for item in list.as_array_mut().into_iter().flatten() {
            for name in names {
                if let Some(value) = item.get_mut(*name) {
                    number(value);
                }
            }
        }
    }
    for name in ["added", "removed"] {
        let products = facts.get_mut(name).and_then(Value::as_array_mut);
        products.into_iter().flatten().for_each(number);
    }
    if let Some(members) = facts.get_mut("members") {
        fields(members, &["product"]);
    }
    if let Some(rates) = facts.pointer_mut("/terms/rules/rates") {
        for products in
            rates.as_array_mut().into_iter().flatten().filter_map(|r| r.get_mut("products"))
        {
            products.as_array_mut().into_iter().flatten().for_each(number);
        }
    }
    if let Some(lines) = facts.pointer_mut("/snapshot/lines") {
        fields(lines, &["id", "product_id"]);
    }
    let all = |facts: &mut Value, name: &str, each: &dyn Fn(&mut Value)| {
        let of = facts.get_mut(name).and_then(Value::as_object_mut);
        of.into_iter().flat_map(|of| of.values_mut()).for_each(each);
    };
    all(facts, "refunds", &|refund| {
        if let Some(lines) = refund.get_mut("lines") {
            fields(lines, &["line_id"]);
        }
    });
    all(facts, "products", &|told| {
        if let Some(product) = told.get_mut(1) {
            number(product);
        }
    });
    all(facts, "edits", &|edit| {
        let deltas = edit.get_mut("deltas").and_then(Value::as_array_mut);
        for delta in deltas.into_iter().flatten() {
            if let Some(id) = delta.get_mut(0) {
                number(id);
            }
        }
    });
}
