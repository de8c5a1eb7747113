#pragma once

// The kernel's words for network namespaces and address events, which the lab needs and Swift's Glibc module lacks.

#include <linux/if_addr.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <time.h>

// The C library's headers hide these without _GNU_SOURCE, and Swift's Glibc module is built without it.
extern int setns(int fd, int nstype);
extern int unshare(int flags);
extern int pipe2(int ends[2], int flags);
extern int ppoll(struct pollfd *polls, nfds_t count, const struct timespec *wait, const void *signals);

enum { LAB_NEWNET = 0x40000000, LAB_NEWPID = 0x20000000 };
