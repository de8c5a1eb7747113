@preconcurrency import Glibc
import Keeper

// Descriptor 3 is the socket pair's end that `KeeperProcess` leaves us.
exit(KeeperLoop.run(descriptor: 3))
