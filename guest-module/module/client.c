// SPDX-License-Identifier: GPL-2.0-only
/*
 * The client: relay's callbacks, as each channel asks for them.
 */
#include <linux/cpumask.h>
#include <linux/debugfs.h>
#include <linux/delay.h>
#include <linux/err.h>
#include <linux/fs.h>

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

static void bed_event_file(struct bed_channel *ch, u8 buf_cpu, u32 kind,
			   bool verdict, u32 length)
{
	const struct bed_frame *frame;
	struct rb_event *event = bed_event_begin(&frame);

	if (!event)
		return;
	event->channel = ch->index;
	event->buf_cpu = buf_cpu;
	event->verdict = verdict;
	event->new_offset = length;
	bed_event_end(event, kind);
}

/*
 * Waits at a gate in the middle of a switch or of a record, with interrupts out
 * more often than not: so it spins, and gives up in time for everybody who
 * needs this CPU.
 */
void bed_stall(struct bed_channel *ch, u32 buf_cpu, u32 signal, u32 wait)
{
	bool opened = false;
	u32 us;

	bed_gate_signal(signal);
	for (us = 0; us < RB_STALL_MAX_US && !READ_ONCE(bed.stopping); us++) {
		opened = atomic_read(&bed.gates[wait]);
		if (opened)
			break;
		udelay(1);
	}
	bed_event_file(ch, buf_cpu, RB_EVENT_STALL, opened, 0);
}

static void bed_stall_here(struct bed_channel *ch, const struct rchan_buf *buf)
{
	bed_stall(ch, buf->cpu, ch->spec->stall_signal, ch->spec->stall_wait);
}

static bool bed_stalls(const struct bed_channel *ch, const struct rchan_buf *buf,
		       bool late)
{
	const struct rb_channel_spec *spec = ch->spec;

	return spec->stall_at && buf->cpu < RB_MAX_CPUS &&
	       spec->stall_at == ch->calls[buf->cpu] &&
	       spec->stall_cpu == buf->cpu &&
	       late == !!(spec->flags & RB_CHAN_STALL_LATE);
}

/* Whether this call, which is one of a switch, refuses whatever the mode says. */
static bool bed_refuses(struct bed_channel *ch, struct rchan_buf *buf)
{
	const struct rb_channel_spec *spec = ch->spec;
	u32 call;

	if (buf->cpu >= RB_MAX_CPUS)
		return false;
	/* Whoever switches the buffer is alone with it, or nothing is specified. */
	call = ++ch->calls[buf->cpu];
	if (bed_stalls(ch, buf, false))
		bed_stall_here(ch, buf);
	return spec->refuse_from && call >= spec->refuse_from &&
	       call - spec->refuse_from < spec->refuse_count;
}

/* A new sub-buffer begins, at open and reset too: then @prev is NULL. */
static int bed_subbuf_start(struct rchan_buf *buf, void *subbuf, void *prev,
			    u64 prev_padding, bool overwrite)
{
	struct bed_channel *ch = buf->chan->private_data;
	u32 header_bytes = ch->spec->header_bytes;
	bool refuses = prev && bed_refuses(ch, buf);
	/* After the wait, if there was one: readers may have made room. */
	bool accept = !refuses && (overwrite || !relay_buf_full(buf));
	struct bed_frame *frame = bed_frame_here();

	bed_event_subbuf_start(buf, subbuf, prev, prev_padding, accept);
	if (!accept && frame)
		frame->refused = true;
	if (accept && header_bytes) {
		subbuf_start_reserve(buf, header_bytes);
		bed_pattern(subbuf, RB_HEADER_ACTOR, buf->subbufs_produced, 0,
			    header_bytes);
		if (prev && bed_stalls(ch, buf, true))
			bed_stall_here(ch, buf);
	}
	if (frame && prev)
		bed_nest_reached(&bed.actors[frame->actor], RB_OP_NEST_CALLBACK);
	return accept;
}

static int bed_start_unless_full(struct rchan_buf *buf, void *subbuf,
				 void *prev, u64 prev_padding)
{
	return bed_subbuf_start(buf, subbuf, prev, prev_padding, false);
}

static int bed_start_always(struct rchan_buf *buf, void *subbuf, void *prev,
			    u64 prev_padding)
{
	return bed_subbuf_start(buf, subbuf, prev, prev_padding, true);
}

BED_SUBBUF_START(bed_no_overwrite_start, bed_start_unless_full)
BED_SUBBUF_START(bed_overwrite_start, bed_start_always)

/*
 * relay tells the CPU by the file's name only: base filename and number. Where
 * it cut the number off, and for buffers without a file, the order of the calls
 * tells: relay goes through the CPUs that are online.
 */
static u8 bed_cpu_of_call(struct bed_channel *ch, const char *filename)
{
	size_t base = strlen(ch->spec->base);
	u32 before = ch->creations++;
	unsigned int online;
	u8 cpu;

	if (filename && strlen(filename) > base &&
	    !kstrtou8(filename + base, 10, &cpu))
		return cpu;
	for_each_online_cpu(online)
		if (!before--)
			return min_t(unsigned int, online, U8_MAX);
	return U8_MAX;
}

/* A file that relay does not have removed must not disturb the next request. */
static void bed_note_file(struct bed_channel *ch, struct dentry *file)
{
	u32 i;

	for (i = 0; i < RB_MAX_CPUS; i++) {
		if (!ch->files[i]) {
			ch->files[i] = file;
			return;
		}
	}
}

static void bed_forget_file(struct bed_channel *ch, struct dentry *file)
{
	u32 i;

	for (i = 0; i < RB_MAX_CPUS; i++)
		if (ch->files[i] == file)
			ch->files[i] = NULL;
}

/* The answer in place of a file, or NULL with @made set: the file shall be made. */
static struct dentry *bed_create_answer(struct bed_channel *ch, u8 cpu, bool *made)
{
	const struct rb_channel_spec *spec = ch->spec;
	u32 call;

	*made = true;
	if (spec->create_answer == RB_CREATE_FILE || cpu != spec->create_cpu)
		return NULL;
	call = ch->asked++;
	if (call < spec->create_skip ||
	    call - spec->create_skip >= spec->create_times)
		return NULL;
	*made = false;
	return spec->create_answer == RB_CREATE_NULL ? NULL : ERR_PTR(-ENOSPC);
}

/*
 * The file is there for everybody, and relay has not been given it yet. Under
 * relay's mutex, so it may sleep.
 */
static void bed_created(struct bed_channel *ch, u8 cpu, bool made)
{
	const struct rb_channel_spec *spec = ch->spec;
	int err;

	if (!(spec->flags & RB_CHAN_CREATED_WAITS) ||
	    (spec->created_cpu != RB_NONE32 && spec->created_cpu != cpu))
		return;
	bed_gate_signal(spec->created_signal);
	if (!made)
		return;
	err = bed_gate_wait(spec->created_wait, 1);
	bed_event_file(ch, cpu, RB_EVENT_STALL, !err, 0);
}

static struct dentry *bed_create_file(const char *filename,
				      struct dentry *parent, umode_t mode,
				      struct rchan_buf *buf, int *is_global)
{
	struct bed_channel *ch = buf->chan->private_data;
	u8 cpu = bed_cpu_of_call(ch, filename);
	struct dentry *file;
	bool make;

	if (ch->spec->flags & RB_CHAN_GLOBAL)
		*is_global = 1;
	file = bed_create_answer(ch, cpu, &make);
	if (!filename)
		/* A buffer without a file: relay wants an answer that is no error. */
		return make ? ch->dir : file;

	if (!make)
		goto event;
	if (ch->spec->files == RB_FILES_PROXY)
		file = debugfs_create_file(filename, mode, parent, buf,
					   BED_RELAY_FOPS);
	else
		file = debugfs_create_file_unsafe(filename, mode, parent, buf,
						  BED_RELAY_FOPS);
	if (!IS_ERR_OR_NULL(file))
		bed_note_file(ch, file);
event:
	bed_event_file(ch, cpu, RB_EVENT_CREATE_FILE, !IS_ERR_OR_NULL(file),
		       strlen(filename));
	bed_created(ch, cpu, !IS_ERR_OR_NULL(file));
	return file;
}

static struct dentry *bed_create_buf_file(const char *filename,
					  struct dentry *parent, umode_t mode,
					  struct rchan_buf *buf, int *is_global)
{
	u32 channel = bed_ledger_pause();
	struct dentry *file = bed_create_file(filename, parent, mode, buf, is_global);

	bed_ledger_resume(channel);
	return file;
}

static int bed_remove_buf_file(struct dentry *dentry)
{
	struct bed_channel *ch;
	struct rchan_buf *buf;

	if (!dentry)
		return 0;
	buf = d_inode(dentry)->i_private;
	ch = buf->chan->private_data;
	bed_event_file(ch, buf->cpu, RB_EVENT_REMOVE_FILE, true, 0);
	bed_forget_file(ch, dentry);
	debugfs_remove(dentry);
	return 0;
}

#if HAVE_BUF_MAPPED
static void bed_buf_mapped(struct rchan_buf *buf, struct file *file)
{
	bed_event_file(buf->chan->private_data, buf->cpu, RB_EVENT_MAPPED, true, 0);
}

static void bed_buf_unmapped(struct rchan_buf *buf, struct file *file)
{
	bed_event_file(buf->chan->private_data, buf->cpu, RB_EVENT_UNMAPPED, true, 0);
}
#endif

#define BED_CALLBACKS(start, create, remove) {				\
	.subbuf_start = start,						\
	.create_buf_file = create,					\
	.remove_buf_file = remove,					\
	BED_MAPPED_CALLBACKS(bed_buf_mapped, bed_buf_unmapped)		\
}

/* All callbacks, without create_buf_file, without remove_buf_file. */
#define BED_CALLBACK_SETS(start) {					\
	BED_CALLBACKS(start, bed_create_buf_file, bed_remove_buf_file),	\
	BED_CALLBACKS(start, NULL, bed_remove_buf_file),		\
	BED_CALLBACKS(start, bed_create_buf_file, NULL),		\
}

/* Not const: 5.10 writes its defaults into what is NULL. */
static struct rchan_callbacks bed_callbacks[][3] = {
	[RB_MODE_NO_OVERWRITE] = BED_CALLBACK_SETS(bed_no_overwrite_start),
	[RB_MODE_OVERWRITE] = BED_CALLBACK_SETS(bed_overwrite_start),
	[RB_MODE_DEFAULT] = BED_CALLBACK_SETS(NULL),
};

/* What relay_open() is given for the channel. */
struct rchan_callbacks *bed_client_callbacks(const struct rb_channel_spec *spec)
{
	if (spec->flags & RB_CHAN_NO_CALLBACKS)
		return NULL;
	if (spec->flags & RB_CHAN_NO_CREATE)
		return &bed_callbacks[spec->mode][1];
	if (spec->flags & RB_CHAN_NO_REMOVE)
		return &bed_callbacks[spec->mode][2];
	return &bed_callbacks[spec->mode][0];
}

/*
 * The end of a request, with the channel closed: files that relay forgot are
 * taken away. A buffer that it forgot with its file stays allocated: nobody
 * outside relay can give it back.
 */
void bed_client_release(struct bed_channel *ch)
{
	u32 i;

	for (i = 0; i < RB_MAX_CPUS; i++) {
		debugfs_remove(ch->files[i]);
		ch->files[i] = NULL;
	}
	ch->asked = 0;
	ch->openings = 0;
}
