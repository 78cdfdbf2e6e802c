//! The options that name a relay.c to test.

use std::path::PathBuf;

use clap::Args;
use relaybed_guest::{RelayFrom, RelayRequest, RelayVersion};

use super::again::Again;

/// Which relay to test.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct RelayArgs {
    /// Test this relay.c instead of the kernel's: a file, source:VERSION or source:SUITE:VERSION for the one in
    /// Debian's source package, or source:kernel for the one that the kernel was built from.
    #[arg(long, value_name = "FILE")]
    pub relay: Option<RelayFrom>,
    /// The relay.h that belongs to it [default: the one in its tree, else the kernel's].
    #[arg(long, value_name = "FILE", requires = "relay")]
    pub relay_header: Option<PathBuf>,
    /// The release whose behaviour is expected of it [default: that of its tree, else the kernel's].
    #[arg(long, value_name = "VERSION", requires = "relay")]
    pub relay_as: Option<RelayVersion>,
}

impl RelayArgs {
    /// What these options ask for.
    pub(super) fn request(&self) -> Option<RelayRequest> {
        Some(RelayRequest {
            from: self.relay.clone()?,
            header: self.relay_header.clone(),
            version: self.relay_as.clone(),
            changed: None,
        })
    }

    /// Adds these options to a line to paste.
    pub(super) fn again(&self, line: &mut Again) {
        line.given("--relay", self.relay.as_ref());
        line.given(
            "--relay-header",
            self.relay_header.as_ref().map(|file| file.display()),
        );
        line.given("--relay-as", self.relay_as.as_ref());
    }
}
