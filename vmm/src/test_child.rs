//! Tests that change a whole process, its user or its limits, in a process of their own.

use std::process::Command;

/// Runs the one test `name` of this program again in a child that `prepare` has made different; it must pass there.
pub(crate) fn pass(name: &str, prepare: impl FnOnce(&mut Command)) {
    // By this link whoever the child is reaches the program, wherever it is.
    let mut child = Command::new("/proc/self/exe");
    child.args(["--exact", name]).current_dir("/");
    prepare(&mut child);
    let output = child.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let problem = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && said.contains("1 passed"),
        "{said}\n{problem}"
    );
}
