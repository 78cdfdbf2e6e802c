/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * relaybed.ko, inside: opens relay channels, runs producers in every context
 * and publishes where relay's structures are. It never judges what it sees
 * and never prints from callbacks or producers: what happens there is counted
 * or goes to the event log.
 *
 * There is one testbed a machine, so there is one struct bed.
 */
#ifndef RELAYBED_H
#define RELAYBED_H

#include <linux/atomic.h>
#include <linux/bitmap.h>
#include <linux/completion.h>
#include <linux/hrtimer.h>
#include <linux/interrupt.h>
#include <linux/irq_work.h>
#include <linux/kernel.h>
#include <linux/mutex.h>
#include <linux/relay.h>
#include <linux/rwsem.h>
#include <linux/smp.h>
#include <linux/spinlock.h>
#include <linux/timekeeping.h>
#include <linux/wait.h>

#include "relaybed_abi.h"

struct bed_channel {
	u32 index;
	const struct rb_channel_spec *spec;
	struct dentry *dir;
	/*
	 * Held for reading by every operation on the channel, for writing by
	 * open and close: closing a channel that is written to is a client's
	 * mistake, not a test of relay.
	 */
	struct rw_semaphore life;
	struct rchan *chan;		/* NULL: not open */
	raw_spinlock_t global_lock;	/* a global channel's client must lock */
	/* The client's own state. */
	u32 calls[RB_MAX_CPUS];		/* of subbuf_start, by buffer, since the opening */
	u32 creations;			/* of files, since the opening */
	u32 asked;			/* for files of create_cpu, since the request began */
	u32 openings;			/* that may find no memory, since the request began */
	struct dentry *files[RB_MAX_CPUS];	/* made and not removed */
};

/* Whose operation is running here: the event log asks. */
struct bed_frame {
	u16 actor;
	u32 op;
	u32 seq;
	bool refused;			/* a callback said no to this record */
};

/* One record on its way to relay. */
struct bed_shot {
	struct bed_channel *ch;
	u16 code;			/* RB_OP_WRITE, RAW_WRITE or RESERVE */
	u32 seq;
	u32 len;
	bool irqs_on;			/* RAW_WRITE with interrupts as they are */
	bool held;			/* RESERVE that waits before it is filled */
	u32 held_reached;		/* gate */
	u32 held_until;			/* gate */
	const void *literal;		/* these bytes, or NULL: self-describing */
};

/* A kernel thread bound to its CPU; kept from request to request. */
struct bed_worker {
	struct task_struct *task;	/* NULL: not made yet */
	u32 cpu;
	struct bed_actor *actor;	/* NULL: idle */
	bool go;			/* the actor may run; cleared when through */
};

struct bed_actor {
	u32 index;
	const struct rb_actor *spec;
	struct bed_worker *worker;	/* NULL: a user actor */
	struct bed_frame frame;
	struct bed_shot shot;
	void *scratch;			/* the record is put together here */
	void *held_data;		/* planted "reorder": the record held back */
	struct bed_shot held;
	bool holding;
	struct tasklet_struct tasklet;
	struct irq_work irq_work;
	struct hrtimer hrtimer;
	call_single_data_t ask;		/* to the CPU that sends the IPI */
	call_single_data_t ipi;		/* and back from it */
	struct completion fired;
	u64 logged;			/* klog records that a handler took */
	bool nmi_over;
	bool nested;			/* no thread: runs on top of another's write */
	struct bed_actor *guest;	/* to be nested on this write, not fired yet */
	struct bed_actor *seated;	/* fired, and not waited for yet */
	u16 guest_at;			/* RB_OP_NEST_* */
};

struct bed {
	/* The mailbox and its sections. */
	struct page *pages;
	struct rb_header *header;
	struct rb_result *results;
	struct rb_directory *directory;
	u64 *pfns;
	struct rb_event *events;

	/* The module's own copy of the request: checked, so nobody may change it. */
	struct rb_request *request;
	struct rb_op *ops;
	u8 *blob;

	struct mutex lock;		/* begin, run, done, release */
	struct mutex directory_lock;
	struct dentry *root;
	struct bed_channel channels[RB_MAX_CHANNELS];
	struct bed_actor actors[RB_MAX_ACTORS];
	u32 n_actors;			/* kernel and user actors */
	DECLARE_BITMAP(nested, RB_MAX_ACTORS);	/* those that operations nest */
	struct bed_worker workers[RB_MAX_ACTORS];
	atomic_t running;		/* kernel actors still at work */
	wait_queue_head_t idle;
	atomic_t to_come;		/* actors that are not at the line yet */
	wait_queue_head_t line;
	bool begun;
	bool stopping;
	u32 seq;			/* of the request in work */

	atomic_t gates[RB_MAX_GATES];
};

extern struct bed bed;

/* mailbox.c */
int bed_mailbox_init(void);
void bed_mailbox_exit(void);
void bed_mailbox_clear(void);
u64 bed_taint(void);

/* bell.c */
void bed_ring(const char *line);

/* event.c */
struct rb_event *bed_event_begin(const struct bed_frame **frame);
void bed_event_end(struct rb_event *event, u32 kind);
struct bed_frame *bed_frame_enter(struct bed_frame *frame);
void bed_frame_leave(struct bed_frame *old);
struct bed_frame *bed_frame_here(void);
u8 bed_context_here(void);

/* The machine-wide count that puts operations and events in one order. */
static inline u32 bed_order(void)
{
	return atomic_inc_return((atomic_t *)&bed.header->order);
}

/* check.c */
int bed_request_take(u32 *refusal_op);

/* request.c */
int bed_request_begin(void);
int bed_request_run(void);
void bed_request_done(void);
void bed_request_release(void);

/* channel.c */
int bed_channel_init(void);
void bed_channel_exit(void);
int bed_channel_open(struct bed_channel *ch);
int bed_channel_late_setup(struct bed_channel *ch);
void bed_channel_close(struct bed_channel *ch);
void bed_channel_release(struct bed_channel *ch);
u64 bed_buffer_pages(const struct rb_channel_spec *spec);
u64 bed_channel_pages(const struct rb_channel_spec *spec);

/* client.c */
struct rchan_callbacks *bed_client_callbacks(const struct rb_channel_spec *spec);
void bed_client_release(struct bed_channel *ch);
void bed_stall(struct bed_channel *ch, u32 buf_cpu, u32 signal, u32 wait);

/* ledger.c */
void bed_ledger_init(void);
void bed_ledger_exit(void);
void bed_ledger_clear(void);
void bed_ledger_enter(u32 channel);
void bed_ledger_leave(u32 channel);
u32 bed_ledger_pause(void);
void bed_ledger_resume(u32 channel);
bool bed_ledger_inside(u32 channel);
bool bed_is_relays(unsigned long site);
void bed_ledger_report(u32 channel, struct rb_dir_channel *dir);

/* fault.c */
bool bed_fault_arm(struct bed_channel *ch);
bool bed_fault_disarm(void);
void bed_fault_exit(void);

/* directory.c */
void bed_directory_open(struct bed_channel *ch);
void bed_directory_gone(struct bed_channel *ch, u32 state);
void bed_directory_refresh(void);

/* gate.c */
void bed_gate_reset(void);
void bed_gate_signal(u32 gate);
int bed_gate_wait(u32 gate, u32 count);
void bed_gate_release(void);
int bed_checkpoint(u32 label, u32 op);

/* record.c */
void bed_pattern(void *dst, u32 actor, u32 seq, u32 from, u32 len);
void bed_record_fill(void *dst, const struct bed_actor *a,
		     const struct bed_shot *shot);
void bed_relay_write(struct rchan *chan, const void *data, size_t len);
void bed_relay_raw_write(struct rchan *chan, const void *data, size_t len);
void bed_exclude(struct bed_channel *ch, unsigned long *flags);
void bed_admit(struct bed_channel *ch, unsigned long flags);
void *bed_reserve_lock(struct bed_channel *ch, u32 len, unsigned long *flags);
void bed_reserve_unlock(struct bed_channel *ch, unsigned long flags);
void bed_record_put(struct bed_actor *a, const struct bed_shot *shot,
		    const void *ready);

/* plant.c */
bool bed_plant_here(const struct bed_actor *a, const struct bed_shot *shot);
void bed_plant_write(struct bed_actor *a, const struct bed_shot *shot);
bool bed_plant_wrong_cpu(struct bed_actor *a, const struct bed_shot *shot);
void bed_plant_release_held(struct bed_actor *a, bool in_exchange);

/* klog.c */
void bed_klog_register(struct bed_channel *ch);
void bed_klog_unregister(struct bed_channel *ch);
void bed_klog_fire(struct bed_actor *a, const struct bed_shot *shot);

/* ops.c */
void bed_op_run(struct bed_actor *a, u32 index);
void bed_step_at(u32 actor, u32 op);

/* stop.c */
void bed_stop_step(u32 actor, u32 op);
void bed_stop_bell(void);
int bed_stop_at_idle(void);
void bed_stop_exit(void);

/* nest.c */
void bed_nest_begin(struct bed_actor *a, const struct rb_op *op);
void bed_nest_reached(struct bed_actor *a, u16 point);
void bed_nest_settle(struct bed_actor *a);
void bed_nest_end(struct bed_actor *a);
void bed_nest_run(struct bed_actor *n);

/* nmi.c */
int bed_nmi_init(void);
void bed_nmi_exit(void);
int bed_nmi_send(struct bed_actor *a);

/* interrupt.c */
u32 bed_interrupt_sender(u32 cpu);
void bed_interrupt_init(struct bed_actor *a);
void bed_interrupt_exit(struct bed_actor *a);
int bed_interrupt_raise(struct bed_actor *a);
void bed_interrupt_wait(struct bed_actor *a);

/* hotplug.c */
int bed_hotplug_init(void);
void bed_hotplug_exit(void);
void bed_hotplug_hold(u32 cpu, u32 reached, u32 until);

/* producer.c */
void bed_fire_here(struct bed_actor *a);
void bed_fire_in_interrupt(struct bed_actor *a);
int bed_producer_home(const struct bed_actor *a, const struct bed_channel *ch);
void bed_shot_load(struct bed_actor *a, const struct rb_op *op, u32 i);
int bed_producer_write(struct bed_actor *a, u32 index, struct rb_result *result);
int bed_producer_create(struct bed_actor *a, u32 index);
void bed_producer_go(struct bed_actor *a);
void bed_producer_destroy(struct bed_actor *a);
void bed_producer_exit(void);

#endif /* RELAYBED_H */
