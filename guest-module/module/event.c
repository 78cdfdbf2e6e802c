// SPDX-License-Identifier: GPL-2.0-only
/*
 * The event log, and who is at work where. Both are asked from relay's
 * callbacks, so they work in every context: a slot is taken by one atomic
 * increment and its kind is written last.
 */
#include <linux/percpu.h>
#include <linux/preempt.h>
#include <linux/sched.h>
#include <linux/smp.h>

#include "relaybed.h"

/*
 * The frame of the interrupt work that runs on a CPU, per context. Works of
 * one context do not nest on one CPU. Task context is told by the thread.
 */
static DEFINE_PER_CPU(struct bed_frame *, bed_frames[RB_CONTEXT_NMI + 1]);

u8 bed_context_here(void)
{
	if (in_nmi())
		return RB_CONTEXT_NMI;
	if (hardirq_count())
		return RB_CONTEXT_HARDIRQ;
	if (in_serving_softirq())
		return RB_CONTEXT_SOFTIRQ;
	return RB_CONTEXT_TASK;
}

struct bed_frame *bed_frame_enter(struct bed_frame *frame)
{
	u8 context = bed_context_here();
	struct bed_frame *old = this_cpu_read(bed_frames[context]);

	this_cpu_write(bed_frames[context], frame);
	return old;
}

void bed_frame_leave(struct bed_frame *old)
{
	this_cpu_write(bed_frames[bed_context_here()], old);
}

static struct bed_frame *bed_frame_of_task(void)
{
	u32 i;

	for (i = 0; i < RB_MAX_ACTORS; i++) {
		const struct bed_worker *worker = &bed.workers[i];

		/* Only the thread itself asks about a thread at work. */
		if (worker->task == current && worker->actor)
			return &worker->actor->frame;
	}
	return NULL;
}

/* NULL: no actor's operation runs here. */
struct bed_frame *bed_frame_here(void)
{
	u8 context = bed_context_here();

	switch (context) {
	case RB_CONTEXT_TASK:
		return bed_frame_of_task();
	default:
		return this_cpu_read(bed_frames[context]);
	}
}

/* NULL when the log is full: the event is counted all the same. */
struct rb_event *bed_event_begin(const struct bed_frame **frame_out)
{
	u32 slot = atomic_inc_return((atomic_t *)&bed.header->n_events) - 1;
	struct bed_frame *frame = bed_frame_here();
	struct rb_event *event;

	*frame_out = frame;
	if (slot >= RB_MAX_EVENTS)
		return NULL;

	event = &bed.events[slot];
	event->cpu = raw_smp_processor_id();
	event->actor = frame ? frame->actor : RB_NONE16;
	event->op = frame ? frame->op : RB_NONE32;
	event->seq = frame ? frame->seq : RB_NONE32;
	event->context = bed_context_here();
	event->order = bed_order();
	event->time_ns = ktime_get_mono_fast_ns();
	return event;
}

void bed_event_end(struct rb_event *event, u32 kind)
{
	smp_store_release(&event->kind, kind);
}
