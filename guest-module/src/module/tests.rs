//! Trees laid over one another, and modules of a tree that changes.

use super::*;
use crate::progress::Silent;

#[test]
fn trees_are_laid_over_one_another() {
    let dir = tempfile::tempdir().unwrap();
    let (a, b, both) = (
        dir.path().join("a"),
        dir.path().join("b"),
        dir.path().join("both"),
    );
    for (tree, name) in [(&a, "one"), (&b, "two")] {
        fs::create_dir_all(tree.join("usr/lib")).unwrap();
        fs::write(tree.join("usr/lib").join(name), name).unwrap();
        symlink("usr/lib", tree.join("lib")).unwrap();
    }
    link_tree(&a, &both).unwrap();
    link_tree(&b, &both).unwrap();
    assert_eq!(fs::read(both.join("lib/one")).unwrap(), b"one");
    assert_eq!(fs::read(both.join("lib/two")).unwrap(), b"two");
}

/// A tree whose Makefile does what kbuild would do, as far as that is looked at: it makes the module of a header,
/// and says what it read.
fn tree(dir: &Path) -> std::path::PathBuf {
    let tree = dir.join("linux");
    fs::create_dir_all(tree.join("include/linux")).unwrap();
    fs::write(tree.join("include/linux/relay.h"), "first").unwrap();
    let makefile = "modules:\n\
        \tcp include/linux/relay.h $(M)/relaybed.ko\n\
        \tprintf 'deps_x := \\\\\\n  include/linux/relay.h \\\\\\n' > $(M)/.main.o.cmd\n";
    fs::write(tree.join("Makefile"), makefile).unwrap();
    // What was there before the build began is known; make's clock and ours may differ by a tick.
    for path in ["include/linux/relay.h", "Makefile"] {
        age(&tree.join(path));
    }
    tree
}

/// Makes a file an hour old.
fn age(path: &Path) {
    let then = SystemTime::now() - std::time::Duration::from_secs(3600);
    let file = fs::File::options().write(true).open(path).unwrap();
    file.set_modified(then).unwrap();
}

#[test]
fn a_changed_header_gives_another_module() {
    let dir = tempfile::tempdir().unwrap();
    let tree = tree(dir.path());
    let cache = Cache::open(Some(&dir.path().join("cache"))).unwrap();
    let recipe = Recipe::new(false);
    let key = key("tree", &recipe);
    let module = || {
        let compiler = Compiler::of(&tree, "").unwrap();
        let against = Against::Tree(&tree, &compiler);
        let entry = build(&cache, &key, "6.1.0", &against, &recipe, &Silent).unwrap();
        let log = fs::metadata(entry.path(LOG)).unwrap().modified().unwrap();
        (fs::read_to_string(entry.path(MODULE)).unwrap(), log)
    };
    let (first, built) = module();
    assert_eq!(first, "first");
    assert_eq!(
        module(),
        (first, built),
        "nothing changed, nothing is built"
    );

    // The same length and an old time: only the content differs.
    let header = tree.join("include/linux/relay.h");
    fs::write(&header, "other").unwrap();
    age(&header);
    assert_eq!(module().0, "other");
    fs::write(
        tree.join("Makefile"),
        "modules:\n\tprintf made > $(M)/relaybed.ko\n",
    )
    .unwrap();
    assert_eq!(module().0, "made");
}
