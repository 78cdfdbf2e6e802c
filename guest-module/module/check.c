// SPDX-License-Identifier: GPL-2.0-only
/*
 * Takes the request out of the mailbox and checks it as if an enemy had
 * written it. What passes can be run without another look.
 */
#include <linux/bitmap.h>
#include <linux/cpumask.h>
#include <linux/errno.h>
#include <linux/mm.h>
#include <linux/string.h>

#include "relaybed.h"
#include "transport.h"

#define BED_CHAN_FLAGS	(RB_CHAN_OPEN_AT_START | RB_CHAN_BUFFER_ONLY |	\
			 RB_CHAN_GLOBAL | RB_CHAN_ROOT |		\
			 RB_CHAN_NO_CALLBACKS | RB_CHAN_NO_CREATE |	\
			 RB_CHAN_NO_REMOVE | RB_CHAN_STALL_LATE |		\
			 RB_CHAN_CREATED_WAITS)
#define BED_NEST_FLAGS	(RB_OP_NEST_CALLBACK | RB_OP_NEST_FILL)
#define BED_DELAY_MAX_US	10000000

/* What the callbacks do beyond the mode. */
static int bed_check_client(const struct rb_request *request,
			    const struct rb_channel_spec *spec)
{
	if (spec->create_answer > RB_CREATE_ERROR ||
	    spec->no_memory > RB_NO_MEMORY_NAME)
		return -EINVAL;
	/* What is opened at start is opened before anybody could open the gate. */
	if (spec->flags & RB_CHAN_CREATED_WAITS &&
	    (spec->flags & (RB_CHAN_OPEN_AT_START | RB_CHAN_BUFFER_ONLY) ||
	     spec->created_signal >= request->n_gates ||
	     spec->created_wait >= request->n_gates))
		return -EINVAL;
	/* Without probes no allocation can be made to fail. */
	if (spec->no_memory && !IS_ENABLED(CONFIG_KPROBES))
		return -EOPNOTSUPP;
	/* No callback, nothing that it could do. */
	if (spec->mode == RB_MODE_DEFAULT && (spec->refuse_from || spec->stall_at))
		return -EINVAL;
	if (spec->stall_at && (spec->stall_signal >= request->n_gates ||
			       spec->stall_wait >= request->n_gates))
		return -EINVAL;
	if (spec->flags & RB_CHAN_STALL_LATE &&
	    (!spec->stall_at || !spec->header_bytes))
		return -EINVAL;
	return 0;
}

static int bed_check_channel(const struct rb_request *request,
			     const struct rb_channel_spec *spec)
{
	size_t n = strnlen(spec->base, RB_BASE_SIZE);
	int err;

	if (!n || n == RB_BASE_SIZE || strchr(spec->base, '/'))
		return -EINVAL;
	if (spec->mode > RB_MODE_DEFAULT || spec->files > RB_FILES_PROXY)
		return -EINVAL;
	if (spec->flags & ~BED_CHAN_FLAGS)
		return -EINVAL;
	err = bed_check_client(request, spec);
	if (err)
		return err;
	if (!spec->header_bytes)
		return 0;
	/* subbuf_start_reserve() brings the kernel down for more than this. */
	if (spec->mode == RB_MODE_DEFAULT || spec->subbuf_size < 2 ||
	    spec->header_bytes >= spec->subbuf_size - 1)
		return -EINVAL;
	return 0;
}

/* relay allocates page by page until the machine has none left: not here. */
static int bed_check_memory(const struct rb_request *request)
{
	u64 pages = 0;
	u32 i;

	for (i = 0; i < request->n_channels; i++)
		pages += bed_channel_pages(&request->channels[i]);
	if (pages > RB_MAX_PFNS)
		return -E2BIG;
	return pages > si_mem_available() / 2 ? -ENOMEM : 0;
}

static bool bed_cpu_runs(u32 cpu)
{
	return cpu < nr_cpu_ids && cpu < RB_MAX_CPUS && cpu_online(cpu);
}

/* What can bring a CPU into the actor's context. */
static int bed_check_source(const struct rb_actor *actor)
{
	switch (actor->source) {
	case RB_SOURCE_OWN:
		return 0;
	case RB_SOURCE_HRTIMER:
		return actor->context == RB_CONTEXT_HARDIRQ ? 0 : -EINVAL;
	case RB_SOURCE_IPI:
		if (actor->context != RB_CONTEXT_HARDIRQ)
			return -EINVAL;
		return bed_cpu_runs(bed_interrupt_sender(actor->cpu)) ? 0 : -ENXIO;
	case RB_SOURCE_HOST:
		return actor->context == RB_CONTEXT_NMI && !actor->cpu ? 0 : -EINVAL;
	default:
		return -EINVAL;
	}
}

static int bed_check_actor(const struct rb_actor *actor, u32 n_ops)
{
	int err = actor->reserved ? -EINVAL : bed_check_source(actor);

	if (err)
		return err;
	if (actor->first_op > n_ops || actor->n_ops > n_ops - actor->first_op)
		return -EINVAL;
	switch (actor->context) {
	case RB_CONTEXT_TASK:
	case RB_CONTEXT_SOFTIRQ:
	case RB_CONTEXT_HARDIRQ:
	case RB_CONTEXT_NMI:
		return bed_cpu_runs(actor->cpu) ? 0 : -ENXIO;
	case RB_CONTEXT_USER:
		return actor->cpu == RB_NONE32 || bed_cpu_runs(actor->cpu) ?
			0 : -ENXIO;
	default:
		return -EINVAL;
	}
}

/* Literal bytes lie inside the blob. */
static int bed_check_blob(const struct rb_request *request,
			  const struct rb_op *op)
{
	if (op->len_min != op->len_max || op->blob > request->n_blob ||
	    op->len_max > request->n_blob - op->blob)
		return -EINVAL;
	return 0;
}

static bool bed_is_write(const struct rb_op *op)
{
	return op->code == RB_OP_WRITE || op->code == RB_OP_RAW_WRITE ||
	       op->code == RB_OP_RESERVE;
}

static bool bed_is_global(const struct rb_request *request, const struct rb_op *op)
{
	return request->channels[op->channel].flags & RB_CHAN_GLOBAL;
}

/* A nested actor does nothing but write to the same channel, and is no host itself. */
static int bed_check_guest(const struct rb_request *request,
			   const struct rb_actor *guest, const struct rb_op *host)
{
	u32 at;

	if (guest->first_op > request->n_ops ||
	    guest->n_ops > request->n_ops - guest->first_op)
		return -EINVAL;
	for (at = guest->first_op; at < guest->first_op + guest->n_ops; at++) {
		const struct rb_op *op = &bed.ops[at];

		if (!bed_is_write(op) || op->channel != host->channel ||
		    op->flags & BED_NEST_FLAGS)
			return -EINVAL;
	}
	return 0;
}

/* The actor that a write nests: of the same CPU, of a higher context, and once. */
static int bed_check_nest(const struct rb_request *request,
			  const struct rb_actor *actor, const struct rb_op *op)
{
	u16 point = op->flags & BED_NEST_FLAGS;
	const struct rb_actor *guest;

	if (!point)
		return op->nest ? -EINVAL : 0;
	if (point == BED_NEST_FLAGS || op->nest >= request->n_actors)
		return -EINVAL;
	if (point == RB_OP_NEST_FILL && op->code != RB_OP_RESERVE)
		return -EINVAL;
	if (point == RB_OP_NEST_CALLBACK &&
	    request->channels[op->channel].mode == RB_MODE_DEFAULT)
		return -EINVAL;
	guest = &request->actors[op->nest];
	if (guest->cpu != actor->cpu || guest->context <= actor->context ||
	    guest->context > RB_CONTEXT_NMI || bed_is_global(request, op))
		return -EINVAL;
	if (__test_and_set_bit(op->nest, bed.nested))
		return -EEXIST;
	return bed_check_guest(request, guest, op);
}

/* How many records, how long, and their bytes where they are literal. */
static int bed_check_records(const struct rb_request *request,
			     const struct rb_op *op)
{
	if (op->len_min > op->len_max || op->len_max > RB_MAX_RECORD)
		return -EINVAL;
	if (op->seq_first > RB_NONE32 - op->count)
		return -EOVERFLOW;
	return op->flags & RB_OP_BLOB ? bed_check_blob(request, op) : 0;
}

static int bed_check_write(const struct rb_request *request,
			   const struct rb_actor *actor,
			   const struct rb_op *op)
{
	int err;

	if (op->flags & ~(RB_OP_BLOB | BED_NEST_FLAGS | RB_OP_IRQS_ON | RB_OP_HOLD))
		return -EINVAL;
	if (op->flags & RB_OP_HOLD &&
	    (op->code != RB_OP_RESERVE || op->flags & BED_NEST_FLAGS ||
	     op->count != 1 || actor->context == RB_CONTEXT_NMI ||
	     op->arg0 >= request->n_gates || op->arg1 >= request->n_gates))
		return -EINVAL;
	if (op->flags & RB_OP_IRQS_ON &&
	    (op->code != RB_OP_RAW_WRITE || bed_is_global(request, op)))
		return -EINVAL;
	/*
	 * An NMI may find locks taken by what it interrupts: a global channel's,
	 * and that of the gates at which a callback stalls.
	 */
	if (actor->context == RB_CONTEXT_NMI &&
	    (bed_is_global(request, op) ||
	     request->channels[op->channel].stall_at))
		return -EINVAL;
	err = bed_check_nest(request, actor, op);
	return err ?: bed_check_records(request, op);
}

/*
 * Literal bytes only: who logs knows of no channel, so it may be a global one,
 * with a lock that an NMI must not take.
 */
static int bed_check_klog(const struct rb_request *request,
			  const struct rb_actor *actor,
			  const struct rb_op *op)
{
	if (op->flags != RB_OP_BLOB || op->channel != RB_NONE16 || op->nest ||
	    actor->context == RB_CONTEXT_NMI)
		return -EINVAL;
	return bed_check_records(request, op);
}

static int bed_check_kernel_op(const struct rb_request *request,
			       const struct rb_actor *actor,
			       const struct rb_op *op)
{
	if (op->code == RB_OP_KLOG || op->code == RB_OP_KLOG_RAW)
		return bed_check_klog(request, actor, op);
	if (op->code == RB_OP_NULL)
		return op->arg0 <= RB_NULL_LATE_NAME ? 0 : -EINVAL;
	if (op->channel >= request->n_channels)
		return -ECHRNG;
	switch (op->code) {
	case RB_OP_OPEN:
	case RB_OP_CLOSE:
	case RB_OP_KLOG_REGISTER:
	case RB_OP_KLOG_UNREGISTER:
	case RB_OP_FLUSH:
	case RB_OP_RESET:
	case RB_OP_SWITCH:
	case RB_OP_LATE_SETUP:
		return 0;
	case RB_OP_WRITE:
	case RB_OP_RAW_WRITE:
	case RB_OP_RESERVE:
		return bed_check_write(request, actor, op);
	case RB_OP_CONSUMED:
		/* relay itself looks at NR_CPUS only: numbers between are not safe. */
		return op->arg0 >= NR_CPUS ||
		       (op->arg0 < nr_cpu_ids && cpu_possible(op->arg0)) ?
			0 : -ENXIO;
	case RB_OP_BUF_FULL:
		return op->arg0 < nr_cpu_ids && cpu_possible(op->arg0) ? 0 : -ENXIO;
	default:
		return -EINVAL;
	}
}

/* The flags that a user operation may carry. */
static u16 bed_user_flags(u16 code)
{
	switch (code) {
	case RB_OP_FILE_READ:
		return RB_OP_NOWHERE;
	case RB_OP_FILE_MMAP:
		return RB_OP_WRITABLE | RB_OP_PRIVATE | RB_OP_HIDDEN;
	case RB_OP_FILE_STORE:
		return RB_OP_BLOB;
	case RB_OP_FILE_SPLICE:
		return RB_OP_NONBLOCK | RB_OP_LATE;
	default:
		return 0;
	}
}

/* Names of files: no descriptor. */
static int bed_check_path_op(const struct rb_request *request,
			     const struct rb_op *op)
{
	return op->channel < request->n_channels ? 0 : -ECHRNG;
}

/* CPU 0 stays: most kernels cannot do without it. */
static int bed_check_hotplug(const struct rb_request *request,
			     const struct rb_op *op)
{
	if (!op->arg0 || op->arg0 >= nr_cpu_ids || !cpu_possible(op->arg0))
		return -ENXIO;
	if (!op->flags)
		return 0;
	if (op->code != RB_OP_CPU_ON || op->flags != RB_OP_HOLD)
		return -EINVAL;
	return op->arg1 < request->n_gates && op->nest < request->n_gates ?
		0 : -EINVAL;
}

static int bed_check_user_op(const struct rb_request *request,
			     const struct rb_op *op)
{
	if (op->code == RB_OP_CPU_OFF || op->code == RB_OP_CPU_ON)
		return bed_check_hotplug(request, op);
	if (op->flags & ~bed_user_flags(op->code))
		return -EINVAL;
	if (op->code == RB_OP_SYMBOLS)
		return op->arg1 <= RB_DATA_SIZE ? 0 : -EINVAL;
	if (op->code == RB_OP_STAT || op->code == RB_OP_LIST)
		return bed_check_path_op(request, op);
	if (op->file >= RB_MAX_FILES)
		return -EBADF;
	switch (op->code) {
	case RB_OP_FILE_OPEN:
		if (op->arg1 > RB_ACCESS_BOTH)
			return -EINVAL;
		return bed_check_path_op(request, op);
	case RB_OP_FILE_READ:
	case RB_OP_FILE_PREAD:
	case RB_OP_FILE_WRITE:
	case RB_OP_FILE_SPLICE:
	case RB_OP_FILE_SENDFILE:
		return op->arg0 <= RB_DATA_SIZE ? 0 : -EINVAL;
	case RB_OP_FILE_READV:
		return (u64)op->arg0 * op->arg1 <= RB_DATA_SIZE ? 0 : -EINVAL;
	case RB_OP_FILE_DUP:
		return op->arg0 < RB_MAX_FILES ? 0 : -EBADF;
	case RB_OP_FILE_STORE:
		return bed_check_blob(request, op);
	case RB_OP_FILE_CLOSE:
	case RB_OP_FILE_POLL:
	case RB_OP_FILE_MMAP:
	case RB_OP_FILE_MUNMAP:
	case RB_OP_FILE_MREMAP:
	case RB_OP_FILE_COPY:
	case RB_OP_FILE_LSEEK:
	case RB_OP_FILE_TRUNCATE:
	case RB_OP_FILE_STAT:
		return 0;
	default:
		return -EINVAL;
	}
}

static int bed_check_op(const struct rb_request *request,
			const struct rb_actor *actor, const struct rb_op *op)
{
	switch (op->code) {
	case RB_OP_NOP:
	case RB_OP_CHECKPOINT:
		return 0;
	case RB_OP_DELAY:
		return op->arg0 <= BED_DELAY_MAX_US ? 0 : -EINVAL;
	case RB_OP_SIGNAL:
	case RB_OP_WAIT:
		return op->arg0 < request->n_gates ? 0 : -EINVAL;
	case RB_OP_TRANSFER:
		return actor->context == RB_CONTEXT_USER ?
			bed_transport_check(op) : -EINVAL;
	case RB_OP_SYSRQ:
		return actor->context == RB_CONTEXT_USER && op->arg0 < 0x80 ?
			0 : -EINVAL;
	}
	if (actor->context == RB_CONTEXT_USER)
		return bed_check_user_op(request, op);
	return bed_check_kernel_op(request, actor, op);
}

/* Actors and their operations; no operation belongs to two actors. */
static int bed_check_actors(const struct rb_request *request, u32 *refusal_op)
{
	static DECLARE_BITMAP(taken, RB_MAX_OPS);
	u32 i, at;
	int err;

	bitmap_zero(taken, RB_MAX_OPS);
	bitmap_zero(bed.nested, RB_MAX_ACTORS);
	for (i = 0; i < request->n_actors; i++) {
		const struct rb_actor *actor = &request->actors[i];

		err = bed_check_actor(actor, request->n_ops);
		if (err)
			return err;
		for (at = actor->first_op; at < actor->first_op + actor->n_ops; at++) {
			err = __test_and_set_bit(at, taken) ? -EEXIST :
				bed_check_op(request, actor, &bed.ops[at]);
			if (err) {
				*refusal_op = at;
				return err;
			}
		}
	}
	return 0;
}

static int bed_check_request(const struct rb_request *request)
{
	if (request->flags & ~(RB_REQ_POWER_OFF | RB_REQ_STEPS))
		return -EINVAL;
	if (request->n_channels > RB_MAX_CHANNELS ||
	    request->n_actors > RB_MAX_ACTORS ||
	    request->n_ops > RB_MAX_OPS ||
	    request->n_gates > RB_MAX_GATES ||
	    request->n_blob > RB_MAX_BLOB)
		return -E2BIG;
	if (request->plant > RB_PLANT_WRONG_CPU)
		return -EINVAL;
	return 0;
}

/* Copies the request, then checks the copy: what is checked is what runs. */
int bed_request_take(u32 *refusal_op)
{
	const void *mailbox = bed.header;
	struct rb_request *request = bed.request;
	u32 i;
	int err;

	smp_rmb();	/* after request_seq was seen to grow */
	memcpy(request, mailbox + RB_OFF_REQUEST, sizeof(*request));
	err = bed_check_request(request);
	if (err) {
		/* Nothing of it may be followed later. */
		memset(request, 0, sizeof(*request));
		return err;
	}
	memcpy(bed.ops, mailbox + RB_OFF_OPS, request->n_ops * sizeof(*bed.ops));
	memcpy(bed.blob, mailbox + RB_OFF_BLOB, request->n_blob);

	for (i = 0; i < request->n_channels; i++) {
		err = bed_check_channel(request, &request->channels[i]);
		if (err)
			return err;
	}
	err = bed_check_memory(request);
	return err ?: bed_check_actors(request, refusal_op);
}
