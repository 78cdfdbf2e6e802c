//! How findings are written down: one table a property, each entry with its code, its members, its texts and
//! what `relaybed explain` says of it. An entry that lacks one of them does not compile.

use super::Code;
use crate::verdict::Property;

/// What `relaybed explain` says of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// Its code.
    pub code: Code,
    /// The property that is broken.
    pub property: Property,
    /// Its sentence, with the names of its members in braces.
    pub sentence: &'static str,
    /// What it means.
    pub means: &'static str,
    /// What a correct kernel does.
    pub correct: &'static str,
    /// What usually causes it.
    pub cause: &'static str,
    /// Functions of the kernel to look at; empty where there is none.
    pub source: &'static str,
}

/// Makes the enum of one property's findings out of its table.
macro_rules! findings {
    (
        $(#[doc = $room:literal])+
        $enum:ident of $property:ident {
            $(
                $(#[doc = $means:literal])+
                $name:ident { $($field:ident : $type:ty),* $(,)? } = $number:literal {
                    $sentence:literal;
                    expected $expected:literal;
                    seen $seen:literal;
                    correct $correct:literal;
                    cause $cause:literal;
                    source $source:literal;
                }
            )+
        }
    ) => {
        $(#[doc = $room])+
        #[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum $enum {
            $(
                $(#[doc = $means])+
                $name {
                    $(
                        #[doc = concat!("`", stringify!($field), "` in the finding's sentence and values.")]
                        $field: $type,
                    )*
                },
            )+
        }

        impl $enum {
            pub(super) const EXPLAINED: &'static [super::Explanation] = &[$(
                super::Explanation {
                    code: super::Code($number),
                    property: crate::verdict::Property::$property,
                    sentence: $sentence,
                    means: concat!($($means, "\n"),+),
                    correct: $correct,
                    cause: $cause,
                    source: $source,
                },
            )+];

            /// Its stable code.
            #[must_use]
            pub const fn code(&self) -> super::Code {
                match self {
                    $(Self::$name { .. } => super::Code($number),)+
                }
            }

            /// What a correct kernel shows.
            pub(super) fn expected(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                match self {
                    $(Self::$name { $($field),* } => {
                        let _ = ($($field,)*);
                        write!(f, $expected)
                    })+
                }
            }

            /// What was seen.
            pub(super) fn seen(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                match self {
                    $(Self::$name { $($field),* } => {
                        let _ = ($($field,)*);
                        write!(f, $seen)
                    })+
                }
            }
        }

        impl std::fmt::Display for $enum {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                match self {
                    $(Self::$name { $($field),* } => {
                        let _ = ($($field,)*);
                        write!(f, $sentence)
                    })+
                }
            }
        }

        impl From<$enum> for super::What {
            fn from(what: $enum) -> Self {
                Self::$property(what)
            }
        }

        #[cfg(test)]
        impl super::draw::Draw for $enum {
            fn draw(lots: &mut super::draw::Lots) -> Self {
                let all: &[fn(&mut super::draw::Lots) -> Self] = &[$(
                    |lots| {
                        let _ = &lots;
                        Self::$name { $($field: super::draw::Draw::draw(lots)),* }
                    },
                )+];
                let at = lots.below(all.len());
                all[at](lots)
            }
        }
    };
}

pub(super) use findings;
