#pragma once

// Without _GNU_SOURCE, as Swift's Glibc module is made: a module with other definitions of fd_set or rusage
// cannot stand beside it in one program.

// The kernel's own headers for what Swift's Glibc module leaves out, and the few calls that C spells as
// variadic functions, which Swift cannot call.

#include <errno.h>
#include <fcntl.h>
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
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/timex.h>
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

/// Makes these the permitted and effective, and those the inheritable capabilities of this thread; returns -1 with errno.
static inline int clinux_set_capabilities(unsigned long long wanted, unsigned long long inheritable) {
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {
        {.effective = (unsigned)wanted, .permitted = (unsigned)wanted, .inheritable = (unsigned)inheritable},
        {.effective = (unsigned)(wanted >> 32),
         .permitted = (unsigned)(wanted >> 32),
         .inheritable = (unsigned)(inheritable >> 32)},
    };
    return (int)syscall(SYS_capset, &header, data);
}

/// Whether something keeps the wall clock right, as the kernel knows (adjtimex(2)): 1, 0, or -1 with errno.
static inline int clinux_is_clock_kept(void) {
    struct timex look = {0};
    int state = adjtimex(&look);
    return state < 0 ? -1 : state == TIME_ERROR || look.status & STA_UNSYNC ? 0 : 1;
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

/// Lets the threads of this process have a real-time priority up to this one without a capability; returns -1 with
/// errno where the limit cannot be raised so far.
static inline int clinux_allow_realtime(unsigned priority) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_RTPRIO, &limit) != 0) return -1;
    if (limit.rlim_cur >= priority) return 0;
    limit.rlim_cur = priority;
    if (limit.rlim_max < priority) limit.rlim_max = priority;
    return setrlimit(RLIMIT_RTPRIO, &limit);
}

/// Keeps no core of this process; returns -1 with errno.
static inline int clinux_keep_no_core(void) {
    struct rlimit none = {0, 0};
    return setrlimit(RLIMIT_CORE, &none);
}

/// Sends the number, and with it a descriptor (unix(7), SCM_RIGHTS); returns 0, or -1 with errno.
static inline int clinux_send_descriptor(int socket, unsigned long long number, int descriptor) {
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr header;
    } control = {{0}};
    struct iovec part = {&number, sizeof number};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    __builtin_memcpy(CMSG_DATA(header), &descriptor, sizeof descriptor);
    return sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT) == sizeof number ? 0 : -1;
}

/// Waits for what `clinux_send_descriptor` sends; returns 1, 0 when the socket is closed, or -1 with errno. The
/// descriptor is -1 when none came.
static inline int clinux_receive_descriptor(int socket, unsigned long long *number, int *descriptor) {
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr header;
    } control = {{0}};
    struct iovec part = {number, sizeof *number};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    *descriptor = -1;
    ssize_t count = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
    if (count <= 0) return (int)count;
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    if (header && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS &&
        header->cmsg_len == CMSG_LEN(sizeof(int)))
        __builtin_memcpy(descriptor, CMSG_DATA(header), sizeof *descriptor);
    return 1;
}

/// A file that is nowhere but in memory (memfd_create(2)), closed by exec; returns -1 with errno.
static inline int clinux_memory_file(const char *name) {
    // MFD_CLOEXEC, and MFD_NOEXEC_SEAL, which kernels before 6.3 do not know and some later ones insist on.
    int file = (int)syscall(SYS_memfd_create, name, 1u | 8u);
    return file < 0 && errno == EINVAL ? (int)syscall(SYS_memfd_create, name, 1u) : file;
}

/// A number that another process may read and write at the same time.
static inline int64_t clinux_load(const int64_t *place) { return __atomic_load_n(place, __ATOMIC_SEQ_CST); }
static inline void clinux_store(int64_t *place, int64_t value) { __atomic_store_n(place, value, __ATOMIC_SEQ_CST); }

/// Starts a program as a child of our own parent, who can so wait for it: with `descriptor` as its descriptor 3 and
/// `second` as 4, nothing to read from, our standard error, no other descriptor, and signals as a new program expects
/// them. To be called by a process of one thread. Returns its number, or -1 with errno.
static inline int clinux_start_sibling(
    const char *path, char *const words[], char *const environment[], int descriptor, int second) {
    // CLONE_PARENT, which <sched.h> tells of only to GNU sources.
    long pid = syscall(SYS_clone, 0x00008000ul | SIGCHLD, 0, 0, 0, 0);
    if (pid != 0) return (int)pid;
    for (int number = 1; number < 65; number++) signal(number, SIG_DFL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, 0);
    int nothing = open("/dev/null", O_RDWR);
    int kept = fcntl(descriptor, F_DUPFD, 10), keptSecond = fcntl(second, F_DUPFD, 10);
    if (nothing < 0 || kept < 0 || dup2(nothing, 0) < 0 || dup2(nothing, 1) < 0 || dup2(kept, 3) < 0) _exit(126);
    if (keptSecond < 0 || dup2(keptSecond, 4) < 0) _exit(126);
    syscall(SYS_close_range, 5u, ~0u, 0);
    execve(path, words, environment);
    _exit(127);
}

/// Starts a detached thread with a stack of so many bytes. Here, because Swift finds `pthread_attr_t` in several modules.
/// Returns 0, or what pthread_create(3) says.
static inline int clinux_start_thread(void *(*run)(void *), void *argument, size_t stack) {
    pthread_attr_t attributes;
    int failure = pthread_attr_init(&attributes);
    if (failure != 0) return failure;
    pthread_attr_setstacksize(&attributes, stack);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_t thread;
    failure = pthread_create(&thread, &attributes, run, argument);
    pthread_attr_destroy(&attributes);
    return failure;
}
