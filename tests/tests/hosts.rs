//! The README's first command on other hosts than this one: whole userlands of Debian, and one of a distribution
//! beside it. Slow, and root's: asked for by
//!
//! `cargo test --release -p relaybed-tests --test hosts -- --ignored --nocapture`
//!
//! mmdebstrap makes the userlands (`RELAYBED_MIRROR` names another mirror than its own). A table is printed at the end.

#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test's helper fails the test by panicking; the table is what these tests are for"
)]

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use relaybed_tests::hosts::{Place, User, Userland};

const RELAYBED: &str = env!("CARGO_BIN_EXE_relaybed-under-test");

/// What costs most to fetch and unpack, and is the same wherever it is used. The module, the initramfs and the image
/// of a ready guest are made by every run.
const SHARED: [&str; 5] = ["resolved", "qemu", "kernel", "headers", "tools"];

/// All of the above and what was made of it.
const WHOLE: [&str; 8] = [
    "resolved",
    "qemu",
    "kernel",
    "headers",
    "tools",
    "module",
    "initramfs",
    "image",
];

/// What a run has to come to.
#[derive(Clone, Copy)]
enum Expected {
    Passes,
    /// Exit code 3, and these words on standard error.
    Says(&'static [&'static str]),
}

struct Table {
    rows: Vec<String>,
    wrong: Vec<String>,
}

impl Table {
    fn run(
        &mut self,
        (userland, name): (&Userland, &str),
        (place, user): (Place, User),
        (cache, arguments): (&str, &[&str]),
        environment: &[(&str, &str)],
        expected: Expected,
    ) {
        let since = Instant::now();
        let output = userland.run(place, user, arguments, environment).unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
        let code = output.status.code();
        let right = match expected {
            Expected::Passes => code == Some(0),
            Expected::Says(words) => {
                code == Some(3) && words.iter().all(|word| stderr.contains(word))
            }
        };
        let last = match expected {
            Expected::Passes => stdout.lines().last().unwrap_or_default().to_owned(),
            Expected::Says(_) => {
                let mut lines = stderr
                    .lines()
                    .skip_while(|line| !line.starts_with("relaybed:"));
                let said: String = lines.by_ref().take(2).collect::<Vec<_>>().join(" ");
                format!("says: {}", said.chars().take(240).collect::<String>())
            }
        };
        let row = format!(
            "| {name} | {} | {} | {cache} | {} | {} | {:.0} s | {last} |",
            place.name(),
            user.name(),
            arguments.join(" "),
            code.map_or("signal".to_owned(), |code| code.to_string()),
            since.elapsed().as_secs_f64()
        );
        eprintln!("{row}");
        if !right {
            self.wrong.push(format!("{row}\n{stdout}\n{stderr}"));
        }
        self.rows.push(row);
    }
}

/// Why the userlands cannot be made here.
fn lacking() -> Option<&'static str> {
    let runs = |program: &str| Command::new(program).arg("--version").output().is_ok();
    if !rustix::process::geteuid().is_root() {
        return Some("only root can make and enter whole userlands");
    }
    if !runs("mmdebstrap") {
        return Some("mmdebstrap is not installed");
    }
    (!runs("unshare")).then_some("unshare (util-linux) is not installed")
}

fn apt_of(userland: &Userland) -> String {
    let has = |name: &str| userland.path("usr/bin").join(name).exists();
    match (has("sqv"), has("gpgv")) {
        (true, false) => "sqv".to_owned(),
        (false, true) => "gpgv".to_owned(),
        both => format!("sqv, gpgv: {both:?}"),
    }
}

#[test]
#[ignore = "makes whole userlands: ten minutes, root, mmdebstrap and a mirror"]
fn the_first_command_works_on_every_debian() {
    if let Some(reason) = lacking() {
        eprintln!("skipped: {reason}");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let mut table = Table {
        rows: Vec::new(),
        wrong: Vec::new(),
    };
    for suite in ["bookworm", "trixie", "sid"] {
        debian(suite, dir.path(), &mut table);
    }
    another_distribution(dir.path(), &mut table);
    eprintln!(
        "\n| userland (apt checks by) | place | user | cache | command | exit | time | last line |"
    );
    eprintln!("|---|---|---|---|---|---|---|---|");
    eprintln!("{}", table.rows.join("\n"));
    assert!(table.wrong.is_empty(), "\n{}", table.wrong.join("\n\n"));
}

/// One suite: an empty cache once, then every way in, as everybody.
fn debian(suite: &str, dir: &Path, table: &mut Table) {
    let userland = Userland::make(suite, &dir.join(suite), Path::new(RELAYBED)).unwrap();
    let name = format!("{suite} ({})", apt_of(&userland));
    let host = (&userland, name.as_str());
    let (hello, doctor): (&[&str], &[&str]) = (&["run", "hello"], &["doctor"]);
    let root = (Place::Container, User::Root);
    table.run(host, root, ("empty", hello), &[], Expected::Passes);
    table.run(host, root, ("its own", doctor), &[], Expected::Passes);
    let kept = dir.join("kept");
    if fs::rename(userland.cache(User::Root), &kept).is_err() {
        // The row above says why there is nothing to share.
        return;
    }

    let no_way_in = Expected::Says(&["user namespace", "--build-dir"]);
    for (place, user, expected) in [
        (Place::NoUserns, User::Root, Expected::Passes),
        (Place::Chroot, User::Root, Expected::Passes),
        (Place::Container, User::Ordinary, Expected::Passes),
        (Place::NoUserns, User::Ordinary, no_way_in),
        (Place::Chroot, User::Ordinary, no_way_in),
    ] {
        userland.share_cache(&kept, &SHARED, user).unwrap();
        table.run(host, (place, user), ("no module", hello), &[], expected);
    }
    for place in [Place::NoUserns, Place::Chroot] {
        let user = User::Ordinary;
        userland.share_cache(&kept, &WHOLE, user).unwrap();
        table.run(host, (place, user), ("whole", hello), &[], Expected::Passes);
    }
    fs::remove_dir_all(&kept).unwrap();
    fs::remove_dir_all(userland.path("")).unwrap();
}

/// apt without Debian's archive and without Debian's keys.
fn another_distribution(dir: &Path, table: &mut Table) {
    let root = dir.join("other");
    let userland = Userland::make("trixie", &root, Path::new(RELAYBED)).unwrap();
    let mirror = debian_mirror(&userland);
    let keys = userland.path("usr/share/keyrings");
    fs::rename(&keys, root.join("keyrings-aside")).unwrap();
    fs::create_dir(&keys).unwrap();
    let sources = "deb http://archive.invalid/distribution noble main\n";
    fs::write(userland.path("etc/apt/sources.list"), sources).unwrap();
    let host = (&userland, "not Debian");
    let hello: &[&str] = &["run", "hello"];
    let who = (Place::Container, User::Root);
    let needs = Expected::Says(&["debian-archive-keyring", "RELAYBED_MIRROR"]);
    table.run(host, who, ("empty", hello), &[], needs);
    fs::remove_dir(&keys).unwrap();
    fs::rename(root.join("keyrings-aside"), &keys).unwrap();
    let supplied = [("RELAYBED_MIRROR", mirror.as_str())];
    let host = (&userland, "not Debian, both supplied");
    table.run(host, who, ("empty", hello), &supplied, Expected::Passes);
}

/// The mirror that mmdebstrap wrote into a userland.
fn debian_mirror(userland: &Userland) -> String {
    let sources = fs::read_to_string(userland.path("etc/apt/sources.list")).unwrap();
    let mut words = sources.split_whitespace();
    words.find(|word| word.contains("://")).unwrap().to_owned()
}
