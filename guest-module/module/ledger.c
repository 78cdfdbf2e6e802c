// SPDX-License-Identifier: GPL-2.0-only
/*
 * What relay holds of the kernel's memory: each piece that is allocated while a
 * thread is inside relay, by channel, until it is freed, wherever that is.
 *
 * The kernel's own tracepoints tell. Pages are not in it: they do not say for
 * whom they are, and a slab or a page table that grows takes some as well.
 * relay_prepare_cpu() of a kernel is called by the kernel and not by us, so what
 * it allocates is not in it either.
 */
#include <linux/hashtable.h>
#include <linux/kallsyms.h>
#include <linux/slab.h>
#include <linux/stacktrace.h>
#include <linux/string.h>
#include <linux/tracepoint.h>

#include <trace/events/kmem.h>
#include <trace/events/percpu.h>

#include "compat.h"
#include "relaybed.h"

/* Twice what eight channels of 64 buffers are. */
#define BED_LEDGER_PIECES	4096

struct bed_piece {
	struct hlist_node node;
	const void *at;
	size_t bytes;
	unsigned long site;		/* who asked for it */
	u32 channel;
	u32 number;			/* in the order of their coming */
};

static struct bed_piece bed_pieces[BED_LEDGER_PIECES];
static HLIST_HEAD(bed_unused);
static DEFINE_HASHTABLE(bed_held, 9);
static DEFINE_RAW_SPINLOCK(bed_ledger_lock);
static atomic_t bed_n_held;
static u32 bed_numbers;
static u32 bed_last_own[RB_MAX_CHANNELS];	/* the last that relay.c itself asked for */
static bool bed_overrun;		/* a piece found no place: nothing is known */

/* The thread that is inside relay for a channel: one, as ch->life sees to. */
static struct task_struct *bed_inside[RB_MAX_CHANNELS];

void bed_ledger_enter(u32 channel)
{
	WRITE_ONCE(bed_inside[channel], current);
}

void bed_ledger_leave(u32 channel)
{
	WRITE_ONCE(bed_inside[channel], NULL);
}

/* Whether the thread at hand is. */
bool bed_ledger_inside(u32 channel)
{
	return READ_ONCE(bed_inside[channel]) == current;
}

static u32 bed_ledger_channel(void)
{
	u32 i;

	/* An interrupt on top of the thread allocates for itself. */
	if (!in_task())
		return RB_NONE32;
	for (i = 0; i < RB_MAX_CHANNELS; i++)
		if (bed_ledger_inside(i))
			return i;
	return RB_NONE32;
}

/* The client's callback begins: what it allocates is not relay's. */
u32 bed_ledger_pause(void)
{
	u32 channel = bed_ledger_channel();

	if (channel != RB_NONE32)
		bed_ledger_leave(channel);
	return channel;
}

void bed_ledger_resume(u32 channel)
{
	if (channel != RB_NONE32)
		bed_ledger_enter(channel);
}

/* Whether one of relay.c's functions made the call. */
bool bed_is_relays(unsigned long site)
{
	char name[KSYM_SYMBOL_LEN];

	sprint_symbol_no_offset(name, site);
	return strstarts(name, "relay_") || strstarts(name, "own_relay_");
}

#ifdef CONFIG_STACKTRACE
/* Frames between an allocation and relay, with room to spare. */
#define BED_FRAMES	32

static bool bed_is_slabs(unsigned long address)
{
	static const char *const entries[] = {
		"kmalloc", "kmem_cache_alloc", "kfree", "kmem_cache_free",
	};
	char name[KSYM_SYMBOL_LEN];
	u32 i;

	sprint_symbol_no_offset(name, address);
	for (i = 0; i < ARRAY_SIZE(entries); i++)
		if (strstr(name, entries[i]))
			return true;
	return false;
}

/*
 * Whether the slab allocator asked for it, in an allocation or a release that is
 * somebody else's: it keeps its per-CPU sheaves (since 6.18). Told by the stack
 * from the one who asked up to relay.
 */
static bool bed_is_the_allocators(unsigned long site)
{
	unsigned long frames[BED_FRAMES];
	u32 n = stack_trace_save(frames, BED_FRAMES, 0);
	bool asked = false;
	u32 i;

	for (i = 0; i < n && !(asked && bed_is_relays(frames[i])); i++) {
		if (asked && bed_is_slabs(frames[i]))
			return true;
		asked |= frames[i] == site;
	}
	return false;
}
#else
static bool bed_is_the_allocators(unsigned long site)
{
	return false;
}
#endif

static struct bed_piece *bed_ledger_find(const void *at)
{
	struct bed_piece *piece;

	hash_for_each_possible(bed_held, piece, node, (unsigned long)at)
		if (piece->at == at)
			return piece;
	return NULL;
}

static void bed_ledger_drop(struct bed_piece *piece)
{
	hash_del(&piece->node);
	hlist_add_head(&piece->node, &bed_unused);
	atomic_dec(&bed_n_held);
}

/*
 * The allocator of per-CPU memory takes some for its own lists now and then, and
 * keeps it: what came behind relay's last call of an allocator and before the
 * per-CPU memory itself.
 */
static void bed_ledger_drop_since(u32 channel, u32 number)
{
	struct hlist_node *next;
	struct bed_piece *piece;
	int bucket;

	hash_for_each_safe(bed_held, bucket, next, piece, node)
		if (piece->channel == channel && piece->number > number)
			bed_ledger_drop(piece);
}

static void __maybe_unused bed_ledger_add(unsigned long site, const void *at, size_t bytes,
					  bool percpu)
{
	u32 channel = bed_ledger_channel();
	struct bed_piece *piece;
	unsigned long flags;
	bool relays;

	if (channel == RB_NONE32 || ZERO_OR_NULL_PTR(at))
		return;
	relays = percpu || bed_is_relays(site);
	if (!relays && bed_is_the_allocators(site))
		return;
	raw_spin_lock_irqsave(&bed_ledger_lock, flags);
	/* Some kernels fire the event twice for one large allocation. */
	if (bed_ledger_find(at))
		goto unlock;
	if (percpu)
		bed_ledger_drop_since(channel, bed_last_own[channel]);
	if (hlist_empty(&bed_unused)) {
		bed_overrun = true;
		goto unlock;
	}
	piece = hlist_entry(bed_unused.first, struct bed_piece, node);
	hlist_del(&piece->node);
	piece->at = at;
	piece->bytes = bytes;
	piece->site = site;
	piece->channel = channel;
	piece->number = ++bed_numbers;
	if (relays)
		bed_last_own[channel] = piece->number;
	hash_add(bed_held, &piece->node, (unsigned long)at);
	atomic_inc(&bed_n_held);
unlock:
	raw_spin_unlock_irqrestore(&bed_ledger_lock, flags);
}

static void __maybe_unused bed_ledger_remove(const void *at)
{
	struct bed_piece *piece;
	unsigned long flags;

	if (!atomic_read(&bed_n_held))
		return;
	raw_spin_lock_irqsave(&bed_ledger_lock, flags);
	piece = bed_ledger_find(at);
	if (piece)
		bed_ledger_drop(piece);
	raw_spin_unlock_irqrestore(&bed_ledger_lock, flags);
}

/* A new request: what the one before has leaked is not this one's. */
void bed_ledger_clear(void)
{
	struct hlist_node *next;
	struct bed_piece *piece;
	unsigned long flags;
	int bucket;

	raw_spin_lock_irqsave(&bed_ledger_lock, flags);
	hash_for_each_safe(bed_held, bucket, next, piece, node)
		bed_ledger_drop(piece);
	bed_overrun = false;
	raw_spin_unlock_irqrestore(&bed_ledger_lock, flags);
}

#ifdef CONFIG_TRACEPOINTS

static void bed_on_kmalloc(void *data, unsigned long call_site, const void *ptr,
			   size_t bytes_req, size_t bytes_alloc,
			   gfp_t gfp_flags BED_KMALLOC_NODE)
{
	bed_ledger_add(call_site, ptr, bytes_req, false);
}

#if HAVE_KMALLOC_NODE_EVENT
static void bed_on_kmalloc_node(void *data, unsigned long call_site, const void *ptr,
				size_t bytes_req, size_t bytes_alloc, gfp_t gfp_flags,
				int node)
{
	bed_ledger_add(call_site, ptr, bytes_req, false);
}
#endif

static void bed_on_kfree(void *data, unsigned long call_site, const void *ptr)
{
	bed_ledger_remove(ptr);
}

#if HAVE_PERCPU_CALL_SITE
static void bed_on_percpu(void *data, unsigned long call_site, bool reserved,
			  bool is_atomic, size_t size, size_t align, void *base_addr,
			  int off, void __percpu *ptr, size_t bytes_alloc, gfp_t gfp_flags)
{
	bed_ledger_add(call_site, (void *)(__force unsigned long)ptr, size, true);
}
#else
/* It does not say who asked. */
static void bed_on_percpu(void *data, bool reserved, bool is_atomic, size_t size,
			  size_t align, void *base_addr, int off, void __percpu *ptr)
{
	bed_ledger_add(0, (void *)(__force unsigned long)ptr, size, true);
}
#endif

static void bed_on_percpu_free(void *data, void *base_addr, int off, void __percpu *ptr)
{
	bed_ledger_remove((void *)(__force unsigned long)ptr);
}

struct bed_probe {
	const char *name;
	void *call;
	struct tracepoint *tracepoint;
};

static struct bed_probe bed_probes[] = {
	{ "kmalloc", bed_on_kmalloc },
#if HAVE_KMALLOC_NODE_EVENT
	{ "kmalloc_node", bed_on_kmalloc_node },
#endif
	{ "kfree", bed_on_kfree },
	{ "percpu_alloc_percpu", bed_on_percpu },
	{ "percpu_free_percpu", bed_on_percpu_free },
};

static void bed_find_probe(struct tracepoint *tracepoint, void *data)
{
	u32 i;

	for (i = 0; i < ARRAY_SIZE(bed_probes); i++)
		if (!strcmp(tracepoint->name, bed_probes[i].name))
			bed_probes[i].tracepoint = tracepoint;
}

/* That the kernel at hand calls them as they are written here. */
static void __maybe_unused bed_check_probes(void)
{
	check_trace_callback_type_kmalloc(bed_on_kmalloc);
#if HAVE_KMALLOC_NODE_EVENT
	check_trace_callback_type_kmalloc_node(bed_on_kmalloc_node);
#endif
	check_trace_callback_type_kfree(bed_on_kfree);
	check_trace_callback_type_percpu_alloc_percpu(bed_on_percpu);
	check_trace_callback_type_percpu_free_percpu(bed_on_percpu_free);
}

static void bed_ledger_stop(u32 n)
{
	while (n-- > 0)
		tracepoint_probe_unregister(bed_probes[n].tracepoint,
					    bed_probes[n].call, NULL);
	tracepoint_synchronize_unregister();
}

/* All or none: a partial set would miscount. */
static bool bed_ledger_start(void)
{
	u32 i;

	for_each_kernel_tracepoint(bed_find_probe, NULL);
	for (i = 0; i < ARRAY_SIZE(bed_probes); i++) {
		if (!bed_probes[i].tracepoint ||
		    tracepoint_probe_register(bed_probes[i].tracepoint,
					      bed_probes[i].call, NULL)) {
			bed_ledger_stop(i);
			return false;
		}
	}
	return true;
}

static void bed_ledger_end(void)
{
	bed_ledger_stop(ARRAY_SIZE(bed_probes));
}

#else

static bool bed_ledger_start(void)
{
	return false;
}

static void bed_ledger_end(void)
{
}

#endif

static bool bed_ledger_on;

/* What a channel holds now, and where the oldest piece of it was asked for. */
void bed_ledger_report(u32 channel, struct rb_dir_channel *dir)
{
	const struct bed_piece *piece;
	unsigned long site = 0;
	u32 oldest = RB_NONE32;
	unsigned long flags;
	int bucket;

	dir->held_known = bed_ledger_on && !bed_overrun;
	dir->held = 0;
	dir->held_bytes = 0;
	memset(dir->held_at, 0, sizeof(dir->held_at));
	if (!atomic_read(&bed_n_held))
		return;
	raw_spin_lock_irqsave(&bed_ledger_lock, flags);
	hash_for_each(bed_held, bucket, piece, node) {
		if (piece->channel != channel)
			continue;
		dir->held++;
		dir->held_bytes += piece->bytes;
		if (piece->number < oldest) {
			oldest = piece->number;
			site = piece->site;
		}
	}
	raw_spin_unlock_irqrestore(&bed_ledger_lock, flags);
	if (dir->held)
		snprintf(dir->held_at, sizeof(dir->held_at), "%ps", (void *)site);
}

/* A kernel without these tracepoints is tested all the same. */
void bed_ledger_init(void)
{
	u32 i;

	hash_init(bed_held);
	for (i = 0; i < BED_LEDGER_PIECES; i++)
		hlist_add_head(&bed_pieces[i].node, &bed_unused);
	bed_ledger_on = bed_ledger_start();
}

void bed_ledger_exit(void)
{
	if (bed_ledger_on)
		bed_ledger_end();
}
