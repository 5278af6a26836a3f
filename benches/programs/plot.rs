//! A picture of how something grows.

use std::path::Path;

use plotters::coord::ranged1d::ValueFormatter;
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::{
    BLACK, Cartesian2d, ChartBuilder, ChartContext, Color, IntoDrawingArea, IntoLogRange, LineSeries,
    PathElement, RGBColor, Ranged, SVGBackend, SeriesLabelPosition, TRANSPARENT, WHITE,
};

use crate::Done;

/// What a picture shows.
#[derive(Clone, Debug)]
pub(crate) struct Plot {
    /// The name of its file, without the ending.
    pub(crate) file: &'static str,
    pub(crate) title: &'static str,
    /// What runs to the right, and what upwards.
    pub(crate) axes: [&'static str; 2],
    /// Whether what runs to the right does so in powers.
    pub(crate) in_powers: bool,
    /// Lines: the name of each, and its points.
    pub(crate) lines: Vec<(&'static str, Vec<(f64, f64)>)>,
}

/// Pixels, as wide as a page of text.
const SIZE: (u32, u32) = (720, 400);

/// Told apart by everybody, on light and on dark.
const COLOURS: [RGBColor; 3] = [RGBColor(0, 114, 178), RGBColor(213, 94, 0), RGBColor(0, 158, 115)];

/// The edges of some figures.
fn edges(figures: impl Iterator<Item = f64>) -> (f64, f64) {
    figures.fold((f64::INFINITY, 0.0), |(low, high), figure| (low.min(figure), high.max(figure)))
}

impl Plot {
    /// Draws it into this folder.
    pub(crate) fn draw(&self, folder: &Path) -> Done {
        let path = folder.join(format!("{}.svg", self.file));
        let area = SVGBackend::new(&path, SIZE).into_drawing_area();
        area.fill(&WHITE)?;
        let points = || self.lines.iter().flat_map(|(_, points)| points.iter().copied());
        let ((left, right), (_, top)) = (edges(points().map(|(x, _)| x)), edges(points().map(|(_, y)| y)));
        let mut chart = ChartBuilder::on(&area);
        chart
            .caption(self.title, ("sans-serif", 20))
            .margin(12)
            .margin_right(32)
            .x_label_area_size(40)
            .y_label_area_size(72);
        // From 0 on, so that what is flat looks flat; above there is room for the names of the lines.
        let up = 0.0..top * 1.3;
        if self.in_powers {
            self.lines_on(chart.build_cartesian_2d((left..right).log_scale(), up)?)?;
        } else {
            self.lines_on(chart.build_cartesian_2d(left..right, up)?)?;
        }
        Ok(area.present()?)
    }

    fn lines_on<'a, 'b: 'a, X>(
        &self,
        mut chart: ChartContext<'a, SVGBackend<'b>, Cartesian2d<X, RangedCoordf64>>,
    ) -> Done
    where
        X: Ranged<ValueType = f64> + ValueFormatter<f64>,
    {
        let [right, up] = self.axes;
        let number = |number: &f64| format!("{number}");
        chart
            .configure_mesh()
            .x_desc(right)
            .y_desc(up)
            .x_label_formatter(&number)
            .y_label_formatter(&number)
            .light_line_style(TRANSPARENT)
            .label_style(("sans-serif", 13))
            .draw()?;
        for ((name, points), colour) in self.lines.iter().zip(COLOURS) {
            let key = move |(x, y)| PathElement::new(vec![(x, y), (x + 18, y)], colour.stroke_width(2));
            let line = LineSeries::new(points.iter().copied(), colour.stroke_width(2)).point_size(3);
            chart.draw_series(line)?.label(*name).legend(key);
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::UpperRight)
            .background_style(WHITE)
            .border_style(BLACK.mix(0.3))
            .label_font(("sans-serif", 13))
            .draw()?;
        Ok(())
    }
}
