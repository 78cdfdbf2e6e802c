//! relaybed-tests
