// SPDX-License-Identifier: GPL-2.0-only
/*
 * NMIs: those that a CPU sends itself through its local APIC, and those that
 * the host sends CPU 0, whose line LINT1 the kernel takes NMIs from.
 */
#include <linux/delay.h>
#include <linux/irqflags.h>
#include <linux/ktime.h>
#include <linux/percpu.h>
#include <linux/smp.h>

#include <asm/apic.h>
#include <asm/irq_vectors.h>
#include <asm/nmi.h>

#include "relaybed.h"

#define BED_NMI_NAME		"relaybed"

/* Whose turn it is at the next NMI of the CPU. */
static DEFINE_PER_CPU(struct bed_actor *, bed_nmi_next);

static int bed_nmi(unsigned int cmd, struct pt_regs *regs)
{
	struct bed_actor *a = this_cpu_xchg(bed_nmi_next, NULL);

	if (!a)
		return NMI_DONE;
	bed_fire_here(a);
	smp_store_release(&a->nmi_over, true);
	return NMI_HANDLED;
}

/* On CPU 0 with interrupts out, so nobody else asks. */
static void bed_nmi_ask_host(void)
{
	smp_store_release(&bed.header->nmi_seq, bed.header->nmi_seq + 1);
	bed_ring("N");
}

/*
 * Fires @a in an NMI of this CPU and returns when that is over. In any
 * context; 0, or -ETIMEDOUT when none came. Interrupts stay out: one whose
 * handler nests an NMI of its own would take this one's turn.
 */
int bed_nmi_send(struct bed_actor *a)
{
	u64 end = ktime_get_mono_fast_ns() + RB_NMI_MAX_US * NSEC_PER_USEC;
	unsigned long flags;
	int err = 0;

	local_irq_save(flags);
	WRITE_ONCE(a->nmi_over, false);
	this_cpu_write(bed_nmi_next, a);
	if (a->spec->source == RB_SOURCE_HOST)
		bed_nmi_ask_host();
	else
		apic->send_IPI(smp_processor_id(), NMI_VECTOR);
	while (!smp_load_acquire(&a->nmi_over)) {
		udelay(1);
		/* One that comes after all must not find the actor gone. */
		if (ktime_get_mono_fast_ns() > end &&
		    this_cpu_xchg(bed_nmi_next, NULL)) {
			err = -ETIMEDOUT;
			break;
		}
	}
	local_irq_restore(flags);
	return err;
}

int bed_nmi_init(void)
{
	return register_nmi_handler(NMI_LOCAL, bed_nmi, 0, BED_NMI_NAME);
}

void bed_nmi_exit(void)
{
	unregister_nmi_handler(NMI_LOCAL, BED_NMI_NAME);
}
