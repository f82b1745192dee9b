//! Where she belongs, and what she earns there.

use askama::Template;
use http::StatusCode;

use super::orders::{Line, lines};
use super::words::{self, EN, Texts};
use super::{Her, Told, amounts, brand_of, reader};
use crate::app::App;
use crate::domain::brand::Brand;
use crate::domain::ledger::Account;
use crate::domain::locale::Locale;
use crate::domain::money::{Currency, Money};
use crate::domain::time::{Day, Millis};
use crate::error::Result;
use crate::storage::ledger::{self, BalanceRow};
use crate::storage::mine::{self, MonthRow};
use crate::web::api::me;
use crate::web::api::money::{BalanceView, balances_of};
use crate::web::caller::SignedIn;
use crate::web::extract::Params;
use crate::web::handler::{Call, Extract, Json, State};
use crate::web::message::Response;
use crate::web::pages::shell::{self, Shell};
use crate::web::pages::{form, see, ui};

/// The reader of a page that is about no brand.
pub struct Reader(Locale);

impl Extract for Reader {
    fn extract(call: &Call<'_>) -> Result<Self> {
        Ok(Self(reader(call)))
    }
}

#[derive(Template)]
#[template(path = "creator/brands.html")]
struct Brands {
    t: &'static Texts,
    brands: Vec<Side>,
}

/// A brand that works with her.
struct Side {
    path: String,
    brand: String,
    name: String,
    available: String,
    pending: String,
}

/// All her brands; whoever has one only is led there.
pub async fn brands(State(app): State<App>, me: SignedIn, reader: Reader) -> Result<Response> {
    let session = &*me.0;
    if !session.second_factor().is_enough() {
        return Ok(see("/sign-in/passkey"));
    }
    if let [side] = session.creators.as_slice() {
        return Ok(see(format!("/c/{}", side.brand_id)));
    }
    let mut brands = Vec::new();
    // Each brand has its own books: so many questions as she has brands.
    for side in session.creators.iter().take(50) {
        let brand = crate::web::api::brand::find(&app, side.brand_id).await?.brand;
        let found = balances_of(&app, &brand, side.id).await?;
        let of = |amount: fn(&BalanceView) -> &str| {
            let all: Vec<String> =
                found.iter().map(|b| reader.0.amount(amount(b), b.currency)).collect();
            all.join(" + ")
        };
        brands.push(Side {
            path: format!("/c/{}", side.brand_id),
            brand: side.brand.clone(),
            name: side.name.clone(),
            available: of(|b| &b.available),
            pending: of(|b| &b.pending),
        });
    }
    let csrf = form::proof(&app, session);
    let shell = Shell {
        title: EN.brands,
        brand: EN.brands,
        role: EN.role,
        home: "/c".to_owned(),
        nav: Vec::new(),
        places: shell::places(session, "/c"),
        email: &session.email,
        csrf: &csrf,
        told: None,
    };
    shell::page(StatusCode::OK, &shell, &Brands { t: &EN, brands })
}

/// What she has in one currency.
struct Balance {
    currency: &'static str,
    available: String,
    pending: String,
    in_payout: String,
    paid: String,
    owed_back: Option<String>,
    lifetime: String,
    /// When pending amounts become available.
    due: Vec<(String, String)>,
    minimum: Option<Minimum>,
}

impl Balance {
    /// What its place in the page is called.
    fn place(&self) -> String {
        format!("balance-{}", self.currency)
    }
}

/// How far she is to the least that is paid out.
pub struct Minimum {
    /// The least.
    pub least: String,
    /// What is missing, in words; none once it is reached.
    pub missing: Option<String>,
    /// For the bar: of `most` so much is there.
    pub have: i64,
    /// The least, in the same unit.
    pub most: i64,
}

/// How far an amount is to the brand's minimum, if there is one in this currency.
pub fn minimum(brand: &Brand, available: Money, locale: &Locale) -> Option<Minimum> {
    let least = brand.payout_minimum.filter(|m| m.currency == available.currency && m.minor > 0)?;
    let missing = Money::new(least.minor.saturating_sub(available.minor), least.currency);
    let words = || words::missing(&locale.money(missing), &locale.money(least));
    Some(Minimum {
        least: locale.money(least),
        missing: (missing.minor > 0).then(words),
        have: available.minor.clamp(0, least.minor),
        most: least.minor,
    })
}

/// A balance as the API tells it.
pub fn read(amount: &str, currency: Currency) -> Money {
    Money::parse(amount, currency).unwrap_or(Money::new(0, currency))
}

fn balance(
    view: &BalanceView,
    rows: &[BalanceRow],
    (brand, today): (&Brand, Day),
    locale: &Locale,
) -> Balance {
    let currency = view.currency;
    let shown = |amount: &str| locale.amount(amount, currency);
    let to_come = rows.iter().filter(|row| {
        row.currency == currency && row.account == Account::Pending && row.day > today
    });
    let due = to_come
        .map(|row| (locale.date(row.day), locale.money(Money::new(row.amount_minor, currency))));
    let owed_back = read(&view.clawback, currency);
    Balance {
        currency: currency.code(),
        available: shown(&view.available),
        pending: shown(&view.pending),
        in_payout: shown(&view.in_payout),
        paid: shown(&view.paid),
        owed_back: (owed_back.minor != 0).then(|| locale.money(owed_back)),
        lifetime: shown(&view.lifetime),
        due: due.collect(),
        minimum: minimum(brand, read(&view.available, currency), locale),
    }
}

/// A year of months in one currency, drawn and told.
struct Chart {
    title: String,
    bars: Vec<Bar>,
}

struct Bar {
    x: usize,
    y: i64,
    height: i64,
    month: String,
    label: &'static str,
    orders: String,
    revenue: String,
    commission: String,
}

/// How high the highest bar is.
const HIGH: i64 = 100;

/// The twelve months up to today's, with nothing where nothing was.
fn chart(currency: Currency, rows: &[MonthRow], today: Day, locale: &Locale) -> Chart {
    let mut months = vec![today.plus(1 - today.of_month())];
    while months.len() < 12 {
        let before = months.last().copied().unwrap_or(today).plus(-1);
        months.push(before.plus(1 - before.of_month()));
    }
    months.reverse();
    let of = |first: Day| {
        let same = |row: &&MonthRow| {
            row.currency == currency && row.day.plus(1 - row.day.of_month()) == first
        };
        rows.iter().find(same)
    };
    let minor = |first: Day| of(first).map_or(0, |row| row.commission_minor);
    let most = months.iter().map(|first| minor(*first)).max().unwrap_or(0).max(1);
    let bars = months.iter().enumerate().map(|(at, first)| {
        let row = of(*first);
        let value = minor(*first);
        let share = i64::try_from(i128::from(value) * i128::from(HIGH) / i128::from(most));
        // What there is is seen, however little.
        let height = share.unwrap_or(0).max(i64::from(value > 0) * 2);
        let money = |minor| locale.money(Money::new(minor, currency));
        Bar {
            x: at * 40 + 6,
            y: 8 + HIGH - height,
            height,
            month: locale.month(*first),
            label: initial(*first),
            orders: locale.count(row.map_or(0, |row| row.orders)),
            revenue: money(row.map_or(0, |row| row.base_minor)),
            commission: money(value),
        }
    });
    Chart { title: format!("{} ({})", EN.commission, currency.code()), bars: bars.collect() }
}

/// The month's number, for below its bar.
fn initial(day: Day) -> &'static str {
    let iso = day.to_iso();
    let names = ["1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12"];
    let month = iso.get(5..7).and_then(|month| month.parse::<usize>().ok()).unwrap_or(1);
    names.get(month.saturating_sub(1)).copied().unwrap_or_default()
}

#[derive(Template)]
#[template(path = "creator/home.html")]
struct Home {
    t: &'static Texts,
    base: String,
    now_ms: Millis,
    balances: Vec<Balance>,
    charts: Vec<Chart>,
    deals: Vec<DealLine>,
    orders: Vec<Line>,
}

impl Home {
    /// What is new along with the first balance.
    fn along(&self) -> String {
        let mut all = vec!["#newest".to_owned(), "#as-of".to_owned()];
        for (at, balance) in self.balances.iter().enumerate() {
            if at > 0 {
                all.push(format!("#{}", balance.place()));
            }
            if balance.minimum.is_some() {
                all.push(format!("#minimum-{}", balance.currency));
            }
        }
        all.join(",")
    }
}

struct DealLine {
    campaign: String,
    rate: Option<String>,
    ended: bool,
    clicks: String,
    orders: String,
    commission: String,
}

/// What she earns at a brand.
pub async fn show(State(app): State<App>, her: Her) -> Result<Response> {
    let (brand, locale) = (brand_of(&app, &her).await?, her.locale);
    let today = brand.timezone.day(app.now_ms());
    let Json(found) = me::earnings(State(app.clone()), her.me).await?;
    let ids: Vec<_> = found.deals.iter().map(|deal| deal.id).collect();
    let reads = vec![
        ledger::balances(brand.id, her.me.creator),
        mine::months(brand.id, &ids, today.plus(-370), today),
    ];
    let results = app.db().run(reads).await?;
    let rows: Vec<BalanceRow> = results.first().map_or(Ok(Vec::new()), |rows| rows.all())?;
    let months: Vec<MonthRow> = results.get(1).map_or(Ok(Vec::new()), |rows| rows.all())?;
    let mut currencies: Vec<Currency> = months.iter().map(|row| row.currency).collect();
    currencies.dedup();
    let latest = Params::of(&[("limit", "5")]);
    let Json(orders) = me::orders(State(app.clone()), her.me, latest).await?;
    let deals = found.deals.iter().map(|deal| DealLine {
        campaign: deal.campaign.clone(),
        rate: deal.commission_percent.map(|rate| locale.percent(&rate.0.to_percent())),
        ended: deal.state.closed(),
        clicks: locale.count(deal.clicks),
        orders: locale.count(deal.orders),
        commission: amounts(&locale, &deal.commission),
    });
    let balances = found.balances.iter();
    let content = Home {
        t: &EN,
        base: her.path(""),
        now_ms: app.now_ms(),
        balances: balances.map(|view| balance(view, &rows, (&brand, today), &locale)).collect(),
        charts: currencies.iter().map(|c| chart(*c, &months, today, &locale)).collect(),
        deals: deals.collect(),
        orders: lines(&app, &her, &brand, orders.data).await?,
    };
    her.page(&app, ("", EN.earnings), Told::default(), &content)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_year_of_months_ends_with_this_one_and_has_no_gaps() {
        let usd: Currency = "USD".parse().unwrap();
        let day = |iso| Day::from_iso(iso).unwrap();
        let row = |iso, commission_minor| MonthRow {
            currency: usd,
            day: day(iso),
            orders: 1,
            base_minor: 10 * commission_minor,
            commission_minor,
        };
        let rows = [row("2026-03-31", 1), row("2026-11-09", 900_000_000_000_000)];
        let chart = chart(usd, &rows, day("2026-11-23"), &Locale::default());
        let months: Vec<&str> = chart.bars.iter().map(|bar| bar.month.as_str()).collect();
        assert_eq!((months.len(), months[0], months[11]), (12, "Dec 2025", "Nov 2026"));
        let heights: Vec<i64> = chart.bars.iter().map(|bar| bar.height).collect();
        assert_eq!(heights, [0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 100]);
        assert_eq!(chart.bars[3].commission, "$0.01");
        assert!(chart.bars.iter().all(|bar| bar.y + bar.height == 108 && bar.x + 28 <= 480));
    }
}
