// SPDX-License-Identifier: GPL-2.0-only
/*
 * Interrupts of an actor's own CPU: by an irq_work, by a timer that is due at
 * once, or by a function call from another CPU.
 */
#include <linux/delay.h>
#include <linux/hrtimer.h>
#include <linux/irq_work.h>
#include <linux/sched.h>
#include <linux/smp.h>

#include "compat.h"
#include "relaybed.h"

static void bed_irq_work(struct irq_work *work)
{
	bed_fire_in_interrupt(container_of(work, struct bed_actor, irq_work));
}

static enum hrtimer_restart bed_hrtimer(struct hrtimer *timer)
{
	bed_fire_in_interrupt(container_of(timer, struct bed_actor, hrtimer));
	return HRTIMER_NORESTART;
}

static void bed_ipi(void *info)
{
	bed_fire_in_interrupt(info);
}

/* On the other CPU. */
static void bed_ipi_send(void *info)
{
	struct bed_actor *a = info;

	smp_call_function_single_async(a->spec->cpu, &a->ipi);
}

/* CPU 0 never goes offline, and whoever is on it needs another one. */
u32 bed_interrupt_sender(u32 cpu)
{
	return cpu ? 0 : 1;
}

void bed_interrupt_init(struct bed_actor *a)
{
	bed_init_hard_irq_work(&a->irq_work, bed_irq_work);
	bed_init_hard_hrtimer(&a->hrtimer, bed_hrtimer);
	a->ipi = (call_single_data_t){ .func = bed_ipi, .info = a };
	a->ask = (call_single_data_t){ .func = bed_ipi_send, .info = a };
}

/* Once nothing was raised that did not come. */
void bed_interrupt_exit(struct bed_actor *a)
{
	irq_work_sync(&a->irq_work);
	hrtimer_cancel(&a->hrtimer);
}

/* From any context below hardirq of the actor's CPU, which cannot change. */
int bed_interrupt_raise(struct bed_actor *a)
{
	switch (a->spec->source) {
	case RB_SOURCE_HRTIMER:
		hrtimer_start(&a->hrtimer, 0, HRTIMER_MODE_REL_PINNED_HARD);
		return 0;
	case RB_SOURCE_IPI:
		return smp_call_function_single_async(bed_interrupt_sender(a->spec->cpu),
						      &a->ask);
	default:
		irq_work_queue(&a->irq_work);
		return 0;
	}
}

/*
 * Until what was raised is over, in task context. A CPU that idles may look
 * into its queue of function calls without any interrupt, so this one is kept
 * from idling.
 */
void bed_interrupt_wait(struct bed_actor *a)
{
	if (a->spec->source == RB_SOURCE_IPI) {
		while (!completion_done(&a->fired)) {
			udelay(1);
			cond_resched();
		}
	}
	wait_for_completion(&a->fired);
}
