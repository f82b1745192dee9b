//! The audit trail of what callers do: written in the batch that does it.

use crate::app::App;
use crate::domain::auth::Actor;
use crate::domain::ids::{BrandId, CreatorId, MemberId};
use crate::storage::Statement;
use crate::storage::audit::{self, If};
use crate::web::caller::Caller;

/// Who does something to a brand: what a caller's command and a job that acts for somebody have in common.
#[derive(Clone, Copy)]
pub struct Acting<'a> {
    /// To which brand.
    pub brand: BrandId,
    /// Who, by which request.
    pub by: By<'a>,
    /// Whether the brand has events told that are sent after the answer.
    told: bool,
}

impl<'a> Acting<'a> {
    /// A job that acts for somebody: what the brand has told of it goes out with the job for that.
    #[must_use]
    pub fn later(brand: BrandId, by: By<'a>) -> Self {
        Self { brand, by, told: false }
    }

    /// What is about to change is sent to whom the brand has it told, after the answer.
    fn tells(&self, app: &App) {
        if self.told {
            app.note_hooks(self.brand);
        }
    }

    fn done<'b>(
        &self,
        app: &App,
        action: &'static str,
        subject: &'b str,
        (before, after): (Option<String>, Option<String>),
    ) -> audit::Done<'b>
    where
        'a: 'b,
    {
        self.tells(app);
        let By { actor, request_id } = self.by;
        audit::Done { id: app.new_id(), actor, action, subject, request_id, before, after }
    }

    /// As [`Caller::note`].
    #[must_use]
    pub fn note(
        &self,
        app: &App,
        action: &'static str,
        subject: impl ToString,
        before: Option<String>,
        after: Option<String>,
    ) -> Statement {
        let subject = subject.to_string();
        let done = self.done(app, action, &subject, (before, after));
        audit::note(Some(self.brand), &done, app.now_ms())
    }

    /// As [`Caller::note_of_creator`].
    #[must_use]
    pub fn note_of_creator(
        &self,
        app: &App,
        creator: CreatorId,
        (action, subject): (&'static str, &str),
        before: Option<String>,
        after: Option<String>,
    ) -> [Statement; 2] {
        let done = self.done(app, action, subject, (before, after));
        audit::note_of_creator(self.brand, done, creator, app.now_ms())
    }
}

impl<S> Caller<S> {
    /// The caller as one who acts.
    #[must_use]
    pub fn acting(&self) -> Acting<'_> {
        let by = By { actor: self.actor, request_id: &self.request_id };
        Acting { brand: self.brand, by, told: self.told }
    }

    /// Notes what the caller does, for the batch that does it. `before` and `after` are JSON: what
    /// the API shows of the subject, or what was changed of it; never a secret.
    #[must_use]
    pub fn note(
        &self,
        app: &App,
        action: &'static str,
        subject: impl ToString,
        before: Option<String>,
        after: Option<String>,
    ) -> Statement {
        self.acting().note(app, action, subject, before, after)
    }

    /// The same, in front of the change in its batch, if that takes place.
    #[must_use]
    pub fn note_if(
        &self,
        app: &App,
        condition: If,
        (action, subject): (&'static str, &str),
        before: Option<String>,
        after: Option<String>,
    ) -> Statement {
        let done = self.acting().done(app, action, subject, (before, after));
        audit::note_if(condition, self.brand, &done, app.now_ms())
    }

    /// The same of a member: `before` and `after` are kept apart, so that they can go.
    #[must_use]
    pub fn note_of_member(
        &self,
        app: &App,
        condition: Option<If>,
        (action, member): (&'static str, MemberId),
        before: Option<String>,
        after: Option<String>,
    ) -> [Statement; 2] {
        let by = By { actor: self.actor, request_id: &self.request_id };
        note_of_member(app, self.brand, (&by, condition), (action, member), before, after)
    }

    /// The same for many subjects at once.
    #[must_use]
    pub fn note_many(
        &self,
        app: &App,
        action: &'static str,
        subjects: &[String],
        after: String,
    ) -> Statement {
        let done = self.acting().done(app, action, "", (None, Some(after)));
        let subjects: Vec<_> = subjects.iter().map(|s| (app.new_id(), s.clone())).collect();
        audit::note_many(self.brand, &done, &subjects, app.now_ms())
    }

    /// The same where `before` and `after` tell something personal of a creator: it goes with her.
    #[must_use]
    pub fn note_of_creator(
        &self,
        app: &App,
        creator: CreatorId,
        what: (&'static str, &str),
        before: Option<String>,
        after: Option<String>,
    ) -> [Statement; 2] {
        self.acting().note_of_creator(app, creator, what, before, after)
    }
}

/// Who does something, by which request.
#[derive(Clone, Copy)]
pub struct By<'a> {
    /// Who.
    pub actor: Actor,
    /// By which request.
    pub request_id: &'a str,
}

/// Notes what somebody does to a brand: see [`Caller::note`].
#[must_use]
pub fn note(
    app: &App,
    brand: BrandId,
    by: &By<'_>,
    action: &'static str,
    subject: &str,
    before: Option<String>,
    after: Option<String>,
) -> Statement {
    let done = audit::Done {
        id: app.new_id(),
        actor: by.actor,
        action,
        subject,
        request_id: by.request_id,
        before,
        after,
    };
    audit::note(Some(brand), &done, app.now_ms())
}

/// Notes what somebody does to a member of a brand: see [`Caller::note_of_member`].
#[must_use]
pub fn note_of_member(
    app: &App,
    brand: BrandId,
    (by, condition): (&By<'_>, Option<If>),
    (action, member): (&'static str, MemberId),
    before: Option<String>,
    after: Option<String>,
) -> [Statement; 2] {
    let (id, actor, request_id) = (app.new_id(), by.actor, by.request_id);
    let done = audit::Done { id, actor, action, subject: "", request_id, before, after };
    audit::note_of_member(condition, brand, (member, done), app.now_ms())
}
