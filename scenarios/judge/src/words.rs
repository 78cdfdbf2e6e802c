//! Values as people read them: numbers plain, sizes with their unit, states by name.

use relaybed_abi::{ChanState, State};

/// `1 byte`, `512 bytes`.
pub(super) fn bytes(count: u64) -> String {
    counted(count, "byte")
}

/// `1 record`, `7 records`.
pub(super) fn counted(count: u64, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {what}{plural}")
}

/// An offset in a sub-buffer; one beyond the sub-buffer's size is relay's mark of a full buffer.
pub(super) fn offset(offset: u64, subbuf_size: u64) -> String {
    if offset == subbuf_size.saturating_add(1) {
        format!("{offset} (marked full)")
    } else {
        offset.to_string()
    }
}

/// `3, 0, 8`; `none` for an empty list.
pub(super) fn list<T: ToString>(items: impl IntoIterator<Item = T>) -> String {
    let items: Vec<String> = items.into_iter().map(|item| item.to_string()).collect();
    if items.is_empty() {
        "none".to_owned()
    } else {
        items.join(", ")
    }
}

/// What a channel is.
pub(super) fn channel(state: ChanState) -> &'static str {
    match state {
        ChanState::Never => "never opened",
        ChanState::Open => "open",
        ChanState::Closed => "closed",
        ChanState::Refused => "refused by relay_open()",
    }
}

/// How far an operation got, by the number in its result.
pub(super) fn operation(state: u32) -> String {
    let known = [
        (State::Idle, "never begun"),
        (State::Running, "still under way"),
        (State::Done, "done"),
    ];
    known
        .iter()
        .find(|(known, _)| known.code() == state)
        .map_or_else(
            || format!("unknown state {state}"),
            |(_, text)| (*text).to_owned(),
        )
}

/// An error number, by the name that relay's callers know it by where it is one of relay's.
pub(super) fn errno(errno: u32) -> String {
    let known = [
        (2, "ENOENT"),
        (5, "EIO"),
        (9, "EBADF"),
        (11, "EAGAIN"),
        (12, "ENOMEM"),
        (14, "EFAULT"),
        (19, "ENODEV"),
        (22, "EINVAL"),
        (13, "EACCES"),
        (16, "EBUSY"),
        (29, "ESPIPE"),
        (125, "ECANCELED"),
        (44, "ECHRNG"),
    ];
    match known.iter().find(|(number, _)| *number == errno) {
        _ if errno == 0 => "success".to_owned(),
        Some((_, name)) => format!("{name} ({errno})"),
        None => format!("error {errno}"),
    }
}

/// `yes` or `no`.
pub(super) fn yes(yes: bool) -> &'static str {
    if yes { "yes" } else { "no" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_of_a_kind_has_no_plural_and_lists_have_no_brackets() {
        assert_eq!(bytes(1), "1 byte");
        assert_eq!(counted(0, "record"), "0 records");
        assert_eq!(list([3, 0]), "3, 0");
        assert_eq!(list(Vec::<u64>::new()), "none");
    }

    #[test]
    fn the_mark_of_a_full_buffer_is_told() {
        assert_eq!(offset(64, 64), "64");
        assert_eq!(offset(65, 64), "65 (marked full)");
        assert_eq!(operation(State::Running.code()), "still under way");
        assert_eq!(operation(77), "unknown state 77");
    }
}
