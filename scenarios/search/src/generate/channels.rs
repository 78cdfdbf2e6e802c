//! Drawing channels and their clients.

use super::Limits;
use super::random::Random;
use relaybed_case::{
    Answer, Callbacks, Channel, Client, Denied, Files, Mode, NoMemory, Refuse, Wanted,
};
use relaybed_contract::behaviour::version;

/// Sub-buffer sizes: tiny, odd, around powers of two and around a page.
const SIZES: [u64; 26] = [
    1, 2, 3, 4, 5, 7, 8, 9, 16, 24, 31, 32, 33, 40, 63, 64, 65, 100, 128, 255, 256, 1000, 4095,
    4096, 4097, 8192,
];
/// Sub-buffer counts.
const COUNTS: [(u64, u64); 9] = [
    (25, 1),
    (25, 2),
    (15, 3),
    (15, 4),
    (6, 5),
    (5, 7),
    (5, 8),
    (2, 16),
    (2, 33),
];
/// Most bytes of one channel buffer: small ones are judged quickly.
const BUFFER_MAX: u64 = 32 << 10;
/// Lengths of base filenames, up to and beyond the longest with which a file can be named.
const BASE_BYTES: [u32; 8] = [2, 64, 128, 250, 252, 253, 254, 260];
/// First release that refuses a client without remove_buf_file.
const MUST_REMOVE: u32 = version(5, 11);
/// Sizes that relay must refuse.
const REFUSED: [(u64, u64); 6] = [
    (0, 4),
    (8, 0),
    (0, 0),
    (65536, 65536),
    (u32::MAX as u64, 2),
    (1, (4 << 20) / 8 + 1),
];
/// Names, in order.
const NAMES: [&str; 3] = ["a", "b", "c"];

/// One to three channels.
pub(super) fn draw(random: &mut Random, vcpus: u32, limits: &Limits) -> Vec<Channel> {
    let count = random.weighted(&[(72, 1), (20, 2), (8, 3)]);
    NAMES[..count]
        .iter()
        .map(|name| channel(random, name, vcpus, limits))
        .collect()
}

/// One channel that relay accepts, or seldom one that it must refuse.
fn channel(random: &mut Random, name: &str, vcpus: u32, limits: &Limits) -> Channel {
    let refused = random.chance(2);
    let (subbuf_size, n_subbufs) = if refused {
        random.pick(&REFUSED)
    } else {
        sizes(random)
    };
    let mode = random.weighted(&[
        (45, Mode::NoOverwrite),
        (35, Mode::Overwrite),
        (20, Mode::Default),
    ]);
    let header_bytes = if refused || mode == Mode::Default {
        0
    } else {
        header(random, subbuf_size)
    };
    let files = random.weighted(&[(76, Files::Direct), (12, Files::Proxy), (12, Files::None)]);
    Channel {
        name: name.to_owned(),
        subbuf_size,
        n_subbufs,
        mode,
        header_bytes,
        files,
        open_at_start: !random.chance(if refused { 80 } else { 12 }),
        client: client(random, (mode, files), vcpus, limits),
    }
}

/// What the client does beyond the ordinary, seldom.
fn client(
    random: &mut Random,
    (mode, files): (Mode, Files),
    vcpus: u32,
    limits: &Limits,
) -> Client {
    let mut client = Client::default();
    if random.chance(72) {
        return client;
    }
    client.global = random.chance(25);
    client.root = random.chance(15);
    if mode == Mode::Default {
        client.callbacks = random.weighted(&[
            (90, Callbacks::All),
            (4, Callbacks::None),
            (3, Callbacks::NoCreate),
            (3, Callbacks::NoRemove),
        ]);
        if client.callbacks == Callbacks::NoRemove && limits.linux_version < MUST_REMOVE {
            // Its files outlive their buffers: whoever opens one then reads freed memory.
            client.callbacks = Callbacks::All;
        }
    } else if random.chance(60) {
        client.refuse = Some(Refuse {
            from: random.between32(1, 6),
            count: random.weighted(&[(50, 1), (30, 2), (20, 7)]),
        });
    }
    if random.chance(10) {
        client.base_bytes = Some(random.pick(&BASE_BYTES));
    }
    if random.chance(8) {
        // Seldom for a later CPU: what such an opening leaves (K3) is in the way of all that comes after it.
        let later = vcpus > 1 && random.chance(20);
        client.create = Some(Denied {
            cpu: if later {
                random.between32(1, vcpus - 1)
            } else {
                0
            },
            answer: random.pick(&[Answer::Null, Answer::Error]),
            skip: random.between32(0, 1),
            times: random.between32(1, 2),
        });
    }
    if random.chance(8) {
        let named = |wanted: &&(&str, Wanted)| files != Files::None || wanted.1 != Wanted::Name;
        let known: Vec<_> = Wanted::ALL.iter().filter(named).collect();
        let (_, wanted) = *random.pick(&known);
        let single = client.global || !wanted.is_of_buffer();
        client.no_memory = Some(NoMemory {
            wanted,
            cpu: if single {
                0
            } else {
                random.between32(0, vcpus - 1)
            },
            times: random.between32(1, 2),
        });
    }
    client
}

fn sizes(random: &mut Random) -> (u64, u64) {
    let count = random.weighted(&COUNTS);
    let size = match random.below(10) {
        0 => random.between(1, 300),
        _ => random.pick(&SIZES),
    };
    (size.min(BUFFER_MAX / count), count)
}

/// Bytes of a header: mostly none; else short, or all but what relay insists on.
fn header(random: &mut Random, subbuf_size: u64) -> u32 {
    // relay's helper stops the kernel unless two bytes are left.
    let most = subbuf_size.saturating_sub(2);
    if most == 0 || !random.chance(25) {
        return 0;
    }
    let bytes = match random.below(4) {
        0 => 1,
        1 => most,
        2 => random.between(1, most),
        _ => random.between(1, most.min(16)),
    };
    u32::try_from(bytes).unwrap_or(0)
}
