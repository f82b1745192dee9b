//! The whole product over native SQLite: the main job, the rules of orders, bad input, failures.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::too_many_lines,
    reason = "a test stops where an expectation fails"
)]

mod support;

mod api {
    mod access;
    mod actions;
    mod at_once;
    mod automations;
    mod automations_guards;
    mod automations_hard;
    mod bad_input;
    mod bulk;
    mod code_import;
    mod codes;
    mod collections;
    mod connecting;
    mod connecting_edges;
    mod conversions;
    mod creator_pages;
    mod crm_boards;
    mod crm_creators;
    mod crm_gaps;
    mod crm_timeline;
    mod currencies;
    mod domains;
    mod exports;
    mod failures;
    mod filters;
    mod goaffpro;
    mod gone_meanwhile;
    mod imports;
    mod mail;
    mod main_job;
    mod matrix;
    mod offers;
    mod order_life;
    mod orders;
    mod outbox;
    mod outreach;
    mod pages;
    mod pages_brand;
    mod pages_bulk;
    mod pages_deal;
    mod pages_forms;
    mod pages_imports;
    mod pages_lists;
    mod pages_payouts;
    mod pages_reports;
    mod pages_settings;
    mod pages_stores;
    mod pages_terms;
    mod pages_workflows;
    mod payments;
    mod payouts;
    mod posts;
    mod privacy;
    mod proofs;
    mod reports;
    mod scenario;
    mod sign_in;
    mod simulations;
    mod sync;
    mod term_templates;
    mod terms;
    mod tiers;
    mod trail;
    mod webhooks_out;
}
