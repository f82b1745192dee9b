//! The JSON API of CONTRACT.md: the whole URL table, and a file per resource.

pub mod affiliates;
pub mod approvals;
pub mod audit;
pub mod automation_runs;
pub mod automation_templates;
pub mod automation_triggers;
pub mod automations;
pub mod board;
pub mod brand;
pub mod bulk;
pub mod bulk_preview;
pub mod bulk_terms;
pub mod by_hand;
pub mod campaigns;
pub mod claims;
pub mod code_import;
pub mod code_switch;
pub mod codes;
pub mod collaboration;
pub mod collections;
pub mod commission;
pub mod completeness;
pub mod connecting;
pub mod conversion_facts;
pub mod conversions;
pub mod costs;
pub mod creator_import;
pub mod creators;
pub mod custom;
pub mod days;
pub mod deal_import;
pub mod deals;
pub mod discounts;
pub mod docs;
pub mod domains;
pub mod export;
pub mod fees;
pub(in crate::web) mod filtering;
pub mod goaffpro;
pub mod goaffpro_import;
pub mod groups;
pub mod hooks;
pub mod import;
pub mod invitations;
pub mod keys;
pub mod links;
pub mod mails;
pub mod me;
pub mod media;
pub mod members;
pub mod merging;
pub mod messages;
pub mod money;
pub mod my_links;
pub mod my_offers;
pub mod notes;
pub mod offers;
pub mod operate;
pub mod orders;
pub mod owed;
pub mod passkeys;
pub mod payment;
pub mod payout_views;
pub mod payouts;
pub mod personal;
pub mod post_import;
pub mod posts;
pub mod privacy;
pub mod provider;
pub mod quarantine;
pub mod report_campaigns;
pub mod report_overview;
pub mod report_sources;
pub mod reports;
pub mod segments;
pub mod sequences;
pub mod settling;
pub mod sign_in;
pub mod simulations;
pub mod snippet;
pub mod statements;
pub mod stores;
pub mod templates;
pub mod term_templates;
pub mod terms;
pub mod tiers;
pub mod timeline;
pub mod view;

use super::handler::routes;

routes! {
    "/healthz" => { get: operate::health }
    "/openapi.json" => { get: docs::document }
    "/v1/status" => { get: operate::status }
    "/v1/brands" => { post: brand::create }
    "/v1/brands/{id}/keys" => { post: keys::create_for_brand }
    "/v1/brands/{id}/owners" => { post: members::invite_owner }
    "/v1/people/reset" => { post: passkeys::reset }
    "/v1/people/erasure" => { post: members::erase }
    "/v1/brand" => { get: brand::show, patch: brand::update }
    "/v1/brand/link-domain" => { get: domains::show }
    "/v1/brand/link-domain/check" => { post: domains::check }
    "/v1/brand/payout-provider" => {
        get: provider::show, put: provider::put, delete: provider::remove
    }
    "/v1/keys" => { get: keys::list, post: keys::create }
    "/v1/keys/{id}" => { get: keys::show, delete: keys::revoke }
    "/v1/members" => { get: members::list, post: members::invite }
    "/v1/members/{id}" => { get: members::show, patch: members::update, delete: members::remove }
    "/v1/audit" => { get: audit::list }
    "/v1/stores" => { get: stores::list, post: stores::create }
    "/v1/stores/{id}" => { get: stores::show, patch: stores::update }
    "/v1/stores/{id}/connection" => { post: connecting::check, delete: connecting::disconnect }
    "/v1/stores/{id}/authorization" => { post: connecting::authorize }
    "/v1/stores/{id}/collections" => { get: collections::list }
    "/v1/quarantine" => { get: quarantine::list }
    "/v1/quarantine/{id}/replay" => { post: quarantine::replay }
    "/v1/stores/{id}/backfill" => { get: completeness::show, post: completeness::begin }
    "/v1/stores/{id}/completeness" => { get: completeness::of_store }
    "/v1/stores/{id}/signing-secret" => { post: custom::rotate }
    "/v1/conversions" => { post: conversions::create }
    "/v1/conversions/{external_id}/refunds" => { post: conversions::refund }
    "/webhooks/custom/{id}/conversions" => { post: conversions::create_signed }
    "/webhooks/custom/{id}/conversions/{external_id}/refunds" => {
        post: conversions::refund_signed
    }
    "/v1/stores/{id}/snippet" => { get: snippet::show }
    "/v1/stores/{id}/goaffpro" => { get: goaffpro::show, patch: goaffpro::update }
    "/v1/stores/{id}/comparison" => { get: goaffpro::compare }
    "/v1/stores/{id}/comparison/{external_id}" => { patch: goaffpro::say }
    "/v1/stores/{id}/affiliates" => { get: affiliates::list }
    "/v1/stores/{id}/affiliates/{affiliate_id}/assignment" => {
        post: affiliates::assign, delete: affiliates::unassign
    }
    "/v1/deals/{id}/affiliate" => { get: affiliates::requests, post: affiliates::request }
    "/webhooks/goaffpro/{id}" => { post: goaffpro::hint }
    "/v1/webhook-endpoints" => { get: hooks::list, post: hooks::create }
    "/v1/webhook-endpoints/{id}" => {
        get: hooks::show, patch: hooks::update, delete: hooks::remove
    }
    "/v1/webhook-endpoints/{id}/secret" => { post: hooks::rotate }
    "/v1/webhook-endpoints/{id}/test" => { post: hooks::test }
    "/v1/webhook-endpoints/{id}/deliveries" => { get: hooks::deliveries }
    "/v1/webhook-endpoints/{id}/deliveries/{delivery_id}/resend" => { post: hooks::resend }
    "/v1/automations" => { get: automations::list, post: automations::create }
    "/v1/automations/templates" => {
        get: automation_templates::list, post: automation_templates::use_one
    }
    "/v1/automations/{id}" => {
        get: automations::show, patch: automations::update, delete: automations::remove
    }
    "/v1/automations/{id}/runs" => { get: automation_runs::of_automation }
    "/v1/automations/{id}/try" => { post: automation_runs::try_on }
    "/v1/automation-runs/{id}" => { get: automation_runs::show }
    "/v1/automation-runs/{id}/retry" => { post: automation_runs::retry }
    "/v1/deals/{id}/automation-runs" => { get: automation_runs::of_deal }
    "/v1/creators" => { get: creators::list, post: creators::create }
    "/v1/creators/import" => { post: creator_import::import }
    "/v1/creators/duplicates" => { get: merging::duplicates }
    "/v1/creators/{id}" => { get: creators::show, patch: creators::update }
    "/v1/creators/{id}/merge" => { post: merging::merge }
    "/v1/creator-fields" => { get: merging::fields, post: merging::add_field }
    "/v1/creator-fields/{id}" => { patch: merging::update_field }
    "/v1/creators/{id}/export" => { get: personal::export }
    "/v1/creators/{id}/erasure" => { post: personal::erase }
    "/v1/creators/{id}/balances" => { get: money::balances }
    "/v1/campaigns" => { get: campaigns::list, post: campaigns::create }
    "/v1/campaigns/{id}" => { get: campaigns::show, patch: campaigns::update }
    "/v1/campaigns/{id}/stages" => { post: campaigns::change_stages }
    "/v1/campaigns/{id}/board" => { get: board::show }
    "/v1/deals" => { get: deals::list, post: deals::create }
    "/v1/deals/import" => { post: deal_import::import }
    "/v1/goaffpro/import" => { post: goaffpro_import::import }
    "/v1/segments" => { get: segments::list, post: segments::create }
    "/v1/segments/{id}" => {
        get: segments::show, patch: segments::update, delete: segments::remove
    }
    "/v1/deals/{id}" => { get: deals::show, patch: deals::update }
    "/v1/deals/{id}/move" => { post: board::move_deal }
    "/v1/deals/{id}/costs" => { get: costs::list, post: costs::create }
    "/v1/deals/{id}/costs/{cost_id}/void" => { post: costs::void }
    "/v1/deals/{id}/notes" => { get: notes::list, post: notes::add }
    "/v1/deals/{id}/notes/{note_id}" => { patch: notes::update, delete: notes::remove }
    "/v1/deals/{id}/follow-ups" => { get: notes::follow_ups, post: notes::add_follow_up }
    "/v1/deals/{id}/follow-ups/{follow_up_id}" => { patch: notes::update_follow_up }
    "/v1/deals/{id}/timeline" => { get: timeline::show }
    "/v1/follow-ups" => { get: notes::across }
    "/v1/deals/{id}/terms" => { get: terms::list, post: terms::add }
    "/v1/deals/{id}/tiers" => { get: tiers::steps }
    "/v1/tiers" => { get: tiers::list, post: tiers::create }
    "/v1/tiers/{id}" => { delete: tiers::end }
    "/v1/deals/{id}/offers" => { get: offers::of_deal, post: offers::create }
    "/v1/offers" => { get: offers::list }
    "/v1/term-templates" => { get: term_templates::list, post: term_templates::create }
    "/v1/term-templates/{id}" => {
        get: term_templates::show, patch: term_templates::update, delete: term_templates::archive
    }
    "/v1/term-templates/{id}/versions" => { get: term_templates::versions }
    "/v1/offers/{id}" => { delete: offers::withdraw }
    "/v1/offers/{id}/decision" => { post: offers::decide }
    "/v1/bulk-actions" => { get: bulk::list, post: bulk::create }
    "/v1/bulk-actions/{id}" => { get: bulk::show }
    "/v1/bulk-actions/{id}/results" => { get: bulk::results }
    "/v1/bulk-actions/{id}/pause" => { post: bulk::pause }
    "/v1/bulk-actions/{id}/resume" => { post: bulk::resume }
    "/v1/bulk-actions/{id}/cancel" => { post: bulk::cancel }
    "/v1/terms/bulk" => { post: bulk_terms::change }
    "/v1/deals/{id}/links" => { post: links::add_link }
    "/v1/deals/{id}/codes" => { post: codes::add }
    "/v1/affiliate-groups" => { get: groups::list, post: groups::create }
    "/v1/affiliate-groups/{id}" => { get: groups::show, patch: groups::update }
    "/v1/affiliate-groups/{id}/archive" => { post: groups::archive }
    "/v1/affiliate-groups/{id}/codes" => { post: groups::add_codes }
    "/v1/codes" => { get: codes::list }
    "/v1/codes/import" => { post: code_import::import }
    "/v1/codes/{id}" => { get: codes::show, patch: code_switch::update }
    "/v1/codes/{id}/retry" => { post: code_switch::retry }
    "/v1/deals/{id}/collaboration" => { post: collaboration::set }
    "/v1/deals/{id}/invitation" => {
        get: invitations::show, post: deals::invite, delete: deals::uninvite
    }
    "/v1/deals/{id}/fees" => { get: fees::list, post: fees::create }
    "/v1/deals/{id}/fees/{fee_id}/cancellation" => { post: fees::cancel }
    "/v1/creators/{id}/adjustments" => { post: fees::adjust }
    "/v1/payouts" => { get: payouts::list, post: payouts::create }
    "/v1/payouts/{id}" => { get: payouts::show, delete: payouts::cancel }
    "/v1/payouts/{id}/approval" => { post: approvals::approve }
    "/v1/payouts/{id}/sending" => { post: provider::send }
    "/v1/payouts/{id}/lines/{line_id}/retry" => { post: approvals::retry }
    "/v1/payouts/{id}/export" => { get: payment::export }
    "/v1/payouts/{id}/settlement" => { post: settling::settle }
    "/v1/payouts/{id}/lines/{line_id}/entries" => { get: owed::entries }
    "/v1/owed" => { get: owed::list }
    "/v1/payouts/{id}/lines/{line_id}/settlement" => { post: payouts::settle }
    "/v1/deals/{id}/performance" => { get: money::performance }
    "/v1/deals/{id}/performance/days" => { get: days::list }
    "/v1/deals/{id}/posts" => { post: posts::create }
    "/v1/posts" => { get: posts::list }
    "/v1/posts/summary" => { get: media::summary }
    "/v1/posts/import" => { post: post_import::import }
    "/v1/posts/{id}" => { get: posts::show, patch: posts::update }
    "/v1/posts/{id}/metrics" => { get: posts::history, post: posts::measure }
    "/v1/media-formulas" => { get: media::list, post: media::create }
    "/v1/me/posts" => { get: posts::list_mine, post: posts::create_mine }
    "/v1/me/posts/{id}/metrics" => { post: posts::measure_mine }
    "/v1/links/{id}" => { get: links::show_link, patch: links::update_link }
    "/v1/orders" => { get: orders::list }
    "/v1/orders/{id}" => { get: orders::show }
    "/v1/orders/{id}/attribution" => { get: orders::attribution }
    "/v1/orders/{id}/move" => { post: by_hand::move_order }
    "/v1/orders/{id}/disputes" => { get: by_hand::disputes, post: by_hand::dispute }
    "/v1/claims" => { get: claims::list }
    "/v1/claims/{id}/decision" => { post: claims::decide }
    "/v1/me/claims" => { get: claims::mine, post: claims::create }
    "/v1/orders/{id}/commission" => { get: commission::show }
    "/v1/mails" => { get: mails::list }
    "/v1/message-templates" => { get: templates::list, post: templates::create }
    "/v1/message-templates/{id}" => {
        get: templates::show, patch: templates::update, delete: templates::remove
    }
    "/v1/message-templates/{id}/preview" => { post: templates::preview }
    "/v1/messages" => { get: messages::conversations }
    "/v1/messages/preview" => { post: templates::preview_text }
    "/v1/outreach-settings" => {
        get: messages::show_settings, patch: messages::update_settings
    }
    "/v1/deals/{id}/messages" => { get: messages::list, post: messages::create }
    "/v1/deals/{id}/messages/read" => { post: messages::read }
    "/v1/deals/{id}/messages/{message_id}" => { delete: messages::cancel }
    "/v1/sequences" => { get: sequences::list, post: sequences::create }
    "/v1/sequences/{id}" => { delete: sequences::archive }
    "/v1/deals/{id}/sequences" => { get: sequences::enrolments, post: sequences::enrol }
    "/v1/deals/{id}/sequences/{enrolment_id}" => { delete: sequences::unenrol }
    "/v1/ledger/export" => { get: export::export }
    "/v1/ledger/verification" => { get: money::verification }
    "/v1/reports/overview" => { get: report_overview::show }
    "/v1/reports/creators" => { get: reports::creators }
    "/v1/reports/campaigns" => { get: report_campaigns::campaigns }
    "/v1/reports/stages" => { get: report_sources::stages }
    "/v1/reports/sources" => { get: report_sources::sources }
    "/v1/reports/cohorts" => { get: report_sources::cohorts }
    "/v1/reports/posts" => { get: report_sources::posts }
    "/v1/simulations" => { post: simulations::simulate }
    "/v1/invitations/acceptance" => { post: me::accept }
    "/v1/sign-in" => { post: sign_in::begin }
    "/v1/sign-in/link" => { post: sign_in::by_link }
    "/v1/sign-in/code" => { post: sign_in::by_code }
    "/v1/session" => { get: sign_in::show, delete: sign_in::sign_out }
    "/v1/session/passkey" => { post: passkeys::show }
    "/v1/session/recovery" => { post: passkeys::recover }
    "/v1/sessions" => { get: sign_in::list }
    "/v1/sessions/{id}" => { delete: sign_in::end }
    "/v1/passkeys" => { get: passkeys::list, post: passkeys::add }
    "/v1/passkeys/challenge" => { post: passkeys::challenge }
    "/v1/passkeys/{id}" => { delete: passkeys::remove }
    "/v1/recovery-codes" => { post: passkeys::new_codes }
    "/v1/me/earnings" => { get: me::earnings }
    "/v1/me/orders" => { get: me::orders }
    "/v1/me/links" => { post: my_links::create }
    "/v1/me/completeness" => { get: completeness::mine }
    "/v1/me/orders/{id}/commission" => { get: commission::mine }
    "/v1/me/offers" => { get: my_offers::mine }
    "/v1/me/offers/{id}/decision" => { post: my_offers::answer }
    "/v1/me/deals/{id}/requests" => { post: my_offers::ask }
    "/v1/creators/{id}/statement" => { get: statements::of_creator }
    "/v1/me/statement" => { get: statements::mine }
    "/v1/me/payouts" => { get: payment::mine }
    "/v1/me/payment-details" => { get: payment::show, put: payment::put }
    "/v1/me/export" => { get: personal::export_mine }
    "/v1/data-requests" => { get: privacy::list }
    "/v1/data-requests/{id}/completion" => { post: privacy::complete }
}
