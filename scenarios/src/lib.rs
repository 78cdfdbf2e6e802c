//! relaybed
