//! Counting: how many clicks a link had on a day, and how many different visitors.
//!
//! Numbers here are for people to look at; no amount of money depends on them.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use super::click::{Part, Visitor};
use super::ids::{BrandId, DealId, LinkId};
use super::time::Day;

/// Up to so many visitors a [`Sketch`] is exact.
pub const EXACT: usize = 256;

/// HyperLogLog with 2^12 registers: a standard error of 1.04 / √4096 = 1.6 %.
const PRECISION: u32 = 12;
const REGISTERS: usize = 1 << PRECISION;
/// The highest value of a register: the first set bit of the 52 that remain, or none.
const HIGHEST: u8 = 64 - 12 + 1;

const FORM_EXACT: u8 = 1;
const FORM_REGISTERS: u8 = 2;

/// How many different hashes were seen: exactly while there are few, then by HyperLogLog.
/// Merging is commutative, associative and idempotent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sketch(Form);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Form {
    /// The hashes, sorted, each once.
    Exact(Vec<u64>),
    /// For each of [`REGISTERS`] the highest position of a first set bit.
    Registers(Vec<u8>),
}

impl Default for Sketch {
    fn default() -> Self {
        Self(Form::Exact(Vec::new()))
    }
}

impl Sketch {
    /// Adds a visitor by a hash whose 64 bits are all random.
    pub fn insert(&mut self, hash: u64) {
        match &mut self.0 {
            Form::Exact(hashes) => {
                if let Err(at) = hashes.binary_search(&hash) {
                    hashes.insert(at, hash);
                }
                if hashes.len() > EXACT {
                    self.0 = Form::Registers(registers_of(hashes));
                }
            }
            Form::Registers(registers) => raise(registers, hash),
        }
    }

    /// Adds everyone that `other` has seen.
    pub fn merge(&mut self, other: &Self) {
        match (&mut self.0, &other.0) {
            (_, Form::Exact(hashes)) => hashes.iter().for_each(|hash| self.insert(*hash)),
            (Form::Exact(hashes), Form::Registers(theirs)) => {
                let mut registers = theirs.clone();
                hashes.iter().for_each(|hash| raise(&mut registers, *hash));
                self.0 = Form::Registers(registers);
            }
            (Form::Registers(ours), Form::Registers(theirs)) => {
                ours.iter_mut().zip(theirs).for_each(|(our, their)| *our = (*our).max(*their));
            }
        }
    }

    /// How many different hashes there were.
    #[must_use]
    pub fn estimate(&self) -> u64 {
        match &self.0 {
            Form::Exact(hashes) => u64::try_from(hashes.len()).unwrap_or(u64::MAX),
            // The number never falls when the form changes.
            Form::Registers(registers) => estimate(registers).max(EXACT as u64 + 1),
        }
    }

    /// How many bytes of memory it holds, about.
    #[must_use]
    pub fn memory(&self) -> usize {
        match &self.0 {
            Form::Exact(hashes) => hashes.capacity() * 8,
            Form::Registers(registers) => registers.len(),
        }
    }

    /// The stored form: its version, then hashes or registers.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        match &self.0 {
            Form::Exact(hashes) => std::iter::once(FORM_EXACT)
                .chain(hashes.iter().flat_map(|hash| hash.to_le_bytes()))
                .collect(),
            Form::Registers(registers) => {
                std::iter::once(FORM_REGISTERS).chain(registers.iter().copied()).collect()
            }
        }
    }

    /// The sketch that [`Self::to_bytes`] wrote, or nothing for any other bytes.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (form, rest) = bytes.split_first()?;
        match *form {
            FORM_EXACT => {
                let (hashes, []) = rest.as_chunks::<8>() else { return None };
                let hashes: Vec<u64> =
                    hashes.iter().map(|hash| u64::from_le_bytes(*hash)).collect();
                let sorted = hashes.windows(2).all(|pair| matches!(pair, [a, b] if a < b));
                (sorted && hashes.len() <= EXACT).then_some(Self(Form::Exact(hashes)))
            }
            FORM_REGISTERS => {
                let valid = rest.len() == REGISTERS && rest.iter().all(|rank| *rank <= HIGHEST);
                valid.then(|| Self(Form::Registers(rest.to_vec())))
            }
            _ => None,
        }
    }
}

fn registers_of(hashes: &[u64]) -> Vec<u8> {
    let mut registers = vec![0; REGISTERS];
    hashes.iter().for_each(|hash| raise(&mut registers, *hash));
    registers
}

/// The upper bits choose the register, the others give the position of their first set bit.
fn raise(registers: &mut [u8], hash: u64) {
    let register = usize::try_from(hash >> (64 - PRECISION)).unwrap_or(0);
    // The bit set below the 52 stops the count where all of them are zero.
    let rest = (hash << PRECISION) | (1 << (PRECISION - 1));
    let rank = u8::try_from(rest.leading_zeros() + 1).unwrap_or(HIGHEST);
    if let Some(highest) = registers.get_mut(register) {
        *highest = (*highest).max(rank);
    }
}

/// Ertl's improved raw estimator (arXiv:1702.01284, algorithm 6): no bias tables and no thresholds
/// between formulas, from one visitor to 10^18.
#[expect(clippy::float_arithmetic, reason = "an estimate, which never decides money")]
fn estimate(registers: &[u8]) -> u64 {
    let mut with_rank = [0.0_f64; HIGHEST as usize + 1];
    for rank in registers {
        if let Some(count) = with_rank.get_mut(usize::from(*rank)) {
            *count += 1.0;
        }
    }
    let m = REGISTERS as f64;
    let [empty, between @ .., full] = with_rank;
    let mut z = m * tau(1.0 - full / m);
    for count in between.iter().rev() {
        z = 0.5 * (z + count);
    }
    z += m * sigma(empty / m);
    (m * m / (2.0 * std::f64::consts::LN_2 * z)).round() as u64
}

/// x + Σ x^(2^k) 2^(k-1): what the empty registers say.
#[expect(clippy::float_arithmetic, reason = "an estimate, which never decides money")]
fn sigma(mut x: f64) -> f64 {
    if x >= 1.0 {
        return f64::INFINITY;
    }
    let (mut power, mut sum) = (1.0, x);
    loop {
        x *= x;
        let before = sum;
        sum += x * power;
        power += power;
        if sum <= before {
            return sum;
        }
    }
}

/// (1 − x − Σ (1 − x^(2^-k))² 2^-k) / 3: what the full registers say.
#[expect(clippy::float_arithmetic, reason = "an estimate, which never decides money")]
fn tau(mut x: f64) -> f64 {
    if x <= 0.0 || x >= 1.0 {
        return 0.0;
    }
    let (mut power, mut rest) = (1.0, 1.0 - x);
    loop {
        x = x.sqrt();
        let before = rest;
        power *= 0.5;
        rest -= (1.0 - x) * (1.0 - x) * power;
        if rest >= before {
            return rest / 3.0;
        }
    }
}

/// The random key of one UTC day, under which visitors are told apart. When it is deleted nobody
/// can find out any more whether an address was among them.
#[derive(Clone)]
pub struct DailyKey(Hmac<Sha256>);

impl DailyKey {
    /// Prepares a key for many visitors.
    #[must_use]
    pub fn new(key: &[u8; 32]) -> Self {
        // HMAC fills short keys up with zeros; a key of the full block can't be refused.
        let mut block = [0; 64];
        for (to, from) in block.iter_mut().zip(key) {
            *to = *from;
        }
        Self(Hmac::new(&block.into()))
    }

    /// One visitor, one link, one hour.
    fn hash(&self, link: LinkId, visitor: &Visitor) -> u64 {
        let mut mac = self.0.clone();
        mac.update(&link.bytes());
        mac.update(&visitor.hour.to_le_bytes());
        mac.update(&visitor.fingerprint);
        let digest: [u8; 32] = mac.finalize().into_bytes().into();
        digest.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes))
    }
}

impl std::fmt::Debug for DailyKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DailyKey(…)")
    }
}

/// The clicks of one link on one day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkDay {
    /// The tenant.
    pub brand: BrandId,
    /// The deal that the link belongs to.
    pub deal: DealId,
    /// The link.
    pub link: LinkId,
    /// The day in the brand's calendar.
    pub day: Day,
    /// Visits by shoppers.
    pub total: u64,
    /// Visits by bots.
    pub bot: u64,
    /// Visits by browsers that looked ahead.
    pub prefetch: u64,
    /// `HEAD` requests.
    pub head: u64,
    /// The shoppers, each once an hour.
    pub visitors: Sketch,
}

impl LinkDay {
    /// A day without clicks, of the link that the part is about.
    #[must_use]
    pub fn new(part: &Part) -> Self {
        let &Part { brand, deal, link, day, .. } = part;
        let visitors = Sketch::default();
        Self { brand, deal, link, day, total: 0, bot: 0, prefetch: 0, head: 0, visitors }
    }

    /// Adds clicks of the same link and day. `key_of` gives the key for an hour's UTC day.
    pub fn absorb<'k>(&mut self, part: &Part, key_of: impl Fn(u32) -> Option<&'k DailyKey>) {
        self.total += u64::from(part.total);
        self.bot += u64::from(part.bot);
        self.prefetch += u64::from(part.prefetch);
        self.head += u64::from(part.head);
        for visitor in &part.visitors {
            if let Some(key) = key_of(visitor.hour / 24) {
                self.visitors.insert(key.hash(self.link, visitor));
            }
        }
    }

    /// How many unique clicks there were: one visitor, one hour. Never more than clicks, whatever
    /// the sketch estimates.
    #[must_use]
    pub fn uniques(&self) -> u64 {
        self.visitors.estimate().min(self.total)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashSet;

    /// SplitMix64: hashes as random as those of an HMAC.
    fn hash(n: u64) -> u64 {
        let mut z = n.wrapping_add(0x9e37_79b9_7f4a_7c15).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
    fn of(numbers: impl IntoIterator<Item = u64>) -> Sketch {
        let mut sketch = Sketch::default();
        numbers.into_iter().for_each(|n| sketch.insert(hash(n)));
        sketch
    }
    /// The error in tenths of a percent.
    fn error(seen: u64, truth: u64) -> u64 {
        seen.abs_diff(truth) * 1000 / truth
    }

    #[test]
    fn few_visitors_are_counted_exactly() {
        for n in [0, 1, 2, 255, 256] {
            assert_eq!(of((0..n).chain(0..n)).estimate(), n);
        }
    }

    #[test]
    fn many_visitors_are_counted_within_five_standard_errors() {
        let mut sketch = Sketch::default();
        let (mut last, mut worst) = (0, 0);
        for n in 1..=1_000_000 {
            sketch.insert(hash(n));
            if n % 997 == 0 || n < 2000 {
                let seen = sketch.estimate();
                assert!(seen >= last, "{n}: {seen} after {last}");
                last = seen;
                worst = worst.max(error(seen, n));
            }
        }
        assert!(worst <= 80, "{worst} tenths of a percent");
    }

    #[test]
    fn the_usual_error_is_the_standard_error() {
        for truth in [257, 1000, 5000, 10_000, 20_000, 100_000] {
            let errors = (1..=40).map(|round| {
                let seen = of((0..truth).map(|n| n + round * 10_000_000)).estimate();
                error(seen, truth).pow(2)
            });
            let mean_square = errors.sum::<u64>() / 40;
            assert!(mean_square <= 22 * 22, "{truth}: √{mean_square} tenths of a percent");
        }
    }

    #[test]
    fn extreme_registers_do_not_break_the_estimate() {
        assert!(estimate(&[HIGHEST; REGISTERS]) > 1 << 60);
        assert_eq!(estimate(&[0; REGISTERS]), 0);
        assert_eq!(Sketch(Form::Registers(vec![0; REGISTERS])).estimate(), 257);
        let mut registers = vec![0; REGISTERS];
        raise(&mut registers, 0);
        raise(&mut registers, u64::MAX);
        assert_eq!((registers[0], registers[REGISTERS - 1]), (HIGHEST, 1));
    }

    #[test]
    fn stored_sketches_are_pinned_and_garbage_is_refused() {
        let sketch = Sketch(Form::Exact(vec![1, 2]));
        let bytes = [1, 1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(sketch.to_bytes(), bytes);
        assert_eq!(Sketch::from_bytes(&bytes), Some(sketch));
        let swapped = [1, 2, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0];
        for bad in [&[][..], &[0], &[3], &[1, 1], &[2, 1], &bytes[..16], &swapped] {
            assert_eq!(Sketch::from_bytes(bad), None, "{bad:?}");
        }
        let mut full = [&[2][..], &[HIGHEST; REGISTERS]].concat();
        assert!(Sketch::from_bytes(&full).is_some());
        full[17] = HIGHEST + 1;
        assert_eq!(Sketch::from_bytes(&full), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn merging_is_counting_together(
            a in prop::collection::vec(0_u64..2000, 0..600),
            b in prop::collection::vec(0_u64..2000, 0..600),
        ) {
            let both: HashSet<u64> = a.iter().chain(&b).copied().collect();
            let together = of(a.iter().chain(&b).copied());
            let mut merged = of(a.clone());
            merged.merge(&of(b.clone()));
            prop_assert_eq!(&merged, &together);
            merged.merge(&of(b.clone()));
            prop_assert_eq!(&merged, &together);
            let mut turned = of(b);
            turned.merge(&of(a));
            prop_assert_eq!(&turned, &together);
            prop_assert_eq!(Sketch::from_bytes(&together.to_bytes()), Some(together.clone()));
            let truth = both.len() as u64;
            prop_assert!(truth <= 256 || error(together.estimate(), truth) <= 80);
            prop_assert!(truth > 256 || together.estimate() == truth);
        }

        #[test]
        fn no_bytes_make_reading_panic(bytes: Vec<u8>) {
            if let Some(sketch) = Sketch::from_bytes(&bytes) {
                prop_assert_eq!(sketch.to_bytes(), bytes);
            }
        }
    }

    fn part(total: u32, visitors: &[(u32, u8)]) -> Part {
        let visitors =
            visitors.iter().map(|(hour, n)| Visitor { hour: *hour, fingerprint: [*n; 16] });
        Part {
            brand: BrandId::from_bytes([1; 16]),
            deal: DealId::from_bytes([2; 16]),
            link: LinkId::from_bytes([3; 16]),
            day: Day(20_000),
            total,
            bot: 1,
            prefetch: 2,
            head: 3,
            visitors: visitors.collect(),
        }
    }

    #[test]
    fn a_unique_click_is_one_visitor_one_link_one_hour() {
        let (today, tomorrow) = (DailyKey::new(&[1; 32]), DailyKey::new(&[2; 32]));
        let keys = |day| if day == 0 { Some(&today) } else { Some(&tomorrow) };
        let first = part(5, &[(22, 1), (22, 2), (23, 1)]);
        let mut day = LinkDay::new(&first);
        assert_eq!((day.total, day.uniques()), (0, 0));
        day.absorb(&first, keys);
        day.absorb(&part(2, &[(22, 1), (24, 1)]), keys);
        assert_eq!((day.total, day.bot, day.prefetch, day.head), (7, 2, 4, 6));
        assert_eq!(day.uniques(), 4);
        let other = DailyKey::new(&[1; 32]);
        let visitor = Visitor { hour: 1, fingerprint: [1; 16] };
        let link = |n| LinkId::from_bytes([n; 16]);
        assert_eq!(other.hash(link(1), &visitor), today.hash(link(1), &visitor));
        assert_ne!(other.hash(link(1), &visitor), today.hash(link(2), &visitor));
        assert_ne!(other.hash(link(1), &visitor), tomorrow.hash(link(1), &visitor));
    }

    #[test]
    fn without_a_key_clicks_count_but_visitors_do_not() {
        let first = part(2, &[(22, 1)]);
        let mut day = LinkDay::new(&first);
        day.absorb(&first, |_| None);
        assert_eq!((day.total, day.uniques()), (2, 0));
    }

    #[test]
    fn unique_clicks_never_exceed_clicks() {
        let mut day = LinkDay::new(&part(1, &[]));
        day.visitors = of(0..5000);
        day.total = 300;
        assert_eq!(day.uniques(), 300);
    }
}
