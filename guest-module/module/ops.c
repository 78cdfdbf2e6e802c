// SPDX-License-Identifier: GPL-2.0-only
/*
 * The operations of kernel actors, in the actor's thread.
 */
#include <linux/cpu.h>
#include <linux/delay.h>
#include <linux/errno.h>

#include "compat.h"
#include "relaybed.h"

#define BED_NAP_US	10000	/* between looks at whether to stop */

static void bed_op_open(struct bed_channel *ch, struct rb_result *result)
{
	int opened;

	down_write(&ch->life);
	opened = ch->chan ? -EBUSY : bed_channel_open(ch);
	up_write(&ch->life);
	result->error = min(opened, 0);
	result->value = max(opened, 0);
}

static void bed_op_close(struct bed_channel *ch, struct rb_result *result)
{
	down_write(&ch->life);
	if (ch->chan)
		bed_channel_close(ch);
	else
		result->error = -ENODEV;
	up_write(&ch->life);
}

static void bed_op_buf_full(struct bed_channel *ch, u32 cpu,
			    struct rb_result *result)
{
	struct rchan_buf *buf = *per_cpu_ptr(ch->chan->buf, cpu);

	if (buf)
		result->value = relay_buf_full(buf);
	else
		result->error = -ENODEV;
}

static void bed_op_late_setup(struct bed_channel *ch, struct rb_result *result)
{
	down_write(&ch->life);
	result->error = ch->chan ? bed_channel_late_setup(ch) : -ENODEV;
	up_write(&ch->life);
}

/* As relay_reserve() does it: on the buffer's own CPU, alone with the buffer. */
static void bed_op_switch(struct bed_actor *a, struct bed_channel *ch,
			  const struct rb_op *op, struct rb_result *result)
{
	unsigned long flags;

	cpus_read_lock();
	result->error = bed_producer_home(a, ch);
	if (result->error)
		goto unlock;
	a->frame.refused = false;
	bed_exclude(ch, &flags);
	result->value = relay_switch_subbuf(*this_cpu_ptr(ch->chan->buf),
					    op->len64);
	bed_admit(ch, flags);
	result->refused = a->frame.refused;
unlock:
	cpus_read_unlock();
}

/*
 * relay's functions take NULL for a channel, and do nothing. They must not look
 * at a channel either where the name is missing: this one has nothing in it.
 */
static int bed_op_null(u32 call)
{
	static struct rchan nothing;

	switch (call) {
	case RB_NULL_CLOSE:
		relay_close(NULL);
		return 0;
	case RB_NULL_FLUSH:
		relay_flush(NULL);
		return 0;
	case RB_NULL_RESET:
		relay_reset(NULL);
		return 0;
	case RB_NULL_CONSUMED:
		relay_subbufs_consumed(NULL, 0, 1);
		return 0;
	case RB_NULL_LATE_SETUP:
		return bed_late_setup_files(NULL, "nothing", bed.root);
	default:
		return bed_late_setup_files(&nothing, NULL, bed.root);
	}
}

/* One buffer for all CPUs: flushing it is the same as writing to it. */
static void bed_op_flush(struct bed_channel *ch)
{
	unsigned long flags;

	if (!(ch->spec->flags & RB_CHAN_GLOBAL)) {
		relay_flush(ch->chan);
		return;
	}
	bed_exclude(ch, &flags);
	relay_flush(ch->chan);
	bed_admit(ch, flags);
}

/* The operations that need an open channel. */
static void bed_op_on_open(struct bed_actor *a, u32 index,
			   struct rb_result *result)
{
	const struct rb_op *op = &bed.ops[index];
	struct bed_channel *ch = &bed.channels[op->channel];

	down_read(&ch->life);
	if (!ch->chan) {
		result->error = -ENODEV;
		goto up;
	}
	switch (op->code) {
	case RB_OP_FLUSH:
		bed_op_flush(ch);
		break;
	case RB_OP_SWITCH:
		bed_op_switch(a, ch, op, result);
		break;
	case RB_OP_RESET:
		relay_reset(ch->chan);
		break;
	case RB_OP_CONSUMED:
		relay_subbufs_consumed(ch->chan, op->arg0, op->arg1);
		break;
	case RB_OP_BUF_FULL:
		bed_op_buf_full(ch, op->arg0, result);
		break;
	case RB_OP_KLOG_REGISTER:
		bed_klog_register(ch);
		break;
	case RB_OP_KLOG_UNREGISTER:
		bed_klog_unregister(ch);
		break;
	default:
		result->error = bed_producer_write(a, index, result);
	}
up:
	up_read(&ch->life);
}

/* Needs no channel: that is what klog is for. */
static void bed_op_klog(struct bed_actor *a, u32 index, struct rb_result *result)
{
	a->logged = 0;
	result->error = bed_producer_write(a, index, result);
	result->value = a->logged;
}

static int bed_op_delay(u32 us)
{
	while (us && !READ_ONCE(bed.stopping)) {
		u32 nap = min_t(u32, us, BED_NAP_US);

		fsleep(nap);
		us -= nap;
	}
	return READ_ONCE(bed.stopping) ? -ECANCELED : 0;
}

static void bed_op_do(struct bed_actor *a, u32 index, struct rb_result *result)
{
	const struct rb_op *op = &bed.ops[index];

	switch (op->code) {
	case RB_OP_NOP:
		break;
	case RB_OP_OPEN:
		bed_op_open(&bed.channels[op->channel], result);
		break;
	case RB_OP_CLOSE:
		bed_op_close(&bed.channels[op->channel], result);
		break;
	case RB_OP_LATE_SETUP:
		bed_op_late_setup(&bed.channels[op->channel], result);
		break;
	case RB_OP_KLOG:
	case RB_OP_KLOG_RAW:
		bed_op_klog(a, index, result);
		break;
	case RB_OP_NULL:
		result->error = bed_op_null(op->arg0);
		break;
	case RB_OP_SIGNAL:
		bed_gate_signal(op->arg0);
		break;
	case RB_OP_WAIT:
		result->error = bed_gate_wait(op->arg0, op->arg1);
		break;
	case RB_OP_CHECKPOINT:
		result->error = bed_checkpoint(op->arg0, index);
		break;
	case RB_OP_DELAY:
		result->error = bed_op_delay(op->arg0);
		break;
	default:
		bed_op_on_open(a, index, result);
	}
}

/* Nobody begins before the last has come: so all begin together. */
static void bed_line_up(void)
{
	if (atomic_dec_and_test(&bed.to_come))
		wake_up_all(&bed.line);
	else
		wait_event_interruptible(bed.line,
					 atomic_read(&bed.to_come) <= 0 ||
					 READ_ONCE(bed.stopping));
}

void bed_step_at(u32 actor, u32 op)
{
	if (!op && bed.request->flags & RB_REQ_STEPS)
		bed_line_up();
	bed_stop_step(actor, op);
}

void bed_op_run(struct bed_actor *a, u32 index)
{
	struct rb_result *result = &bed.results[index];

	a->frame.op = index;
	WRITE_ONCE(result->state, RB_STATE_RUNNING);
	result->start_ns = ktime_get_mono_fast_ns();
	result->order_start = bed_order();
	bed_op_do(a, index, result);
	result->order_end = bed_order();
	result->end_ns = ktime_get_mono_fast_ns();
	smp_store_release(&result->state, RB_STATE_DONE);
	a->frame.op = RB_NONE32;
}
