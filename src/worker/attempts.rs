//! The Durable Object that counts attempts: one for each subject, so that the count is exact
//! wherever requests come in.

use worker::{DurableObject, Env, Request, Response, Result, State, durable_object};

use super::bindings;
use super::glue::now_ms;
use crate::domain::limit::Window;

/// Counts the attempts of one subject.
#[durable_object(alarm)]
pub struct Attempts {
    state: State,
}

impl DurableObject for Attempts {
    fn new(state: State, _: Env) -> Self {
        Self { state }
    }

    /// Takes `limit period_ms`; answers nothing if the attempt is allowed, and how long to wait if
    /// it isn't. Between reading and writing nothing waits, so that no other attempt comes between;
    /// and what was written is on disk before the answer leaves.
    async fn fetch(&self, mut request: Request) -> Result<Response> {
        let question = request.text().await?;
        let numbers = question.split_once(' ');
        let numbers = numbers.and_then(|(l, p)| Some((l.parse().ok()?, p.parse().ok()?)));
        let Some((limit, period_ms)) = numbers else {
            return Response::error("no question", 400);
        };
        let now_ms = now_ms();
        // What can't be read can't be counted: no answer but an error allows nothing.
        let running = bindings::noted(&self.state)?.as_deref().and_then(Window::from_text);
        match Window::take(running, limit, period_ms, now_ms) {
            Err(wait_ms) => Response::ok(wait_ms.to_string()),
            Ok(window) => {
                bindings::note(&self.state, &window.to_text())?;
                if window.taken == 1 {
                    let in_ms = u32::try_from(period_ms).unwrap_or(u32::MAX);
                    if let Err(error) = bindings::arm(&self.state, in_ms).await {
                        worker::console_error!(
                            "{{\"event\":\"alarm_not_set\",\"detail\":\"{error}\"}}"
                        );
                    }
                }
                Response::empty()
            }
        }
    }

    /// The period has ended: nothing is left of it. One that began meanwhile has set its own alarm.
    async fn alarm(&self) -> Result<Response> {
        if bindings::alarm(&self.state).await.is_none() {
            bindings::forget(&self.state).await;
        }
        Response::empty()
    }
}
