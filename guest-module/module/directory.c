// SPDX-License-Identifier: GPL-2.0-only
/*
 * The directory: where this kernel keeps each channel's structures and pages,
 * so that the host reads them in place.
 */
#include <linux/fs.h>
#include <linux/io.h>
#include <linux/mm.h>

#include "relaybed.h"

/* 0 for what is not in the linear map: the host could not follow it. */
static u64 bed_address(const void *p)
{
	return virt_addr_valid(p) ? virt_to_phys((void *)p) : 0;
}

static struct rchan_buf *bed_buf_of(const struct bed_channel *ch, u32 cpu)
{
	if (cpu >= nr_cpu_ids || (ch->chan->is_global && cpu))
		return NULL;
	return *per_cpu_ptr(ch->chan->buf, cpu);
}

/* The page list goes into the table once; pages do not move while it is open. */
static void bed_directory_pages(struct rb_dir_buf *dir, const struct rchan_buf *buf)
{
	u32 first = bed.header->n_pfns;
	u32 i;

	dir->page_count = buf->page_count;
	if (buf->page_count > RB_MAX_PFNS - first) {
		dir->first_pfn = RB_NONE32;
		return;
	}
	for (i = 0; i < buf->page_count; i++)
		bed.pfns[first + i] = page_to_pfn(buf->page_array[i]);
	dir->first_pfn = first;
	bed.header->n_pfns = first + buf->page_count;
}

static void bed_directory_buf(struct rb_dir_buf *dir, const struct rchan_buf *buf)
{
	if (!buf) {
		memset(dir, 0, sizeof(*dir));
		return;
	}
	dir->buf_pa = bed_address(buf);
	dir->padding_pa = bed_address(buf->padding);
	dir->file_size_pa = buf->dentry ?
		bed_address(&d_inode(buf->dentry)->i_size) : 0;
}

void bed_directory_open(struct bed_channel *ch)
{
	struct rb_dir_channel *dir = &bed.directory->channels[ch->index];
	u32 cpu;

	mutex_lock(&bed.directory_lock);
	for (cpu = 0; cpu < RB_MAX_CPUS; cpu++) {
		struct rchan_buf *buf = bed_buf_of(ch, cpu);

		bed_directory_buf(&dir->bufs[cpu], buf);
		if (buf)
			bed_directory_pages(&dir->bufs[cpu], buf);
	}
	dir->chan_pa = bed_address(ch->chan);
	dir->is_global = ch->chan->is_global;
	dir->subbuf_size = ch->spec->subbuf_size;
	dir->n_subbufs = ch->spec->n_subbufs;
	smp_store_release(&dir->state, RB_CHAN_OPEN);
	mutex_unlock(&bed.directory_lock);
}

/* Closed or never opened: no address may be followed any more. */
void bed_directory_gone(struct bed_channel *ch, u32 state)
{
	struct rb_dir_channel *dir = &bed.directory->channels[ch->index];

	mutex_lock(&bed.directory_lock);
	smp_store_release(&dir->state, state);
	dir->chan_pa = 0;
	dir->is_global = 0;
	dir->subbuf_size = ch->spec->subbuf_size;
	dir->n_subbufs = ch->spec->n_subbufs;
	memset(dir->bufs, 0, sizeof(dir->bufs));
	mutex_unlock(&bed.directory_lock);
}

/* Relay may have given a buffer its file, a new CPU its buffer, or memory back, since. */
void bed_directory_refresh(void)
{
	u32 i, cpu;

	for (i = 0; i < bed.request->n_channels; i++) {
		struct bed_channel *ch = &bed.channels[i];
		struct rb_dir_channel *dir = &bed.directory->channels[i];

		down_read(&ch->life);
		mutex_lock(&bed.directory_lock);
		for (cpu = 0; ch->chan && cpu < RB_MAX_CPUS; cpu++) {
			struct rchan_buf *buf = bed_buf_of(ch, cpu);
			bool fresh = buf && !dir->bufs[cpu].buf_pa;

			bed_directory_buf(&dir->bufs[cpu], buf);
			if (fresh)
				bed_directory_pages(&dir->bufs[cpu], buf);
		}
		bed_ledger_report(i, dir);
		mutex_unlock(&bed.directory_lock);
		up_read(&ch->life);
	}
}
