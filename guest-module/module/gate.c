// SPDX-License-Identifier: GPL-2.0-only
/*
 * Gates put actors in order across CPUs; checkpoints let the host look while
 * an actor waits.
 */
#include <linux/delay.h>
#include <linux/errno.h>
#include <linux/list.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>

#include "relaybed.h"

/* A stopped machine costs nothing, so the actor may look often. */
#define BED_ACK_POLL_MIN_US	100
#define BED_ACK_POLL_MAX_US	200

/* Somebody who waits at a gate; lives on its stack. */
struct bed_waiter {
	struct list_head node;
	struct task_struct *task;
	u32 gate;
	u32 count;
};

static LIST_HEAD(bed_waiters);
static DEFINE_RAW_SPINLOCK(bed_waiters_lock);
static DEFINE_MUTEX(bed_checkpoint_lock);

static bool bed_gate_reached(const struct bed_waiter *waiter)
{
	return (u32)atomic_read(&bed.gates[waiter->gate]) >= waiter->count;
}

void bed_gate_reset(void)
{
	u32 i;

	for (i = 0; i < RB_MAX_GATES; i++)
		atomic_set(&bed.gates[i], 0);
}

/*
 * Wakes all who wait for @gate and have what they wait for; RB_NONE32: all who
 * wait. A wait queue would wake them with its lock held, for which they come
 * at once: on an emulated machine most of a hand-over is then spent spinning.
 */
static void bed_gate_wake(u32 gate)
{
	struct task_struct *tasks[RB_MAX_ACTORS];
	struct bed_waiter *waiter;
	unsigned long flags;
	u32 i, n = 0;

	raw_spin_lock_irqsave(&bed_waiters_lock, flags);
	list_for_each_entry(waiter, &bed_waiters, node) {
		if (n == ARRAY_SIZE(tasks))
			break;
		if (gate != RB_NONE32 &&
		    (waiter->gate != gate || !bed_gate_reached(waiter)))
			continue;
		get_task_struct(waiter->task);
		tasks[n++] = waiter->task;
	}
	raw_spin_unlock_irqrestore(&bed_waiters_lock, flags);

	for (i = 0; i < n; i++) {
		wake_up_process(tasks[i]);
		put_task_struct(tasks[i]);
	}
}

/* From any context but NMI. */
void bed_gate_signal(u32 gate)
{
	/* A full barrier: who is not in the list yet sees the new count. */
	atomic_inc_return(&bed.gates[gate]);
	bed_gate_wake(gate);
}

/* Whoever waits looks at bed.stopping. */
void bed_gate_release(void)
{
	bed_gate_wake(RB_NONE32);
}

static int bed_gate_sleep(const struct bed_waiter *waiter)
{
	int err = 0;

	for (;;) {
		set_current_state(TASK_INTERRUPTIBLE);
		if (bed_gate_reached(waiter))
			break;
		if (READ_ONCE(bed.stopping)) {
			err = -ECANCELED;
			break;
		}
		if (signal_pending(current)) {
			err = -EINTR;
			break;
		}
		schedule();
	}
	__set_current_state(TASK_RUNNING);
	return err;
}

int bed_gate_wait(u32 gate, u32 count)
{
	struct bed_waiter waiter = {
		.task = current,
		.gate = gate,
		.count = count,
	};
	unsigned long flags;
	int err;

	raw_spin_lock_irqsave(&bed_waiters_lock, flags);
	list_add_tail(&waiter.node, &bed_waiters);
	raw_spin_unlock_irqrestore(&bed_waiters_lock, flags);

	err = bed_gate_sleep(&waiter);

	raw_spin_lock_irqsave(&bed_waiters_lock, flags);
	list_del(&waiter.node);
	raw_spin_unlock_irqrestore(&bed_waiters_lock, flags);
	return err;
}

int bed_checkpoint(u32 label, u32 op)
{
	struct rb_header *header = bed.header;
	int err = 0;
	u32 seq;

	if (mutex_lock_interruptible(&bed_checkpoint_lock))
		return -EINTR;

	bed_directory_refresh();
	header->checkpoint_label = label;
	header->checkpoint_op = op;
	seq = header->checkpoint_seq + 1;
	smp_store_release(&header->checkpoint_seq, seq);
	bed_ring("C");
	while ((s32)(smp_load_acquire(&header->checkpoint_ack) - seq) < 0) {
		if (READ_ONCE(bed.stopping)) {
			err = -ECANCELED;
			break;
		}
		if (signal_pending(current)) {
			err = -EINTR;
			break;
		}
		usleep_range(BED_ACK_POLL_MIN_US, BED_ACK_POLL_MAX_US);
	}
	mutex_unlock(&bed_checkpoint_lock);
	return err;
}
