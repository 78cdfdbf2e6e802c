//! The record that a finding is about.

use super::{
    Affinity, Conservation, Finding, Integrity, Ordering, Overwrite, Placement, Record, What,
};

impl Finding {
    /// The record that it is about, if it is about one.
    #[must_use]
    pub const fn record(&self) -> Option<&Record> {
        match &self.what {
            What::Integrity(Integrity::Torn { record, .. } | Integrity::Junk { record, .. })
            | What::Ordering(Ordering::Behind { record, .. } | Ordering::Older { record, .. })
            | What::Placement(Placement::Displaced { record, .. })
            | What::Affinity(
                Affinity::OtherCpu { record, .. } | Affinity::OtherChannel { record, .. },
            )
            | What::Overwrite(Overwrite::Stale { record, .. })
            | What::Conservation(
                Conservation::Twice { record }
                | Conservation::Missing { record, .. }
                | Conservation::NotDropped { record, .. }
                | Conservation::Lost { first: record, .. },
            ) => Some(record),
            _ => None,
        }
    }
}
