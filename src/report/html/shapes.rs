//! The shapes of figures, placed in units of their view box.

use super::markup::Markup;

/// Writes a coordinate to the tenth of a unit, without a useless decimal.
pub(super) fn px(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").map_or_else(|| text.clone(), str::to_owned)
}

/// A rectangle: left, top, width and height.
pub(super) type Area = (f64, f64, f64, f64);

impl Markup {
    /// Begins a figure; readers of the screen get its title.
    pub(super) fn begin_figure(&mut self, width: f64, height: f64, title: &str) -> &mut Self {
        let view_box = format!("0 0 {} {}", px(width), px(height));
        self.open("svg", &[("viewBox", &view_box), ("role", "img"), ("aria-label", title)]).raw("\n")
    }

    /// Draws a line.
    pub(super) fn line(&mut self, class: &'static str, (x1, y1): (f64, f64), (x2, y2): (f64, f64)) -> &mut Self {
        let (x1, y1, x2, y2) = (px(x1), px(y1), px(x2), px(y2));
        self.open("line", &[("class", class), ("x1", &x1), ("y1", &y1), ("x2", &x2), ("y2", &y2)]).close("line")
    }

    /// Writes a label.
    pub(super) fn label(&mut self, class: &'static str, (x, y): (f64, f64), text: &str) -> &mut Self {
        self.leaf("text", &[("class", class), ("x", &px(x)), ("y", &px(y))], text)
    }

    /// Draws a rectangle with round corners; its tip shows where a pointer rests on it.
    pub(super) fn area(
        &mut self,
        class: &'static str,
        (x, y, width, height): Area,
        round: f64,
        tip: &str,
    ) -> &mut Self {
        let (x, y, width, height, round) = (px(x), px(y), px(width), px(height), px(round));
        self.shape(
            "rect",
            &[("class", class), ("x", &x), ("y", &y), ("width", &width), ("height", &height), ("rx", &round)],
            tip,
        )
    }

    /// Draws a path; its tip shows where a pointer rests on it.
    pub(super) fn path(&mut self, class: &'static str, steps: &str, tip: &str) -> &mut Self {
        self.shape("path", &[("class", class), ("d", steps)], tip)
    }

    /// Draws a path that ends with the head of an arrow; see [`Markup::arrow_head`].
    pub(super) fn arrow(&mut self, class: &'static str, steps: &str, head: &str, tip: &str) -> &mut Self {
        self.shape("path", &[("class", class), ("d", steps), ("marker-end", &format!("url(#{head})"))], tip)
    }

    /// Defines the head of arrows; its id is unique on the page.
    pub(super) fn arrow_head(&mut self, id: &str, class: &'static str) -> &mut Self {
        let size = [("id", id), ("viewBox", "0 0 8 8"), ("refX", "7"), ("refY", "4"), ("markerWidth", "8")];
        let turned = [("markerHeight", "8"), ("markerUnits", "userSpaceOnUse"), ("orient", "auto")];
        self.raw("<defs>").open("marker", &[&size[..], &turned[..]].concat()).path(class, "M0 0L8 4L0 8z", "");
        self.close("marker").raw("</defs>\n")
    }

    fn shape(&mut self, tag: &'static str, attributes: &[(&'static str, &str)], tip: &str) -> &mut Self {
        self.open(tag, attributes);
        if !tip.is_empty() {
            self.leaf("title", &[], tip);
        }
        self.close(tag)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coordinates_are_short() {
        assert_eq!([0.0, 12.04, 12.06, 3.0, -1.26].map(px), ["0", "12", "12.1", "3", "-1.3"]);
    }
}
