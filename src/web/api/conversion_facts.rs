//! What a shop's own server reports, read into facts: everything that is wrong with it is told at once.

use sha2::{Digest, Sha256};

use crate::domain::decimal::Decimal;
use crate::domain::money::{Currency, MAX_MINOR, Money};
use crate::domain::order::{
    Delivery, Evidence, Facts, Line, Payment, Refund, RefundLine, Report, Snapshot, UsedCode,
};
use crate::domain::sorted::Sorted;
use crate::domain::time::{DAY_MS, Millis, parse_rfc3339};
use crate::error::Result;
use crate::partners::shopify::Landing;
use crate::web::body::{body, words};
use crate::web::extract::{Checks, checked};

/// The most lines of an order or a refund.
const MAX_LINES: usize = 1000;
/// The most units of one line.
const MAX_QUANTITY: i64 = 1_000_000;
const MAX_CODES: usize = 20;
/// The longest code, click id and `ref`, in characters.
const MAX_WORD: usize = 255;
/// 2006-01-01 UTC: what is dated before has a broken clock.
const EARLIEST_MS: Millis = 1_136_073_600_000;

body! {
    /// An order of the brand's own shop, whole, as it is now.
    pub struct NewConversion {
        /// Which store; a signed call names it in its path.
        store_id: Option<String>,
        /// The shop's own id of the order: 1 to 200 visible characters.
        external_id: String,
        /// What people call it; absent: its id.
        name: Option<String>,
        /// Absent: what was said before, or now.
        placed_at: Option<String>,
        /// When the shop last changed it. Of two reports the later one counts. Absent: now, or when it
        /// was signed, unless nothing changed.
        updated_at: Option<String>,
        /// ISO 4217.
        currency: String,
        /// What commission is for, where there are no lines: after discounts, without tax and shipping.
        amount: Option<String>,
        lines: Option<Vec<NewLine>>,
        /// Whether prices contain the tax that the lines tell.
        taxes_included: Option<bool>,
        codes: Option<Vec<NewCode>>,
        /// What the snippet told: `tributary.clickId()`.
        click_id: Option<String>,
        /// The address that the visit began with; its `click_id` and `ref` count.
        landing_page: Option<String>,
        /// The `ref` of a link, where there is no click id.
        r#ref: Option<String>,
        /// Kept as a keyed hash only: it tells purchases of creators' own, and customers apart.
        customer_email: Option<String>,
        /// Absent: paid. Cancelled is for ever.
        state: Option<State>,
        test: Option<bool>,
    }
}

body! {
    /// A line of an order.
    #[schema(as = NewConversionLine)]
    pub struct NewLine {
        /// By which refunds name it; absent: its position, "1" for the first.
        id: Option<String>,
        /// Digits, as terms name products.
        product_id: Option<String>,
        quantity: i64,
        /// Of one unit, before discounts.
        unit_price: String,
        /// Off the whole line.
        discount: Option<String>,
        /// Of the whole line.
        tax: Option<String>,
        /// Gift cards earn no commission.
        gift_card: Option<bool>,
    }
}

body! {
    /// A code that was used.
    #[schema(as = NewConversionCode)]
    pub struct NewCode {
        code: String,
        /// What it took off; of several codes the larger one wins.
        discount: Option<String>,
    }
}

body! {
    /// Money that the shop gave back.
    pub struct NewConversionRefund {
        /// Which store; a signed call names it in its path.
        store_id: Option<String>,
        /// The shop's own id of the refund.
        id: String,
        currency: String,
        /// What was given back for goods, where no lines are named: without tax and shipping.
        amount: Option<String>,
        lines: Option<Vec<NewRefundLine>>,
    }
}

body! {
    /// A refunded part of a line.
    #[schema(as = NewConversionRefundLine)]
    pub struct NewRefundLine {
        line_id: String,
        quantity: i64,
        /// Of these units after discounts, with the tax where prices contain it; absent: their share of
        /// the line, which must be known then.
        amount: Option<String>,
        /// The tax in `amount`.
        tax: Option<String>,
    }
}

/// Where an order stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, utoipa::ToSchema)]
#[schema(as = ConversionState)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// In full.
    Paid,
    /// Not, or not in full.
    Unpaid,
    /// For ever.
    Cancelled,
}

words!(State { "paid" => Paid, "unpaid" => Unpaid, "cancelled" => Cancelled });

/// The order as a delivery. `known` are the facts so far, `signed_ms` is when the shop signed it, if it
/// did, `hash_email` gets the buyer's address.
///
/// # Errors
/// 422 with all that is wrong.
pub fn order(
    new: NewConversion,
    known: Option<&Facts>,
    (signed_ms, now_ms): (Option<Millis>, Millis),
    hash_email: &dyn Fn(&str) -> String,
) -> Result<Delivery> {
    let mut checks = Checks::default();
    let before = known.and_then(|facts| facts.snapshot.as_ref());
    let external_id = checks.field("external_id", shop_id(&new.external_id));
    let name = match &new.name {
        Some(name) => checks.text("name", name, 64),
        None => Some(new.external_id.chars().take(64).collect()),
    };
    let currency = checks.field("currency", new.currency.parse::<Currency>());
    let placed_at = time(&mut checks, "placed_at", new.placed_at.as_deref(), now_ms);
    let updated_at = time(&mut checks, "updated_at", new.updated_at.as_deref(), now_ms);
    let money = currency.unwrap_or(Currency::NONE);
    let taxes_included = new.taxes_included.unwrap_or(false);
    let lines = lines(&mut checks, &new, money);
    let evidence = evidence(&mut checks, &new, money, hash_email);
    if let (Some(currency), Some(before)) = (currency, before)
        && before.currency != currency
    {
        checks.refuse("currency", "must stay what it was");
    }
    checks.done()?;
    let payment = match new.state {
        None | Some(State::Paid) => Payment::Paid,
        Some(State::Unpaid) => Payment::Unpaid,
        Some(State::Cancelled) => Payment::Voided,
    };
    let mut snapshot = Snapshot {
        updated_at_ms: 0,
        placed_at_ms: placed_at.or(before.map(|b| b.placed_at_ms)).unwrap_or(now_ms),
        name: checked(name)?,
        currency: checked(currency)?,
        payment,
        cancelled: payment == Payment::Voided,
        test: new.test.unwrap_or(false),
        taxes_included,
        lines,
        evidence,
    };
    let told_at = || told_at(&snapshot, before, (signed_ms, now_ms));
    snapshot.updated_at_ms = updated_at.unwrap_or_else(told_at);
    let report = Report::Snapshot(Box::new(snapshot), Vec::new());
    Ok(Delivery { external_id: checked(external_id)?, report })
}

/// When an order was changed that doesn't say so: when it was, if it is as it was; else when its shop signed
/// it, so that one which somebody repeats is as old as it is; else now, and later than what is known.
fn told_at(
    snapshot: &Snapshot,
    before: Option<&Snapshot>,
    (signed_ms, now_ms): (Option<Millis>, Millis),
) -> Millis {
    let Some(before) = before else { return signed_ms.unwrap_or(now_ms) };
    // What may say whose it is stands elsewhere, and is judged by itself.
    let same = Snapshot {
        updated_at_ms: before.updated_at_ms,
        evidence: Evidence::default(),
        ..snapshot.clone()
    };
    // A product that isn't told any more stays known.
    let known = |told: &Line| {
        let same = |line: &Line| line.id == told.id && line.product_id == told.product_id;
        told.product_id.is_none() || before.lines.iter().any(same)
    };
    if same.key() == before.key() && same.lines.iter().all(known) {
        return before.updated_at_ms;
    }
    signed_ms.unwrap_or_else(|| now_ms.max(before.updated_at_ms + 1))
}

/// An id of the shop's own.
///
/// # Errors
/// What is wrong with it.
pub fn shop_id(text: &str) -> Result<String, &'static str> {
    let visible = (1..=200).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
    visible.then(|| text.to_owned()).ok_or("must be 1 to 200 visible ASCII characters")
}

/// The number by which facts name a line that the shop names by a text.
fn line_number(text: &str) -> u64 {
    let digest = Sha256::digest(format!("tributary/line/v1/{text}"));
    let bytes = digest.iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte));
    // Numbers in D1 have a sign.
    bytes >> 1
}

fn time(checks: &mut Checks, field: &str, text: Option<&str>, now_ms: Millis) -> Option<Millis> {
    let read = |text| match parse_rfc3339(text) {
        Some(at) if (EARLIEST_MS..=now_ms + DAY_MS).contains(&at) => Ok(at),
        Some(_) => Err("must lie between 2006 and tomorrow"),
        None => Err("must be a time such as 2026-11-22T08:00:00Z"),
    };
    checks.field(field, read(text?))
}

/// Minor units, not negative; 0 where something is wrong.
fn amount(checks: &mut Checks, field: &str, text: &str, currency: Currency) -> i64 {
    // Without a currency, whose own error is told, nothing can be said of an amount.
    if currency == Currency::NONE {
        return 0;
    }
    let decimals = text.split_once('.').map_or(0, |(_, decimals)| decimals.len());
    let read = match Money::parse(text, currency) {
        // Zeros too: who writes hundredths of a yen takes it for something else.
        Ok(_) if decimals > currency.exponent() as usize => {
            Err("has more decimals than its currency".to_owned())
        }
        Ok(money) if money.minor < 0 || text.starts_with('-') => {
            Err("must not be negative".to_owned())
        }
        Ok(money) => Ok(money.minor),
        Err(error) => Err(error.to_string()),
    };
    checks.field(field, read).unwrap_or_default()
}

fn lines(checks: &mut Checks, new: &NewConversion, currency: Currency) -> Vec<Line> {
    let told = match (&new.amount, &new.lines) {
        (Some(text), None) => {
            if new.taxes_included == Some(true) {
                checks.refuse("taxes_included", "needs lines, which tell their tax");
            }
            let price_minor = amount(checks, "amount", text, currency);
            return vec![Line {
                id: line_number("1"),
                product_id: None,
                quantity: 1,
                current_quantity: None,
                price_minor,
                discount_minor: 0,
                tax_minor: 0,
                earns: true,
            }];
        }
        (None, Some(lines)) => lines,
        _ => {
            checks.refuse("amount", "either this or `lines` must be there");
            return Vec::new();
        }
    };
    if !(1..=MAX_LINES).contains(&told.len()) {
        checks.refuse("lines", "must have 1 to 1000 entries");
        return Vec::new();
    }
    let (mut ids, mut total) = (Sorted::new(), 0_i128);
    let mut lines = Vec::with_capacity(told.len());
    for (index, new) in told.iter().enumerate() {
        let line = line(checks, index, new, currency);
        if ids.insert(line.id, ()).is_some() {
            checks.refuse(&format!("lines[{index}].id"), "stands there twice");
        }
        total += i128::from(line.price_minor) * i128::from(line.quantity);
        total += i128::from(line.tax_minor);
        lines.push(line);
    }
    if total > i128::from(MAX_MINOR) {
        checks.refuse("lines", "come to more than the books take");
    }
    lines
}

fn line(checks: &mut Checks, index: usize, new: &NewLine, currency: Currency) -> Line {
    let field = |name: &str| format!("lines[{index}].{name}");
    let id = match &new.id {
        Some(id) => checks.field(&field("id"), shop_id(id)).unwrap_or_default(),
        None => (index + 1).to_string(),
    };
    let product_id = new.product_id.as_deref().and_then(|text| {
        let digits = text.bytes().all(|b| b.is_ascii_digit());
        let number = text.parse::<i64>().ok().filter(|id| digits && *id > 0);
        let number = number.and_then(|id| u64::try_from(id).ok());
        let wrong = "must be digits: terms name products by numbers";
        checks.field(&field("product_id"), number.ok_or(wrong))
    });
    let quantity = quantity(checks, &field("quantity"), new.quantity);
    let mut money = |name: &str, text: Option<&str>| {
        text.map_or(0, |text| amount(checks, &field(name), text, currency))
    };
    let price_minor = money("unit_price", Some(&new.unit_price));
    let discount_minor = money("discount", new.discount.as_deref());
    let tax_minor = money("tax", new.tax.as_deref());
    if i128::from(discount_minor) > i128::from(price_minor) * i128::from(quantity) {
        checks.refuse(&field("discount"), "must not be more than the line comes to");
    }
    Line {
        id: line_number(&id),
        product_id,
        quantity,
        current_quantity: None,
        price_minor,
        discount_minor,
        tax_minor,
        earns: !new.gift_card.unwrap_or(false),
    }
}

fn quantity(checks: &mut Checks, field: &str, units: i64) -> i64 {
    if !(1..=MAX_QUANTITY).contains(&units) {
        checks.refuse(field, "must be 1 to 1000000");
        return 1;
    }
    units
}

fn evidence(
    checks: &mut Checks,
    new: &NewConversion,
    currency: Currency,
    hash_email: &dyn Fn(&str) -> String,
) -> Evidence {
    let codes = new.codes.as_deref().unwrap_or_default();
    if codes.len() > MAX_CODES {
        checks.refuse("codes", "must have at most 20 entries");
    }
    let mut used = Vec::new();
    for (index, one) in codes.iter().enumerate().take(MAX_CODES) {
        let code = checks.text(&format!("codes[{index}].code"), &one.code, MAX_WORD);
        let field = format!("codes[{index}].discount");
        let discount_minor =
            one.discount.as_deref().map_or(0, |text| amount(checks, &field, text, currency));
        used.extend(code.map(|code| UsedCode { code, discount_minor, is_code: true }));
    }
    // A shop passes on what there is, which may be an empty text.
    let mut word = |field: &str, text: &Option<String>, most: usize| {
        let text = text.as_deref().filter(|text| !text.is_empty())?;
        checks.text(field, text, most)
    };
    let mut clicks: Vec<String> = word("click_id", &new.click_id, MAX_WORD).into_iter().collect();
    let page = word("landing_page", &new.landing_page, 4000).unwrap_or_default();
    let landing = Landing::of(&page);
    for click in landing.clicks() {
        if !clicks.contains(&click) {
            clicks.push(click);
        }
    }
    let told = word("ref", &new.r#ref, MAX_WORD);
    let bare_ref = told.or_else(|| landing.reference()).filter(|_| clicks.is_empty());
    let email = word("customer_email", &new.customer_email, 320);
    Evidence {
        codes: used,
        clicks,
        bare_ref,
        email_hash: email.map(|address| hash_email(&address)),
        affiliation: None,
        journey: None,
        web: false,
    }
}

/// The refund as a delivery of the order `external_id`. `known` are the order's facts so far.
///
/// # Errors
/// 422 with all that is wrong.
pub fn refund(
    new: &NewConversionRefund,
    external_id: &str,
    known: Option<&Facts>,
) -> Result<Delivery> {
    let mut checks = Checks::default();
    let order = known.and_then(|facts| facts.snapshot.as_ref());
    let id = checks.field("id", shop_id(&new.id));
    let currency = checks.field("currency", new.currency.parse::<Currency>());
    let money = currency.unwrap_or(Currency::NONE);
    if currency.is_some() && order.is_some_and(|order| currency != Some(order.currency)) {
        checks.refuse("currency", "must be the order's");
    }
    let mut whole = Decimal::ZERO;
    let mut lines = Vec::new();
    match (&new.amount, new.lines.as_deref()) {
        (Some(text), None) => {
            whole = Decimal::new(amount(&mut checks, "amount", text, money), money.exponent());
        }
        (None, Some(told)) if (1..=MAX_LINES).contains(&told.len()) => {
            for (index, line) in told.iter().enumerate() {
                lines.push(refund_line(&mut checks, index, line, order, money));
            }
            let most = Decimal::new(MAX_MINOR, money.exponent());
            if lines.iter().map(|line| line.subtotal).sum::<Decimal>() > most {
                checks.refuse("lines", "come to more than the books take");
            }
        }
        (None, Some(_)) => checks.refuse("lines", "must have 1 to 1000 entries"),
        _ => checks.refuse("amount", "either this or `lines` must be there"),
    }
    checks.done()?;
    let refund = Refund { id: checked(id)?, currency, lines, amount: whole };
    Ok(Delivery { external_id: external_id.to_owned(), report: Report::Refund(refund) })
}

fn refund_line(
    checks: &mut Checks,
    index: usize,
    new: &NewRefundLine,
    order: Option<&Snapshot>,
    currency: Currency,
) -> RefundLine {
    let field = |name: &str| format!("lines[{index}].{name}");
    let line_id = checks.field(&field("line_id"), shop_id(&new.line_id)).unwrap_or_default();
    let line_id = line_number(&line_id);
    let quantity = quantity(checks, &field("quantity"), new.quantity);
    let line = order.and_then(|order| order.lines.iter().find(|line| line.id == line_id));
    if order.is_some() && line.is_none() {
        checks.refuse(&field("line_id"), "is no line of the order");
    } else if line.is_some_and(|line| quantity > line.quantity) {
        checks.refuse(&field("quantity"), "is more than were bought");
    }
    let exponent = currency.exponent();
    let mut told = |name: &str, text: &Option<String>| {
        let text = text.as_deref()?;
        Some(Decimal::new(amount(checks, &field(name), text, currency), exponent))
    };
    let (subtotal, tax) = (told("amount", &new.amount), told("tax", &new.tax));
    if subtotal.is_none() && order.is_none() {
        checks.refuse(&field("amount"), "must be there while the order isn't known");
    }
    let share = |minor: i64| {
        let line = line?;
        Decimal::new(minor, exponent).part(quantity.min(line.quantity), line.quantity, exponent)
    };
    let part = |minor: fn(&Line) -> i64| line.and_then(|line| share(minor(line)));
    let by_share = part(|line| line.price_minor * line.quantity - line.discount_minor);
    let taxed = if subtotal.is_some() { None } else { part(|line| line.tax_minor) };
    let subtotal = subtotal.or(by_share).unwrap_or_default();
    let tax = tax.or(taxed).unwrap_or_default();
    if tax > subtotal {
        checks.refuse(&field("tax"), "must not be more than `amount`");
    }
    RefundLine { line_id, quantity, subtotal, tax }
}
