// SPDX-License-Identifier: GPL-2.0-only
/*
 * The mailbox: one physically contiguous block that host, agent and module
 * share, and what its header says of this kernel.
 */
#include <linux/cpumask.h>
#include <linux/errno.h>
#include <linux/gfp.h>
#include <linux/io.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/string.h>
#include <linux/utsname.h>

#include "compat.h"
#include "relaybed.h"

#define BED_BUF_MEMBER(m)	BED_MEMBER(struct rchan_buf, m)
#define BED_CHAN_MEMBER(m)	BED_MEMBER(struct rchan, m)

static void bed_describe_relay(struct rb_header *header)
{
	header->buf = (struct rb_buf_members){
		.start = BED_BUF_MEMBER(start),
		.data = BED_BUF_MEMBER(data),
		.offset = BED_BUF_MEMBER(offset),
		.subbufs_produced = BED_BUF_MEMBER(subbufs_produced),
		.subbufs_consumed = BED_BUF_MEMBER(subbufs_consumed),
		.page_count = BED_BUF_MEMBER(page_count),
		.finalized = BED_BUF_MEMBER(finalized),
		.padding = BED_BUF_MEMBER(padding),
		.prev_padding = BED_PREV_PADDING,
		.bytes_consumed = BED_BUF_MEMBER(bytes_consumed),
		.early_bytes = BED_BUF_MEMBER(early_bytes),
		.cpu = BED_BUF_MEMBER(cpu),
		.full_count = BED_FULL_COUNT,
		.big_count = BED_BIG_COUNT,
		.kref = BED_BUF_MEMBER(kref),
		.size = sizeof(struct rchan_buf),
	};
	header->chan = (struct rb_chan_members){
		.version = BED_CHAN_MEMBER(version),
		.subbuf_size = BED_CHAN_MEMBER(subbuf_size),
		.n_subbufs = BED_CHAN_MEMBER(n_subbufs),
		.alloc_size = BED_CHAN_MEMBER(alloc_size),
		.last_toobig = BED_LAST_TOOBIG,
		.is_global = BED_CHAN_MEMBER(is_global),
		.has_base_filename = BED_CHAN_MEMBER(has_base_filename),
		.size = sizeof(struct rchan),
	};
}

static void bed_describe_kernel(struct rb_header *header)
{
	unsigned int cpu;

	header->magic = RB_MAGIC;
	header->abi_version = RB_ABI_VERSION;
	header->mailbox_size = RB_MAILBOX_SIZE;
	header->mailbox_pa = page_to_phys(bed.pages);
	header->direct_map = PAGE_OFFSET;
	header->linux_version = LINUX_VERSION_CODE;
	header->page_size = PAGE_SIZE;
	header->cpus_possible = nr_cpu_ids;
	header->cpus_online = num_online_cpus();
	for_each_online_cpu(cpu)
		if (cpu < RB_MAX_CPUS)
			header->cpus_online_mask |= 1ULL << cpu;
	strscpy(header->release, init_utsname()->release, RB_NAME_SIZE);
}

/* get_taint() is not exported; asking for one bit is. */
u64 bed_taint(void)
{
	u64 mask = 0;
	unsigned int bit;

	for (bit = 0; bit < TAINT_FLAGS_COUNT; bit++)
		if (test_taint(bit))
			mask |= 1ULL << bit;
	return mask;
}

/*
 * What the last request left in the mailbox goes; what tells of the kernel
 * stays. bed.request is the last one still.
 */
void bed_mailbox_clear(void)
{
	struct rb_header *header = bed.header;
	u32 n_events = min_t(u32, header->n_events, RB_MAX_EVENTS);

	memset(bed.events, 0, n_events * sizeof(*bed.events));
	memset(bed.results, 0, bed.request->n_ops * sizeof(*bed.results));
	memset(bed.directory, 0, sizeof(*bed.directory));
	header->refusal = 0;
	header->refusal_op = RB_NONE32;
	header->checkpoint_label = 0;
	header->checkpoint_op = RB_NONE32;
	header->n_events = 0;
	header->n_data = 0;
	header->n_pfns = 0;
	header->order = 0;
	header->plant_done = 0;
	header->taint_now = 0;
}

int bed_mailbox_init(void)
{
	void *base;

	bed.pages = alloc_pages(GFP_KERNEL | __GFP_ZERO | __GFP_COMP,
				get_order(RB_MAILBOX_SIZE));
	if (!bed.pages)
		return -ENOMEM;

	base = page_address(bed.pages);
	bed.header = base;
	bed.results = base + RB_OFF_RESULTS;
	bed.directory = base + RB_OFF_DIRECTORY;
	bed.pfns = base + RB_OFF_PFNS;
	bed.events = base + RB_OFF_EVENTS;
	bed_describe_kernel(bed.header);
	bed_describe_relay(bed.header);
	bed.header->refusal_op = RB_NONE32;
	bed.header->checkpoint_op = RB_NONE32;
	return 0;
}

void bed_mailbox_exit(void)
{
	/* Whoever still looks must not take the next owner's bytes for a mailbox. */
	bed.header->magic = 0;
	__free_pages(bed.pages, get_order(RB_MAILBOX_SIZE));
}
