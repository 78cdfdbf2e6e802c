//! What a compiler's output says: its errors, and what it did not find.

use crate::child;

/// Lines that name errors, and last lines, that go into an error's text.
const ERROR_LINES: usize = 10;

/// The lines of a build's log that say what went wrong.
pub(super) fn excerpt(log: &str) -> String {
    let is_error = |line: &&str| line.to_lowercase().contains("error");
    // make repeats in its own words that something failed.
    let errors = log.lines().filter(|line| !line.starts_with("make"));
    let errors: Vec<&str> = errors.filter(is_error).take(ERROR_LINES).collect();
    if errors.is_empty() {
        child::tail(log)
    } else {
        errors.join("\n")
    }
}

/// How compiler and kbuild say that something is not there: what comes before its name, and what that is. The
/// name ends at the next quotation mark. Which marks they are depends on the locale; here all are plain ones.
const MISSING: [(&str, &str); 8] = [
    ("has no member named '", "member"),
    ("implicit declaration of function '", "function"),
    ("unknown type name '", "type"),
    ("invalid use of undefined type '", "type"),
    ("ERROR: modpost: \"", "symbol"),
    ("storage size of '", "type of"),
    ("error: unknown field '", "member"),
    ("error: '", "name"),
];

/// What a build did not find, each once, in the order of the log.
pub(super) fn missing(log: &str) -> Vec<String> {
    let mut found = Vec::new();
    for line in log.replace(['‘', '’'], "'").lines() {
        let Some(what) = missing_of(line) else {
            continue;
        };
        if !found.contains(&what) {
            found.push(what);
        }
    }
    found
}

/// Functions of relay's that the given relay.c lacks: the module calls them by its own names for them.
pub(super) fn lacking(log: &str) -> Vec<String> {
    let missing = missing(log).into_iter();
    let of_relay = |what: String| Some(what.strip_prefix("symbol own_")?.to_owned());
    missing.filter_map(of_relay).collect()
}

fn missing_of(line: &str) -> Option<String> {
    if let Some(header) = line.strip_suffix(": No such file or directory") {
        let (_, header) = header.rsplit_once("error: ")?;
        return Some(format!("header {header}"));
    }
    let by_name = |(before, kind): &(&str, &'static str)| {
        let (_, rest) = line.split_once(before)?;
        let (name, after) = rest.split_once(['\'', '"'])?;
        Some((name.to_owned(), after.to_owned(), *kind))
    };
    let (name, after, kind) = MISSING.iter().find_map(by_name)?;
    // The last two forms say many things; one of each is that something is not there.
    let absent = match kind {
        "name" => after.starts_with(" undeclared"),
        "symbol" => after.ends_with("undefined!"),
        _ => true,
    };
    absent.then(|| format!("{kind} {name}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_excerpt_shows_the_errors() {
        let mut log = String::from("CC main.o\nmain.c:3:1: error: unknown type\n");
        log += "make[1]: *** [Makefile:9: main.o] Error 1\n";
        log += &"note: much talk\n".repeat(100);
        assert_eq!(excerpt(&log), "main.c:3:1: error: unknown type");
        assert!(excerpt("a\nlast words\n").contains("last words"));
    }

    #[test]
    fn what_is_missing_is_named_once() {
        let log = "\
/r/relay.c:5:10: fatal error: linux/none.h: No such file or directory
/r/relay.c:89:43: warning: ‘struct vm_area_desc’ declared inside parameter list
/r/relay.c:94:22: error: invalid use of undefined type ‘struct vm_area_desc’
/r/relay.c:95:22: error: invalid use of undefined type ‘struct vm_area_desc’
/r/relay.c:1209:10: error: ‘const struct file_operations’ has no member named ‘mmap_prepare’
/r/relay.c:300:9: error: implicit declaration of function ‘strscpy_pad2’ [-Werror=implicit-function-declaration]
/r/relay.c:301:9: error: 'VMA_BIT' undeclared (first use in this function)
/r/relay.c:302:9: error: ‘x’ redeclared as different kind of symbol
ERROR: modpost: \"splice_grow_spd\" [/build/module/relaybed.ko] undefined!
ERROR: modpost: \"relay_open\" exported twice
";
        let expected = [
            "header linux/none.h",
            "type struct vm_area_desc",
            "member mmap_prepare",
            "function strscpy_pad2",
            "name VMA_BIT",
            "symbol splice_grow_spd",
        ];
        assert_eq!(missing(log), expected);
    }

    #[test]
    fn functions_that_a_relay_lacks_go_by_their_own_names() {
        let log = "ERROR: modpost: \"own_relay_flush\" [/build/module/relaybed.ko] undefined!\n\
                   ERROR: modpost: \"splice_grow_spd\" [/build/module/relaybed.ko] undefined!\n";
        assert_eq!(lacking(log), ["relay_flush"]);
    }

    proptest! {
        #[test]
        fn any_log_is_answered(log in "(\\PC{0,30}(error: ‘|’|\\n)){0,6}") {
            let _ = (missing(&log), excerpt(&log));
        }
    }
}
