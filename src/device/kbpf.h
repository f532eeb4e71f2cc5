/* kbpf - the bpf() system call, for programs of a handful of instructions that are written down where they are used. */
#ifndef DEVICE_KBPF_H
#define DEVICE_KBPF_H 1

#include <linux/bpf.h>
#include <stddef.h>

/* All return a descriptor, or 0, or -errno. */
int kbpf_call(int command, union bpf_attr *);
int kbpf_load(enum bpf_prog_type, const struct bpf_insn *, size_t n);
/* An array of one 32-bit number, which is 0. */
int kbpf_word_new(void);
int kbpf_word_set(int fd, unsigned value);

#endif
