//! Charts. A chart is a table first: everybody can read it, and `static/charts.js` draws what stands in it (with
//! uPlot), so that a chart can't tell anything else than its table. No number is written twice, and no float is shown.

use std::fmt::Write;

use super::ui::{Html, esc};

/// How a column of the table is drawn. Each differs from the others by more than its colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// A line with its area.
    Area,
    /// A dashed line.
    Line,
    /// Columns.
    Bars,
}

impl Shape {
    const fn name(self) -> &'static str {
        match self {
            Self::Area => "area",
            Self::Line => "line",
            Self::Bars => "bars",
        }
    }
}

/// A column of the table.
#[derive(Debug, Clone, Copy)]
pub struct Series<'a> {
    /// What it is called, with its unit.
    pub name: &'a str,
    /// How it is drawn.
    pub shape: Shape,
    /// Whether it has an axis of its own, on the right: what is counted otherwise than the first.
    pub right: bool,
}

/// A chart.
#[derive(Debug, Clone)]
pub struct Chart<'a> {
    /// What it shows.
    pub title: &'a str,
    /// The least that one should know of it, in a sentence; may be empty.
    pub lead: &'a str,
    /// What the rows are: `Day`.
    pub of: &'a str,
    /// The columns; four at most are told apart.
    pub series: &'a [Series<'a>],
    /// The rows in order: what they are of ([`super::ui::date`], or a text), and a cell for each column as
    /// [`super::ui::money`] and [`super::ui::count`] write it. What is no such cell is a gap.
    pub rows: Vec<(Html, Vec<Html>)>,
}

/// The chart with its table. The shell loads what draws it.
#[must_use]
pub fn chart(chart: &Chart<'_>) -> Html {
    let (title, lead, of) = (esc(chart.title), esc(chart.lead), esc(chart.of));
    let mut html =
        format!("<figure class=\"chart\" data-chart><figcaption><strong>{title}</strong>");
    if !lead.is_empty() {
        let _ = write!(html, " <span class=\"soft\">{lead}</span>");
    }
    let _ = write!(
        html,
        "</figcaption><div class=\"chart-place\" aria-hidden=\"true\"></div>\
         <details><summary>{title}, as a table</summary>\
         <div class=\"table-responsive chart-table\" tabindex=\"0\" role=\"region\" aria-label=\"{title}, table\">\
         <table class=\"table\"><thead><tr><th scope=\"col\">{of}</th>"
    );
    for Series { name, shape, right } in chart.series {
        let (name, shape) = (esc(name), shape.name());
        let axis = if *right { "right" } else { "left" };
        let _ = write!(
            html,
            "<th scope=\"col\" class=\"num\" data-shape=\"{shape}\" data-axis=\"{axis}\">{name}</th>"
        );
    }
    html.push_str("</tr></thead><tbody>");
    for (label, cells) in &chart.rows {
        let _ = write!(html, "<tr><th scope=\"row\">{label}</th>");
        for cell in cells {
            let _ = write!(html, "<td class=\"num\">{cell}</td>");
        }
        html.push_str("</tr>");
    }
    html.push_str("</tbody></table></div></details></figure>");
    Html::of(html)
}

/// A part of a whole as a bar within a cell that says it, too. Two of them one below the other compare.
#[must_use]
pub fn bar(part: &i64, whole: &i64, second: bool) -> Html {
    let (part, whole) = (i128::from(*part).max(0), i128::from(*whole).max(1));
    // What there is is seen, however little.
    let wide = (part * 1000 / whole).clamp(i128::from(part > 0) * 8, 1000);
    let class = if second { "bar second" } else { "bar" };
    Html::of(format!(
        "<svg class=\"{class}\" viewBox=\"0 0 1000 10\" preserveAspectRatio=\"none\" aria-hidden=\"true\">\
         <rect width=\"{wide}\" height=\"10\"/></svg>"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chart_is_its_table_and_texts_are_texts() {
        let bad = "\"><img src=x onerror=hit=1>'&";
        let series = [Series { name: bad, shape: Shape::Area, right: true }];
        let rows = vec![(Html::of(esc(bad)), vec![super::super::ui::count(&1234)])];
        let html =
            chart(&Chart { title: bad, lead: bad, of: bad, series: &series, rows }).to_string();
        assert!(!html.contains("<img") && !html.contains("\"\">"), "{html}");
        assert!(html.contains("data-axis=\"right\"") && html.contains("value=\"1234\""));
    }

    #[test]
    fn bars_stay_within_their_cell_and_show_the_least() {
        let wide = |part, whole| {
            let html = bar(&part, &whole, false).to_string();
            let rest = html.split("rect width=\"").nth(1).unwrap();
            rest.split('"').next().unwrap().parse::<i64>().unwrap()
        };
        assert_eq!((wide(1, 2), wide(0, 0), wide(-5, 10), wide(20, 10)), (500, 0, 0, 1000));
        assert_eq!((wide(1, 1_000_000), wide(i64::MAX, i64::MAX)), (8, 1000));
    }
}
