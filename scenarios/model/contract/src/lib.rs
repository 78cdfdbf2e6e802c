//! The reference model: what relay, as documented, does with a case.
//!
//! It is written from relay's contract (the kernel's documentation and the semantics agreed on in this
//! project), never from our module, and where a kernel is known to break the contract the model still
//! says what the contract says. In comes a [`Case`](relaybed_case::Case), a [`Behaviour`] and the number
//! of CPUs; out comes a [`Prediction`]. Pure: no files, clock, threads or environment.
//!
//! A buffer is predicted to the byte for as long as all operations that change it are totally ordered
//! by program order and gates ([`order`]); beyond that point the prediction is silent about it.
//!
//! Two records of 48 bytes do not fit into one sub-buffer of 64, so the second begins the next:
//!
//! ```
//! use relaybed_contract::{Behaviour, Produced, behaviour, predict};
//!
//! let text = r#"
//! summary = "Two records."
//! channel.cpu = { subbuf_size = 64, n_subbufs = 4 }
//! [[actor]]
//! name = "writer"
//! cpu = 0
//! script = [{ write = "cpu", len = 48, count = 2 }]
//! "#;
//! let case = &relaybed_lang::load("my/case.toml", text)?[0];
//! let prediction = predict(case, &Behaviour::of(behaviour::version(6, 1)), 2);
//! let end = prediction.moments.last().unwrap();
//! let buffer = end.channels[0].buffers[0].as_ref().unwrap();
//! assert_eq!((buffer.produced, buffer.padding[0], buffer.offset), (Produced(1), 16, 48));
//! # Ok::<(), relaybed_lang::Diagnostics>(())
//! ```

#![forbid(unsafe_code)]

pub mod behaviour;
pub mod buffer;
pub mod content;
pub mod order;
pub mod predict;
pub mod prediction;
pub mod relay;
pub mod simulate;
pub mod units;
pub mod world;

mod calls;
mod descriptors;
mod hotplug;
mod klog;
mod lifecycle;
mod mappings;
mod races;
mod read;
mod store;

pub use behaviour::Behaviour;
pub use buffer::{Buffer, Fate, Geometry, Piece, Source, SwitchCall};
pub use predict::one_run;
pub use predict::predict;
pub use prediction::{
    BufferMoment, ChannelMoment, Copied, FileCalls, Moment, OpPrediction, Prediction,
    ReadPrediction, RefWarning, StatPrediction,
};
pub use relay::{Documented, Relay};
pub use simulate::{Honest, Producer, Simulation};
pub use units::{Consumed, Produced, Slot};

#[cfg(test)]
mod tests;
