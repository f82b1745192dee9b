//! Templates of messages: a text with merge fields such as `{{deal.link}}`.
//!
//! There are no expressions. What stands between braces is the name of a field or nothing at all; what
//! a field says is put in as text and never read again, whatever it looks like.

/// Every field with what it says, in the order in which they are listed.
pub const FIELDS: &[(&str, &str)] = &[
    ("creator.first_name", "the creator's name up to the first space"),
    ("creator.name", "the creator's name"),
    ("creator.handle", "her handle"),
    ("campaign.name", "the campaign's name"),
    ("brand.name", "the brand's name"),
    ("deal.stage", "the deal's stage"),
    ("deal.commission_percent", "the rate in force, such as 12.5"),
    ("deal.link", "the address of her first open link"),
    ("deal.links", "the addresses of all her open links, a line each"),
    ("deal.code", "her first active code"),
    ("deal.codes", "all her active codes, with commas between"),
    ("deal.orders", "how many orders are hers"),
    ("deal.revenue", "what they come to, with the currency"),
    ("deal.commission", "what she earned by them, with the currency"),
];

/// A field, by its place in [`FIELDS`].
type Field = usize;

/// A piece of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Field(Field),
}

/// A text with fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template(Vec<Piece>);

/// What the fields say of one deal: a text for each of [`FIELDS`], empty where there is nothing to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Values(Vec<String>);

impl Values {
    /// Asks for the text of each field by its name.
    pub fn of(mut value: impl FnMut(&str) -> String) -> Self {
        Self(FIELDS.iter().map(|(name, _)| value(name)).collect())
    }
}

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    /// What stands between braces and is no field, each once and cut short; `{{` if braces aren't closed.
    pub fn parse(text: &str) -> Result<Self, Vec<String>> {
        let (mut pieces, mut unknown, mut rest) = (Vec::new(), Vec::new(), text);
        while let Some((before, after)) = rest.split_once("{{") {
            pieces.push(Piece::Text(before.to_owned()));
            let Some((name, tail)) = after.split_once("}}") else {
                note(&mut unknown, "{{");
                return Err(unknown);
            };
            let name = name.trim();
            match FIELDS.iter().position(|(known, _)| *known == name) {
                Some(field) => pieces.push(Piece::Field(field)),
                None => note(&mut unknown, name),
            }
            rest = tail;
        }
        pieces.push(Piece::Text(rest.to_owned()));
        if unknown.is_empty() { Ok(Self(pieces)) } else { Err(unknown) }
    }

    /// The text with every field in its place.
    ///
    /// # Errors
    /// The fields that it names and that are empty, each once.
    pub fn render(&self, values: &Values) -> Result<String, Vec<&'static str>> {
        let (mut text, mut empty) = (String::new(), Vec::new());
        for piece in &self.0 {
            match piece {
                Piece::Text(plain) => text.push_str(plain),
                Piece::Field(field) => match values.0.get(*field).filter(|value| !value.is_empty())
                {
                    Some(value) => text.push_str(value),
                    None => {
                        let name = FIELDS.get(*field).map_or("", |(name, _)| *name);
                        if !empty.contains(&name) {
                            empty.push(name);
                        }
                    }
                },
            }
        }
        if empty.is_empty() { Ok(text) } else { Err(empty) }
    }
}

/// Notes what is no field. It is told back to whoever wrote it, so that it is kept short and plain.
fn note(unknown: &mut Vec<String>, name: &str) {
    let name: String = name.chars().filter(|c| !c.is_control()).take(60).collect();
    if !unknown.contains(&name) && unknown.len() < 20 {
        unknown.push(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn values(of: &str) -> Values {
        Values::of(|name| format!("<{name}{of}>"))
    }

    #[test]
    fn fields_are_put_in_and_nothing_else_is_done() {
        let render = |text: &str| Template::parse(text).unwrap().render(&values("")).unwrap();
        assert_eq!(
            render("Hi {{creator.first_name}}, {{ deal.link }}{{deal.code}}"),
            "Hi <creator.first_name>, <deal.link><deal.code>"
        );
        for plain in ["", "no fields", "{ }", "}} {a}", "50 % {", "{\u{200b}{deal.link}}"] {
            assert_eq!(render(plain), plain);
        }
    }

    #[test]
    fn what_is_no_field_is_named() {
        for (text, unknown) in [
            ("{{7*7}}", vec!["7*7"]),
            ("{{deal.lnk}} {{x}} {{ x }}", vec!["deal.lnk", "x"]),
            ("{{}}", vec![""]),
            ("{{deal.link", vec!["{{"]),
            ("{{deal.link}} {{", vec!["{{"]),
            ("{{{deal.link}}}", vec!["{deal.link"]),
            ("{{DEAL.LINK}}", vec!["DEAL.LINK"]),
            ("{{deal.link|upper}}", vec!["deal.link|upper"]),
            ("{{{{deal.link}}", vec!["{{deal.link"]),
            ("{{a\r\nb}}", vec!["ab"]),
        ] {
            assert_eq!(Template::parse(text).unwrap_err(), unknown, "{text}");
        }
        let long = format!("{{{{{}}}}}", "x".repeat(10_000));
        assert_eq!(Template::parse(&long).unwrap_err()[0].len(), 60);
    }

    #[test]
    fn empty_fields_are_named_and_only_those_that_are_used() {
        let values = Values::of(|name| match name {
            "deal.link" | "deal.code" => String::new(),
            _ => "x".to_owned(),
        });
        let template = Template::parse("{{deal.link}}{{deal.stage}}{{deal.code}}{{deal.link}}");
        assert_eq!(template.unwrap().render(&values), Err(vec!["deal.link", "deal.code"]));
        assert_eq!(Template::parse("{{deal.stage}}").unwrap().render(&values), Ok("x".to_owned()));
    }

    proptest! {
        /// Whatever a value looks like, it stands there as it is, once for each time it is named.
        #[test]
        fn values_are_never_read_again(
            value in "(\\{\\{deal\\.code\\}\\}|\\{\\{|\\}\\}|[a-z{}<>]){1,12}",
            around in "[a-z {]{0,9}",
        ) {
            let around = around.replace("{{", "");
            let told = Values::of(|_| value.clone());
            let text = format!("{around} {{{{deal.link}}}} {around}");
            let rendered = Template::parse(&text).unwrap().render(&told).unwrap();
            prop_assert_eq!(rendered, format!("{around} {value} {around}"));
        }

        /// Reading never fails but with what is no field, and what was read leaves no braces of its own.
        #[test]
        fn no_braces_are_left(text in "(\\{\\{deal\\.link\\}\\}|\\{\\{ brand\\.name \\}\\}|[a-c{}.]){0,30}") {
            match Template::parse(&text) {
                Ok(template) => {
                    let rendered = template.render(&Values::of(|_| "v".to_owned())).unwrap();
                    prop_assert!(!rendered.contains("{{"), "{} -> {}", text, rendered);
                }
                Err(unknown) => prop_assert!(!unknown.is_empty()),
            }
        }
    }
}
