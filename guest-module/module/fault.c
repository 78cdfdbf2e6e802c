// SPDX-License-Identifier: GPL-2.0-only
/*
 * Openings for which there is no memory: one allocation that relay_open() makes,
 * itself or in a function of relay's that it calls, gets none.
 *
 * relay.c asks in one order from 5.10 to 7.3: for the channel and its per-CPU
 * pointers, then for each CPU that is online for the buffer, its padding, its list
 * of pages, each page, the mapping of them, and the file's name. So the allocation
 * is found by its number among the calls that come back to a function of relay's.
 */
#include <linux/cpumask.h>
#include <linux/kallsyms.h>
#include <linux/kprobes.h>
#include <linux/mm.h>
#include <linux/string.h>

#include "relaybed.h"

static u32 bed_pages_of(const struct rb_channel_spec *spec)
{
	return PAGE_ALIGN(spec->subbuf_size * spec->n_subbufs) >> PAGE_SHIFT;
}

/* Which allocation of the opening, from 1. */
static u32 bed_fault_number(const struct rb_channel_spec *spec)
{
	u32 pages = bed_pages_of(spec);
	u32 named = spec->flags & RB_CHAN_BUFFER_ONLY ? 0 : 1;
	u32 each = 4 + pages + named;
	u32 before = 0;
	unsigned int cpu;

	if (!(spec->flags & RB_CHAN_GLOBAL))
		for_each_online_cpu(cpu)
			before += cpu < spec->no_memory_cpu;
	switch (spec->no_memory) {
	case RB_NO_MEMORY_CHANNEL:
		return 1;
	case RB_NO_MEMORY_POINTERS:
		return 2;
	case RB_NO_MEMORY_BUFFER:
		return 2 + before * each + 1;
	case RB_NO_MEMORY_PADDING:
		return 2 + before * each + 2;
	case RB_NO_MEMORY_PAGE_LIST:
		return 2 + before * each + 3;
	case RB_NO_MEMORY_PAGE:
		return 2 + before * each + 3 + pages;
	case RB_NO_MEMORY_MAPPING:
		return 2 + before * each + 4 + pages;
	default:
		return 2 + before * each + 5 + pages;
	}
}

#ifdef CONFIG_KPROBES

/* What relay.c calls for memory, in one release or another. */
static const char * const bed_allocators[] = {
	"__alloc_percpu",
	"__kmalloc",
	"__kmalloc_cache_noprof",
	"__kmalloc_noprof",
	"__kvmalloc_node_noprof",
	"alloc_pages",
	"alloc_pages_current",
	"alloc_pages_noprof",
	"kasprintf",
	"kmalloc_trace",
	"kmem_cache_alloc_trace",
	"kvmalloc_node",
	"pcpu_alloc_noprof",
	"vmap",
	"vzalloc",
	"vzalloc_noprof",
};

static DEFINE_MUTEX(bed_fault_lock);
static struct kprobe bed_fault_probes[ARRAY_SIZE(bed_allocators)];
static bool bed_fault_set[ARRAY_SIZE(bed_allocators)];
static bool bed_fault_ready;		/* each was set, or cannot be */
static u32 bed_fault_channel;
static u32 bed_fault_left;		/* allocations until the one that fails */

/* What the allocator is replaced by: it comes back at once, with NULL in the register. */
static noinline notrace void bed_come_back(void)
{
	barrier();
}

static bool bed_is_relays(unsigned long address)
{
	char name[KSYM_SYMBOL_LEN];

	sprint_symbol_no_offset(name, address);
	return strstarts(name, "relay_") || strstarts(name, "own_relay_");
}

/* At the allocator's first instruction: the caller's address is on top of the stack. */
static int bed_fault_reached(struct kprobe *probe, struct pt_regs *regs)
{
	unsigned long caller = *(unsigned long *)regs->sp;

	if (!bed_ledger_inside(bed_fault_channel) || !bed_is_relays(caller))
		return 0;
	if (!bed_fault_left || --bed_fault_left)
		return 0;
	regs->ax = 0;
	regs->ip = (unsigned long)bed_come_back;
	return 1;
}
NOKPROBE_SYMBOL(bed_fault_reached);

/* Has the kernel leave the probe a breakpoint: see below. */
static void bed_fault_passed(struct kprobe *probe, struct pt_regs *regs,
			     unsigned long flags)
{
}

static int bed_fault_probe(struct kprobe *probe, const char *name,
			   kprobe_post_handler_t passed)
{
	memset(probe, 0, sizeof(*probe));
	probe->symbol_name = name;
	probe->pre_handler = bed_fault_reached;
	probe->post_handler = passed;
	return register_kprobe(probe);
}

/*
 * Where the probe goes on is the handler's to say in two of three cases: where
 * ftrace calls it, unless there is a second handler, and at a breakpoint. A
 * breakpoint is made a jump after a while, which comes back always; it is not
 * where there is a second handler.
 */
static bool bed_fault_set_probe(struct kprobe *probe, const char *name)
{
	if (bed_fault_probe(probe, name, NULL))
		return false;
	if (kprobe_ftrace(probe))
		return true;
	unregister_kprobe(probe);
	return !bed_fault_probe(probe, name, bed_fault_passed);
}

/*
 * Setting and removing them takes a large part of a second under emulation: they
 * stay once they were needed. No kernel has them all.
 */
static void bed_fault_set_all(void)
{
	u32 i;

	for (i = 0; i < ARRAY_SIZE(bed_allocators) && !bed_fault_ready; i++)
		bed_fault_set[i] = bed_fault_set_probe(&bed_fault_probes[i],
						       bed_allocators[i]);
	bed_fault_ready = true;
}

bool bed_fault_arm(struct bed_channel *ch)
{
	const struct rb_channel_spec *spec = ch->spec;

	if (!spec->no_memory || ch->openings++ >= spec->no_memory_times)
		return false;
	mutex_lock(&bed_fault_lock);
	bed_fault_set_all();
	bed_fault_channel = ch->index;
	bed_fault_left = bed_fault_number(spec);
	return true;
}

void bed_fault_disarm(void)
{
	bed_fault_left = 0;
	mutex_unlock(&bed_fault_lock);
}

void bed_fault_exit(void)
{
	u32 i;

	for (i = 0; i < ARRAY_SIZE(bed_allocators); i++)
		if (bed_fault_set[i])
			unregister_kprobe(&bed_fault_probes[i]);
}

#else

/* The opening has its memory, which the judge will see. */
bool bed_fault_arm(struct bed_channel *ch)
{
	return false;
}

void bed_fault_disarm(void)
{
}

void bed_fault_exit(void)
{
}

#endif
