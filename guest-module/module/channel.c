// SPDX-License-Identifier: GPL-2.0-only
/*
 * Channels: relay's callbacks, and opening and closing.
 */
#include <linux/debugfs.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "compat.h"
#include "relaybed.h"

static void bed_event_subbuf_start(struct rchan_buf *buf, void *subbuf,
				   void *prev, u64 prev_padding, bool verdict)
{
	struct bed_channel *ch = buf->chan->private_data;
	const struct bed_frame *frame;
	struct rb_event *event = bed_event_begin(&frame);

	if (!event)
		return;
	event->channel = ch->index;
	event->verdict = verdict;
	event->buf_cpu = buf->cpu;
	event->new_offset = subbuf - buf->start;
	event->old_offset = prev ? prev - buf->start : RB_NONE32;
	event->produced = buf->subbufs_produced;
	event->consumed = buf->subbufs_consumed;
	event->prev_padding = prev_padding;
	bed_event_end(event, RB_EVENT_SUBBUF_START);
}

/* A new sub-buffer begins, at open and reset too: then @prev is NULL. */
static int bed_subbuf_start(struct rchan_buf *buf, void *subbuf, void *prev,
			    u64 prev_padding, bool accept)
{
	struct bed_channel *ch = buf->chan->private_data;
	u32 header_bytes = ch->spec->header_bytes;

	bed_event_subbuf_start(buf, subbuf, prev, prev_padding, accept);
	if (!accept) {
		struct bed_frame *frame = bed_frame_here();

		if (frame)
			frame->refused = true;
		return 0;
	}
	if (header_bytes) {
		subbuf_start_reserve(buf, header_bytes);
		bed_pattern(subbuf, RB_HEADER_ACTOR, buf->subbufs_produced, 0,
			    header_bytes);
	}
	return 1;
}

static int bed_start_unless_full(struct rchan_buf *buf, void *subbuf,
				 void *prev, u64 prev_padding)
{
	return bed_subbuf_start(buf, subbuf, prev, prev_padding,
				!relay_buf_full(buf));
}

static int bed_start_always(struct rchan_buf *buf, void *subbuf, void *prev,
			    u64 prev_padding)
{
	return bed_subbuf_start(buf, subbuf, prev, prev_padding, true);
}

BED_SUBBUF_START(bed_no_overwrite_start, bed_start_unless_full)
BED_SUBBUF_START(bed_overwrite_start, bed_start_always)

static void bed_event_file(struct bed_channel *ch, u8 buf_cpu, u32 kind,
			   bool verdict)
{
	const struct bed_frame *frame;
	struct rb_event *event = bed_event_begin(&frame);

	if (!event)
		return;
	event->channel = ch->index;
	event->buf_cpu = buf_cpu;
	event->verdict = verdict;
	bed_event_end(event, kind);
}

/* relay tells the CPU by the file's name only: base filename and number. */
static u8 bed_cpu_of_name(const struct bed_channel *ch, const char *filename)
{
	u8 cpu;

	if (kstrtou8(filename + strlen(ch->spec->base), 10, &cpu))
		return U8_MAX;
	return cpu;
}

static struct dentry *bed_create_buf_file(const char *filename,
					  struct dentry *parent, umode_t mode,
					  struct rchan_buf *buf, int *is_global)
{
	struct bed_channel *ch = buf->chan->private_data;
	struct dentry *file;

	if (ch->spec->flags & RB_CHAN_GLOBAL)
		*is_global = 1;
	/* A buffer without a file: relay wants an answer that is no error. */
	if (!filename)
		return ch->dir;

	if (ch->spec->files == RB_FILES_PROXY)
		file = debugfs_create_file(filename, mode, parent, buf,
					   &relay_file_operations);
	else
		file = debugfs_create_file_unsafe(filename, mode, parent, buf,
						  &relay_file_operations);
	bed_event_file(ch, bed_cpu_of_name(ch, filename), RB_EVENT_CREATE_FILE,
		       !IS_ERR_OR_NULL(file));
	return file;
}

static int bed_remove_buf_file(struct dentry *dentry)
{
	struct rchan_buf *buf;

	if (!dentry)
		return 0;
	buf = d_inode(dentry)->i_private;
	bed_event_file(buf->chan->private_data, buf->cpu, RB_EVENT_REMOVE_FILE,
		       true);
	debugfs_remove(dentry);
	return 0;
}

/* Not const: 5.10 writes its defaults into what is NULL. */
static struct rchan_callbacks bed_callbacks[] = {
	[RB_MODE_NO_OVERWRITE] = {
		.subbuf_start = bed_no_overwrite_start,
		.create_buf_file = bed_create_buf_file,
		.remove_buf_file = bed_remove_buf_file,
	},
	[RB_MODE_OVERWRITE] = {
		.subbuf_start = bed_overwrite_start,
		.create_buf_file = bed_create_buf_file,
		.remove_buf_file = bed_remove_buf_file,
	},
	[RB_MODE_DEFAULT] = {
		.create_buf_file = bed_create_buf_file,
		.remove_buf_file = bed_remove_buf_file,
	},
};

/* With ch->life held for writing. False: relay said no. */
bool bed_channel_open(struct bed_channel *ch)
{
	const struct rb_channel_spec *spec = ch->spec;
	const char *base = spec->flags & RB_CHAN_BUFFER_ONLY ? NULL : spec->base;
	char name[8];

	if (!ch->dir) {
		snprintf(name, sizeof(name), "ch%u", ch->index);
		ch->dir = debugfs_create_dir(name, bed.root);
	}
	ch->chan = relay_open(base, base ? ch->dir : NULL, spec->subbuf_size,
			      spec->n_subbufs, &bed_callbacks[spec->mode], ch);
	if (ch->chan)
		bed_directory_open(ch);
	else
		bed_directory_gone(ch, RB_CHAN_REFUSED);
	return ch->chan;
}

/* With ch->life held for writing. */
void bed_channel_close(struct bed_channel *ch)
{
	struct rchan *chan = ch->chan;

	bed_directory_gone(ch, RB_CHAN_CLOSED);
	ch->chan = NULL;
	relay_close(chan);
}

/* The end of a request: whatever relay or a scenario left behind goes. */
void bed_channel_release(struct bed_channel *ch)
{
	down_write(&ch->life);
	if (ch->chan)
		bed_channel_close(ch);
	debugfs_remove(ch->dir);
	ch->dir = NULL;
	up_write(&ch->life);
}

/*
 * How many pages relay would take for the channel on all CPUs; none when it
 * would refuse before it allocates.
 */
u64 bed_channel_pages(const struct rb_channel_spec *spec)
{
	if (!spec->subbuf_size || !spec->n_subbufs)
		return 0;
	if (spec->subbuf_size > UINT_MAX / spec->n_subbufs)
		return 0;
	if (spec->n_subbufs > KMALLOC_MAX_SIZE / sizeof(size_t))
		return 0;
	return (u64)num_online_cpus() *
	       (PAGE_ALIGN(spec->subbuf_size * spec->n_subbufs) >> PAGE_SHIFT);
}

int bed_channel_init(void)
{
	u32 i;

	for (i = 0; i < RB_MAX_CHANNELS; i++) {
		struct bed_channel *ch = &bed.channels[i];

		ch->index = i;
		ch->spec = &bed.request->channels[i];
		init_rwsem(&ch->life);
		raw_spin_lock_init(&ch->global_lock);
	}
	bed.root = debugfs_create_dir(KBUILD_MODNAME, NULL);
	return PTR_ERR_OR_ZERO(bed.root);
}

void bed_channel_exit(void)
{
	debugfs_remove(bed.root);
}
