import Foundation
@preconcurrency import Glibc

/// What keeps the lab from leaving anything behind, however its own process ends.
package enum Keeping {
    /// The first process of a machine: reaps what is left to it and ends with its input, which ends the
    /// machine.
    package static func hold() {
        signal(SIGCHLD, SIG_IGN)
        waitForEndOfInput()
    }

    /// Removes the directory once its input ends, when all that writes there is gone too.
    package static func janitor(of directory: String) {
        for name in [SIGINT, SIGTERM, SIGHUP] { signal(name, SIG_IGN) }
        waitForEndOfInput()
        for _ in 0..<20 where FileManager.default.fileExists(atPath: directory) {
            try? FileManager.default.removeItem(atPath: directory)
            pause(milliseconds: 100)
        }
    }

    private static func waitForEndOfInput() {
        var byte: UInt8 = 0
        while true {
            let count = read(0, &byte, 1)
            if count == 0 || (count < 0 && errno != EINTR) { return }
        }
    }
}
