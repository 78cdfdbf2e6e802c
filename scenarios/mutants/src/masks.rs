//! What the grammar of C does not know, replaced by something that it does, byte for byte: places in the tree are
//! then places in the text.

/// Words that the preprocessor takes out.
const NOTHING: &[&str] = &["__user", "__percpu", "__rcu", "__iomem", "__force"];

/// The part of a macro's name that makes it a loop.
const LOOP: &str = "for_each_";

/// The text with loops of macros as `while`, and without words that mean something to checkers only.
pub(crate) fn masked(text: &str) -> String {
    let mut bytes = text.as_bytes().to_vec();
    for (at, word) in words(text) {
        if NOTHING.contains(&word) {
            fill(&mut bytes[at..at + word.len()], "");
        } else if word.contains(LOOP) && is_loop(text, at, word) {
            fill(&mut bytes[at..at + word.len()], "while");
        }
    }
    // Only ASCII replaced ASCII.
    String::from_utf8(bytes).unwrap_or_else(|_| text.to_owned())
}

/// A call that no semicolon follows, and no definition of the macro.
fn is_loop(text: &str, at: usize, word: &str) -> bool {
    let line = text[..at].rfind('\n').map_or(0, |end| end + 1);
    if text[line..at].trim_start().starts_with('#') {
        return false;
    }
    let rest = text[at + word.len()..].trim_start();
    let mut depth = 0_usize;
    for (index, byte) in rest.bytes().enumerate() {
        match byte {
            b'(' => depth += 1,
            b')' if depth <= 1 => return !rest[index + 1..].trim_start().starts_with(';'),
            b')' => depth -= 1,
            _ if depth == 0 => return false,
            _ => {}
        }
    }
    false
}

fn fill(place: &mut [u8], with: &str) {
    place.fill(b' ');
    if let Some(place) = place.get_mut(..with.len()) {
        place.copy_from_slice(with.as_bytes());
    }
}

/// The words of a text and where they begin; comments and strings hold words, too, where a mask does no harm.
fn words(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut at = 0;
    std::iter::from_fn(move || {
        let begin = at + text[at..].find(is_part)?;
        let end = text[begin..].find(|c: char| !is_part(c));
        at = end.map_or(text.len(), |end| begin + end);
        Some((begin, &text[begin..at]))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loop_of_a_macro_is_a_while_of_the_same_length() {
        let text = "void f(void) {\n\tfor_each_online_cpu(i)\n\t\tg(h(i));\n}\n";
        let masked = masked(text);
        assert_eq!(masked.len(), text.len());
        assert!(masked.contains("while              (i)\n"), "{masked}");
    }

    #[test]
    fn what_is_no_loop_stays() {
        for text in [
            "#define my_for_each_x(i) for (;;)\n",
            "for_each_x(i);\n",
            "int for_each_x = 3;\n",
            "for_each_x(",
        ] {
            assert_eq!(masked(text), text);
        }
        assert_eq!(masked("char __user *b;"), "char        *b;");
    }

    proptest::proptest! {
        #[test]
        fn any_text_keeps_its_length(text in "\\PC{0,60}") {
            proptest::prop_assert_eq!(masked(&text).len(), text.len());
        }

        #[test]
        fn near_loops_too(text in "[a-c(); \n#é]{0,12}for_each_c[a-c(); \n#é]{0,30}") {
            proptest::prop_assert_eq!(masked(&text).len(), text.len());
        }
    }
}
