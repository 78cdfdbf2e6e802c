//! The comparison as a picture: instructions a record, and bytes a second, over the length of records.

use plotters::coord::Shift;
use plotters::prelude::*;
use relaybed_abi::Transport;

use relaybed_case::transports::{Measured, name};

/// The picture could not be drawn.
#[derive(Debug, thiserror::Error)]
#[error("cannot draw the plot: {0}")]
pub struct PlotError(String);

const SIZE: (u32, u32) = (1280, 560);

/// Distinguished by hue and by lightness.
const COLOURS: [RGBColor; 7] = [
    RGBColor(0xd5, 0x5e, 0x00),
    RGBColor(0xcc, 0x79, 0xa7),
    RGBColor(0x00, 0x72, 0xb2),
    RGBColor(0x00, 0x00, 0x00),
    RGBColor(0x56, 0xb4, 0xe9),
    RGBColor(0x00, 0x9e, 0x73),
    RGBColor(0xe6, 0x9f, 0x00),
];

/// One of the two panels.
struct Panel {
    title: &'static str,
    what: &'static str,
    figure: fn(&Measured) -> f64,
    legend: SeriesLabelPosition,
}

const PANELS: [Panel; 2] = [
    Panel {
        title: "Cost per record, both sides",
        what: "instructions (QEMU's instruction clock)",
        figure: Measured::instructions,
        legend: SeriesLabelPosition::UpperLeft,
    },
    Panel {
        title: "Throughput, one side after the other",
        what: "MB/s (guest's clock)",
        figure: |row| row.bytes_per_s() / 1e6,
        legend: SeriesLabelPosition::LowerRight,
    },
];

/// Draws the figures of one kernel as SVG.
///
/// # Errors
/// When the drawing library cannot.
pub fn plot(rows: &[Measured], kernel: &str) -> Result<String, PlotError> {
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        area.fill(&WHITE).map_err(failed)?;
        let title = format!("Ways out of the kernel, Linux {kernel}");
        let area = area.titled(&title, ("sans-serif", 24)).map_err(failed)?;
        for (area, panel) in area.split_evenly((1, 2)).iter().zip(PANELS) {
            draw(area, rows, &panel)?;
        }
        area.present().map_err(failed)?;
    }
    Ok(svg)
}

fn draw(
    area: &DrawingArea<SVGBackend<'_>, Shift>,
    rows: &[Measured],
    panel: &Panel,
) -> Result<(), PlotError> {
    let (least, most) = range(rows.iter().map(|row| f64::from(row.len)));
    let (low, high) = range(rows.iter().map(panel.figure));
    let mut chart = ChartBuilder::on(area)
        .caption(panel.title, ("sans-serif", 18))
        .margin(12)
        .x_label_area_size(48)
        .y_label_area_size(72)
        .build_cartesian_2d(
            (least * 0.9..most * 1.1).log_scale().base(2.0),
            (low * 0.7..high * 1.4).log_scale(),
        )
        .map_err(failed)?;
    chart
        .configure_mesh()
        .x_desc("bytes per record")
        .y_desc(panel.what)
        .x_label_formatter(&|len| format!("{len:.0}"))
        .y_label_formatter(&|figure| label(*figure))
        .light_line_style(WHITE)
        .draw()
        .map_err(failed)?;
    for (transport, colour) in Transport::ALL.iter().copied().zip(COLOURS) {
        let points: Vec<(f64, f64)> = rows
            .iter()
            .filter(|row| row.transport == transport)
            .map(|row| (f64::from(row.len), (panel.figure)(row)))
            .collect();
        let style = colour.stroke_width(2);
        chart
            .draw_series(LineSeries::new(points, style).point_size(3))
            .map_err(failed)?
            .label(name(transport))
            .legend(move |(x, y)| PathElement::new(vec![(x, y), (x + 18, y)], style));
    }
    chart
        .configure_series_labels()
        .position(panel.legend.clone())
        .background_style(WHITE.mix(0.8))
        .border_style(BLACK.mix(0.4))
        .label_font(("sans-serif", 13))
        .draw()
        .map_err(failed)
}

/// Least and most, as a logarithmic axis can show them.
fn range(figures: impl Iterator<Item = f64>) -> (f64, f64) {
    let (low, high) = figures
        .filter(|figure| *figure > 0.0)
        .fold((f64::MAX, 0.0_f64), |(low, high), figure| {
            (low.min(figure), high.max(figure))
        });
    if low < high { (low, high) } else { (1.0, 10.0) }
}

fn label(figure: f64) -> String {
    if figure >= 1.0 {
        format!("{figure:.0}")
    } else {
        format!("{figure:.1}")
    }
}

fn failed(error: impl std::fmt::Display) -> PlotError {
    PlotError(error.to_string())
}
