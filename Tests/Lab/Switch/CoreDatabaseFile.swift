import Foundation
@preconcurrency import Glibc

/// The core.db of a machine's switch, as another process sees and hurts it.
package struct CoreDatabaseFile {
    private let machine: Machine
    private let path: String

    package init(of host: Host) throws {
        machine = host.machine
        path = try host.freeswitch.databasePath
    }

    /// How many calls its table `recovery` has.
    package func rows() throws -> Int {
        let text = try python(
            "print(sqlite3.connect(sys.argv[1], 20).execute('select count(*) from recovery').fetchone()[0])")
        guard let count = Int(text.trimmingCharacters(in: .whitespacesAndNewlines)) else {
            throw LabFailure("\(path) has rows: \(text)")
        }
        return count
    }

    /// Keeps every writer out for so long; returns once it does.
    package func lock(seconds: Double) throws {
        let flag = path + ".locked"
        unlink(flag)
        try machine.start(
            [
                "python3", "-c",
                """
                import sqlite3, sys, time
                base = sqlite3.connect(sys.argv[1], 20, isolation_level=None)
                base.execute('begin immediate')
                open(sys.argv[2], 'w').close()
                time.sleep(float(sys.argv[3]))
                base.execute('rollback')
                """, path, flag, "\(seconds)",
            ], outputFile: "lock.log", errorsFile: "lock.log")
        try wait(for: "the lock on \(path)", atMost: 20) { access(flag, F_OK) == 0 }
    }

    /// Writes nonsense over its pages, and leaves their number as it is.
    package func spoil() throws {
        _ = try python(
            """
            with open(sys.argv[1], 'r+b') as file:
                size = file.seek(0, 2)
                file.seek(0)
                file.write(b'nonsense' * (size // 8))
            """)
    }

    private func python(_ text: String) throws -> String {
        try machine.check(["python3", "-c", "import sqlite3, sys\n" + text, path], seconds: 30)
    }
}
