// SPDX-License-Identifier: GPL-2.0-only
/*
 * Producers: kernel threads bound to their CPU. A record is written in the
 * actor's context: by the thread itself, by a tasklet, by an interrupt or by an
 * NMI, one entry into the context a record.
 */
#include <linux/cpu.h>
#include <linux/cpumask.h>
#include <linux/err.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/sched.h>

#include "compat.h"
#include "relaybed.h"

static void bed_fire(struct bed_actor *a)
{
	const struct bed_shot *shot = &a->shot;

	if (!shot->ch) {
		bed_klog_fire(a, shot);
		return;
	}
	if (bed_plant_here(a, shot))
		bed_plant_write(a, shot);
	else
		bed_record_put(a, shot, NULL);
	if (a->holding && a->held.ch == shot->ch && a->held.seq != shot->seq)
		bed_plant_release_held(a, true);
}

/* In the actor's context: one record, or the whole script of a nested actor. */
void bed_fire_here(struct bed_actor *a)
{
	struct bed_frame *old = bed_frame_enter(&a->frame);

	if (a->nested)
		bed_nest_run(a);
	else
		bed_fire(a);
	bed_frame_leave(old);
}

void bed_fire_in_interrupt(struct bed_actor *a)
{
	bed_fire_here(a);
	complete(&a->fired);
}

static void bed_tasklet(struct tasklet_struct *tasklet)
{
	bed_fire_in_interrupt(container_of(tasklet, struct bed_actor, tasklet));
}

/* Interrupts are on here: what this CPU raises itself runs before the wait begins. */
static int bed_fire_in_context(struct bed_actor *a)
{
	int err;

	switch (a->spec->context) {
	case RB_CONTEXT_NMI:
		return bed_nmi_send(a);
	case RB_CONTEXT_SOFTIRQ:
		local_bh_disable();
		tasklet_schedule(&a->tasklet);
		local_bh_enable();
		break;
	case RB_CONTEXT_HARDIRQ:
		err = bed_interrupt_raise(a);
		if (err)
			return err;
		break;
	default:
		bed_fire(a);
		return 0;
	}
	bed_interrupt_wait(a);
	return 0;
}

/* Makes record @i of the operation the next to be fired. */
void bed_shot_load(struct bed_actor *a, const struct rb_op *op, u32 i)
{
	struct bed_shot *shot = &a->shot;

	shot->ch = op->channel == RB_NONE16 ? NULL : &bed.channels[op->channel];
	shot->code = op->code;
	shot->irqs_on = op->flags & RB_OP_IRQS_ON;
	shot->held = op->flags & RB_OP_HOLD;
	shot->held_reached = op->arg0;
	shot->held_until = op->arg1;
	shot->literal = op->flags & RB_OP_BLOB ? bed.blob + op->blob : NULL;
	shot->seq = op->seq_first + i;
	shot->len = rb_record_len(bed.request->seed, a->index, shot->seq,
				  op->len_min, op->len_max);
	a->frame.seq = shot->seq;
	a->frame.refused = false;
}

/*
 * With cpus_read_lock() held: from here on the thread is on its CPU. A CPU
 * that went offline since took the binding along.
 */
int bed_producer_home(const struct bed_actor *a, const struct bed_channel *ch)
{
	const struct cpumask *home = cpumask_of(a->spec->cpu);

	if (!cpu_online(a->spec->cpu))
		return -ENXIO;
	/* relay would follow the pointer. */
	if (ch && !*per_cpu_ptr(ch->chan->buf, a->spec->cpu))
		return -ENODEV;
	if (cpumask_equal(current->cpus_ptr, home))
		return 0;
	return set_cpus_allowed_ptr(current, home);
}

/*
 * All records of operation @index, with its channel open if it names one. A CPU
 * that is to go offline waits for the end, so that no record goes to another's
 * buffer.
 */
int bed_producer_write(struct bed_actor *a, u32 index, struct rb_result *result)
{
	const struct rb_op *op = &bed.ops[index];
	int err;
	u32 i;

	cpus_read_lock();
	err = bed_producer_home(a, op->channel == RB_NONE16 ?
				   NULL : &bed.channels[op->channel]);
	if (err)
		goto unlock;
	bed_nest_begin(a, op);
	for (i = 0; i < op->count && !err && !READ_ONCE(bed.stopping); i++) {
		bed_shot_load(a, op, i);
		if (!bed_plant_wrong_cpu(a, &a->shot))
			err = bed_fire_in_context(a);
		bed_nest_settle(a);
		result->refused += a->frame.refused;
		cond_resched();
	}
	bed_nest_end(a);
	a->frame.seq = RB_NONE32;
	result->value = i;
unlock:
	cpus_read_unlock();
	return err;
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

static void bed_work(struct bed_actor *a)
{
	u32 i;

	for (i = 0; i < a->spec->n_ops && !READ_ONCE(bed.stopping); i++) {
		bed_step_at(a->index, i);
		bed_op_run(a, a->spec->first_op + i);
	}
	bed_step_at(a->index, i);
	bed_flush_held(a);
}

static int bed_worker_thread(void *arg)
{
	struct bed_worker *worker = arg;

	for (;;) {
		set_current_state(TASK_IDLE);
		if (kthread_should_stop())
			break;
		if (!smp_load_acquire(&worker->go)) {
			schedule();
			continue;
		}
		__set_current_state(TASK_RUNNING);
		bed_work(worker->actor);
		/* The actor may be gone as soon as the count says so. */
		WRITE_ONCE(worker->go, false);
		if (atomic_dec_and_test(&bed.running))
			wake_up_all(&bed.idle);
	}
	__set_current_state(TASK_RUNNING);
	return 0;
}

static void bed_worker_stop(struct bed_worker *worker)
{
	if (worker->task)
		kthread_stop(worker->task);
	worker->task = NULL;
}

static int bed_worker_start(struct bed_worker *worker, u32 cpu)
{
	struct task_struct *task;

	task = kthread_create(bed_worker_thread, worker, "relaybed/%u", cpu);
	if (IS_ERR(task))
		return PTR_ERR(task);
	kthread_bind(task, cpu);
	worker->task = task;
	worker->cpu = cpu;
	wake_up_process(task);
	return 0;
}

/*
 * An idle thread of @cpu. Threads outlive their request, since making and
 * ending one takes several times as long as a small request runs. There are as
 * many as there can be actors, so one is free; it may have to change its CPU.
 */
static struct bed_worker *bed_worker_get(u32 cpu)
{
	struct bed_worker *free = NULL;
	int err;
	u32 i;

	for (i = 0; i < RB_MAX_ACTORS; i++) {
		struct bed_worker *worker = &bed.workers[i];

		if (worker->actor)
			continue;
		if (worker->task && worker->cpu == cpu)
			return worker;
		/* Rather an unused place than another CPU's thread. */
		if (!free || (free->task && !worker->task))
			free = worker;
	}
	bed_worker_stop(free);
	err = bed_worker_start(free, cpu);
	return err ? ERR_PTR(err) : free;
}

static u32 bed_longest_record(const struct rb_actor *spec)
{
	u32 longest = 1;
	u32 i;

	for (i = 0; i < spec->n_ops; i++)
		longest = max(longest, bed.ops[spec->first_op + i].len_max);
	return longest;
}

/* Finds the actor its thread; bed_producer_go() lets it go. */
int bed_producer_create(struct bed_actor *a, u32 index)
{
	const struct rb_actor *spec = &bed.request->actors[index];
	u32 longest = bed_longest_record(spec);
	struct bed_worker *worker;

	memset(a, 0, sizeof(*a));
	a->index = index;
	a->spec = spec;
	a->frame = (struct bed_frame){ index, RB_NONE32, RB_NONE32, false };
	tasklet_setup(&a->tasklet, bed_tasklet);
	bed_interrupt_init(a);
	init_completion(&a->fired);
	a->nested = test_bit(index, bed.nested);
	if (spec->context == RB_CONTEXT_USER)
		return 0;

	a->scratch = kvmalloc(longest, GFP_KERNEL);
	a->held_data = kvmalloc(longest, GFP_KERNEL);
	if (!a->scratch || !a->held_data)
		return -ENOMEM;
	if (a->nested)
		return 0;
	worker = bed_worker_get(spec->cpu);
	if (IS_ERR(worker))
		return PTR_ERR(worker);
	worker->actor = a;
	a->worker = worker;
	return 0;
}

/* bed.running counts the actor by now. */
void bed_producer_go(struct bed_actor *a)
{
	smp_store_release(&a->worker->go, true);
	wake_up_process(a->worker->task);
}

/* Once no actor runs any more. */
void bed_producer_destroy(struct bed_actor *a)
{
	if (a->worker)
		a->worker->actor = NULL;
	a->worker = NULL;
	tasklet_kill(&a->tasklet);
	bed_interrupt_exit(a);
	kvfree(a->held_data);
	kvfree(a->scratch);
	a->held_data = NULL;
	a->scratch = NULL;
}

void bed_producer_exit(void)
{
	u32 i;

	for (i = 0; i < RB_MAX_ACTORS; i++)
		bed_worker_stop(&bed.workers[i]);
}
