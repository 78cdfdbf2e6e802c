// SPDX-License-Identifier: GPL-2.0-only
/*
 * Nesting: the script of one actor runs on top of another's write, on the same
 * CPU and in a higher context, at a point of the other's choice.
 *
 * Where the point lies with interrupts off, softirq and hardirq come when the
 * write lets them in: right behind the record. An NMI comes at once.
 */
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/irqflags.h>
#include <linux/ktime.h>

#include "relaybed.h"

#define BED_NEST_SPIN_NS	(100 * NSEC_PER_MSEC)

void bed_nest_begin(struct bed_actor *a, const struct rb_op *op)
{
	a->guest_at = op->flags & (RB_OP_NEST_CALLBACK | RB_OP_NEST_FILL);
	a->guest = a->guest_at ? &bed.actors[op->nest] : NULL;
	a->seated = NULL;
}

static void bed_nest_fire(struct bed_actor *n)
{
	int err;

	switch (n->spec->context) {
	case RB_CONTEXT_SOFTIRQ:
		if (irqs_disabled()) {
			tasklet_schedule(&n->tasklet);
			break;
		}
		local_bh_disable();
		tasklet_schedule(&n->tasklet);
		local_bh_enable();
		break;
	case RB_CONTEXT_HARDIRQ:
		err = bed_interrupt_raise(n);
		if (!err)
			break;
		bed.results[n->spec->first_op].error = err;
		complete(&n->fired);
		break;
	default:
		if (bed_nmi_send(n))
			bed.results[n->spec->first_op].error = -ETIMEDOUT;
		complete(&n->fired);
	}
}

/*
 * With interrupts on the guest comes at this very point. A softirq is not
 * waited for without end: it may have been left to a thread that needs this CPU.
 */
static void bed_nest_spin(struct bed_actor *n)
{
	u64 end = n->spec->context == RB_CONTEXT_SOFTIRQ ?
		ktime_get_mono_fast_ns() + BED_NEST_SPIN_NS : U64_MAX;

	while (!completion_done(&n->fired) && ktime_get_mono_fast_ns() < end)
		udelay(1);
}

/* From the middle of @a's write, in whatever context; the guest comes once. */
void bed_nest_reached(struct bed_actor *a, u16 point)
{
	struct bed_actor *n = a->guest;

	if (!n || a->guest_at != point || n->spec->context <= bed_context_here())
		return;
	a->guest = NULL;
	a->seated = n;
	bed_nest_fire(n);
	if (!irqs_disabled())
		bed_nest_spin(n);
}

/* Behind a record, in @a's thread: what was let in during it is over. */
void bed_nest_settle(struct bed_actor *a)
{
	if (!a->seated)
		return;
	bed_interrupt_wait(a->seated);
	a->seated = NULL;
}

/* Behind the operation: the guest comes now if the point was never reached. */
void bed_nest_end(struct bed_actor *a)
{
	struct bed_actor *n = a->guest;

	if (!n)
		return;
	a->guest = NULL;
	a->seated = n;
	bed_nest_fire(n);
	bed_nest_settle(a);
}

static void bed_nest_op(struct bed_actor *n, u32 index)
{
	const struct rb_op *op = &bed.ops[index];
	struct rb_result *result = &bed.results[index];
	u32 i;

	n->frame.op = index;
	WRITE_ONCE(result->state, RB_STATE_RUNNING);
	result->start_ns = ktime_get_mono_fast_ns();
	result->order_start = bed_order();
	for (i = 0; i < op->count; i++) {
		bed_shot_load(n, op, i);
		bed_record_put(n, &n->shot, NULL);
		result->refused += n->frame.refused;
	}
	result->value = op->count;
	result->order_end = bed_order();
	result->end_ns = ktime_get_mono_fast_ns();
	smp_store_release(&result->state, RB_STATE_DONE);
}

/* The guest's whole script, in its context. */
void bed_nest_run(struct bed_actor *n)
{
	u32 i;

	for (i = 0; i < n->spec->n_ops; i++)
		bed_nest_op(n, n->spec->first_op + i);
}
