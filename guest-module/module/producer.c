// SPDX-License-Identifier: GPL-2.0-only
/*
 * Producers: kernel threads bound to their CPU. A record is written in the
 * actor's context: by the thread itself, by a tasklet or by an irq_work, one
 * entry into the context a record.
 */
#include <linux/err.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/sched.h>

#include "relaybed.h"

static void bed_fire(struct bed_actor *a)
{
	const struct bed_shot *shot = &a->shot;

	if (bed_plant_here(a, shot))
		bed_plant_write(a, shot);
	else
		bed_record_put(a, shot, NULL);
	if (a->holding && a->held.ch == shot->ch && a->held.seq != shot->seq)
		bed_plant_release_held(a, true);
}

static void bed_fire_in_interrupt(struct bed_actor *a)
{
	struct bed_frame *old = bed_frame_enter(&a->frame);

	bed_fire(a);
	bed_frame_leave(old);
	complete(&a->fired);
}

static void bed_tasklet(struct tasklet_struct *tasklet)
{
	bed_fire_in_interrupt(container_of(tasklet, struct bed_actor, tasklet));
}

static void bed_irq_work(struct irq_work *work)
{
	bed_fire_in_interrupt(container_of(work, struct bed_actor, irq_work));
}

/* Interrupts are on here: the work runs on this CPU before the wait begins. */
static void bed_fire_in_context(struct bed_actor *a)
{
	switch (a->spec->context) {
	case RB_CONTEXT_SOFTIRQ:
		local_bh_disable();
		tasklet_schedule(&a->tasklet);
		local_bh_enable();
		break;
	case RB_CONTEXT_HARDIRQ:
		irq_work_queue(&a->irq_work);
		break;
	default:
		bed_fire(a);
		return;
	}
	wait_for_completion(&a->fired);
}

/* All records of operation @index, with its channel open; tells the refused. */
u64 bed_producer_write(struct bed_actor *a, u32 index, u64 *refused)
{
	const struct rb_op *op = &bed.ops[index];
	struct bed_shot *shot = &a->shot;
	u32 i;

	shot->ch = &bed.channels[op->channel];
	shot->code = op->code;
	shot->literal = op->flags & RB_OP_BLOB ? bed.blob + op->blob : NULL;
	for (i = 0; i < op->count && !READ_ONCE(bed.stopping); i++) {
		shot->seq = op->seq_first + i;
		shot->len = rb_record_len(bed.request->seed, a->index, shot->seq,
					  op->len_min, op->len_max);
		a->frame.seq = shot->seq;
		a->frame.refused = false;
		if (!bed_plant_wrong_cpu(a, shot))
			bed_fire_in_context(a);
		*refused += a->frame.refused;
		cond_resched();
	}
	a->frame.seq = RB_NONE32;
	return i;
}

static void bed_flush_held(struct bed_actor *a)
{
	struct bed_channel *ch = a->held.ch;

	if (!a->holding)
		return;
	down_read(&ch->life);
	if (ch->chan)
		bed_plant_release_held(a, false);
	up_read(&ch->life);
}

static int bed_producer_thread(void *arg)
{
	struct bed_actor *a = arg;
	u32 i;

	for (i = 0; i < a->spec->n_ops && !READ_ONCE(bed.stopping); i++)
		bed_op_run(a, a->spec->first_op + i);
	bed_flush_held(a);
	if (atomic_dec_and_test(&bed.running))
		wake_up_all(&bed.idle);

	/* The thread stays until it is told to go, so that a->task stays valid. */
	set_current_state(TASK_INTERRUPTIBLE);
	while (!kthread_should_stop()) {
		schedule();
		set_current_state(TASK_INTERRUPTIBLE);
	}
	__set_current_state(TASK_RUNNING);
	return 0;
}

static u32 bed_longest_record(const struct rb_actor *spec)
{
	u32 longest = 1;
	u32 i;

	for (i = 0; i < spec->n_ops; i++)
		longest = max(longest, bed.ops[spec->first_op + i].len_max);
	return longest;
}

/* Makes the thread; bed_request_run() lets it go. */
int bed_producer_create(struct bed_actor *a, u32 index)
{
	const struct rb_actor *spec = &bed.request->actors[index];
	u32 longest = bed_longest_record(spec);
	struct task_struct *task;

	memset(a, 0, sizeof(*a));
	a->index = index;
	a->spec = spec;
	a->frame = (struct bed_frame){ index, RB_NONE32, RB_NONE32, false };
	tasklet_setup(&a->tasklet, bed_tasklet);
	init_irq_work(&a->irq_work, bed_irq_work);
	init_completion(&a->fired);
	if (spec->context == RB_CONTEXT_USER)
		return 0;

	a->scratch = kvmalloc(longest, GFP_KERNEL);
	a->held_data = kvmalloc(longest, GFP_KERNEL);
	if (!a->scratch || !a->held_data)
		return -ENOMEM;
	task = kthread_create(bed_producer_thread, a, "relaybed/%u", index);
	if (IS_ERR(task))
		return PTR_ERR(task);
	kthread_bind(task, spec->cpu);
	a->task = task;
	return 0;
}

void bed_producer_destroy(struct bed_actor *a)
{
	if (a->task)
		kthread_stop(a->task);
	a->task = NULL;
	tasklet_kill(&a->tasklet);
	irq_work_sync(&a->irq_work);
	kvfree(a->held_data);
	kvfree(a->scratch);
	a->held_data = NULL;
	a->scratch = NULL;
}
