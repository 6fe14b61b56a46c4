//! A drawing surface in pixels with the few shapes that the plots need.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

/// Okabe and Ito's colours, darkest contrast first; their yellow is left out, it is too pale on white.
pub(super) const PALETTE: [RGBColor; 8] = [
    RGBColor(0, 114, 178),
    RGBColor(230, 159, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(86, 180, 233),
    RGBColor(213, 94, 0),
    RGBColor(90, 90, 90),
    RGBColor(120, 94, 240),
];
pub(super) const INK: RGBColor = RGBColor(38, 38, 38);
pub(super) const MUTED: RGBColor = RGBColor(110, 110, 110);
pub(super) const AXIS: RGBColor = RGBColor(140, 140, 140);
pub(super) const GRID: RGBColor = RGBColor(228, 228, 228);
pub(super) const BAND: RGBColor = RGBColor(246, 247, 249);
pub(super) const PAPER: RGBColor = RGBColor(255, 255, 255);

/// Size of axis and legend text in pixels.
pub(super) const TEXT: i32 = 12;

/// A rectangle in pixels; `right` and `bottom` lie on its edge.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame {
    pub(super) left: i32,
    pub(super) top: i32,
    pub(super) right: i32,
    pub(super) bottom: i32,
}

impl Frame {
    pub(super) fn width(self) -> i32 {
        self.right - self.left
    }

    pub(super) fn height(self) -> i32 {
        self.bottom - self.top
    }
}

/// Where a text stands relative to its point.
#[derive(Clone, Copy, Debug)]
pub(super) enum Anchor {
    Left,
    Centre,
    Right,
}

/// The surface.
pub(super) struct Canvas<'a> {
    backend: SVGBackend<'a>,
}

/// Drawing into memory has no way to fail.
const IN_MEMORY: &str = "drawing into memory succeeds";

/// Draws on a white surface and gives the SVG.
pub(super) fn svg((width, height): (i32, i32), draw: impl FnOnce(&mut Canvas)) -> String {
    let mut text = String::new();
    {
        let size = (width.unsigned_abs(), height.unsigned_abs());
        let mut canvas = Canvas { backend: SVGBackend::with_string(&mut text, size) };
        canvas.fill(Frame { left: 0, top: 0, right: width, bottom: height }, PAPER);
        draw(&mut canvas);
        canvas.backend.present().expect(IN_MEMORY);
    }
    text
}

impl Canvas<'_> {
    pub(super) fn fill(&mut self, frame: Frame, colour: RGBColor) {
        let (from, to) = ((frame.left, frame.top), (frame.right, frame.bottom));
        self.backend.draw_rect(from, to, &colour.filled(), true).expect(IN_MEMORY);
    }

    pub(super) fn line(&mut self, from: (i32, i32), to: (i32, i32), colour: RGBColor) {
        self.backend.draw_line(from, to, &colour.stroke_width(1)).expect(IN_MEMORY);
    }

    pub(super) fn path(&mut self, points: Vec<(i32, i32)>, colour: RGBColor, width: u32) {
        self.backend.draw_path(points, &colour.stroke_width(width)).expect(IN_MEMORY);
    }

    pub(super) fn area(&mut self, points: Vec<(i32, i32)>, colour: RGBColor, opacity: f64) {
        self.backend.fill_polygon(points, &colour.mix(opacity).filled()).expect(IN_MEMORY);
    }

    pub(super) fn text(&mut self, text: &str, at: (i32, i32), anchor: Anchor, colour: RGBColor) {
        self.styled(text, at, anchor, ("sans-serif", f64::from(TEXT)).into_font(), colour);
    }

    pub(super) fn small_text(&mut self, text: &str, at: (i32, i32), anchor: Anchor, colour: RGBColor) {
        self.styled(text, at, anchor, ("sans-serif", f64::from(TEXT - 2)).into_font(), colour);
    }

    pub(super) fn title(&mut self, text: &str, at: (i32, i32)) {
        self.styled(text, at, Anchor::Left, ("sans-serif", 17.0).into_font().style(FontStyle::Bold), INK);
    }

    /// A text that reads upwards, centred on its point.
    pub(super) fn upright(&mut self, text: &str, at: (i32, i32)) {
        let font = ("sans-serif", f64::from(TEXT)).into_font().transform(FontTransform::Rotate270);
        self.styled(text, at, Anchor::Centre, font, MUTED);
    }

    fn styled(&mut self, text: &str, at: (i32, i32), anchor: Anchor, font: FontDesc, colour: RGBColor) {
        let across = match anchor {
            Anchor::Left => HPos::Left,
            Anchor::Centre => HPos::Center,
            Anchor::Right => HPos::Right,
        };
        // The backend divides sizes by 1.24 to get pixels.
        let font = font.resize(font.get_size() * 1.24);
        let style = TextStyle::from(font).color(&colour).pos(Pos::new(across, VPos::Center));
        self.backend.draw_text(text, &style, at).expect(IN_MEMORY);
    }

    /// Entries in one line, more lines when the width is used up; returns the height used.
    pub(super) fn legend(&mut self, entries: &[(String, RGBColor)], (left, top): (i32, i32), right: i32) -> i32 {
        let (mut x, mut y) = (left, top);
        for (name, colour) in entries {
            let width = 18 + text_width(name, TEXT) + 16;
            if x > left && x + width > right {
                (x, y) = (left, y + 18);
            }
            self.fill(Frame { left: x, top: y - 5, right: x + 12, bottom: y + 5 }, *colour);
            self.text(name, (x + 18, y), Anchor::Left, INK);
            x += width;
        }
        if entries.is_empty() { 0 } else { y + 18 - top }
    }

    /// Says in the middle of an empty plot that it is empty.
    pub(super) fn nothing(&mut self, frame: Frame) {
        let middle = (frame.left + frame.width() / 2, frame.top + frame.height() / 2);
        self.text("no data", middle, Anchor::Centre, MUTED);
    }
}

/// About how wide a text is in pixels; no font is at hand to measure it.
pub(super) fn text_width(text: &str, size: i32) -> i32 {
    (text.chars().count() as f64 * f64::from(size) * 0.58).ceil() as i32
}

/// The end of `text` that fits into `width` pixels, with an ellipsis before it: names of pods differ in their ends.
pub(super) fn fit_end(text: &str, width: i32, size: i32) -> String {
    let reversed: String = text.chars().rev().collect();
    fit(&reversed, width, size).chars().rev().collect()
}

/// `text` cut to fit `width` pixels, with an ellipsis.
pub(super) fn fit(text: &str, width: i32, size: i32) -> String {
    if text_width(text, size) <= width {
        return text.to_owned();
    }
    let n = (f64::from(width) / (f64::from(size) * 0.58)) as usize;
    let kept: String = text.chars().take(n.saturating_sub(1)).collect();
    if kept.is_empty() { kept } else { format!("{kept}…") }
}
