//! `relaybed cache`: what is in the cache, and making room.

use std::io::Write as _;
use std::time::Duration;

use clap::{Args, Subcommand};
use relaybed_guest::{Cache, Item};
use relaybed_report::exit::Exit;

use super::Stop;

/// What to do with the cache.
#[derive(Debug, Subcommand)]
pub(crate) enum CacheCommand {
    /// List what is in the cache: size, days since last use, kind.
    List,
    /// Print how much disk space the cache takes.
    Size,
    /// Remove what has not been used lately, or the least recently used until the rest is small enough.
    Trim(TrimArgs),
    /// Remove everything that can be fetched or made again. Dates of archives stay: they expose a replayed archive.
    Clear,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
pub(crate) struct TrimArgs {
    /// Remove what has not been used for this many days.
    #[arg(long, value_name = "DAYS")]
    older_than: Option<u32>,
    /// Remove the least recently used until the cache takes no more than this many megabytes.
    #[arg(long, value_name = "MB")]
    to_size: Option<u32>,
}

pub(super) fn cache(command: &CacheCommand) -> Result<Exit, Stop> {
    let stop = |error| Stop::new(Exit::SetUp, error);
    let cache = Cache::open(None).map_err(stop)?;
    let mut out = anstream::stdout().lock();
    let removed = match command {
        CacheCommand::List => {
            for item in cache.items().map_err(stop)? {
                writeln!(out, "{}", line(&item))?;
            }
            return Ok(Exit::Passed);
        }
        CacheCommand::Size => {
            let items = cache.items().map_err(stop)?;
            let (mb, root) = (megabytes(&items), cache.root().display());
            writeln!(out, "{mb:.1} MB in {} items in {root}", items.len())?;
            return Ok(Exit::Passed);
        }
        CacheCommand::Trim(args) => {
            let age = args.older_than.map(u64::from);
            let age = age.map(|days| Duration::from_secs(days * 24 * 3600));
            let size = args.to_size.map(|mb| u64::from(mb) * 1_000_000);
            cache.trim_to(age, size).map_err(stop)?
        }
        CacheCommand::Clear => cache.trim_to(None, Some(0)).map_err(stop)?,
    };
    for item in &removed {
        writeln!(out, "removed {}", line(item))?;
    }
    let (freed, left) = (
        megabytes(&removed),
        megabytes(&cache.items().map_err(stop)?),
    );
    writeln!(out, "{freed:.1} MB removed, {left:.1} MB left")?;
    Ok(Exit::Passed)
}

fn megabytes(items: &[Item]) -> f64 {
    let bytes: u64 = items.iter().map(|item| item.size_bytes).sum();
    bytes as f64 / 1e6
}

fn line(item: &Item) -> String {
    let unused = item.used.elapsed().unwrap_or_default();
    let days = unused.as_secs() / (24 * 3600);
    let mb = item.size_bytes as f64 / 1e6;
    format!(
        "{mb:8.1} MB  {days:3} days  {:<16} {}",
        item.kind, item.what
    )
}
