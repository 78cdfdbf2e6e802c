/* SPDX-License-Identifier: (GPL-2.0-only OR MIT OR Apache-2.0) */
/* What the agent asks of the module. Part of relaybed_abi.h. */
#ifndef RELAYBED_ABI_IOCTL_H
#define RELAYBED_ABI_IOCTL_H

#include <linux/ioctl.h>
#include <linux/types.h>

/*
 * /dev/relaybed: the agent's side. It maps the whole mailbox at offset 0.
 * WAIT sleeps until the host has asked for something new; RELEASE lets go what
 * the last request left; BEGIN does so too, checks the new one and opens its
 * channels; HOLD stops the next way up of a CPU half way (RB_OP_HOLD);
 * STEP does nothing: a debugger of the machine sees it (bed_step());
 * RUN lets the kernel actors go and returns when all are through; DONE
 * publishes the end and rings the doorbell.
 *
 * BEGIN checks everything as if an enemy had written it. A request that is
 * malformed or would leave the guest without memory is refused and still
 * followed by DONE. What relay itself refuses is no fault of the request.
 */
struct rb_gate_arg {
	__u32 gate;
	__u32 count;
};

struct rb_checkpoint_arg {
	__u32 label;
	__u32 op;
};

struct rb_hold_arg {
	__u32 cpu;
	__u32 reached;		/* gate */
	__u32 until;		/* gate */
	__u32 reserved;
};

/* Before operation op of the actor, counted from its first; behind its last: n_ops. */
struct rb_step_arg {
	__u32 actor;
	__u32 op;
};

#define RB_IOC_READY		_IO('b', 1)
#define RB_IOC_WAIT		_IO('b', 2)
#define RB_IOC_BEGIN		_IO('b', 3)
#define RB_IOC_RUN		_IO('b', 4)
#define RB_IOC_DONE		_IO('b', 5)
#define RB_IOC_SIGNAL		_IOW('b', 6, struct rb_gate_arg)
#define RB_IOC_GATE		_IOW('b', 7, struct rb_gate_arg)
#define RB_IOC_CHECKPOINT	_IOW('b', 8, struct rb_checkpoint_arg)
#define RB_IOC_RELEASE		_IO('b', 9)
#define RB_IOC_HOLD		_IOW('b', 10, struct rb_hold_arg)
#define RB_IOC_STEP		_IOW('b', 11, struct rb_step_arg)

#endif /* RELAYBED_ABI_IOCTL_H */
