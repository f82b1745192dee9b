//! Which user agents are bots: the patterns of the npm package isbot (`src/domain/bots.txt`),
//! which `build.rs` turns into automata. One pass over the agent, and no regex engine to ship.

use std::sync::LazyLock;

/// What `build.rs` wrote: 16-bit words, first the low bytes of all, then the high ones.
const TABLE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/bots.bin"));

/// States, as `build.rs` numbers them.
const REJECT: u16 = 0;
const ACCEPT: u16 = 1;
const START: u16 = 2;

/// Unpacked at the first use in an isolate: rows are written as differences to earlier rows.
static AUTOMATA: LazyLock<Vec<Automaton>> = LazyLock::new(|| {
    let (low, high) = TABLE.split_at(TABLE.len() / 2);
    let mut words = low.iter().zip(high).map(|(low, high)| u16::from_le_bytes([*low, *high]));
    let count = words.next().unwrap_or(0);
    (0..count).map(|_| Automaton::unpack(&mut words)).collect()
});

/// Whether one of the patterns occurs in the agent. An absent agent is for the caller to judge.
pub(super) fn is_bot(agent: &str) -> bool {
    AUTOMATA.iter().any(|automaton| automaton.accepts(agent.as_bytes()))
}

struct Automaton {
    /// The input that each byte is, and at last the end of the text.
    inputs: Vec<u16>,
    /// How many different inputs there are.
    width: usize,
    /// For every state and input the next state.
    next: Vec<u16>,
}

impl Automaton {
    fn unpack(words: &mut impl Iterator<Item = u16>) -> Self {
        let mut column = |length: usize| words.take(length).collect::<Vec<u16>>();
        let head = column(2);
        let [states, width] = [0, 1].map(|at| head.get(at).copied().map_or(0, usize::from));
        let inputs = column(257);
        let (bases, counts) = (column(states), column(states));
        let changes = counts.iter().copied().map(usize::from).sum();
        let changes = column(changes).into_iter().zip(column(changes));
        let mut changes = changes.map(|(input, to)| (usize::from(input), to));
        let mut next: Vec<u16> = Vec::with_capacity(states * width);
        for (base, count) in bases.into_iter().zip(counts) {
            let (start, base) = (next.len(), usize::from(base) * width);
            // The first row has none before it: it starts as all REJECT.
            let row: Vec<u16> =
                next.get(base..base + width).map_or(vec![REJECT; width], Into::into);
            next.extend(row);
            for (input, to) in changes.by_ref().take(usize::from(count)) {
                if let Some(slot) = next.get_mut(start + input) {
                    *slot = to;
                }
            }
        }
        Self { inputs, width, next }
    }

    fn accepts(&self, text: &[u8]) -> bool {
        let step = |state: u16, symbol: usize| {
            let input = usize::from(self.inputs.get(symbol).copied().unwrap_or(0));
            self.next.get(usize::from(state) * self.width + input).copied().unwrap_or(REJECT)
        };
        let mut state = START;
        for byte in text {
            state = step(state, usize::from(*byte));
            if state <= ACCEPT {
                return state == ACCEPT;
            }
        }
        step(state, 256) == ACCEPT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `scripts/update-bots.mjs` wrote isbot's own verdicts beside the agents.
    fn agents() -> impl Iterator<Item = (&'static str, bool, &'static str)> {
        let lines = include_str!("../../../tests/data/agents.tsv").lines();
        lines.filter(|line| !line.starts_with("# ")).map(|line| {
            let mut fields = line.splitn(3, '\t');
            let kind = fields.next().unwrap();
            let bot = fields.next().unwrap() == "bot";
            (kind, bot, fields.next().unwrap())
        })
    }

    #[test]
    fn every_verdict_is_that_of_isbot() {
        assert!(agents().count() > 3000);
        for (_, bot, agent) in agents() {
            assert_eq!(is_bot(agent), bot, "{agent}");
        }
    }

    #[test]
    fn customers_are_no_bots_and_crawlers_are() {
        let of = |kind| agents().filter(move |(k, ..)| *k == kind).map(|(_, _, agent)| agent);
        let bots = |kind| of(kind).filter(|agent| is_bot(agent)).collect::<Vec<_>>();
        assert_eq!(bots("browser"), [""; 0]);
        assert_eq!(bots("in-app"), [""; 0]);
        assert!(of("browser").count() >= 100 && of("in-app").count() >= 25);
        let (caught, known) = (bots("crawler").len(), of("crawler").count());
        println!("{caught} of {known} known crawlers are caught");
        assert!(caught * 1000 >= known * 995);
    }

    #[test]
    fn bytes_beyond_ascii_and_long_agents_are_judged_too() {
        assert!(!is_bot("Mozilla/5.0 (Ünïcödé 日本語) AppleWebKit/537.36"));
        assert!(is_bot("日本語bot"));
        assert!(is_bot(&"x".repeat(100_000)));
        assert!(!is_bot(&"Mozilla/5.0 (X11) ".repeat(10_000)));
    }
}
