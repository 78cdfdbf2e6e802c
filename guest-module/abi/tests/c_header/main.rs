//! The C header against its Rust mirror: sizes, offsets, constants, numbered choices, and the
//! values that both sides compute. The C side is the header itself, compiled by `cc`.

#[cfg(test)]
mod c_side;
#[cfg(test)]
mod layout;
#[cfg(test)]
mod values;
