/* kbpf - see the header; nothing is hidden here. */
#include "device/kbpf.h"
#include <errno.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NAME "sluice"

int
kbpf_call(int command, union bpf_attr *attr)
{
    long r = syscall(SYS_bpf, command, attr, sizeof *attr);
    return r < 0 ? -errno : (int) r;
}

int
kbpf_load(enum bpf_prog_type type, const struct bpf_insn *insns, size_t n)
{
    union bpf_attr attr = {
        .prog_type = type,
        .insns = (uintptr_t) insns,
        .insn_cnt = n,
        .license = (uintptr_t) "Apache-2.0",
        .prog_name = NAME,
    };
    return kbpf_call(BPF_PROG_LOAD, &attr);
}

int
kbpf_word_new(void)
{
    union bpf_attr attr = {
        .map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 4, .max_entries = 1, .map_name = NAME};
    return kbpf_call(BPF_MAP_CREATE, &attr);
}

int
kbpf_word_set(int fd, unsigned value)
{
    uint32_t key = 0;
    union bpf_attr attr = {.map_fd = fd, .key = (uintptr_t) &key, .value = (uintptr_t) &value};
    return kbpf_call(BPF_MAP_UPDATE_ELEM, &attr);
}
