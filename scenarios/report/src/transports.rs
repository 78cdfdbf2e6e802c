//! Reports of the comparison of ways out of the kernel: a table, JSON, and a plot.

mod plot;

use std::io::{self, Write};

use relaybed_abi::Transport;
use serde_json::json;

use super::Format;
use super::human::DIM;
use relaybed_case::transports::{Measured, name, what};

pub use plot::{PlotError, plot};

/// Where and how it was measured.
#[derive(Clone, Debug)]
pub struct Where {
    /// Release of the kernel.
    pub kernel: String,
    /// Package and version it came from.
    pub kernel_origin: String,
    /// `qemu` or `kvm`.
    pub backend: String,
    /// `tcg` or `kvm`.
    pub accel: String,
}

/// Writes all figures: as JSON, or else as a table.
///
/// # Errors
/// When `out` cannot be written.
pub fn write(
    format: Format,
    rows: &[Measured],
    on: &Where,
    out: &mut impl Write,
) -> io::Result<()> {
    match format {
        Format::Json => json_rows(rows, on, out)?,
        _ => table(rows, on, out)?,
    }
    out.flush()
}

fn json_rows(rows: &[Measured], on: &Where, out: &mut impl Write) -> io::Result<()> {
    for row in rows {
        let object = json!({
            "transport": name(row.transport),
            "what": what(row.transport),
            "len": row.len,
            "records": row.records,
            "records_per_s": row.records_per_s().round(),
            "bytes_per_s": row.bytes_per_s().round(),
            "fill_ns_per_record": tenth(row.per_record(row.wall.fill_ns)),
            "drain_ns_per_record": tenth(row.per_record(row.wall.drain_ns)),
            "fill_instructions_per_record": tenth(row.per_record(row.counted.fill_ns)),
            "drain_instructions_per_record": tenth(row.per_record(row.counted.drain_ns)),
            "bytes_checked": true,
        });
        writeln!(out, "{object}")?;
    }
    let summary = json!({
        "summary": {
            "kernel": on.kernel,
            "kernel_origin": on.kernel_origin,
            "backend": on.backend,
            "accel": on.accel,
        }
    });
    writeln!(out, "{summary}")
}

fn tenth(figure: f64) -> f64 {
    (figure * 10.0).round() / 10.0
}

fn table(rows: &[Measured], on: &Where, out: &mut impl Write) -> io::Result<()> {
    let mut len = None;
    for row in rows {
        if len != Some(row.len) {
            head(out, row)?;
            len = Some(row.len);
        }
        line(out, row)?;
    }
    writeln!(out)?;
    for transport in Transport::ALL {
        writeln!(
            out,
            "{:<12} {DIM}{}{DIM:#}",
            name(*transport),
            what(*transport)
        )?;
    }
    writeln!(
        out,
        "\nin: putting a record in; out: taking it out and copying it. Instructions are counted by QEMU's clock,\n\
         which the host's load does not touch; time is of {} {}. Every byte was compared with what went in.\n\
         kernel {} ({})",
        on.backend, on.accel, on.kernel, on.kernel_origin
    )
}

fn head(out: &mut impl Write, row: &Measured) -> io::Result<()> {
    writeln!(
        out,
        "\nrecords of {} bytes, {} of them",
        row.len, row.records
    )?;
    writeln!(
        out,
        "{:<12} {:>12} {:>9} {:>11} {:>11} {:>15} {:>16}",
        "", "records/s", "MB/s", "ns in", "ns out", "instructions in", "instructions out"
    )
}

fn line(out: &mut impl Write, row: &Measured) -> io::Result<()> {
    writeln!(
        out,
        "{:<12} {:>12.0} {:>9.1} {:>11.1} {:>11.1} {:>15.1} {:>16.1}",
        name(row.transport),
        row.records_per_s(),
        row.bytes_per_s() / 1e6,
        row.per_record(row.wall.fill_ns),
        row.per_record(row.wall.drain_ns),
        row.per_record(row.counted.fill_ns),
        row.per_record(row.counted.drain_ns),
    )
}

#[cfg(test)]
mod tests;
