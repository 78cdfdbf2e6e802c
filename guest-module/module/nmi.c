// SPDX-License-Identifier: GPL-2.0-only
/*
 * NMIs that a CPU sends itself through its local APIC.
 */
#include <linux/percpu.h>
#include <linux/smp.h>
#include <linux/ktime.h>

#include <asm/apic.h>
#include <asm/irq_vectors.h>
#include <asm/nmi.h>

#include "relaybed.h"

#define BED_NMI_NAME		"relaybed"
#define BED_NMI_WAIT_NS		NSEC_PER_SEC

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

/*
 * Fires @a in an NMI of this CPU and returns when that is over. In any
 * context; 0, or -ETIMEDOUT when none came.
 */
int bed_nmi_send(struct bed_actor *a)
{
	u64 end = ktime_get_mono_fast_ns() + BED_NMI_WAIT_NS;
	int cpu = get_cpu();
	int err = 0;

	WRITE_ONCE(a->nmi_over, false);
	this_cpu_write(bed_nmi_next, a);
	apic->send_IPI(cpu, NMI_VECTOR);
	while (!smp_load_acquire(&a->nmi_over)) {
		cpu_relax();
		/* One that comes after all must not find the actor gone. */
		if (ktime_get_mono_fast_ns() > end &&
		    this_cpu_xchg(bed_nmi_next, NULL)) {
			err = -ETIMEDOUT;
			break;
		}
	}
	put_cpu();
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
