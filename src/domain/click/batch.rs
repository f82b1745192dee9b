//! What travels to a counter object: clicks summed per link and day, with the visitors of each
//! hour, in a compact form of its own.

use std::collections::HashMap;

use super::visit::{Filter, Visit};
use super::waiting::WaitingClick;
use crate::domain::ids::{BrandId, DealId, LinkId};
use crate::domain::time::Day;

/// How many counter objects share the links. One takes about 1,000 batches a second.
pub const SHARDS: u32 = 16;

const HOUR_MS: i64 = 3_600_000;
const VERSION: u8 = 1;

/// The clicks of one isolate and one shard.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Batch {
    /// One for each link and day.
    pub parts: Vec<Part>,
}

/// The clicks of one link on one day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The tenant.
    pub brand: BrandId,
    /// The deal that the link belongs to.
    pub deal: DealId,
    /// The link.
    pub link: LinkId,
    /// The day in the brand's calendar.
    pub day: Day,
    /// Visits by shoppers.
    pub total: u32,
    /// Visits by bots.
    pub bot: u32,
    /// Visits by browsers that looked ahead.
    pub prefetch: u32,
    /// `HEAD` requests.
    pub head: u32,
    /// The shoppers, sorted, each once an hour.
    pub visitors: Vec<Visitor>,
}

/// One visitor in one hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Visitor {
    /// Hours since 1970 in UTC.
    pub hour: u32,
    /// What [`super::visitor_fingerprint`] gave.
    pub fingerprint: [u8; 16],
}

/// The bytes are not an encoded [`Batch`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a batch of clicks")]
pub struct NotABatch;

/// Which counter object holds a link: by the upper bits of FNV-1a over its id, so that any choice
/// of ids spreads.
#[must_use]
pub fn shard_of(link: LinkId, shards: u32) -> u32 {
    let hash = link
        .bytes()
        .iter()
        .fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193));
    let scaled = (u64::from(hash) * u64::from(shards)) >> 32;
    u32::try_from(scaled).unwrap_or(0)
}

/// The name of a shard's counter object.
#[must_use]
pub fn object_name(shard: u32) -> String {
    format!("clicks-{shard}")
}

/// Judges the clicks and sums them up: at most one batch for each of `shards` objects, in the
/// order of the shards.
#[must_use]
pub fn batches(clicks: Vec<WaitingClick>, shards: u32) -> Vec<(u32, Batch)> {
    let mut parts: HashMap<(LinkId, Day), Part> = HashMap::new();
    for click in clicks {
        parts.entry((click.link, click.day)).or_insert_with(|| Part::of(&click)).add(&click);
    }
    let mut batches: Vec<(u32, Batch)> = Vec::new();
    let mut sorted: Vec<Part> = parts.into_values().collect();
    sorted.sort_unstable_by_key(|part| (shard_of(part.link, shards), part.link, part.day));
    for mut part in sorted {
        part.visitors.sort_unstable();
        part.visitors.dedup();
        let shard = shard_of(part.link, shards);
        match batches.last_mut() {
            Some((last, batch)) if *last == shard => batch.parts.push(part),
            _ => batches.push((shard, Batch { parts: vec![part] })),
        }
    }
    batches
}

impl Part {
    fn of(click: &WaitingClick) -> Self {
        let &WaitingClick { brand, deal, link, day, .. } = click;
        let (total, bot, prefetch, head) = (0, 0, 0, 0);
        Self { brand, deal, link, day, total, bot, prefetch, head, visitors: Vec::new() }
    }

    fn add(&mut self, click: &WaitingClick) {
        match click.visit.visit() {
            Visit::Filtered(Filter::Bot) => self.bot += 1,
            Visit::Filtered(Filter::Prefetch) => self.prefetch += 1,
            Visit::Filtered(Filter::Head) => self.head += 1,
            Visit::Shopper => {
                self.total += 1;
                let hour = u32::try_from(click.at_ms.div_euclid(HOUR_MS)).unwrap_or(0);
                self.visitors.push(Visitor { hour, fingerprint: click.visit.visitor() });
            }
        }
    }

    /// All visits in it, whatever they count as.
    #[must_use]
    pub fn visits(&self) -> u64 {
        [self.total, self.bot, self.prefetch, self.head].into_iter().map(u64::from).sum()
    }
}

impl Batch {
    /// All visits in it, whatever they count as.
    #[must_use]
    pub fn visits(&self) -> u64 {
        self.parts.iter().map(Part::visits).sum()
    }

    /// The bytes that travel.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let visitors: usize = self.parts.iter().map(|part| part.visitors.len()).sum();
        let mut bytes = Vec::with_capacity(1 + self.parts.len() * 76 + visitors * 20);
        bytes.push(VERSION);
        for part in &self.parts {
            bytes.extend_from_slice(&part.brand.bytes());
            bytes.extend_from_slice(&part.deal.bytes());
            bytes.extend_from_slice(&part.link.bytes());
            bytes.extend_from_slice(&part.day.0.to_le_bytes());
            let visitors = u32::try_from(part.visitors.len()).unwrap_or(u32::MAX);
            for count in [part.total, part.bot, part.prefetch, part.head, visitors] {
                bytes.extend_from_slice(&count.to_le_bytes());
            }
            for visitor in &part.visitors {
                bytes.extend_from_slice(&visitor.hour.to_le_bytes());
                bytes.extend_from_slice(&visitor.fingerprint);
            }
        }
        bytes
    }

    /// The batch that these bytes are.
    ///
    /// # Errors
    /// Another version, a cut or too long text, more visitors than shoppers, visitors twice or
    /// out of order, no clicks in a part.
    pub fn decode(bytes: &[u8]) -> Result<Self, NotABatch> {
        let (version, mut rest) = bytes.split_first().ok_or(NotABatch)?;
        if *version != VERSION {
            return Err(NotABatch);
        }
        let mut parts = Vec::new();
        while !rest.is_empty() {
            parts.push(Part::read(&mut rest)?);
        }
        Ok(Self { parts })
    }
}

impl Part {
    fn read(bytes: &mut &[u8]) -> Result<Self, NotABatch> {
        let brand = BrandId::from_bytes(chunk(bytes)?);
        let deal = DealId::from_bytes(chunk(bytes)?);
        let link = LinkId::from_bytes(chunk(bytes)?);
        let day = Day(i64::from_le_bytes(chunk(bytes)?));
        let total = u32::from_le_bytes(chunk(bytes)?);
        let bot = u32::from_le_bytes(chunk(bytes)?);
        let prefetch = u32::from_le_bytes(chunk(bytes)?);
        let head = u32::from_le_bytes(chunk(bytes)?);
        let count = u32::from_le_bytes(chunk(bytes)?);
        let mut visitors = Vec::new();
        for _ in 0..count {
            let hour = u32::from_le_bytes(chunk(bytes)?);
            visitors.push(Visitor { hour, fingerprint: chunk(bytes)? });
        }
        let part = Self { brand, deal, link, day, total, bot, prefetch, head, visitors };
        let sorted = part.visitors.windows(2).all(|pair| matches!(pair, [a, b] if a < b));
        if !sorted || count > total || part.visits() == 0 || (count == 0) != (total == 0) {
            return Err(NotABatch);
        }
        Ok(part)
    }
}

/// The next `N` bytes.
fn chunk<const N: usize>(bytes: &mut &[u8]) -> Result<[u8; N], NotABatch> {
    let (first, rest) = bytes.split_first_chunk::<N>().ok_or(NotABatch)?;
    *bytes = rest;
    Ok(*first)
}

#[cfg(test)]
mod tests {
    use super::super::visit::RawVisit;
    use super::*;
    use proptest::prelude::*;

    const PHONE: &str = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) \
        AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Mobile/15E148 Safari/604.1";
    const NOON: i64 = 1_795_176_000_000;

    fn click(link: u8, at_ms: i64, address: &str, agent: &str) -> WaitingClick {
        WaitingClick {
            brand: BrandId::from_bytes([1; 16]),
            deal: DealId::from_bytes([2; 16]),
            link: LinkId::from_bytes([link; 16]),
            at_ms,
            day: Day(at_ms.div_euclid(86_400_000)),
            visit: RawVisit::new(false, false, address.into(), agent.into()),
        }
    }

    #[test]
    fn clicks_are_summed_by_link_and_day() {
        let mut head = click(1, NOON, "a", PHONE);
        head.visit = RawVisit::new(true, false, "a".into(), PHONE.into());
        let clicks = vec![
            click(1, NOON, "a", PHONE),
            click(1, NOON + 1, "a", PHONE),
            click(1, NOON + HOUR_MS, "a", PHONE),
            click(1, NOON, "b", PHONE),
            click(1, NOON, "b", "Googlebot/2.1"),
            head,
            click(1, NOON + 86_400_000, "a", PHONE),
        ];
        let batches = batches(clicks, 1);
        let [(0, batch)] = batches.as_slice() else { panic!("{batches:?}") };
        let [today, tomorrow] = batch.parts.as_slice() else { panic!("{batch:?}") };
        assert_eq!((today.total, today.bot, today.prefetch, today.head), (4, 1, 0, 1));
        assert_eq!(today.visitors.len(), 3);
        assert_eq!((tomorrow.total, tomorrow.visitors.len()), (1, 1));
        assert_eq!(batch.visits(), 7);
    }

    #[test]
    fn each_shard_gets_one_batch_and_a_link_always_the_same() {
        let clicks = (0..=255).map(|n| click(n, NOON, "a", PHONE)).collect();
        let batches = batches(clicks, SHARDS);
        let shards: Vec<u32> = batches.iter().map(|(shard, _)| *shard).collect();
        assert_eq!(shards, (0..SHARDS).collect::<Vec<_>>());
        for (shard, batch) in &batches {
            assert!(batch.parts.len() > 4, "{shard}");
            assert!(batch.parts.iter().all(|part| shard_of(part.link, SHARDS) == *shard));
        }
        assert_eq!(shard_of(LinkId::from_bytes([7; 16]), SHARDS), 7);
        assert_eq!(object_name(3), "clicks-3");
    }

    #[test]
    fn a_batch_survives_the_way_and_garbage_does_not() {
        let clicks = vec![
            click(1, NOON, "a", PHONE),
            click(1, NOON, "b", PHONE),
            click(2, NOON, "b", "Googlebot/2.1"),
        ];
        let [(_, batch)] = batches(clicks, 1).try_into().unwrap();
        let bytes = batch.encode();
        assert_eq!(Batch::decode(&bytes), Ok(batch));
        assert_eq!(Batch::decode(&[VERSION]), Ok(Batch::default()));
        for end in (0..bytes.len()).filter(|end| ![1, 117, bytes.len()].contains(end)) {
            assert_eq!(Batch::decode(&bytes[..end]), Err(NotABatch), "{end}");
        }
        let changed = |at: usize, to: u8| {
            let mut changed = bytes.clone();
            changed[at] = to;
            Batch::decode(&changed)
        };
        assert_eq!(changed(0, 2), Err(NotABatch));
        // More visitors than shoppers, a number of visitors beyond the bytes, visitors twice.
        assert_eq!(changed(57, 1), Err(NotABatch));
        assert_eq!(changed(76, 255), Err(NotABatch));
        let (first, second) = bytes[77..117].split_at(20);
        let twice = [&bytes[..77], first, first, &bytes[117..]].concat();
        assert_eq!(Batch::decode(&twice), Err(NotABatch));
        let disorder = [&bytes[..77], second, first, &bytes[117..]].concat();
        assert_eq!(Batch::decode(&disorder), Err(NotABatch));
    }

    proptest! {
        #[test]
        fn nothing_makes_decoding_panic(mut bytes: Vec<u8>) {
            let _ = Batch::decode(&bytes);
            bytes.insert(0, VERSION);
            if let Ok(batch) = Batch::decode(&bytes) {
                prop_assert_eq!(batch.encode(), bytes);
            }
        }
    }
}
