/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Every difference between kernel releases that this module meets, from 5.10
 * on. No other file looks at the version. HAVE_X is always 0 or 1.
 */
#ifndef RELAYBED_COMPAT_H
#define RELAYBED_COMPAT_H

#include <linux/errno.h>
#include <linux/hrtimer.h>
#include <linux/irq_work.h>
#include <linux/kernel.h>
#include <linux/relay.h>
#include <linux/version.h>

#include "relaybed_abi.h"

/*
 * Whose relay it is: the kernel's, or a relay.c that was given, which may be
 * of another release (own/version.h says which). What follows from relay.c and
 * relay.h asks BED_RELAY_VERSION, everything else LINUX_VERSION_CODE.
 */
#ifdef BED_OWN_RELAY
#include "own/version.h"
#define HAVE_OWN_RELAY		1
#else
#define HAVE_OWN_RELAY		0
#define BED_RELAY_VERSION	LINUX_VERSION_CODE
#endif

#if HAVE_OWN_RELAY
extern struct file_operations bed_own_fops;
#define BED_RELAY_FOPS		(&bed_own_fops)
int bed_own_init(void);
void bed_own_exit(void);
#else
#define BED_RELAY_FOPS		(&relay_file_operations)
static inline int bed_own_init(void)
{
	return 0;
}
static inline void bed_own_exit(void)
{
}
#endif

/* 5.14: test_taint() moves from linux/kernel.h to linux/panic.h. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(5, 14, 0)
#include <linux/panic.h>
#endif

/* 6.12: asm/unaligned.h becomes linux/unaligned.h. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 12, 0)
#include <linux/unaligned.h>
#else
#include <asm/unaligned.h>
#endif

/*
 * 6.17: subbuf_start() loses its argument prev_padding; the members
 * rchan_buf.prev_padding and rchan.last_toobig go; rchan_buf.stats comes.
 */
#if BED_RELAY_VERSION < KERNEL_VERSION(6, 17, 0)
#define HAVE_PREV_PADDING	1
#define HAVE_BUF_STATS		0
#else
#define HAVE_PREV_PADDING	0
#define HAVE_BUF_STATS		1
#endif

/* Defines callback @name that calls @body, which always has four arguments. */
#if HAVE_PREV_PADDING
#define BED_SUBBUF_START(name, body)					\
static int name(struct rchan_buf *buf, void *subbuf, void *prev,	\
		size_t prev_padding)					\
{									\
	return body(buf, subbuf, prev, prev_padding);			\
}
#else
#define BED_SUBBUF_START(name, body)					\
static int name(struct rchan_buf *buf, void *subbuf, void *prev)	\
{									\
	return body(buf, subbuf, prev, RB_NONE64);			\
}
#endif

/* 5.11: the callbacks buf_mapped() and buf_unmapped() go. */
#if BED_RELAY_VERSION < KERNEL_VERSION(5, 11, 0)
#define HAVE_BUF_MAPPED		1
#define BED_MAPPED_CALLBACKS(mapped, unmapped) \
	.buf_mapped = mapped, .buf_unmapped = unmapped,
#else
#define HAVE_BUF_MAPPED		0
#define BED_MAPPED_CALLBACKS(mapped, unmapped)
#endif

/* 6.16: relay_late_setup_files() goes. */
#if BED_RELAY_VERSION < KERNEL_VERSION(6, 16, 0)
#define HAVE_LATE_SETUP		1
#else
#define HAVE_LATE_SETUP		0
#endif

static inline int bed_late_setup_files(struct rchan *chan, const char *base,
				       struct dentry *parent)
{
#if HAVE_LATE_SETUP
	return relay_late_setup_files(chan, base, parent);
#else
	return -ENOSYS;
#endif
}

/* 6.1: one event for kmalloc() and kmalloc_node(), which says the node. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 1, 0)
#define HAVE_KMALLOC_NODE_EVENT	1
#define BED_KMALLOC_NODE
#else
#define HAVE_KMALLOC_NODE_EVENT	0
#define BED_KMALLOC_NODE	, int node
#endif

/* 5.19: the event of per-CPU memory says who asked, and how much it took. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(5, 19, 0)
#define HAVE_PERCPU_CALL_SITE	1
#else
#define HAVE_PERCPU_CALL_SITE	0
#endif

/*
 * 5.11: irq_work.flags becomes irq_work.node.a_flags, and IRQ_WORK_INIT_HARD()
 * comes. PREEMPT_RT runs an irq_work in a thread unless it is a hard one.
 */
static inline void bed_init_hard_irq_work(struct irq_work *work,
					  void (*func)(struct irq_work *))
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(5, 11, 0)
	*work = IRQ_WORK_INIT_HARD(func);
#else
	init_irq_work(work, func);
	atomic_set(&work->flags, IRQ_WORK_HARD_IRQ);
#endif
}

/* 6.13: hrtimer_setup() comes; 6.15: hrtimer_init() goes. */
static inline void bed_init_hard_hrtimer(struct hrtimer *timer,
					 enum hrtimer_restart (*func)(struct hrtimer *))
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 13, 0)
	hrtimer_setup(timer, func, CLOCK_MONOTONIC, HRTIMER_MODE_REL_PINNED_HARD);
#else
	hrtimer_init(timer, CLOCK_MONOTONIC, HRTIMER_MODE_REL_PINNED_HARD);
	timer->function = func;
#endif
}

#define BED_MEMBER(type, member) \
	((struct rb_member){ offsetof(type, member), sizeof_field(type, member) })
#define BED_NO_MEMBER	((struct rb_member){ RB_NONE16, 0 })

#if HAVE_PREV_PADDING
#define BED_PREV_PADDING	BED_MEMBER(struct rchan_buf, prev_padding)
#define BED_LAST_TOOBIG		BED_MEMBER(struct rchan, last_toobig)
#else
#define BED_PREV_PADDING	BED_NO_MEMBER
#define BED_LAST_TOOBIG		BED_NO_MEMBER
#endif

#if HAVE_BUF_STATS
#define BED_FULL_COUNT		BED_MEMBER(struct rchan_buf, stats.full_count)
#define BED_BIG_COUNT		BED_MEMBER(struct rchan_buf, stats.big_count)
#else
#define BED_FULL_COUNT		BED_NO_MEMBER
#define BED_BIG_COUNT		BED_NO_MEMBER
#endif

#endif /* RELAYBED_COMPAT_H */
