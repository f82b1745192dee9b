//! Writing messages to creators: what their fields say, when they may go out, and giving them their mail.

use crate::app::App;
use crate::domain::creator::normal_email;
use crate::domain::ids::{BrandId, DealId, EnrolmentId, MailId, MessageId, TemplateId};
use crate::domain::json::json;
use crate::domain::letter::{AUTO_GENERATED, Envelope, is_one_address, message, plain};
use crate::domain::money::{BasisPoints, Money};
use crate::domain::outreach::{Settings, Window, zone_of_country};
use crate::domain::secret::token_hash;
use crate::domain::template::{Template, Values};
use crate::domain::time::{Millis, Zone};
use crate::error::{Error, FieldError, Result};
use crate::storage::codes::CodeState;
use crate::storage::deals::DealRow;
use crate::storage::messages::{
    self as rows, AboutRow, Handed, MessageName, NewMessage, SettingsRow,
};
use crate::storage::rows::from_json;
use crate::storage::{DbError, Statement};

use super::api::deals::{find, link_url};
use super::mail::sealed;

/// The longest subject once its fields are filled in.
const MAX_SUBJECT: usize = 300;
/// The longest text once its fields are filled in.
const MAX_TEXT: usize = 50_000;

/// A deal, as messages in it are written.
pub struct Outreach {
    /// It.
    pub deal: DealRow,
    /// Who gets them, and from whom.
    pub about: AboutRow,
    /// What the fields say.
    pub values: Values,
}

/// What a message says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// One line.
    pub subject: String,
    /// As it is sent, without the lines about getting no more.
    pub text: String,
}

/// Loads what messages in a deal are written from.
///
/// # Errors
/// 404; 503 if D1 is away.
pub async fn load(app: &App, brand: BrandId, deal: DealId) -> Result<Outreach> {
    let deal = find(app, brand, deal).await?;
    let about = rows::about(app.db(), brand, deal.id).await?.ok_or(Error::NotFound)?;
    let values = Values::of(|field| value(app, &deal, &about, field));
    Ok(Outreach { deal, about, values })
}

fn value(app: &App, deal: &DealRow, about: &AboutRow, field: &str) -> String {
    let links = || {
        let open = deal.links.iter().filter(|link| link.closed_at_ms.is_none());
        open.map(|link| link_url(app, &link.host, &link.slug)).collect::<Vec<_>>()
    };
    let codes = || {
        let active = deal.codes.iter().filter(|code| code.state == CodeState::Active);
        active.map(|code| code.code.clone()).collect::<Vec<_>>()
    };
    let sum = |of: fn(&rows::Total) -> i64| {
        let told = |total: &rows::Total| {
            let amount = Money::new(of(total), total.currency);
            format!("{} {}", amount.to_decimal(), total.currency)
        };
        if about.totals.is_empty() {
            return format!("{} {}", Money::new(0, about.currency).to_decimal(), about.currency);
        }
        about.totals.iter().map(told).collect::<Vec<_>>().join(", ")
    };
    match field {
        "creator.first_name" => about.name.split_whitespace().next().unwrap_or_default().to_owned(),
        "creator.name" => about.name.clone(),
        "creator.handle" => about.handle.clone(),
        "campaign.name" => deal.campaign.clone(),
        "brand.name" => about.brand.clone(),
        "deal.stage" => deal.stage.clone(),
        "deal.commission_percent" => {
            deal.terms.as_ref().map(|terms| percent(terms.rate_bp)).unwrap_or_default()
        }
        "deal.link" => links().into_iter().next().unwrap_or_default(),
        "deal.links" => links().join("\n"),
        "deal.code" => codes().into_iter().next().unwrap_or_default(),
        "deal.codes" => codes().join(", "),
        "deal.orders" => about.totals.iter().map(|total| total.orders).sum::<i64>().to_string(),
        "deal.revenue" => sum(|total| total.base),
        "deal.commission" => sum(|total| total.commission),
        _ => String::new(),
    }
}

/// A rate as people write it: `12.5`.
fn percent(rate: BasisPoints) -> String {
    let points = rate.points();
    let text = format!("{}.{:02}", points / 100, points % 100);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A template of a subject and one of a text.
pub struct Written {
    /// Of one line.
    pub subject: Template,
    /// Of as many as it takes.
    pub text: Template,
}

/// What a message would find empty, as far as a deal and its creator's name and handle tell: what is reckoned or
/// belongs to the brand never is. As [`Outreach::draft`] says it; empty where nothing is.
#[must_use]
pub fn empty_fields(written: &Written, deal: &DealRow, name: &str, handle: &str) -> String {
    let known = |known: bool| if known { "x".to_owned() } else { String::new() };
    let values = Values::of(|field| match field {
        "creator.first_name" => known(name.split_whitespace().next().is_some()),
        "creator.name" => name.to_owned(),
        "creator.handle" => handle.to_owned(),
        "deal.commission_percent" => known(deal.terms.is_some()),
        "deal.link" | "deal.links" => {
            known(deal.links.iter().any(|link| link.closed_at_ms.is_none()))
        }
        "deal.code" | "deal.codes" => {
            known(deal.codes.iter().any(|code| code.state == CodeState::Active))
        }
        _ => known(true),
    });
    let mut wrong = Vec::new();
    for (part, template) in [("subject", &written.subject), ("text", &written.text)] {
        let empty = template.render(&values).err().into_iter().flatten();
        wrong.extend(
            empty.map(|name| format!("{part} needs `{name}`, which is empty for {}", deal.id)),
        );
    }
    wrong.join("; ")
}

/// Reads a subject and a text with fields.
///
/// # Errors
/// 422 naming what is no field.
pub fn templates(subject: &str, text: &str) -> Result<Written> {
    let mut wrong = Vec::new();
    let mut read = |field: &str, text: &str| match Template::parse(text) {
        Ok(template) => Some(template),
        Err(unknown) => {
            wrong.extend(unknown.into_iter().map(|name| FieldError {
                field: field.to_owned(),
                reason: if name == "{{" {
                    "has `{{` without `}}` after it".to_owned()
                } else {
                    format!("names `{name}`, which is no merge field")
                },
            }));
            None
        }
    };
    match (read("subject", subject), read("text", text)) {
        (Some(subject), Some(text)) => Ok(Written { subject, text }),
        _ => Err(Error::Invalid(wrong).into()),
    }
}

impl Outreach {
    /// A message with its fields filled in.
    ///
    /// # Errors
    /// 422 naming the fields that are empty for this deal.
    pub fn draft(&self, written: &Written) -> Result<Draft> {
        let (subject, text) =
            (written.subject.render(&self.values), written.text.render(&self.values));
        let mut wrong = Vec::new();
        for (field, rendered) in [("subject", &subject), ("text", &text)] {
            let empty = rendered.as_ref().err().into_iter().flatten();
            wrong.extend(empty.map(|name| FieldError {
                field: field.to_owned(),
                reason: format!("needs `{name}`, which is empty for {}", self.deal.id),
            }));
        }
        let (Ok(subject), Ok(text)) = (subject, text) else {
            return Err(Error::Invalid(wrong).into());
        };
        let subject = plain(&subject);
        for (field, told, most) in [("subject", &subject, MAX_SUBJECT), ("text", &text, MAX_TEXT)] {
            if told.chars().count() > most {
                let why = format!("has more than {most} characters once its fields are filled in");
                return Err(Error::invalid(field, why));
            }
        }
        Ok(Draft { subject, text })
    }

    /// Her address, if messages may be sent to it.
    ///
    /// # Errors
    /// 409 `creator-erased`, `unsubscribed` or `no-address`.
    pub fn address(&self) -> Result<&str> {
        if self.about.erased_at_ms.is_some() {
            return Err(Error::refused("creator-erased", "this creator was erased"));
        }
        let address = self.about.email.as_deref().filter(|to| is_one_address(to));
        let missing =
            || Error::refused("no-address", "she has no address that a mail can be sent to");
        let address = address.ok_or_else(missing)?;
        if self.about.unsubscribed {
            return Err(Error::refused("unsubscribed", "she wants no more messages of this brand"));
        }
        Ok(address)
    }

    /// What the brand set.
    #[must_use]
    pub fn settings(&self) -> Settings {
        let about = &self.about;
        let (Some(daily_limit), Some(days), Some(from_minute), Some(to_minute)) =
            (about.daily_limit, about.days, about.from_minute, about.to_minute)
        else {
            return Settings::default();
        };
        settings_of(SettingsRow { daily_limit, days, from_minute, to_minute })
    }

    /// The brand's calendar.
    fn brand_zone(&self) -> Zone {
        Zone::named(&self.about.timezone).unwrap_or_else(Zone::utc)
    }

    /// Whose day the window is of: hers if her country has one zone, else the brand's.
    fn zone(&self) -> Zone {
        let hers = self.about.country.as_deref().and_then(zone_of_country);
        hers.unwrap_or_else(|| self.brand_zone())
    }

    /// The first moment from `at_ms` on at which a message may go out.
    #[must_use]
    pub fn next(&self, at_ms: Millis) -> Millis {
        self.settings().window.next(&self.zone(), at_ms)
    }

    /// The same, but not on the brand's day of `now_ms`, which is full.
    fn tomorrow(&self, now_ms: Millis) -> Millis {
        let zone = self.brand_zone();
        self.next(zone.start_of(zone.day(now_ms).plus(1)))
    }
}

/// Settings as they are stored.
#[must_use]
pub fn settings_of(row: SettingsRow) -> Settings {
    let days = u8::try_from(row.days).unwrap_or(127);
    let window = Window { days, from_minute: row.from_minute, to_minute: row.to_minute };
    Settings { daily_limit: row.daily_limit, window }
}

/// What stands in a deal's reply addresses: nobody can guess it, and it doesn't change.
fn reply_token(app: &App, brand: BrandId, deal: DealId) -> String {
    let parts = [&*brand.to_string(), &*deal.to_string()];
    // Local parts may lose their case on the way.
    token_hash(&app.config.data_key.keyed_hash("reply", &parts))
        .get(..40)
        .unwrap_or_default()
        .to_owned()
}

/// What ends a brand's messages to an address when it is posted.
fn unsubscribe_token(app: &App, brand: BrandId, email_hash: &str) -> String {
    let brand = brand.to_string();
    let proof = app.config.data_key.keyed_hash("unsubscribe", &[&*brand, email_hash]);
    format!("{brand}.{email_hash}.{proof}")
}

/// Whom and what a token that ends messages is about: a brand, and the hash of an address.
#[must_use]
pub fn read_unsubscribe_token(app: &App, token: &str) -> Option<(BrandId, String)> {
    let mut parts = token.splitn(3, '.');
    let (brand, email_hash) = (parts.next()?.parse().ok()?, parts.next()?);
    parts.next()?;
    let ours = unsubscribe_token(app, brand, email_hash);
    let same = subtle::ConstantTimeEq::ct_eq(ours.as_bytes(), token.as_bytes());
    bool::from(same).then(|| (brand, email_hash.to_owned()))
}

/// A message's content, sealed to it.
#[must_use]
pub fn seal(app: &App, id: MessageId, content: &str) -> Option<String> {
    app.config.data_key.seal(&id.to_string(), content.as_bytes(), app.random())
}

/// What [`seal`] sealed, as a list of texts: subject, text, and of what came who wrote it and a remark.
#[must_use]
pub fn opened(app: &App, id: &str, content: &str) -> Option<Vec<String>> {
    let bytes = app.config.data_key.open(id, content)?;
    from_json(std::str::from_utf8(&bytes).ok()?)
}

/// What a message comes from beside its draft.
#[derive(Debug, Clone, Copy, Default)]
pub struct Origin {
    /// A template.
    pub template: Option<TemplateId>,
    /// A step of an enrolment.
    pub step: Option<(EnrolmentId, i64)>,
    /// A machine sends it by itself: a step of a sequence, or an automation.
    pub automatic: bool,
}

/// Puts a message into a deal, for the batch of what causes it, with its mail if it may go out now:
/// whoever answers sends that. Else it waits, and a job does it when its time has come.
///
/// # Errors
/// As [`Outreach::address`].
pub fn put(
    app: &App,
    outreach: &Outreach,
    name: MessageName,
    draft: &Draft,
    origin: Origin,
) -> Result<(Vec<Statement>, Millis)> {
    outreach.address()?;
    let (brand, deal, id) = name;
    let now_ms = app.now_ms();
    let due_at_ms = outreach.next(now_ms);
    let Origin { template, step, automatic } = origin;
    let marks = if automatic { AUTO_GENERATED } else { "" };
    // Between them what only mails that came have.
    let content = json!([draft.subject, draft.text, "", "", marks]);
    let content = seal(app, id, &content).ok_or_else(fault)?;
    let reply_hash = &token_hash(&reply_token(app, brand, deal));
    let new = NewMessage { name, content, template, step, due_at_ms, reply_hash };
    let mut batch = rows::insert(&new, now_ms);
    if due_at_ms <= now_ms {
        batch.extend(hand_over(app, outreach, name, (draft, marks))?);
    }
    Ok((batch, due_at_ms))
}

/// Gives a message that waits its mail, if it may have one.
fn hand_over(
    app: &App,
    outreach: &Outreach,
    name: MessageName,
    (draft, automatic): (&Draft, &str),
) -> Result<Vec<Statement>> {
    let to = outreach.address()?;
    let (brand, deal, _) = name;
    let email_hash = app.config.data_key.email_hash(brand, &normal_email(to));
    let unsubscribe = unsubscribe_token(app, brand, &email_hash);
    let reply_to = app.config.reply_domain.as_ref().map(|domain| {
        let token = reply_token(app, brand, deal);
        format!("reply+{token}@{domain}")
    });
    let envelope = Envelope {
        sender: outreach.about.brand.clone(),
        reply_to: reply_to.unwrap_or_default(),
        unsubscribe: format!("{}/unsubscribe/{unsubscribe}", app.config.public_origin),
        automatic: automatic.to_owned(),
    };
    let written = message(&draft.subject, &draft.text, envelope).ok_or_else(fault)?;
    let mail: MailId = app.new_id();
    let content = sealed(app, mail, &written).ok_or_else(fault)?;
    let (now_ms, daily_limit) = (app.now_ms(), outreach.settings().daily_limit);
    let day = outreach.brand_zone().day(now_ms);
    app.note_mail((Some(brand), mail));
    let handed = Handed { mail, to, email_hash: &email_hash, content, day, daily_limit };
    Ok(rows::hand_over(name, &handed, now_ms))
}

fn fault() -> Box<Error> {
    Error::Internal("a message can't be written".to_owned()).into()
}

/// Lets a message wait for another day if it still waits for this moment: the day is full.
///
/// # Errors
/// 503.
pub async fn settle(app: &App, outreach: &Outreach, name: MessageName) -> Result<()> {
    let Some(row) = rows::find(app.db(), name).await? else { return Ok(()) };
    let now_ms = app.now_ms();
    if row.due_at_ms.is_some_and(|due_at_ms| due_at_ms <= now_ms) {
        let later = rows::postpone(name, outreach.tomorrow(now_ms), "daily_limit");
        app.db().run(vec![later]).await?;
    }
    Ok(())
}

/// Sends a message whose time has come, or says why not. Two at once send one mail.
///
/// # Errors
/// 503.
pub async fn send_due(app: &App, name: MessageName) -> Result<bool> {
    let (brand, deal, id) = name;
    let outreach = load(app, brand, deal).await?;
    let Some(row) = rows::find(app.db(), name).await?.filter(|row| row.due_at_ms.is_some()) else {
        return Ok(false);
    };
    let now_ms = app.now_ms();
    let at_ms = outreach.next(now_ms);
    if at_ms > now_ms {
        app.db().run(vec![rows::postpone(name, at_ms, "")]).await?;
        return Ok(false);
    }
    let mut parts = opened(app, &id.to_string(), &row.content).unwrap_or_default().into_iter();
    let (Some(subject), Some(text)) = (parts.next(), parts.next()) else {
        app.db()
            .run(vec![rows::cancel(name, "its text can't be opened with this DATA_KEY")])
            .await?;
        return Ok(false);
    };
    let automatic = parts.nth(2).unwrap_or_default();
    match hand_over(app, &outreach, name, (&Draft { subject, text }, &automatic)) {
        Ok(batch) => {
            app.db().run(batch).await?;
            settle(app, &outreach, name).await?;
            Ok(true)
        }
        Err(error) => match *error {
            Error::Refused { rule, .. } => {
                app.db().run(vec![rows::cancel(name, rule)]).await?;
                Ok(false)
            }
            error => Err(error.into()),
        },
    }
}

/// Whether a batch was refused because the step was sent, or the sequence stopped, meanwhile.
#[must_use]
pub fn was_done(error: &DbError) -> bool {
    matches!(error, DbError::Constraint(_))
}
