// SPDX-License-Identifier: GPL-2.0-only
/*
 * Channels: opening and closing them.
 */
#include <linux/debugfs.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "compat.h"
#include "relaybed.h"

static struct dentry *bed_parent(const struct bed_channel *ch)
{
	return ch->spec->flags & RB_CHAN_ROOT ? NULL : ch->dir;
}

/*
 * With ch->life held for writing. 1: open, 0: relay said no. -ENOSYS: open, but the
 * allocation that was to fail was not found.
 */
int bed_channel_open(struct bed_channel *ch)
{
	const struct rb_channel_spec *spec = ch->spec;
	const char *base = spec->flags & RB_CHAN_BUFFER_ONLY ? NULL : spec->base;
	char name[8];
	bool faulty, missed;

	if (!ch->dir) {
		snprintf(name, sizeof(name), "ch%u", ch->index);
		ch->dir = debugfs_create_dir(name, bed.root);
	}
	memset(ch->calls, 0, sizeof(ch->calls));
	ch->creations = 0;
	faulty = bed_fault_arm(ch);
	bed_ledger_enter(ch->index);
	ch->chan = relay_open(base, base ? bed_parent(ch) : NULL,
			      spec->subbuf_size, spec->n_subbufs,
			      bed_client_callbacks(spec), ch);
	bed_ledger_leave(ch->index);
	missed = faulty && !bed_fault_disarm();
	if (ch->chan)
		bed_directory_open(ch);
	else
		bed_directory_gone(ch, RB_CHAN_REFUSED);
	return missed ? -ENOSYS : !!ch->chan;
}

/* With ch->life held for writing, the channel open. */
int bed_channel_late_setup(struct bed_channel *ch)
{
	int err;

	ch->creations = 0;
	bed_ledger_enter(ch->index);
	err = bed_late_setup_files(ch->chan, ch->spec->base, bed_parent(ch));
	bed_ledger_leave(ch->index);
	return err;
}

/* With ch->life held for writing. */
void bed_channel_close(struct bed_channel *ch)
{
	struct rchan *chan = ch->chan;

	bed_klog_unregister(ch);
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
	bed_client_release(ch);
	debugfs_remove(ch->dir);
	ch->dir = NULL;
	up_write(&ch->life);
}

u64 bed_buffer_pages(const struct rb_channel_spec *spec)
{
	return PAGE_ALIGN(spec->subbuf_size * spec->n_subbufs) >> PAGE_SHIFT;
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
	return (u64)(spec->flags & RB_CHAN_GLOBAL ? 1 : num_online_cpus()) *
	       bed_buffer_pages(spec);
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
