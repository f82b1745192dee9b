//! What creators published, how it did, and what that is worth as media.
//!
//! Earned media value is a figure for comparing, not money that anybody has: what was seen, at a price per
//! thousand (CPM). Formulas are versions; a value is told with the version it was reckoned by. What wasn't
//! measured has no value, which is something else than zero (field.md, "Versioned EMV").

use http::Uri;
use serde::Serialize;

use super::link::is_host;
use super::money::round_half_away;

/// The CPM of a brand that set none, in units of its currency.
pub const DEFAULT_CPM_UNITS: i64 = 15;
/// The largest CPM in minor units: with [`MAX_COUNT`] the sum over a million posts stays inside 64 bits.
pub const MAX_CPM_MINOR: i64 = 1_000_000;
/// The largest count of anything that a platform tells of one post.
pub const MAX_COUNT: i64 = 20_000_000_000;
/// The longest address of a post, in bytes.
const MAX_URL: usize = 1_000;

/// Where a post is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Platform {
    /// Instagram.
    Instagram,
    /// `TikTok`.
    TikTok,
    /// `YouTube`.
    YouTube,
    /// Facebook.
    Facebook,
    /// X, which was Twitter.
    X,
    /// Pinterest.
    Pinterest,
    /// Twitch.
    Twitch,
    /// A blog.
    Blog,
    /// A podcast.
    Podcast,
    /// Anything else.
    Other,
}

impl Platform {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Instagram,
        Self::TikTok,
        Self::YouTube,
        Self::Facebook,
        Self::X,
        Self::Pinterest,
        Self::Twitch,
        Self::Blog,
        Self::Podcast,
        Self::Other,
    ];

    /// As it is written.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Instagram => "instagram",
            Self::TikTok => "tiktok",
            Self::YouTube => "youtube",
            Self::Facebook => "facebook",
            Self::X => "x",
            Self::Pinterest => "pinterest",
            Self::Twitch => "twitch",
            Self::Blog => "blog",
            Self::Podcast => "podcast",
            Self::Other => "other",
        }
    }

    /// The platform of this name, in letters of any size.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|platform| platform.name().eq_ignore_ascii_case(name))
    }
}

/// The address of a post, and what it is recognised by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostUrl {
    /// As it was told.
    pub url: String,
    /// Without what two people who copy the same post's address have differently.
    pub key: String,
}

impl PostUrl {
    /// Reads an address of the web. Its key leaves out the scheme, `www.` and `m.`, a last `/`, the fragment
    /// and what follows visitors around (`utm_…`, `igsh`, `si`, …); letters of paths keep their size, because
    /// videos differ by it.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let url = text.trim();
        if url.len() > MAX_URL {
            return Err("must have at most 1000 bytes");
        }
        let wrong = "must be an address such as https://www.instagram.com/p/abc/";
        if url.chars().any(|c| c.is_control() || c.is_whitespace() || matches!(c, '"' | '<' | '>'))
        {
            return Err(wrong);
        }
        let without_fragment = url.split('#').next().unwrap_or_default();
        let uri: Uri = without_fragment.parse().map_err(|_| wrong)?;
        if !matches!(uri.scheme_str(), Some("http" | "https")) {
            return Err(wrong);
        }
        let authority = uri.authority().ok_or(wrong)?;
        let host = authority.host().to_ascii_lowercase();
        if authority.as_str().contains('@') || authority.port().is_some() || !is_host(&host) {
            return Err(wrong);
        }
        let host =
            ["www.", "m.", "mobile."].iter().find_map(|p| host.strip_prefix(p)).unwrap_or(&host);
        let path = uri.path().trim_end_matches('/');
        let kept: Vec<&str> = uri
            .query()
            .unwrap_or_default()
            .split('&')
            .filter(|pair| names_the_post(pair))
            .collect();
        let mark = if kept.is_empty() { "" } else { "?" };
        Ok(Self { key: [host, path, mark, &kept.join("&")].concat(), url: url.to_owned() })
    }
}

/// Whether a pair of a query is part of what is shown, and not of who shared it.
fn names_the_post(pair: &str) -> bool {
    let name = pair.split('=').next().unwrap_or_default().to_ascii_lowercase();
    let follows =
        ["igsh", "igshid", "si", "fbclid", "gclid", "feature", "ref", "ref_src", "s", "t"];
    !name.is_empty()
        && !name.starts_with("utm_")
        && !name.starts_with("_")
        && !follows.contains(&name.as_str())
}

/// Who told something of a post.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// The brand.
    Brand,
    /// The creator.
    Creator,
}
/// What a platform told of a post: `None` is what it didn't.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Metrics {
    /// How often it was shown.
    pub impressions: Option<i64>,
    /// How often it was watched.
    pub views: Option<i64>,
    /// How many liked it.
    pub likes: Option<i64>,
    /// How many commented on it.
    pub comments: Option<i64>,
    /// How many passed it on.
    pub shares: Option<i64>,
}

impl Metrics {
    /// Whether nothing was measured.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What a formula counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Measure {
    /// Impressions.
    Impressions,
    /// Views.
    Views,
}

/// What a thousand of something are worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Of what.
    pub measure: Measure,
    /// In minor units of the brand's currency, 0 to [`MAX_CPM_MINOR`].
    pub cpm_minor: i64,
}

/// How a brand values what was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Formula {
    /// Which version: 0 is the one of brands that set none.
    pub version: i64,
    /// For platforms that aren't named.
    pub default: Rate,
    /// For these.
    pub platforms: Vec<(Platform, Rate)>,
}

impl Formula {
    /// The formula of brands that set none, for a currency with so many decimals.
    #[must_use]
    pub fn of_nobody(exponent: u32) -> Self {
        let cpm_minor = DEFAULT_CPM_UNITS * 10_i64.pow(exponent.min(4));
        let default = Rate { measure: Measure::Impressions, cpm_minor };
        Self { version: 0, default, platforms: Vec::new() }
    }

    /// The rate for a platform.
    #[must_use]
    pub fn rate(&self, platform: Platform) -> Rate {
        let own = self.platforms.iter().find(|(named, _)| *named == platform);
        own.map_or(self.default, |(_, rate)| *rate)
    }

    /// What a post is worth in minor units, rounded half away from zero; `None` if what the formula counts
    /// wasn't measured. `storage/posts` sums the same in SQL.
    #[must_use]
    pub fn value(&self, platform: Platform, metrics: &Metrics) -> Option<i64> {
        let rate = self.rate(platform);
        let count = match rate.measure {
            Measure::Impressions => metrics.impressions,
            Measure::Views => metrics.views,
        }?;
        Some(round_half_away(i128::from(count) * i128::from(rate.cpm_minor), 1_000))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_post_is_recognised_however_its_address_was_copied() {
        let key = |url| PostUrl::parse(url).map(|url| url.key);
        for same in [
            "https://www.instagram.com/p/C1aB_x/",
            "http://instagram.com/p/C1aB_x",
            "https://m.instagram.com/p/C1aB_x/?igsh=abc&utm_source=x#top",
            " https://INSTAGRAM.com/p/C1aB_x ",
        ] {
            assert_eq!(key(same).as_deref(), Ok("instagram.com/p/C1aB_x"), "{same}");
        }
        assert_ne!(key("https://instagram.com/p/c1ab_x"), key("https://instagram.com/p/C1aB_x"));
        let video = key("https://www.youtube.com/watch?v=a1&si=z&t=3");
        assert_eq!(video.as_deref(), Ok("youtube.com/watch?v=a1"));
        assert_ne!(video, key("https://www.youtube.com/watch?v=a2"));
    }

    #[test]
    fn what_is_no_address_of_the_web_is_refused() {
        let long = format!("https://a.example/{}", "x".repeat(1_000));
        for bad in [
            "",
            "abc",
            "javascript:alert(1)",
            "data:text/html,x",
            "ftp://a.example/x",
            "https://user@a.example/",
            "https://a.example:8443/",
            "https://a b.example/",
            "https:///p",
            "//a.example/p",
            "https://a.example/\"><img>",
            "https://a.example/\u{0}",
            &long,
        ] {
            assert!(PostUrl::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_was_not_measured_is_worth_nothing_known() {
        let formula = Formula::of_nobody(2);
        let seen = |impressions| Metrics { impressions, views: Some(7), ..Metrics::default() };
        assert_eq!(formula.value(Platform::TikTok, &seen(None)), None);
        assert_eq!(formula.value(Platform::TikTok, &seen(Some(0))), Some(0));
        // 12,345 × 15.00 ÷ 1,000 = 185.175.
        assert_eq!(formula.value(Platform::TikTok, &seen(Some(12_345))), Some(18_518));
        assert_eq!(Formula::of_nobody(0).value(Platform::X, &seen(Some(12_345))), Some(185));
        assert_eq!(Formula::of_nobody(3).value(Platform::X, &seen(Some(12_345))), Some(185_175));
    }

    #[test]
    fn a_platform_may_have_a_rate_of_its_own() {
        let views = Rate { measure: Measure::Views, cpm_minor: 500 };
        let formula =
            Formula { platforms: vec![(Platform::TikTok, views)], ..Formula::of_nobody(2) };
        let metrics = Metrics { views: Some(1_000), ..Metrics::default() };
        assert_eq!(formula.value(Platform::TikTok, &metrics), Some(500));
        assert_eq!(formula.value(Platform::YouTube, &metrics), None);
        let most = Metrics { views: Some(MAX_COUNT), ..metrics };
        let dearest = Rate { cpm_minor: MAX_CPM_MINOR, ..views };
        let formula = Formula { default: dearest, ..formula };
        // A brand's hundred thousand such posts still fit.
        assert!(formula.value(Platform::X, &most).unwrap() < i64::MAX / 100_000);
    }

    #[test]
    fn platforms_survive_their_names() {
        for platform in Platform::ALL {
            assert_eq!(Platform::named(&platform.name().to_uppercase()), Some(platform));
        }
        assert_eq!(Platform::named("myspace"), None);
    }
}
