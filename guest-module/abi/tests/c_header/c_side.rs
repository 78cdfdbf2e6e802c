//! Compiles a program around the C header and reads what it prints.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

/// Prints `name value` for each expression, as unsigned 64-bit numbers.
///
/// # Panics
/// When the compiler is missing or refuses the program: the header is then unusable in C.
pub(crate) fn evaluate(
    test: &str,
    helpers: &str,
    expressions: &[(String, String)],
) -> BTreeMap<String, u64> {
    let mut source = String::from("#include <stddef.h>\n#include <stdio.h>\n#include <string.h>\n");
    source.push_str("#include \"relaybed_abi.h\"\n");
    source.push_str(helpers);
    source.push_str("int main(void)\n{\n");
    for (name, expression) in expressions {
        source.push_str(&format!(
            "\tprintf(\"%s %llu\\n\", \"{name}\", (unsigned long long)({expression}));\n"
        ));
    }
    source.push_str("\treturn 0;\n}\n");
    run(test, &source)
        .lines()
        .map(|line| {
            let (name, value) = line.rsplit_once(' ').unwrap();
            (name.to_owned(), value.parse().unwrap())
        })
        .collect()
}

fn run(test: &str, source: &str) -> String {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let (c, program) = (dir.join(format!("{test}.c")), dir.join(test));
    fs::write(&c, source).unwrap();
    let include = concat!(env!("CARGO_MANIFEST_DIR"), "/include");
    let compiled = Command::new("cc")
        .args([
            "-std=gnu11",
            "-Wall",
            "-Wextra",
            "-Werror",
            "-I",
            include,
            "-o",
        ])
        .args([&program, &c])
        .output()
        .expect("a C compiler named cc is needed, as for the module");
    assert!(
        compiled.status.success(),
        "cc refused the header:\n{}",
        String::from_utf8_lossy(&compiled.stderr)
    );
    let output = Command::new(&program).output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap()
}
