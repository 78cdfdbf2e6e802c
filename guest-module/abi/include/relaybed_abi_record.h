/* SPDX-License-Identifier: (GPL-2.0-only OR MIT OR Apache-2.0) */
/* Records: what producers write. Part of relaybed_abi.h. */
#ifndef RELAYBED_ABI_RECORD_H
#define RELAYBED_ABI_RECORD_H

#include <linux/types.h>

/*
 * A record is rb_record_len() bytes. Byte i of record (actor, seq) is byte
 * i % 8, little endian, of word i / 8: rb_mix(actor << 32 | seq) + (i / 8) *
 * RB_STEP. A record of at least RB_RECORD_HEADER bytes carries this header
 * instead of its first bytes. The header that subbuf_start reserves is a
 * pattern too, from its first byte on: of actor RB_HEADER_ACTOR and seq = the
 * low 32 bits of the sub-buffers produced.
 */
#define RB_RECORD_MAGIC		0x52434552u	/* "RECR" */
#define RB_RECORD_HEADER	32
#define RB_HEADER_ACTOR		0xfffeu
#define RB_STEP			0x9e3779b97f4a7c15ULL

struct rb_record {
	__u32 magic;
	__u16 actor;
	__u16 cpu;		/* CPU it was written on */
	__u32 seq;
	__u32 len;		/* all of it, this header included */
	__u64 time_ns;		/* CLOCK_MONOTONIC, fast accessor */
	__u8 context;		/* enum rb_context */
	__u8 channel;
	__u16 reserved;
	__u32 crc;		/* CRC-32 (IEEE) of the 28 bytes before */
};

/* The finaliser of splitmix64 (Steele, Lea, Flood 2014). */
static inline __u64 rb_mix(__u64 x)
{
	x += RB_STEP;
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
	return x ^ (x >> 31);
}

/* Length of record (actor, seq) of an operation, drawn from the seed. */
static inline __u32 rb_record_len(__u64 seed, __u32 actor, __u32 seq,
				  __u32 len_min, __u32 len_max)
{
	__u64 x = rb_mix(seed ^ rb_mix((__u64)actor << 32 | seq));
	__u64 span = (__u64)len_max - len_min + 1;

	/* Multiply and shift: no division, fair enough for spans below 2^17. */
	return len_min + (__u32)(((x >> 32) * span) >> 32);
}

_Static_assert(sizeof(struct rb_record) == RB_RECORD_HEADER, "rb_record");

#endif /* RELAYBED_ABI_RECORD_H */
