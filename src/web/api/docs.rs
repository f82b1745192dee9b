//! The OpenAPI document, generated from the code.
//!
//! It is made natively and kept as `openapi.json`, a static asset; `tests/openapi.rs` fails when it
//! is out of date or names other routes than the router, and rewrites it with `UPDATE_OPENAPI=1`.

use http::StatusCode;

use crate::app::App;
use crate::error::{Error, Result};
use crate::web::handler::State;
use crate::web::message::Response;

/// The document.
#[utoipa::path(get, path = "/openapi.json", tag = "operator", responses(
    (status = 200, description = "This document", content_type = "application/json",
        body = Object)
))]
pub async fn document(State(app): State<App>) -> Result<Response> {
    let text = app.assets.get("/openapi.json").await.ok_or(Error::Unavailable(AWAY))?;
    let mut response = Response::new(StatusCode::OK, "application/json", text);
    response.set("cache-control", "public, max-age=300");
    Ok(response)
}

const AWAY: &str = "the description can't be read just now";

/// Makes the document from the annotations of the handlers.
#[cfg(not(target_arch = "wasm32"))]
#[must_use]
#[expect(clippy::too_many_lines, reason = "the list of all routes")]
pub fn generate() -> String {
    use utoipa::OpenApi;
    use utoipa::openapi::security::{
        ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme,
    };

    use super::{
        affiliates, approvals, audit, automation_runs, automation_templates, automations, board,
        brand, bulk, bulk_terms, by_hand, campaigns, claims, code_import, code_switch, codes,
        collaboration, collections, commission, completeness, connecting, conversions, costs,
        creator_import, creators, custom, days, deal_import, deals, domains, export, fees,
        goaffpro, goaffpro_import, groups, hooks, invitations, keys, links, mails, me, media,
        members, merging, messages, money, my_links, my_offers, notes, offers, operate, orders,
        owed, passkeys, payment, payouts, personal, post_import, posts, privacy, provider,
        quarantine, report_campaigns, report_overview, report_sources, reports, segments,
        sequences, settling, sign_in, simulations, snippet, statements, stores, templates,
        term_templates, terms, tiers, timeline,
    };

    #[derive(OpenApi)]
    #[openapi(
        info(
            title = "Tributary",
            description = "Affiliate tracking and payments for influencer programmes. \
                Errors are application/problem+json (RFC 9457).",
            license(name = "Apache-2.0", identifier = "Apache-2.0")
        ),
        paths(
            operate::health,
            operate::status,
            document,
            brand::create,
            keys::create_for_brand,
            keys::create,
            keys::list,
            keys::show,
            keys::revoke,
            audit::list,
            brand::show,
            brand::update,
            domains::show,
            domains::check,
            stores::create,
            stores::list,
            stores::show,
            stores::update,
            connecting::check,
            connecting::disconnect,
            connecting::authorize,
            automations::list,
            automations::create,
            automation_templates::list,
            automation_templates::use_one,
            automations::show,
            automations::update,
            automations::remove,
            automation_runs::of_automation,
            automation_runs::of_deal,
            automation_runs::show,
            automation_runs::retry,
            automation_runs::try_on,
            hooks::list,
            hooks::create,
            hooks::show,
            hooks::update,
            hooks::remove,
            hooks::rotate,
            hooks::test,
            hooks::deliveries,
            hooks::resend,
            quarantine::list,
            quarantine::replay,
            completeness::begin,
            completeness::show,
            completeness::of_store,
            collections::list,
            completeness::mine,
            snippet::show,
            custom::rotate,
            conversions::create,
            conversions::refund,
            conversions::create_signed,
            conversions::refund_signed,
            goaffpro::show,
            goaffpro::update,
            goaffpro::compare,
            goaffpro::say,
            goaffpro::hint,
            affiliates::list,
            affiliates::assign,
            affiliates::unassign,
            affiliates::requests,
            affiliates::request,
            creators::create,
            creators::list,
            creators::show,
            creators::update,
            merging::duplicates,
            merging::merge,
            merging::fields,
            merging::add_field,
            merging::update_field,
            campaigns::create,
            campaigns::list,
            campaigns::show,
            campaigns::update,
            campaigns::change_stages,
            board::show,
            board::move_deal,
            costs::create,
            costs::list,
            costs::void,
            notes::add,
            notes::list,
            notes::update,
            notes::remove,
            notes::add_follow_up,
            notes::follow_ups,
            notes::update_follow_up,
            notes::across,
            timeline::show,
            deals::create,
            deals::list,
            deals::show,
            deals::update,
            segments::create,
            segments::list,
            segments::show,
            segments::update,
            segments::remove,
            terms::add,
            terms::list,
            offers::create,
            offers::of_deal,
            offers::list,
            term_templates::create,
            term_templates::list,
            term_templates::show,
            term_templates::versions,
            term_templates::update,
            term_templates::archive,
            offers::withdraw,
            offers::decide,
            my_offers::mine,
            my_offers::answer,
            my_offers::ask,
            bulk::create,
            bulk::list,
            bulk::show,
            bulk::results,
            bulk::pause,
            bulk::resume,
            bulk::cancel,
            bulk_terms::change,
            tiers::create,
            tiers::list,
            tiers::end,
            tiers::steps,
            links::add_link,
            links::show_link,
            links::update_link,
            codes::add,
            codes::list,
            codes::show,
            code_switch::update,
            code_switch::retry,
            code_import::import,
            creator_import::import,
            deal_import::import,
            goaffpro_import::import,
            groups::create,
            groups::list,
            groups::show,
            groups::update,
            groups::archive,
            groups::add_codes,
            mails::list,
            templates::create,
            templates::list,
            templates::show,
            templates::update,
            templates::remove,
            templates::preview,
            templates::preview_text,
            messages::create,
            messages::list,
            messages::cancel,
            messages::read,
            messages::conversations,
            messages::show_settings,
            messages::update_settings,
            sequences::create,
            sequences::list,
            sequences::archive,
            sequences::enrol,
            sequences::enrolments,
            sequences::unenrol,
            collaboration::set,
            invitations::show,
            deals::invite,
            deals::uninvite,
            orders::list,
            orders::show,
            orders::attribution,
            by_hand::move_order,
            by_hand::dispute,
            by_hand::disputes,
            posts::create,
            posts::list,
            media::summary,
            post_import::import,
            posts::show,
            posts::update,
            posts::history,
            posts::measure,
            media::list,
            media::create,
            posts::list_mine,
            posts::create_mine,
            posts::measure_mine,
            claims::create,
            claims::mine,
            claims::list,
            claims::decide,
            commission::show,
            commission::mine,
            money::balances,
            money::performance,
            days::list,
            money::verification,
            export::export,
            report_overview::show,
            reports::creators,
            report_campaigns::campaigns,
            report_sources::stages,
            report_sources::sources,
            report_sources::cohorts,
            report_sources::posts,
            simulations::simulate,
            fees::create,
            fees::list,
            fees::cancel,
            fees::adjust,
            payouts::create,
            payouts::list,
            payouts::show,
            payouts::cancel,
            approvals::approve,
            approvals::retry,
            provider::show,
            provider::put,
            provider::remove,
            provider::send,
            payouts::settle,
            settling::settle,
            owed::list,
            owed::entries,
            payment::show,
            payment::put,
            payment::export,
            payment::mine,
            statements::mine,
            statements::of_creator,
            members::invite,
            members::list,
            members::show,
            members::update,
            members::remove,
            members::invite_owner,
            members::erase,
            sign_in::begin,
            sign_in::by_link,
            sign_in::by_code,
            sign_in::show,
            sign_in::sign_out,
            sign_in::list,
            sign_in::end,
            passkeys::challenge,
            passkeys::add,
            passkeys::list,
            passkeys::remove,
            passkeys::show,
            passkeys::recover,
            passkeys::new_codes,
            passkeys::reset,
            me::accept,
            me::earnings,
            me::orders,
            my_links::create,
            personal::export,
            personal::export_mine,
            personal::erase,
            privacy::list,
            privacy::complete
        ),
        components(schemas(crate::error::Problem))
    )]
    struct Document;

    let mut document = Document::openapi();
    let components = document.components.get_or_insert_default();
    for (name, what) in [
        ("operator", "The operator's token."),
        ("api_key", "A brand's API key."),
        ("creator", "A creator's access token."),
    ] {
        let scheme =
            HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some(what)).build();
        components.add_security_scheme(name, SecurityScheme::Http(scheme));
    }
    let cookie = crate::domain::session::SESSION_COOKIE;
    let what = "A person's session: whatever takes an API key takes a member's too, as far as her \
        role goes; whatever takes a creator's token takes a creator's. The header `Tributary-Brand` \
        names the brand that is meant: always where something is changed (400 `which-brand` without), \
        and where she has several.";
    let scheme =
        SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::with_description(cookie, what)));
    components.add_security_scheme("session", scheme);
    for item in document.paths.paths.values_mut() {
        let operations =
            [&mut item.get, &mut item.post, &mut item.put, &mut item.patch, &mut item.delete];
        operations.into_iter().flatten().for_each(complete);
    }
    for (list, _) in crate::web::listed::LISTS {
        let item = document.paths.paths.get_mut(*list);
        item.and_then(|item| item.get.as_mut()).into_iter().for_each(is_a_file_too);
    }
    let mut text = document.to_pretty_json().unwrap_or_default();
    text.push('\n');
    text
}

/// What holds for every list of [`crate::web::listed`].
#[cfg(not(target_arch = "wasm32"))]
fn is_a_file_too(operation: &mut utoipa::openapi::path::Operation) {
    use utoipa::openapi::path::{ParameterBuilder, ParameterIn};
    use utoipa::openapi::schema::{ObjectBuilder, Type};
    use utoipa::openapi::{ContentBuilder, HeaderBuilder, RefOr};

    let what = "`csv`: the rows that the list would answer, as a file of up to 10,000 rows (or `limit`), with no \
        cell a formula; the header `x-next-cursor` says where the rest begins";
    let format = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(["json", "csv"]));
    let format = ParameterBuilder::new()
        .name("format")
        .parameter_in(ParameterIn::Query)
        .description(Some(what))
        .schema(Some(format));
    let parameters = operation.parameters.get_or_insert_default();
    for parameter in parameters.iter_mut() {
        let RefOr::T(parameter) = parameter else { continue };
        if parameter.name == "limit" {
            let limit = ObjectBuilder::new().schema_type(Type::Integer);
            let limit = limit.minimum(Some(1)).maximum(Some(10_000)).build();
            parameter.schema = Some(RefOr::T(limit.into()));
            let more =
                parameter.description.take().map(|told| format!("{told}; ")).unwrap_or_default();
            parameter.description = Some(format!("{more}at most 200, of a file 10,000"));
        }
    }
    parameters.push(RefOr::T(format.build()));
    if let Some(RefOr::T(answer)) = operation.responses.responses.get_mut("200") {
        let text = ObjectBuilder::new().schema_type(Type::String);
        let file = ContentBuilder::new().schema(Some(text)).build();
        answer.content.insert("text/csv".to_owned(), RefOr::T(file));
        let next =
            HeaderBuilder::new().description(Some("Of a file: where the next one begins")).build();
        answer.headers.insert("x-next-cursor".to_owned(), RefOr::T(next));
    }
}

/// What holds for every operation: errors are problems, and sessions stand in for keys and tokens.
#[cfg(not(target_arch = "wasm32"))]
fn complete(operation: &mut utoipa::openapi::path::Operation) {
    use utoipa::openapi::schema::{ObjectBuilder, Type};
    use utoipa::openapi::security::SecurityRequirement;
    use utoipa::openapi::{ContentBuilder, Ref, RefOr, Response, ResponseBuilder};

    let problem = || {
        let schema = Ref::from_schema_name("Problem");
        ContentBuilder::new().schema(Some(schema)).build()
    };
    let responses = &mut operation.responses.responses;
    for (status, response) in responses.iter_mut() {
        let RefOr::T(Response { content, .. }) = response else { continue };
        if status.starts_with('4') && content.is_empty() {
            content.insert("application/problem+json".to_owned(), RefOr::T(problem()));
        }
    }
    let otherwise = ResponseBuilder::new()
        .description("Anything else: a problem")
        .content("application/problem+json", problem());
    responses.insert("default".to_owned(), RefOr::T(otherwise.build()));
    for parameter in operation.parameters.iter_mut().flatten() {
        let RefOr::T(parameter) = parameter else { continue };
        if parameter.name == "limit" {
            let limit = ObjectBuilder::new().schema_type(Type::Integer);
            let limit = limit.minimum(Some(1)).maximum(Some(200)).build();
            parameter.schema = Some(RefOr::T(limit.into()));
        } else if parameter.name == "Idempotency-Key" {
            let key = ObjectBuilder::new().schema_type(Type::String);
            let key = key.min_length(Some(1)).max_length(Some(255)).pattern(Some("^[!-~]+$"));
            parameter.schema = Some(RefOr::T(key.build().into()));
        }
    }
    let Some(security) = &mut operation.security else { return };
    let mut sessions = Vec::new();
    for requirement in security.iter() {
        let told = serde_json::to_value(requirement).unwrap_or_default();
        // The scope that a member's role must bring along; of creators, that she is one.
        if let Some(scope) = told.pointer("/api_key/0").and_then(|scope| scope.as_str()) {
            sessions.push(SecurityRequirement::new("session", [scope]));
        } else if told.get("creator").is_some() {
            sessions.push(SecurityRequirement::new("session", ["creator"]));
        }
    }
    security.extend(sessions);
}
