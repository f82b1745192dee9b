//! Counting attempts: the decision, and whom they are counted for.
//!
//! A period begins with the first attempt in it and ends once; what is refused isn't counted.

use super::time::Millis;

/// The period that is running for a subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// When it began.
    pub started_ms: Millis,
    /// How many attempts were taken in it.
    pub taken: u32,
}

impl Window {
    /// Takes one attempt of at most `limit` in a period.
    ///
    /// # Errors
    /// How long to wait, if it isn't allowed.
    pub fn take(
        running: Option<Self>,
        limit: u32,
        period_ms: Millis,
        now_ms: Millis,
    ) -> Result<Self, Millis> {
        let fresh = Self { started_ms: now_ms, taken: 0 };
        let window = running.filter(|w| now_ms < w.started_ms + period_ms).unwrap_or(fresh);
        if window.taken < limit {
            return Ok(Self { taken: window.taken + 1, ..window });
        }
        // A clock that went back must not make anyone wait for longer than the period.
        Err((window.started_ms + period_ms - now_ms).clamp(1, period_ms.max(1)))
    }

    /// As it is stored: `1795334400000 3`.
    #[must_use]
    pub fn to_text(self) -> String {
        format!("{} {}", self.started_ms, self.taken)
    }

    /// What [`Self::to_text`] wrote.
    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        let (started, taken) = text.split_once(' ')?;
        Some(Self { started_ms: started.parse().ok()?, taken: taken.parse().ok()? })
    }
}

/// Milliseconds as whole seconds to wait, never 0.
#[must_use]
pub fn seconds(wait_ms: Millis) -> u32 {
    u32::try_from((wait_ms.max(1) + 999) / 1000).unwrap_or(u32::MAX)
}

/// The network of an address: itself, or of IPv6 the first 64 bits, for a household has them all.
#[must_use]
pub fn network(address: &str) -> String {
    // An IPv4 address in IPv6 clothes is the former.
    let address = match address.rsplit_once(':') {
        Some((_, last)) if last.contains('.') => last,
        _ => address,
    };
    if !address.contains(':') {
        return address.to_owned();
    }
    let (head, tail) = address.split_once("::").unwrap_or((address, ""));
    let groups = |part: &str| part.split(':').filter(|g| !g.is_empty()).count();
    let zeros = 8_usize.saturating_sub(groups(head) + groups(tail));
    let head = head.split(':').filter(|group| !group.is_empty());
    let all = head.chain(std::iter::repeat_n("0", zeros)).chain(tail.split(':'));
    let mut network = String::new();
    for group in all.take(4) {
        let group = group.trim_start_matches('0').to_ascii_lowercase();
        network += if group.is_empty() { "0" } else { &group };
        network.push(':');
    }
    network + ":/64"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_begins_with_the_first_and_takes_so_many() {
        let mut running = None;
        for (now, expected) in [
            (1000, Ok(())),
            (1200, Ok(())),
            (1300, Err(700)),
            (1999, Err(1)),
            // The next begins with the next attempt, not on a grid.
            (2500, Ok(())),
            (3000, Ok(())),
            (3499, Err(1)),
            (3500, Ok(())),
        ] {
            match Window::take(running, 2, 1000, now) {
                Ok(window) => {
                    assert_eq!(expected, Ok(()), "{now}");
                    running = Window::from_text(&window.to_text());
                    assert_eq!(running, Some(window));
                }
                Err(wait) => assert_eq!(expected, Err(wait), "{now}"),
            }
        }
        // A clock that went back.
        assert_eq!(Window::take(running, 1, 1000, 0), Err(1000));
        assert_eq!(Window::take(None, 0, 1000, 0), Err(1000));
        for text in ["", "1", "x 1", "1 x", "1 -1"] {
            assert_eq!(Window::from_text(text), None, "{text}");
        }
        assert_eq!((seconds(0), seconds(1), seconds(1000), seconds(1001)), (1, 1, 1, 2));
    }

    #[test]
    fn a_household_is_one_network() {
        for (address, expected) in [
            ("203.0.113.7", "203.0.113.7"),
            ("::ffff:203.0.113.7", "203.0.113.7"),
            ("2001:DB8:0:00aB:1:2:3:4", "2001:db8:0:ab::/64"),
            ("2001:db8::1", "2001:db8:0:0::/64"),
            ("2001:db8::1:2:3:4:5", "2001:db8:0:1::/64"),
            ("2001:db8:1:2::", "2001:db8:1:2::/64"),
            ("::1", "0:0:0:0::/64"),
            ("", ""),
        ] {
            assert_eq!(network(address), expected, "{address}");
        }
    }
}
