// SPDX-License-Identifier: GPL-2.0-only
/*
 * klog: logging that may be called from anywhere, whether or not anybody
 * listens. Code that logs does not know of channels; a handler does, and may
 * come and go at any time.
 */
#include <linux/kernel.h>
#include <linux/percpu.h>
#include <linux/rcupdate.h>

#include "compat.h"
#include "relaybed.h"

typedef bool (*bed_klog_handler)(const void *data, size_t len);

static bool bed_klog_to_nobody(const void *data, size_t len)
{
	return false;
}

static bed_klog_handler bed_klog_handle = bed_klog_to_nobody;
static struct bed_channel *bed_klog_channel;
static DEFINE_MUTEX(bed_klog_lock);	/* who registers */

/* Formatted text, longer than which none is logged. */
static DEFINE_PER_CPU(char[RB_KLOG_SIZE], bed_klog_text);

/* With interrupts out: so the channel cannot go meanwhile. */
static bool bed_klog_to_channel(const void *data, size_t len)
{
	struct bed_channel *ch = READ_ONCE(bed_klog_channel);
	unsigned long flags;

	/* relay would follow the pointer. */
	if (!*this_cpu_ptr(ch->chan->buf))
		return false;
	bed_exclude(ch, &flags);
	bed_relay_raw_write(ch->chan, data, len);
	bed_admit(ch, flags);
	return true;
}

/* True: a handler took it. */
static bool bed_klog_raw(const void *data, size_t len)
{
	unsigned long flags;
	bool taken;

	local_irq_save(flags);
	taken = READ_ONCE(bed_klog_handle)(data, len);
	local_irq_restore(flags);
	return taken;
}

/* The same of formatted text, cut to what the buffer holds. */
static __printf(1, 2) bool bed_klog(const char *fmt, ...)
{
	unsigned long flags;
	va_list args;
	bool taken;
	char *text;
	int len;

	local_irq_save(flags);
	text = *this_cpu_ptr(&bed_klog_text);
	va_start(args, fmt);
	len = vscnprintf(text, RB_KLOG_SIZE, fmt, args);
	va_end(args);
	taken = bed_klog_raw(text, len);
	local_irq_restore(flags);
	return taken;
}

static void bed_klog_clear(void)
{
	WRITE_ONCE(bed_klog_handle, bed_klog_to_nobody);
	/*
	 * Regions with interrupts out are waited for too. Expedited, since a plain
	 * grace period takes as long as several whole requests.
	 */
	synchronize_rcu_expedited();
	bed_klog_channel = NULL;
}

/* With the channel open and held so. Whoever was registered before no longer is. */
void bed_klog_register(struct bed_channel *ch)
{
	mutex_lock(&bed_klog_lock);
	if (bed_klog_channel)
		bed_klog_clear();
	WRITE_ONCE(bed_klog_channel, ch);
	/* The handler may run as soon as it can be seen. */
	smp_store_release(&bed_klog_handle, bed_klog_to_channel);
	mutex_unlock(&bed_klog_lock);
}

/* No effect when another channel is registered, or none. */
void bed_klog_unregister(struct bed_channel *ch)
{
	mutex_lock(&bed_klog_lock);
	if (bed_klog_channel == ch)
		bed_klog_clear();
	mutex_unlock(&bed_klog_lock);
}

/* One call, in the actor's context. */
void bed_klog_fire(struct bed_actor *a, const struct bed_shot *shot)
{
	if (shot->code == RB_OP_KLOG)
		a->logged += bed_klog("%u.%u %.*s\n", a->index, shot->seq,
				      (int)shot->len, (const char *)shot->literal);
	else
		a->logged += bed_klog_raw(shot->literal, shot->len);
}
