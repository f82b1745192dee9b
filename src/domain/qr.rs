//! QR codes as pictures.

use std::fmt::Write;

use qrcodegen::{QrCode, QrCodeEcc};

/// The quiet zone around a code, in modules: scanners need four.
const QUIET: i32 = 4;

/// A picture (SVG) of the code that says `text`, black on white with its margin; `None` if it is too long for one.
#[must_use]
pub fn svg(text: &str) -> Option<String> {
    let code = QrCode::encode_text(text, QrCodeEcc::Medium).ok()?;
    let side = code.size() + 2 * QUIET;
    let mut path = String::new();
    for y in 0..code.size() {
        let mut x = 0;
        while x < code.size() {
            let mut end = x;
            while end < code.size() && code.get_module(end, y) {
                end += 1;
            }
            if end > x {
                let _ = write!(path, "M{},{}h{}v1H{0}z", x + QUIET, y + QUIET, end - x);
            }
            x = end + 1;
        }
    }
    Some(format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {side} {side}\" width=\"512\" height=\"512\" \
         shape-rendering=\"crispEdges\"><path fill=\"#fff\" d=\"M0,0h{side}v{side}H0z\"/>\
         <path d=\"{path}\"/></svg>"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_fits_and_nothing_of_it_stands_in_the_picture_as_text() {
        let url = "https://go.casa.example/anna\"><script>";
        let picture = svg(url).unwrap();
        assert!(picture.starts_with("<svg xmlns"));
        assert!(!picture.contains("script") && !picture.contains("casa"));
        // A larger text makes a larger code; beyond the largest there is none.
        assert!(svg(&"x".repeat(500)).unwrap().len() > picture.len());
        assert_eq!(svg(&"x".repeat(3000)), None);
    }

    /// The same modules as the library says, read back out of the path.
    #[test]
    fn the_path_draws_exactly_the_dark_modules() {
        let text = "https://app.tributary.test/go/anna";
        let code = QrCode::encode_text(text, QrCodeEcc::Medium).unwrap();
        let picture = svg(text).unwrap();
        let path = picture.rsplit("d=\"").next().unwrap().split('"').next().unwrap();
        let mut dark = std::collections::BTreeSet::new();
        for run in path.split('M').skip(1) {
            let (x, rest) = run.split_once(',').unwrap();
            let (y, rest) = rest.split_once('h').unwrap();
            let (length, _) = rest.split_once('v').unwrap();
            let [x, y, length] = [x, y, length].map(|n| n.parse::<i32>().unwrap());
            dark.extend((x..x + length).map(|x| (x - QUIET, y - QUIET)));
        }
        for y in -QUIET..code.size() + QUIET {
            for x in -QUIET..code.size() + QUIET {
                assert_eq!(dark.contains(&(x, y)), code.get_module(x, y), "{x} {y}");
            }
        }
    }
}
