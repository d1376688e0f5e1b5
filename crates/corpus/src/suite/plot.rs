//! The calibration of p-values as a picture: false positives expected against those observed.

use super::table::SuiteResult;
use std::fmt::Write;

/// Size of the picture, and of the square within that holds the axes.
const SIZE: f64 = 520.0;
const LEFT: f64 = 70.0;
const TOP: f64 = 30.0;
const SIDE: f64 = 420.0;

/// Steps of p in each decade.
const STEPS: i32 = 10;

/// Smallest p drawn, as a power of ten.
const DEEPEST: i32 = 6;

/// One colour for each form of the log; they also differ in grey.
const COLOURS: [&str; 4] = ["#0b6e99", "#c2410c", "#4d7c0f", "#6b21a8"];

/// Draws, for each form of the log, how many benign pairs have a p-value at or below each level, against how many
/// should: on the diagonal the p-values are exact, below it they are conservative. SVG.
pub fn calibration_plot(result: &SuiteResult) -> String {
    let forms: Vec<(&str, Vec<f64>)> = result.benign_p_values();
    let most = forms.iter().map(|(_, p_values)| p_values.len()).max().unwrap_or(0).max(10) as f64;
    let top = most.log10().ceil();
    let place = |count: f64| (count.log10() + 1.0) / (top + 1.0) * SIDE;
    let (x, y) = (|count: f64| LEFT + place(count), |count: f64| TOP + SIDE - place(count));
    let mut svg = String::new();
    let mut line = |text: &str| {
        svg.push_str(text);
        svg.push('\n');
    };
    line(&format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {SIZE} {SIZE}\" font-family=\"sans-serif\" font-size=\"12\">"
    ));
    line("<title>Benign pairs at or below each p-value: expected and observed</title>");
    line(&format!("<rect width=\"{SIZE}\" height=\"{SIZE}\" fill=\"white\"/>"));
    for power in -1..=top as i32 {
        let count = 10f64.powi(power);
        let label = if power < 0 { "0.1".to_owned() } else { format!("{count:.0}") };
        let (x, y) = (x(count), y(count));
        line(&format!(
            "<path d=\"M{x:.1} {TOP}V{:.1}M{LEFT} {y:.1}H{:.1}\" stroke=\"#ddd\"/>",
            TOP + SIDE,
            LEFT + SIDE
        ));
        line(&format!("<text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{label}</text>", TOP + SIDE + 16.0));
        line(&format!("<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{label}</text>", LEFT - 6.0, y + 4.0));
    }
    let (near, far) = (0.1, 10f64.powf(top));
    line(&format!(
        "<path d=\"M{:.1} {:.1}L{:.1} {:.1}\" stroke=\"#888\" stroke-dasharray=\"5 4\"/>",
        x(near),
        y(near),
        x(far),
        y(far)
    ));
    for (at, (form, p_values)) in forms.iter().enumerate() {
        let colour = COLOURS[at % COLOURS.len()];
        let mut path = String::new();
        for (expected, observed) in points(p_values) {
            let move_or_line = if path.is_empty() { 'M' } else { 'L' };
            let _ = write!(path, "{move_or_line}{:.1} {:.1}", x(expected), y(observed));
        }
        let dashes = if at == 0 { String::new() } else { format!(" stroke-dasharray=\"{} 2\"", 3 + 3 * at) };
        line(&format!("<path d=\"{path}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"{dashes}/>"));
        let height = TOP + 18.0 + 18.0 * at as f64;
        line(&format!(
            "<path d=\"M{:.1} {:.1}h26\" stroke=\"{colour}\" stroke-width=\"2\"{dashes}/>",
            LEFT + 12.0,
            height - 4.0
        ));
        line(&format!("<text x=\"{:.1}\" y=\"{height:.1}\">{form}, {} pairs</text>", LEFT + 44.0, p_values.len()));
    }
    line(&format!(
        "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">false positives expected</text>",
        LEFT + SIDE / 2.0,
        SIZE - 26.0
    ));
    line(&format!(
        "<text transform=\"translate(18 {:.1}) rotate(-90)\" text-anchor=\"middle\">false positives observed</text>",
        TOP + SIDE / 2.0
    ));
    line("</svg>");
    svg
}

/// Expected and observed counts at every level where anything is observed and at least a tenth of one is expected.
fn points(p_values: &[f64]) -> Vec<(f64, f64)> {
    let count = p_values.len() as f64;
    let depths = (0..=DEEPEST * STEPS).rev().map(|step| 10f64.powf(-f64::from(step) / f64::from(STEPS)));
    let counted = depths.map(|p| (p * count, p_values.iter().filter(|other| **other <= p).count() as f64));
    counted.filter(|(expected, observed)| *expected >= 0.1 && *observed >= 1.0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::suite::CellResult;

    #[test]
    fn even_p_values_lie_on_the_diagonal() {
        let p_values: Vec<f64> = (1..=1000).map(|n| f64::from(n) / 1000.0).collect();
        for (expected, observed) in points(&p_values) {
            assert!((expected.floor() - observed).abs() <= 1.0, "{expected} {observed}");
        }
        assert_eq!(points(&[]), []);
        let cell = CellResult { recorded: "60 s".to_owned(), benign_p_values: p_values, ..CellResult::default() };
        let svg = calibration_plot(&SuiteResult { cells: vec![cell.clone(), cell], ..SuiteResult::default() });
        assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"));
        assert!(svg.contains("60 s, 2000 pairs") && !svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    }
}
