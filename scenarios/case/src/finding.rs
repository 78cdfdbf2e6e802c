//! Findings: what is wrong with one run, as values.
//!
//! A finding is data: what was expected, what was seen, of which record, buffer and call. It has a stable code
//! ([`Code`]), and text is made of it last, by `Display`. Nothing looks into that text: what two findings have in
//! common is their code and place ([`Identity`]). Each property has a table of its own, whose entries also hold
//! what `relaybed explain` says.

mod accounting;
mod call;
mod code;
mod concerned;
mod conservation;
mod evidence;
mod health;
mod identity;
mod integrity;
mod lifetime;
mod model;
mod notification;
mod padding;
mod progress;
mod reading;
mod said;
mod state;
mod table;
mod value;

#[cfg(test)]
mod draw;
#[cfg(test)]
mod tests;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use accounting::Accounting;
pub use call::Call;
pub use code::{Code, NoCode};
pub use conservation::Conservation;
pub use evidence::{Completeness, Regression, Repetition, Schedule};
pub use health::{Health, Trouble};
pub use identity::{Identity, Label};
pub use integrity::{Affinity, Integrity, Ordering, Overwrite, Placement};
pub use lifetime::Lifetime;
pub use model::{Expectation, Model};
pub use notification::Notification;
pub use padding::{Padding, Safety};
pub use progress::{Pending, Progress};
pub use reading::Reading;
pub use said::{Said, Times};
pub use state::{ChannelState, MaybeStart, OpState, SubbufStart, Taint};
pub use table::Explanation;
pub(crate) use value::one_line;
pub use value::{Byte, Bytes, Due, List, Offset, Outcome, Plain, Quoted, Record, Yes};

use crate::verdict::{Location, Property};

/// One thing that is not as it must be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// What is wrong.
    pub what: What,
    /// Where.
    pub at: Location,
    /// How many more there were of this property, which are not listed.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub more: u64,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature is serde's"
)]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

macro_rules! rooms {
    ($($property:ident($enum:ident): $doc:literal,)+) => {
        /// What is wrong, by the property that is broken.
        #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum What {
            $(#[doc = $doc] $property($enum),)+
        }

        impl What {
            /// Its stable code.
            #[must_use]
            pub const fn code(&self) -> Code {
                match self {
                    $(Self::$property(what) => what.code(),)+
                }
            }

            /// The property that is broken.
            #[must_use]
            pub const fn property(&self) -> Property {
                match self {
                    $(Self::$property(_) => Property::$property,)+
                }
            }

            fn write(&self, part: Part, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    $(Self::$property(what) => match part {
                        Part::Sentence => write!(f, "{what}"),
                        Part::Expected => what.expected(f),
                        Part::Seen => what.seen(f),
                    },)+
                }
            }
        }

        const EXPLAINED: &[&[Explanation]] = &[$($enum::EXPLAINED),+];

        #[cfg(test)]
        impl draw::Draw for What {
            fn draw(lots: &mut draw::Lots) -> Self {
                let all: &[fn(&mut draw::Lots) -> Self] =
                    &[$(|lots| Self::$property(draw::Draw::draw(lots)),)+];
                let at = lots.below(all.len());
                all[at](lots)
            }
        }
    };
}

rooms! {
    Health(Health): "The guest did not stay whole.",
    Evidence(Completeness): "The evidence is not complete.",
    Integrity(Integrity): "Bytes are not what was written.",
    Ordering(Ordering): "Records are out of order.",
    Conservation(Conservation): "Records are missing or there too often.",
    Placement(Placement): "A record is not where the one before ends.",
    Affinity(Affinity): "A record is in a foreign buffer.",
    Padding(Padding): "Padding is wrong.",
    Overwrite(Overwrite): "A lap replaced, or kept, what it should not.",
    Notification(Notification): "poll, wake-ups or callbacks are wrong.",
    Safety(Safety): "Something is outside its place.",
    Lifetime(Lifetime): "Channels or files are not as documented.",
    Accounting(Accounting): "Counters contradict each other.",
    Model(Model): "Something is not as the exact model predicts.",
    Reading(Reading): "Reads gave something else.",
    Expectation(Expectation): "The scenario's own claim does not hold.",
    Repetition(Repetition): "Repetitions differ.",
    Schedule(Schedule): "The schedule could not be kept.",
    Regression(Regression): "A defect is back.",
}

/// A text of a finding.
#[derive(Clone, Copy)]
enum Part {
    Sentence,
    Expected,
    Seen,
}

/// Writes one part of a finding.
struct Written<'a>(&'a What, Part);

impl fmt::Display for Written<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.write(self.1, f)
    }
}

impl Finding {
    /// A finding at a place.
    #[must_use]
    pub fn new(at: Location, what: impl Into<What>) -> Self {
        Self {
            what: what.into(),
            at,
            more: 0,
        }
    }

    /// Its stable code.
    #[must_use]
    pub const fn code(&self) -> Code {
        self.what.code()
    }

    /// The property that is broken.
    #[must_use]
    pub const fn property(&self) -> Property {
        self.what.property()
    }

    /// What a correct kernel shows, for a report.
    #[must_use]
    pub fn expected(&self) -> String {
        Written(&self.what, Part::Expected).to_string()
    }

    /// What was seen, for a report.
    #[must_use]
    pub fn seen(&self) -> String {
        Written(&self.what, Part::Seen).to_string()
    }

    /// What it has in common with the same finding in another run.
    #[must_use]
    pub fn identity(&self) -> Identity {
        Identity {
            code: self.code(),
            channel: self.at.channel.clone(),
            cpu: self.at.cpu,
        }
    }
}

impl fmt::Display for Finding {
    /// One sentence: what is wrong.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", Written(&self.what, Part::Sentence))
    }
}

/// What there is to say of each code, in the order of codes.
pub fn explanations() -> impl Iterator<Item = &'static Explanation> {
    EXPLAINED.iter().copied().flatten()
}

/// What there is to say of one code; `None`: no finding has it.
#[must_use]
pub fn explain(code: Code) -> Option<&'static Explanation> {
    explanations().find(|entry| entry.code == code)
}
