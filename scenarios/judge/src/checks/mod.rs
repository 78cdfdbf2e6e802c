//! One checker per property. Each is a pure function over the [`Matter`](super::matter::Matter).

pub(super) mod accounting;
pub(super) mod affinity;
pub(super) mod conservation;
pub(super) mod evidence;
pub(super) mod expectation;
pub(super) mod fragments;
pub(super) mod health;
pub(super) mod integrity;
pub(super) mod lifetime;
pub(super) mod model;
pub(super) mod notification;
pub(super) mod ordering;
pub(super) mod overwrite;
pub(super) mod padding;
pub(super) mod placement;
pub(super) mod polling;
pub(super) mod reading;
pub(super) mod safety;
pub(super) mod warnings;
