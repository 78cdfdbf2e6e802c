/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Put in front of every file where the module has a relay.c of its own: other
 * names for what relay.c gives to the rest of the kernel. A function that the
 * given relay.c lacks is then missing, and never the kernel's instead.
 */
#ifndef RELAYBED_OWN_NAMES_H
#define RELAYBED_OWN_NAMES_H

#define relay_open			own_relay_open
#define relay_close			own_relay_close
#define relay_flush			own_relay_flush
#define relay_reset			own_relay_reset
#define relay_buf_full			own_relay_buf_full
#define relay_stats			own_relay_stats
#define relay_switch_subbuf		own_relay_switch_subbuf
#define relay_subbufs_consumed		own_relay_subbufs_consumed
#define relay_late_setup_files		own_relay_late_setup_files
#define relay_prepare_cpu		own_relay_prepare_cpu
#define relay_file_operations		own_relay_file_operations

#endif /* RELAYBED_OWN_NAMES_H */
