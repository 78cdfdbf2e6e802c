/* SPDX-License-Identifier: (GPL-2.0-only OR MIT OR Apache-2.0) */
/*
 * The whole contract between the host, the agent (PID 1) and relaybed.ko.
 *
 * The mailbox is one physically contiguous block of guest memory that the
 * module allocates and announces by guest-physical address. The host writes
 * the request section, and the words of struct rb_header marked "host", only
 * while the machine is stopped; everything else is written by the guest.
 *
 * The crate in ../src mirrors this file. Sizes are asserted on both sides and
 * a test compares every offset, so neither can change alone. Any change of
 * meaning or layout increments RB_ABI_VERSION.
 */
#ifndef RELAYBED_ABI_H
#define RELAYBED_ABI_H

#include <linux/types.h>

#include "relaybed_abi_choices.h"
#include "relaybed_abi_ioctl.h"
#include "relaybed_abi_members.h"
#include "relaybed_abi_record.h"
#include "relaybed_abi_transport.h"

#define RB_MAGIC		0x3144454259414c52ULL	/* "RLAYBED1" */
#define RB_ABI_VERSION		7

#define RB_PAGE_SIZE		4096
#define RB_MAILBOX_SIZE		(4u << 20)
#define RB_MAX_CPUS		64
#define RB_MAX_CHANNELS		8
#define RB_MAX_ACTORS		64
#define RB_MAX_GATES		64
#define RB_MAX_FILES		64	/* descriptors of all user actors */
#define RB_MAX_OPS		4096
#define RB_MAX_EVENTS		16384
#define RB_MAX_PFNS		32768	/* pages of all open channel buffers */
#define RB_MAX_BLOB		65536	/* literal bytes of all operations */
#define RB_MAX_RECORD		65536	/* bytes of one record */
#define RB_KLOG_SIZE		256	/* formatted text and its NUL; more is cut off */
#define RB_NAME_SIZE		64
#define RB_BASE_SIZE		272	/* base filename: beyond what relay takes */

/* Offsets of the sections from the start of the mailbox, in bytes. */
#define RB_OFF_REQUEST		0x1000
#define RB_OFF_OPS		0x4000
#define RB_OFF_BLOB		0x44000
#define RB_OFF_RESULTS		0x54000
#define RB_OFF_DIRECTORY	0x94000
#define RB_OFF_PFNS		0xa4000
#define RB_OFF_EVENTS		0xe4000
#define RB_OFF_DATA		0x1e4000	/* to the end */
#define RB_DATA_SIZE		(RB_MAILBOX_SIZE - RB_OFF_DATA)

#define RB_NONE16		0xffffu
#define RB_NONE32		0xffffffffu
#define RB_NONE64		0xffffffffffffffffULL

enum rb_phase {
	RB_PHASE_IDLE = 0,	/* nothing asked for yet */
	RB_PHASE_RUNNING = 1,	/* actors are at work */
	RB_PHASE_DONE = 2,	/* results, directory and buffers may be read */
	RB_PHASE_REFUSED = 3,	/* the request was malformed: see refusal */
};

/* At offset 0 of the mailbox. */
struct rb_header {
	__u64 magic;
	__u32 abi_version;
	__u32 mailbox_size;
	__u64 mailbox_pa;		/* guest-physical, page aligned */
	__u32 linux_version;		/* LINUX_VERSION_CODE of the headers */
	__u32 page_size;
	__u32 cpus_possible;		/* nr_cpu_ids */
	__u32 cpus_online;
	__u64 cpus_online_mask;		/* bit n: CPU n, first 64 */
	char release[RB_NAME_SIZE];	/* uname -r, NUL terminated */
	struct rb_buf_members buf;
	struct rb_chan_members chan;

	__u32 request_seq;		/* host: grows by one a request */
	__u32 done_seq;			/* last request_seq that was finished */
	__u32 phase;			/* enum rb_phase */
	__s32 refusal;			/* -errno when phase is REFUSED */
	__u32 refusal_op;		/* operation it is about, or NONE32 */
	__u32 checkpoint_seq;		/* checkpoints reached since loading */
	__u32 checkpoint_ack;		/* host: last one it has looked at */
	__u32 checkpoint_label;		/* arg0 of the checkpoint operation */
	__u32 checkpoint_op;		/* index of that operation */
	__u32 n_events;			/* slots taken; may exceed MAX_EVENTS */
	__u32 n_data;			/* bytes taken of the data area, same */
	__u32 n_pfns;			/* entries used of the page table */
	__u32 order;			/* last order number given out */
	__u32 plant_done;		/* the planted defect happened so often */
	__u64 taint_ready;		/* kernel taint mask when made ready */
	__u64 taint_now;		/* the same when phase became DONE */
	__u64 direct_map;		/* where the kernel sees guest-physical 0 */
	__u32 nmi_seq;			/* NMIs asked for since loading */
	__u32 nmi_ack;			/* host: last one it has sent */
	__u64 stop;			/* RB_STOP_*: what the CPU that writes it has come to */
};

/*
 * Words for rb_header.stop, for a host that stops vCPUs where they write it: a
 * kind, and an actor and an operation where there are any.
 */
#define RB_STOP_STEP		1	/* an actor is before its operation op */
#define RB_STOP_BELL		2	/* the doorbell is about to be rung */
#define RB_STOP_IDLE		3	/* the CPU is about to idle; after the first request with STEPS */
#define RB_STOP_KIND_SHIFT	56
#define RB_STOP_ACTOR_SHIFT	32

#define RB_CHAN_OPEN_AT_START	0x1	/* opened before any actor starts */
#define RB_CHAN_BUFFER_ONLY	0x2	/* no base filename, so no files */
#define RB_CHAN_GLOBAL		0x4	/* create_buf_file sets is_global */
#define RB_CHAN_ROOT		0x8	/* parent NULL: files in debugfs's root */
#define RB_CHAN_NO_CALLBACKS	0x10	/* relay_open() is given no callbacks */
#define RB_CHAN_NO_CREATE	0x20	/* callbacks without create_buf_file */
#define RB_CHAN_NO_REMOVE	0x40	/* callbacks without remove_buf_file */
#define RB_CHAN_STALL_LATE	0x80	/* the stall comes once the header is reserved */
#define RB_CHAN_CREATED_WAITS	0x100	/* create_buf_file waits once it has made the file */

/*
 * A channel, and what its client's callbacks do beyond the mode. Calls of
 * subbuf_start are counted by buffer, from 1, from relay_open() on, without
 * those for which there is no previous sub-buffer (open and reset).
 *
 * The calls refuse_from to refuse_from + refuse_count - 1 refuse whatever the
 * mode says. Call stall_at of CPU stall_cpu's buffer signals gate stall_signal
 * and spins until gate stall_wait has been signalled, at most RB_STALL_MAX_US:
 * before it decides, or with RB_CHAN_STALL_LATE when it has accepted and
 * reserved its header.
 * Of the calls of create_buf_file for create_cpu, from the start of the request
 * on, the first create_skip make the file and the next create_times answer
 * create_answer.
 *
 * With RB_CHAN_CREATED_WAITS, create_buf_file for created_cpu (RB_NONE32: for
 * every CPU) signals gate created_signal once it has come to its answer. Where
 * that is a file it returns only when gate created_wait has been signalled.
 */
struct rb_channel_spec {
	char base[RB_BASE_SIZE];	/* base filename, NUL terminated */
	__u64 subbuf_size;
	__u64 n_subbufs;
	__u32 mode;			/* enum rb_mode */
	__u32 files;			/* enum rb_files */
	__u32 flags;			/* RB_CHAN_* */
	__u32 header_bytes;		/* subbuf_start_reserve() of these */
	__u32 refuse_from;		/* 0: no call */
	__u32 refuse_count;
	__u32 stall_cpu;
	__u32 stall_at;			/* 0: no call */
	__u32 stall_signal;		/* gate */
	__u32 stall_wait;		/* gate */
	__u32 create_answer;		/* enum rb_create */
	__u32 create_cpu;
	__u32 create_skip;
	__u32 create_times;
	__u32 no_memory;		/* enum rb_no_memory */
	__u32 no_memory_cpu;
	__u32 no_memory_times;
	__u32 created_cpu;		/* RB_NONE32: every CPU */
	__u32 created_signal;		/* gate */
	__u32 created_wait;		/* gate */
};

#define RB_STALL_MAX_US		3000000
#define RB_NMI_MAX_US		10000000

enum rb_context {
	RB_CONTEXT_TASK = 0,		/* kernel thread bound to its CPU */
	RB_CONTEXT_SOFTIRQ = 1,		/* tasklet on that CPU */
	RB_CONTEXT_HARDIRQ = 2,		/* interrupt of that CPU */
	RB_CONTEXT_NMI = 3,		/* NMI of that CPU */
	RB_CONTEXT_USER = 4,		/* thread of the agent */
};

/* What brings the actor's CPU into its context. */
enum rb_source {
	RB_SOURCE_OWN = 0,	/* the CPU itself: hardirq by irq_work, NMI by its local APIC */
	RB_SOURCE_HRTIMER = 1,	/* hardirq: a timer that is due at once */
	RB_SOURCE_IPI = 2,	/* hardirq: a function call from CPU 0, to CPU 0 from CPU 1 */
	RB_SOURCE_HOST = 3,	/* NMI of CPU 0: the module asks the host for it */
};

/*
 * Write operations run in the actor's context, one context entry a record;
 * all other operations of a kernel actor run in its kernel thread. An actor
 * that an operation names in its member nest has no thread: see RB_OP_NEST_*.
 */
struct rb_actor {
	__u32 context;		/* enum rb_context */
	__u32 cpu;		/* bound to it; user actors: NONE32 is any */
	__u32 first_op;
	__u32 n_ops;
	__u32 source;		/* enum rb_source */
	__u32 reserved;		/* 0 */
};

enum rb_op_code {
	RB_OP_NOP = 0,
	/* kernel actors */
	RB_OP_OPEN = 1,		/* relay_open(); value: 1 opened, 0 refused */
	RB_OP_CLOSE = 2,	/* relay_close() */
	RB_OP_WRITE = 3,	/* relay_write(): len, count, payload */
	RB_OP_RAW_WRITE = 4,	/* __relay_write(), interrupts kept out */
	RB_OP_RESERVE = 5,	/* relay_reserve() and fill */
	RB_OP_FLUSH = 6,	/* relay_flush() */
	RB_OP_RESET = 7,	/* relay_reset() */
	RB_OP_CONSUMED = 8,	/* relay_subbufs_consumed(arg0 = cpu, arg1 = n) */
	RB_OP_BUF_FULL = 9,	/* value: relay_buf_full() of arg0 = cpu */
	RB_OP_SWITCH = 10,	/* relay_switch_subbuf(own buffer, len64); value: its result */
	RB_OP_LATE_SETUP = 11,	/* relay_late_setup_files(); -ENOSYS where there is none */
	RB_OP_NULL = 12,	/* arg0 = enum rb_null: a function of relay's without a channel; no channel */
	/* every actor */
	RB_OP_SIGNAL = 16,	/* gate arg0 += 1 */
	RB_OP_WAIT = 17,	/* until gate arg0 >= arg1 */
	RB_OP_CHECKPOINT = 18,	/* doorbell, then until the host has looked */
	RB_OP_DELAY = 19,	/* arg0 microseconds */
	/* user actors; file: slot of a descriptor */
	RB_OP_FILE_OPEN = 32,	/* the file of CPU arg0 into slot file, arg1 = enum rb_access */
	RB_OP_FILE_CLOSE = 33,
	RB_OP_FILE_READ = 34,	/* arg0 = bytes a call, arg1 = calls, 0: until 0 */
	RB_OP_FILE_POLL = 35,	/* arg0 = timeout in ms, NONE32: none; value: revents */
	RB_OP_FILE_MMAP = 36,	/* len64 bytes from arg0 | arg1 << 32; keeps it; value: 1 mapped */
	RB_OP_FILE_MUNMAP = 37,	/* all but the first len64 bytes */
	RB_OP_FILE_COPY = 38,	/* copies the mapping to the data area */
	RB_OP_FILE_LSEEK = 39,	/* lseek(len64, arg0 = whence); error tells */
	RB_OP_SYSRQ = 40,	/* character arg0 to /proc/sysrq-trigger */
	RB_OP_FILE_DUP = 41,	/* dup() into slot arg0 */
	RB_OP_FILE_PREAD = 42,	/* arg0 bytes at len64 */
	RB_OP_FILE_READV = 43,	/* arg1 parts of arg0 bytes */
	RB_OP_FILE_WRITE = 44,	/* arg0 zero bytes */
	RB_OP_FILE_TRUNCATE = 45, /* ftruncate() to len64 bytes */
	RB_OP_FILE_STORE = 46,	/* the payload to byte len64 of the mapping */
	RB_OP_FILE_STAT = 47,	/* fstat(): struct rb_stat; value: size */
	RB_OP_CPU_OFF = 48,	/* CPU arg0, not 0, goes offline; no file */
	RB_OP_CPU_ON = 49,	/* CPU arg0 comes online; no file */
	RB_OP_FILE_MREMAP = 50,	/* the mapping to len64 bytes */
	RB_OP_STAT = 56,	/* the same of the file of CPU arg0, by its path */
	RB_OP_LIST = 57,	/* names in the channel's directory, a line each; value: how many */
	RB_OP_FILE_SPLICE = 58,	/* to a pipe that is drained; as FILE_READ; value: sum of results */
	RB_OP_FILE_SENDFILE = 59, /* arg0 bytes to a file of our own; value: result */
	RB_OP_SYMBOLS = 60,	/* the kernel's text symbols, lines of "address name": up to arg1
				 * bytes from byte arg0 on; value: bytes of all; no file */
	/* kernel actors: logging that needs no channel; value: records that were taken */
	RB_OP_KLOG_REGISTER = 64, /* from now on klog goes to this channel */
	RB_OP_KLOG_UNREGISTER = 65, /* if it goes to this channel: no longer */
	RB_OP_KLOG = 66,	/* count records of "ACTOR.SEQ PAYLOAD\n", payload literal */
	RB_OP_KLOG_RAW = 67,	/* the payload as it is */
	RB_OP_TRANSFER = 68,	/* records through transport arg0: see rb_transport */
};

/* Flags of operations. Those from 0x100 on are of user actors. */
#define RB_OP_BLOB	0x1	/* payload: len bytes of the blob area at blob */
#define RB_OP_NOWHERE	0x100	/* FILE_READ: into memory that must not be touched */
#define RB_OP_WRITABLE	0x200	/* FILE_MMAP: PROT_WRITE too */
#define RB_OP_PRIVATE	0x400	/* FILE_MMAP: MAP_PRIVATE */
#define RB_OP_NONBLOCK	0x800	/* FILE_SPLICE: SPLICE_F_NONBLOCK */
#define RB_OP_LATE	0x1000	/* FILE_SPLICE: the pipe is drained after the last call */
#define RB_OP_HIDDEN	0x2000	/* FILE_MMAP: PROT_NONE */

/* How a file is opened. */
enum rb_access {
	RB_ACCESS_READ = 0,
	RB_ACCESS_WRITE = 1,
	RB_ACCESS_BOTH = 2,
};
/*
 * The script of actor nest runs as a whole, in its context, which is higher,
 * on top of this write and once: at the first subbuf_start that it brings
 * about, or with its first slot reserved and half filled. Behind the operation
 * if it never comes to that. The nested actor writes to the same channel.
 */
#define RB_OP_NEST_CALLBACK	0x2
#define RB_OP_NEST_FILL		0x4	/* RESERVE */
#define RB_OP_IRQS_ON	0x8	/* RAW_WRITE: interrupts stay as they are */
/*
 * CPU_ON: half way up, prepared by relay and not online, the CPU raises gate
 * arg1 and stands until gate nest has been raised once. RESERVE of one record:
 * its slot not filled yet, it raises gate arg0 and spins until gate arg1 has
 * been raised, at most RB_STALL_MAX_US.
 */
#define RB_OP_HOLD	0x10

/*
 * One operation. Record lengths: len_min <= length <= len_max, drawn by
 * rb_record_len(). Records of one actor are numbered over all its write
 * operations; seq_first is the number of this operation's first.
 */
struct rb_op {
	__u16 code;		/* enum rb_op_code */
	__u16 channel;		/* index, or NONE16 */
	__u16 file;		/* slot, or NONE16 */
	__u16 flags;		/* RB_OP_* */
	__u32 arg0;
	__u32 arg1;
	__u32 len_min;
	__u32 len_max;
	__u32 count;		/* records */
	__u32 seq_first;
	__u32 blob;		/* offset in the blob area */
	__u32 nest;		/* actor or gate, as the flags say; else 0 */
	__u64 len64;		/* MMAP, SWITCH */
};

/*
 * The planted defects: the module spoils its own output on purpose. The
 * defect strikes once, at the record (plant_actor, plant_seq).
 */
enum rb_plant {
	RB_PLANT_NONE = 0,
	RB_PLANT_TORN = 1,	/* second half of the record is not written */
	RB_PLANT_LOST = 2,	/* the record is not written at all */
	RB_PLANT_REPEAT = 3,	/* it is written twice */
	RB_PLANT_REORDER = 4,	/* it changes places with the next one */
	RB_PLANT_MISPLACE = 5,	/* it lands 8 bytes behind its place */
	RB_PLANT_PADDING = 6,	/* after it, padding of the sub-buffer before + 1 */
	RB_PLANT_STALE = 7,	/* its slot keeps what was there before */
	RB_PLANT_WRONG_CPU = 8,	/* it goes to another CPU's buffer */
};

#define RB_REQ_POWER_OFF	0x1	/* release everything, ring "D", power off */
#define RB_REQ_STEPS		0x2	/* user actors announce each operation by STEP; all actors begin together; CPUs tell when they idle */

struct rb_request {
	__u32 flags;		/* RB_REQ_* */
	__u32 n_channels;
	__u32 n_actors;
	__u32 n_ops;
	__u32 n_gates;
	__u32 n_blob;		/* bytes */
	__u32 plant;		/* enum rb_plant */
	__u32 plant_actor;
	__u32 plant_seq;
	__u32 reserved;
	__u64 seed;		/* draws record lengths */
	struct rb_channel_spec channels[RB_MAX_CHANNELS];
	struct rb_actor actors[RB_MAX_ACTORS];
};

enum rb_state {
	RB_STATE_IDLE = 0,
	RB_STATE_RUNNING = 1,
	RB_STATE_DONE = 2,
};

/*
 * One result per operation, at the operation's index.
 *
 * value of a write is the records tried, of FILE_READ and FILE_COPY the bytes
 * got, stored or not. refused counts the records for which our subbuf_start
 * said no (never in RB_MODE_DEFAULT, where it is not called) or relay_reserve()
 * gave NULL for whatever reason; a record too big for relay_write() is tried
 * and not refused. error of a kernel operation is -ENODEV when the channel was
 * not open, -EBUSY when OPEN found it open, -ECANCELED when the request was
 * torn down; of a write -ENXIO when the actor's CPU was offline, -ENODEV when it
 * had no channel buffer and -ETIMEDOUT when an NMI did not come in RB_NMI_MAX_US; of a user operation what the system call gave, -EBADF for an
 * empty slot and -EBUSY for a taken one.
 *
 * All bytes of one user operation lie together at data_offset, of which
 * data_bytes found room.
 *
 * FILE_POLL without a timeout ends with -ECANCELED when nobody is left who
 * could end it: every actor is through, waits at a gate, or polls as well.
 */
struct rb_result {
	__u32 state;		/* enum rb_state */
	__s32 error;		/* -errno of a call that failed, else 0 */
	__u64 value;		/* as the operation code says; see below */
	__u64 refused;		/* records refused; see below */
	__u64 start_ns;		/* CLOCK_MONOTONIC */
	__u64 end_ns;
	__u32 order_start;	/* a machine-wide count, taken just before */
	__u32 order_end;	/* and just after the operation */
	__u32 data_offset;	/* what a user actor got: place in the data area */
	__u32 data_bytes;
	__u64 reserved;
};

/* What STAT and FILE_STAT leave in the data area. */
struct rb_stat {
	__u64 size;
	__u32 mode;
	__u32 nlink;
	__u32 uid;
	__u32 gid;
};

enum rb_event_kind {
	RB_EVENT_NONE = 0,		/* slot taken, not yet written */
	RB_EVENT_SUBBUF_START = 1,	/* our callback was called */
	RB_EVENT_RESERVE_NULL = 2,	/* relay_reserve() gave NULL */
	RB_EVENT_READ = 3,		/* one read(): produced = result or -errno, consumed = data offset;
					 * splice(), sendfile(): produced = bytes that came out */
	RB_EVENT_CREATE_FILE = 4,	/* create_buf_file for buf_cpu; verdict: made */
	RB_EVENT_REMOVE_FILE = 5,
	RB_EVENT_OPEN_FAILED = 6,	/* relay_open() at start refused */
	RB_EVENT_STALL = 7,		/* a callback or a reserved slot waited at a gate; verdict: it opened */
	RB_EVENT_MAPPED = 8,		/* buf_mapped, until 5.10 */
	RB_EVENT_UNMAPPED = 9,		/* buf_unmapped, until 5.10 */
	RB_EVENT_TRANSFER = 16,		/* a TRANSFER: produced, consumed = ns that its sides took */
};

/*
 * What happened in the middle of operations, in the order of slots. A slot of
 * FILE_READ is taken at the read() and filled in at the end of the operation,
 * when the place of the bytes is known.
 */
struct rb_event {
	__u32 kind;		/* enum rb_event_kind, written last */
	__u16 cpu;		/* CPU it happened on */
	__u16 actor;		/* NONE16: no actor's operation was running */
	__u32 op;		/* operation, or NONE32 */
	__u32 seq;		/* record being written, or NONE32 */
	__u8 context;		/* enum rb_context, as seen by the kernel */
	__u8 channel;
	__u8 verdict;		/* SUBBUF_START: what the callback returned */
	__u8 buf_cpu;		/* CPU of the channel buffer concerned; 255: not known */
	__u32 order;		/* machine-wide count */
	__u64 time_ns;
	__u32 new_offset;	/* SUBBUF_START: subbuf - start; CREATE_FILE: length of the name */
	__u32 old_offset;	/* prev_subbuf - start; NONE32 when NULL */
	__u64 produced;		/* counts at that moment */
	__u64 consumed;
	__u64 prev_padding;	/* the argument; NONE64 from 6.17 */
};

enum rb_chan_state {
	RB_CHAN_NEVER = 0,
	RB_CHAN_OPEN = 1,
	RB_CHAN_CLOSED = 2,	/* relay_close() was called: do not follow */
	RB_CHAN_REFUSED = 3,	/* relay_open() gave NULL */
};

/* One channel buffer. All addresses are allegations until checked. */
struct rb_dir_buf {
	__u64 buf_pa;		/* struct rchan_buf; 0: no buffer */
	__u64 padding_pa;	/* its padding array, n_subbufs of size_t */
	__u64 file_size_pa;	/* i_size of its file; 0: no file */
	__u32 first_pfn;	/* index into the page table; NONE32: it was full */
	__u32 page_count;
};

/*
 * held is what relay has allocated for the channel since the request began and
 * not freed: pieces of the slab and of per-CPU memory, without pages, and without
 * what it allocates for a CPU that comes online.
 */
struct rb_dir_channel {
	__u32 state;		/* enum rb_chan_state */
	__u32 is_global;
	__u64 chan_pa;		/* struct rchan */
	__u64 subbuf_size;	/* as asked for */
	__u64 n_subbufs;
	__u32 held_known;	/* 0: not counted */
	__u32 held;		/* pieces */
	__u64 held_bytes;
	char held_at[RB_NAME_SIZE];	/* function that asked for the oldest, NUL terminated */
	struct rb_dir_buf bufs[RB_MAX_CPUS];
};

struct rb_directory {
	struct rb_dir_channel channels[RB_MAX_CHANNELS];
};

/*
 * The doorbell is ttyS1: short lines from guest to host.
 * "R" 16 hex digits: ready, mailbox at that guest-physical address;
 * "C": checkpoint reached; "N": an actor of CPU 0 waits for an NMI, which the
 * host sends for each nmi_seq beyond nmi_ack; "D": request done; "X" text: the
 * guest cannot go on.
 */
#define RB_BELL_PORT		0x2f8
#define RB_BELL_LINE_MAX	200

_Static_assert(sizeof(struct rb_buf_members) == 64, "rb_buf_members");
_Static_assert(sizeof(struct rb_chan_members) == 32, "rb_chan_members");
_Static_assert(sizeof(struct rb_header) == 304, "rb_header");
_Static_assert(sizeof(struct rb_channel_spec) == 368, "rb_channel_spec");
_Static_assert(sizeof(struct rb_actor) == 24, "rb_actor");
_Static_assert(sizeof(struct rb_op) == 48, "rb_op");
_Static_assert(sizeof(struct rb_request) == 4528, "rb_request");
_Static_assert(sizeof(struct rb_result) == 64, "rb_result");
_Static_assert(sizeof(struct rb_stat) == 24, "rb_stat");
_Static_assert(sizeof(struct rb_event) == 64, "rb_event");
_Static_assert(sizeof(struct rb_dir_buf) == 32, "rb_dir_buf");
_Static_assert(sizeof(struct rb_dir_channel) == 2160, "rb_dir_channel");
_Static_assert(RB_OFF_REQUEST + sizeof(struct rb_request) <= RB_OFF_OPS, "request");
_Static_assert(RB_OFF_OPS + RB_MAX_OPS * sizeof(struct rb_op) <= RB_OFF_BLOB, "ops");
_Static_assert(RB_OFF_BLOB + RB_MAX_BLOB <= RB_OFF_RESULTS, "blob");
_Static_assert(RB_OFF_RESULTS + RB_MAX_OPS * sizeof(struct rb_result) <= RB_OFF_DIRECTORY, "results");
_Static_assert(RB_OFF_DIRECTORY + sizeof(struct rb_directory) <= RB_OFF_PFNS, "directory");
_Static_assert(RB_OFF_PFNS + RB_MAX_PFNS * sizeof(__u64) <= RB_OFF_EVENTS, "pfns");
_Static_assert(RB_OFF_EVENTS + RB_MAX_EVENTS * sizeof(struct rb_event) <= RB_OFF_DATA, "events");

#endif /* RELAYBED_ABI_H */
