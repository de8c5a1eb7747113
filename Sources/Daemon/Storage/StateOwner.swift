import Cluster
import GRDB
@preconcurrency import Glibc

/// Whose a state file is, looked at before it is used and without changing it.
struct StateOwner: Hashable, Sendable {
    var node: String
    /// Unknown where an earlier release wrote it last.
    var machine: MachineID
    /// Network cards of the machine; empty where none was known.
    var cards: Set<UInt64> = []

    /// Nil when there is no file, or none that says so: opening it tells what is wrong with it.
    static func read(_ path: String) -> StateOwner? {
        guard access(path, F_OK) == 0 else { return nil }
        // A read-only connection could not look into what a crash left in the write-ahead log.
        guard let database = try? DatabaseQueue(path: path) else { return nil }
        defer { try? database.close() }
        return try? database.read { database -> StateOwner? in
            guard let node = try String.fetchOne(database, sql: "SELECT node FROM identity") else {
                return nil
            }
            return StateOwner(
                node: node, machine: try StateFile.machine(database), cards: try StateFile.cards(database))
        }
    }

    /// Why the file must not be used by a node on a machine; nil when it may.
    ///
    /// A file of another name that was used since this machine's last start is a mistake in a `--state-dir`, which is told
    /// and not repaired.
    ///
    /// - Parameter cards: of this machine. One card in common makes it the same.
    func foreignness(to name: String, on here: MachineID, cards: Set<UInt64> = []) -> String? {
        let isElsewhere =
            machine.host != 0 && here.host != 0 && machine.host != here.host
            || !cards.isEmpty && !self.cards.isEmpty && cards.isDisjoint(with: self.cards)
        let isSameStart = machine.boot != 0 && machine.boot == here.boot
        if node != name {
            guard machine != .unknown, !isSameStart else { return nil }
            return "\(name) was started from a copy of the state directory of \(node); it has joined anew"
        }
        guard isElsewhere, !isSameStart else { return nil }
        return
            "\(name) was started from a copy of its state directory, made on another machine; it has joined anew"
    }
}
