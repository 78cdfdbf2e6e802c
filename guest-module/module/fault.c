// SPDX-License-Identifier: GPL-2.0-only
/*
 * Openings for which there is no memory: one allocation that relay_open() makes,
 * itself or in a function of relay's that it calls, gets none.
 *
 * relay.c asks in one order from 5.10 to 7.3: for the channel and its per-CPU
 * pointers, then for each CPU that is online for the buffer, its padding, its list
 * of pages, each page, the mapping of them, and the file's name. So the allocation
 * is found by its number among the calls whose return address is in relay, and
 * must be of the kind that is meant: else none fails, and the opening says so.
 */
#include <linux/cpumask.h>
#include <linux/kallsyms.h>
#include <linux/kprobes.h>
#include <linux/mm.h>
#include <linux/string.h>

#include "relaybed.h"

/* Which allocation of the opening, from 1. */
static u32 bed_fault_number(const struct rb_channel_spec *spec)
{
	u32 pages = bed_buffer_pages(spec);
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

#define BED_LIST	BIT(RB_NO_MEMORY_PAGE_LIST)
#define BED_NAME	BIT(RB_NO_MEMORY_NAME)
#define BED_PAGES	BIT(RB_NO_MEMORY_PAGE)
#define BED_PERCPU	BIT(RB_NO_MEMORY_POINTERS)
#define BED_VMAP	BIT(RB_NO_MEMORY_MAPPING)
#define BED_SLAB	(BIT(RB_NO_MEMORY_CHANNEL) | BIT(RB_NO_MEMORY_BUFFER) | \
			 BIT(RB_NO_MEMORY_PADDING) | BED_LIST | BED_NAME)

/* What relay.c calls for memory, in one release or another. */
static const struct bed_allocator {
	const char *name;
	u32 gives;			/* bits of enum rb_no_memory */
} bed_allocators[] = {
	{ "__alloc_percpu", BED_PERCPU },
	{ "__kmalloc", BED_SLAB },
	{ "__kmalloc_cache_noprof", BED_SLAB },
	{ "__kmalloc_noprof", BED_SLAB },
	{ "__kvmalloc_node_noprof", BED_LIST },
	{ "alloc_pages", BED_PAGES },
	{ "alloc_pages_current", BED_PAGES },
	{ "alloc_pages_noprof", BED_PAGES },
	{ "kasprintf", BED_NAME },
	{ "kmalloc_trace", BED_SLAB },
	{ "kmem_cache_alloc_trace", BED_SLAB },
	{ "kvmalloc_node", BED_LIST },
	{ "pcpu_alloc_noprof", BED_PERCPU },
	{ "vmap", BED_VMAP },
	{ "vzalloc", BED_LIST },
	{ "vzalloc_noprof", BED_LIST },
};

static DEFINE_MUTEX(bed_fault_lock);
static struct kprobe bed_fault_probes[ARRAY_SIZE(bed_allocators)];
static bool bed_fault_set[ARRAY_SIZE(bed_allocators)];
static bool bed_fault_ready;		/* each was set, or cannot be */
static u32 bed_fault_channel;
static u32 bed_fault_kind;		/* enum rb_no_memory */
static u32 bed_fault_left;		/* allocations until the one that fails */
static bool bed_fault_hit;

/* Stands in for the allocator: returns at once, and NULL is in the register already. */
static noinline notrace void bed_return_null(void)
{
	barrier();
}

/* At the allocator's first instruction: the caller's address is on top of the stack. */
static int bed_fault_reached(struct kprobe *probe, struct pt_regs *regs)
{
	unsigned long caller = *(unsigned long *)regs->sp;

	if (!bed_ledger_inside(bed_fault_channel) || !bed_is_relays(caller))
		return 0;
	if (!bed_fault_left || --bed_fault_left)
		return 0;
	if (!(bed_allocators[probe - bed_fault_probes].gives & BIT(bed_fault_kind)))
		return 0;
	bed_fault_hit = true;
	regs->ax = 0;
	regs->ip = (unsigned long)bed_return_null;
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
 * A probe that ftrace calls honours regs->ip unless it has a post_handler, and so
 * does one at a breakpoint. A breakpoint that was optimised into a jump does not; a
 * post_handler prevents the optimisation.
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
						       bed_allocators[i].name);
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
	bed_fault_kind = spec->no_memory;
	bed_fault_hit = false;
	bed_fault_left = bed_fault_number(spec);
	return true;
}

/* Whether the allocation that was meant came, and failed. */
bool bed_fault_disarm(void)
{
	bool hit = bed_fault_hit;

	bed_fault_left = 0;
	mutex_unlock(&bed_fault_lock);
	return hit;
}

void bed_fault_exit(void)
{
	u32 i;

	for (i = 0; i < ARRAY_SIZE(bed_allocators); i++)
		if (bed_fault_set[i])
			unregister_kprobe(&bed_fault_probes[i]);
}

#else

/* A request that needs it is refused. */
bool bed_fault_arm(struct bed_channel *ch)
{
	return false;
}

bool bed_fault_disarm(void)
{
	return false;
}

void bed_fault_exit(void)
{
}

#endif
