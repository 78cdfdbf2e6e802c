//! Held while the command is being put together.
