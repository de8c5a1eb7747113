@preconcurrency import Glibc
import Keeper

exit(KeeperCommand.run(Array(CommandLine.arguments.dropFirst())))
