#pragma once

// Without _GNU_SOURCE, as Swift's Glibc module is made: a module with other definitions of fd_set or rusage
// cannot stand beside it in one program.

// The kernel's own headers for what Swift's Glibc module leaves out, and the few calls that C spells as
// variadic functions, which Swift cannot call.

#include <linux/capability.h>
#include <linux/fib_rules.h>
#include <linux/if_addr.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netpacket/packet.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

/// prctl(2) with its full five arguments; returns -1 with errno.
static inline int clinux_prctl(
    int option, unsigned long a, unsigned long b, unsigned long c, unsigned long d) {
    return prctl(option, a, b, c, d);
}

/// Reads the permitted capabilities of this thread as one bit set; returns -1 with errno.
static inline int clinux_permitted(unsigned long long *permitted) {
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {{0}};
    if (syscall(SYS_capget, &header, data) != 0) return -1;
    *permitted = (unsigned long long)data[1].permitted << 32 | data[0].permitted;
    return 0;
}

/// Makes these the permitted and effective capabilities of this thread, and none inheritable.
static inline int clinux_set_capabilities(unsigned long long wanted) {
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {
        {.effective = (unsigned)wanted, .permitted = (unsigned)wanted, .inheritable = 0},
        {.effective = (unsigned)(wanted >> 32), .permitted = (unsigned)(wanted >> 32), .inheritable = 0},
    };
    return (int)syscall(SYS_capset, &header, data);
}

/// Closes every descriptor from `first` on; returns -1 with errno.
static inline int clinux_close_from(unsigned first) {
    return (int)syscall(SYS_close_range, first, ~0u, 0);
}

/// <spawn.h> tells of it only to GNU sources.
extern int posix_spawn_file_actions_addclosefrom_np(posix_spawn_file_actions_t *, int);

/// Has the spawned process close every descriptor from `first` on; returns an error number.
static inline int clinux_spawn_close_from(posix_spawn_file_actions_t *actions, int first) {
    return posix_spawn_file_actions_addclosefrom_np(actions, first);
}

/// Lifts the limit on locked memory, which takes a privilege to raise; returns -1 with errno.
static inline int clinux_unlimit_locked_memory(void) {
    struct rlimit unlimited = {RLIM_INFINITY, RLIM_INFINITY};
    return setrlimit(RLIMIT_MEMLOCK, &unlimited);
}
