//! Constants, numbered choices, and the values that guest and host compute alike.

use relaybed_abi as abi;
use relaybed_abi::{
    Access, ChanState, Context, Create, EventKind, Files, Mode, NoMemory, NullCall, OpCode, Phase,
    Plant, Source, State, Transport,
};

use crate::c_side::evaluate;

macro_rules! constants {
    ($($name:ident),+ $(,)?) => { [$((stringify!($name), abi::$name as u64)),+] };
}

macro_rules! codes {
    ($($name:literal = $code:expr),+ $(,)?) => { vec![$(($name, u64::from($code.code()))),+] };
}

fn assert_same(test: &str, expected: &[(&str, u64)]) {
    let expressions: Vec<_> = expected
        .iter()
        .map(|(name, _)| ((*name).to_owned(), (*name).to_owned()))
        .collect();
    let seen = evaluate(test, "", &expressions);
    for (name, value) in expected {
        assert_eq!(seen[*name], *value, "{name}");
    }
}

#[test]
fn constants_are_the_same_in_c() {
    assert_same(
        "constants",
        &constants!(
            RB_MAGIC,
            RB_ABI_VERSION,
            RB_PAGE_SIZE,
            RB_MAILBOX_SIZE,
            RB_MAX_CPUS,
            RB_MAX_CHANNELS,
            RB_MAX_ACTORS,
            RB_MAX_GATES,
            RB_MAX_FILES,
            RB_MAX_OPS,
            RB_MAX_EVENTS,
            RB_MAX_PFNS,
            RB_MAX_BLOB,
            RB_MAX_RECORD,
            RB_KLOG_SIZE,
            RB_NAME_SIZE,
            RB_BASE_SIZE,
            RB_STALL_MAX_US,
            RB_NMI_MAX_US,
            RB_OFF_REQUEST,
            RB_OFF_OPS,
            RB_OFF_BLOB,
            RB_OFF_RESULTS,
            RB_OFF_DIRECTORY,
            RB_OFF_PFNS,
            RB_OFF_EVENTS,
            RB_OFF_DATA,
            RB_DATA_SIZE,
            RB_NONE16,
            RB_NONE32,
            RB_NONE64,
            RB_CHAN_OPEN_AT_START,
            RB_CHAN_BUFFER_ONLY,
            RB_CHAN_GLOBAL,
            RB_CHAN_ROOT,
            RB_CHAN_NO_CALLBACKS,
            RB_CHAN_NO_CREATE,
            RB_CHAN_NO_REMOVE,
            RB_CHAN_STALL_LATE,
            RB_CHAN_CREATED_WAITS,
            RB_OP_BLOB,
            RB_OP_NOWHERE,
            RB_OP_WRITABLE,
            RB_OP_PRIVATE,
            RB_OP_HIDDEN,
            RB_OP_NONBLOCK,
            RB_OP_LATE,
            RB_OP_NEST_CALLBACK,
            RB_OP_NEST_FILL,
            RB_OP_IRQS_ON,
            RB_OP_HOLD,
            RB_REQ_POWER_OFF,
            RB_REQ_STEPS,
            RB_STOP_STEP,
            RB_STOP_BELL,
            RB_STOP_IDLE,
            RB_STOP_KIND_SHIFT,
            RB_STOP_ACTOR_SHIFT,
            RB_RECORD_MAGIC,
            RB_RECORD_HEADER,
            RB_HEADER_ACTOR,
            RB_STEP,
            RB_BELL_PORT,
            RB_BELL_LINE_MAX,
        ),
    );
}

#[test]
fn numbers_of_ioctls_are_the_same_in_c() {
    assert_same(
        "ioctls",
        &constants!(
            RB_IOC_READY,
            RB_IOC_STEP,
            RB_IOC_WAIT,
            RB_IOC_BEGIN,
            RB_IOC_RUN,
            RB_IOC_DONE,
            RB_IOC_SIGNAL,
            RB_IOC_GATE,
            RB_IOC_CHECKPOINT,
        ),
    );
}

#[test]
fn constants_of_transports_are_the_same_in_c() {
    assert_same(
        "transport_constants",
        &constants!(
            RB_TRANSPORT_BYTES,
            RB_TRANSPORT_SUBBUF,
            RB_TRANSPORT_SUBBUFS,
            RB_TRANSPORT_ACTOR,
            RB_IOC_TRANSPORT,
            RB_IOC_FILL,
            RB_IOC_SUBBUFS,
            RB_IOC_CONSUMED,
            RB_IOC_FETCH,
        ),
    );
}

#[test]
fn operation_codes_are_the_same_in_c() {
    let expected = codes!(
        "RB_OP_NOP" = OpCode::Nop,
        "RB_OP_OPEN" = OpCode::Open,
        "RB_OP_CLOSE" = OpCode::Close,
        "RB_OP_WRITE" = OpCode::Write,
        "RB_OP_RAW_WRITE" = OpCode::RawWrite,
        "RB_OP_RESERVE" = OpCode::Reserve,
        "RB_OP_FLUSH" = OpCode::Flush,
        "RB_OP_RESET" = OpCode::Reset,
        "RB_OP_CONSUMED" = OpCode::Consumed,
        "RB_OP_BUF_FULL" = OpCode::BufFull,
        "RB_OP_SWITCH" = OpCode::Switch,
        "RB_OP_LATE_SETUP" = OpCode::LateSetup,
        "RB_OP_NULL" = OpCode::Null,
        "RB_OP_SIGNAL" = OpCode::Signal,
        "RB_OP_WAIT" = OpCode::Wait,
        "RB_OP_CHECKPOINT" = OpCode::Checkpoint,
        "RB_OP_DELAY" = OpCode::Delay,
        "RB_OP_FILE_OPEN" = OpCode::FileOpen,
        "RB_OP_FILE_CLOSE" = OpCode::FileClose,
        "RB_OP_FILE_READ" = OpCode::FileRead,
        "RB_OP_FILE_POLL" = OpCode::FilePoll,
        "RB_OP_FILE_MMAP" = OpCode::FileMmap,
        "RB_OP_FILE_MUNMAP" = OpCode::FileMunmap,
        "RB_OP_FILE_COPY" = OpCode::FileCopy,
        "RB_OP_FILE_MREMAP" = OpCode::FileMremap,
        "RB_OP_FILE_LSEEK" = OpCode::FileLseek,
        "RB_OP_SYSRQ" = OpCode::Sysrq,
        "RB_OP_FILE_DUP" = OpCode::FileDup,
        "RB_OP_FILE_PREAD" = OpCode::FilePread,
        "RB_OP_FILE_READV" = OpCode::FileReadv,
        "RB_OP_FILE_WRITE" = OpCode::FileWrite,
        "RB_OP_FILE_TRUNCATE" = OpCode::FileTruncate,
        "RB_OP_FILE_STORE" = OpCode::FileStore,
        "RB_OP_FILE_STAT" = OpCode::FileStat,
        "RB_OP_STAT" = OpCode::Stat,
        "RB_OP_LIST" = OpCode::List,
        "RB_OP_SYMBOLS" = OpCode::Symbols,
        "RB_OP_FILE_SPLICE" = OpCode::FileSplice,
        "RB_OP_FILE_SENDFILE" = OpCode::FileSendfile,
        "RB_OP_KLOG_REGISTER" = OpCode::KlogRegister,
        "RB_OP_KLOG_UNREGISTER" = OpCode::KlogUnregister,
        "RB_OP_KLOG" = OpCode::Klog,
        "RB_OP_KLOG_RAW" = OpCode::KlogRaw,
        "RB_OP_TRANSFER" = OpCode::Transfer,
        "RB_OP_CPU_OFF" = OpCode::CpuOff,
        "RB_OP_CPU_ON" = OpCode::CpuOn,
    );
    assert_eq!(expected.len(), OpCode::ALL.len(), "a code is missing above");
    assert_same("op_codes", &expected);
}

#[test]
fn choices_of_requests_are_the_same_in_c() {
    let expected = codes!(
        "RB_MODE_NO_OVERWRITE" = Mode::NoOverwrite,
        "RB_MODE_OVERWRITE" = Mode::Overwrite,
        "RB_MODE_DEFAULT" = Mode::Default,
        "RB_FILES_DIRECT" = Files::Direct,
        "RB_FILES_PROXY" = Files::Proxy,
        "RB_NO_MEMORY_NEVER" = NoMemory::Never,
        "RB_NO_MEMORY_CHANNEL" = NoMemory::Channel,
        "RB_NO_MEMORY_POINTERS" = NoMemory::Pointers,
        "RB_NO_MEMORY_BUFFER" = NoMemory::Buffer,
        "RB_NO_MEMORY_PADDING" = NoMemory::Padding,
        "RB_NO_MEMORY_PAGE_LIST" = NoMemory::PageList,
        "RB_NO_MEMORY_PAGE" = NoMemory::Page,
        "RB_NO_MEMORY_MAPPING" = NoMemory::Mapping,
        "RB_NO_MEMORY_NAME" = NoMemory::Name,
        "RB_NULL_CLOSE" = NullCall::Close,
        "RB_NULL_FLUSH" = NullCall::Flush,
        "RB_NULL_RESET" = NullCall::Reset,
        "RB_NULL_CONSUMED" = NullCall::Consumed,
        "RB_NULL_LATE_SETUP" = NullCall::LateSetup,
        "RB_NULL_LATE_NAME" = NullCall::LateName,
        "RB_CREATE_FILE" = Create::File,
        "RB_CREATE_NULL" = Create::Null,
        "RB_CREATE_ERROR" = Create::Error,
        "RB_ACCESS_READ" = Access::Read,
        "RB_ACCESS_WRITE" = Access::Write,
        "RB_ACCESS_BOTH" = Access::Both,
        "RB_CONTEXT_TASK" = Context::Task,
        "RB_CONTEXT_SOFTIRQ" = Context::Softirq,
        "RB_CONTEXT_HARDIRQ" = Context::Hardirq,
        "RB_CONTEXT_NMI" = Context::Nmi,
        "RB_CONTEXT_USER" = Context::User,
        "RB_SOURCE_OWN" = Source::Own,
        "RB_SOURCE_HRTIMER" = Source::Hrtimer,
        "RB_SOURCE_IPI" = Source::Ipi,
        "RB_SOURCE_HOST" = Source::Host,
        "RB_PLANT_NONE" = Plant::None,
        "RB_PLANT_TORN" = Plant::Torn,
        "RB_PLANT_LOST" = Plant::Lost,
        "RB_PLANT_REPEAT" = Plant::Repeat,
        "RB_PLANT_REORDER" = Plant::Reorder,
        "RB_PLANT_MISPLACE" = Plant::Misplace,
        "RB_PLANT_PADDING" = Plant::Padding,
        "RB_PLANT_STALE" = Plant::Stale,
        "RB_PLANT_WRONG_CPU" = Plant::WrongCpu,
        "RB_TRANSPORT_RELAY_READ" = Transport::RelayRead,
        "RB_TRANSPORT_RELAY_MMAP" = Transport::RelayMmap,
        "RB_TRANSPORT_CHAR" = Transport::Char,
        "RB_TRANSPORT_IOCTL" = Transport::Ioctl,
        "RB_TRANSPORT_PROC" = Transport::Proc,
        "RB_TRANSPORT_SEQ" = Transport::Seq,
        "RB_TRANSPORT_MAP" = Transport::Map,
    );
    let all = Mode::ALL.len()
        + Files::ALL.len()
        + Create::ALL.len()
        + NoMemory::ALL.len()
        + NullCall::ALL.len()
        + Access::ALL.len()
        + Context::ALL.len()
        + Source::ALL.len()
        + Plant::ALL.len()
        + Transport::ALL.len();
    assert_eq!(expected.len(), all, "a choice is missing above");
    assert_same("request_codes", &expected);
}

#[test]
fn choices_of_reports_are_the_same_in_c() {
    let expected = codes!(
        "RB_PHASE_IDLE" = Phase::Idle,
        "RB_PHASE_RUNNING" = Phase::Running,
        "RB_PHASE_DONE" = Phase::Done,
        "RB_PHASE_REFUSED" = Phase::Refused,
        "RB_STATE_IDLE" = State::Idle,
        "RB_STATE_RUNNING" = State::Running,
        "RB_STATE_DONE" = State::Done,
        "RB_EVENT_NONE" = EventKind::None,
        "RB_EVENT_SUBBUF_START" = EventKind::SubbufStart,
        "RB_EVENT_RESERVE_NULL" = EventKind::ReserveNull,
        "RB_EVENT_READ" = EventKind::Read,
        "RB_EVENT_CREATE_FILE" = EventKind::CreateFile,
        "RB_EVENT_REMOVE_FILE" = EventKind::RemoveFile,
        "RB_EVENT_OPEN_FAILED" = EventKind::OpenFailed,
        "RB_EVENT_STALL" = EventKind::Stall,
        "RB_EVENT_MAPPED" = EventKind::Mapped,
        "RB_EVENT_UNMAPPED" = EventKind::Unmapped,
        "RB_EVENT_TRANSFER" = EventKind::Transfer,
        "RB_CHAN_NEVER" = ChanState::Never,
        "RB_CHAN_OPEN" = ChanState::Open,
        "RB_CHAN_CLOSED" = ChanState::Closed,
        "RB_CHAN_REFUSED" = ChanState::Refused,
    );
    let all = Phase::ALL.len() + State::ALL.len() + EventKind::ALL.len() + ChanState::ALL.len();
    assert_eq!(expected.len(), all, "a choice is missing above");
    assert_same("report_codes", &expected);
}

/// The pattern as the header's comment words it, byte by byte, and a CRC-32 bit by bit: written
/// anew, so that an error would have to be made twice.
const HELPERS: &str = r"
static unsigned pattern_byte(unsigned actor, unsigned seq, unsigned i)
{
	__u64 word = rb_mix((__u64)actor << 32 | seq) + (__u64)(i / 8) * RB_STEP;

	return word >> (8 * (i % 8)) & 0xff;
}

static unsigned header_crc(void)
{
	struct rb_record r = { RB_RECORD_MAGIC, 3, 1, 77, 100, 123456789, 2, 5, 0, 0 };
	unsigned char bytes[sizeof(r)];
	unsigned crc = ~0u;

	memcpy(bytes, &r, sizeof(r));
	for (unsigned i = 0; i < 28; i++) {
		crc ^= bytes[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
	}
	return ~crc;
}
";

#[test]
fn computed_values_are_the_same_in_c() {
    let mut expected = vec![("header_crc()".to_owned(), u64::from(header_crc()))];
    for x in [0, 1, 0x1234_5678_9abc_def0, u64::MAX] {
        expected.push((format!("rb_mix({x}ULL)"), abi::mix(x)));
    }
    for (seed, actor, seq, min, max) in [
        (0, 0, 0, 0, 0),
        (7, 3, 9, 1, 65536),
        (u64::MAX, 63, u32::MAX, 40, 41),
    ] {
        let len = abi::record_len(seed, actor, seq, min, max);
        let call = format!("rb_record_len({seed}ULL, {actor}u, {seq}u, {min}u, {max}u)");
        expected.push((call, len.into()));
    }
    for (actor, seq) in [(0, 0), (5, 1_000_000), (abi::RB_HEADER_ACTOR, 2)] {
        let mut bytes = [0; 21];
        abi::fill_pattern(actor, seq, 0, &mut bytes);
        for (i, byte) in bytes.iter().enumerate() {
            expected.push((
                format!("pattern_byte({actor}u, {seq}u, {i}u)"),
                (*byte).into(),
            ));
        }
    }
    let expressions: Vec<_> = expected
        .iter()
        .map(|(call, _)| (call.replace(' ', ""), call.clone()))
        .collect();
    let seen = evaluate("values", HELPERS, &expressions);
    for (call, value) in expected {
        assert_eq!(seen[&call.replace(' ', "")], value, "{call}");
    }
}

fn header_crc() -> u32 {
    let header = abi::RecordHeader {
        magic: abi::RB_RECORD_MAGIC,
        actor: 3,
        cpu: 1,
        seq: 77,
        len: 100,
        time_ns: 123_456_789,
        context: 2,
        channel: 5,
        reserved: 0,
        crc: 0,
    };
    header.sealed().crc
}
