import Glibc
import Keeper
import Primitives
import Synchronization
import Testing

@testable import Daemon

@Suite("Privileges given up", .serialized)
struct PrivilegeTests {
    /// Runs on a thread of its own, which ends with what it gave up.
    private func alone(_ body: @escaping @Sendable () -> String) -> String {
        let said = Mailbox<String>()
        pthread_join(startThread { said.put(body()) }, nil)
        return said.next() ?? ""
    }

    private static func text(_ path: String) -> String {
        String(decoding: FileText.read(path, limit: 1 << 16) ?? [], as: UTF8.self)
    }

    private func sets(_ status: String) -> [String: UInt64] {
        var sets: [String: UInt64] = [:]
        for line in status.split(separator: "\n") where line.hasPrefix("Cap") || line.hasPrefix("NoNew") {
            let words = line.split(whereSeparator: { ":\t ".contains($0) })
            if words.count == 2 { sets[String(words[0])] = UInt64(words[1], radix: 16) }
        }
        return sets
    }

    @Test("the thread that gives up, and a program that it starts, can do no more than anybody")
    func nothingLeft() {
        let status = alone {
            let warnings = KeeperPrivileges.giveUpEverything(realtimePriority: RealTime.highest)
            return warnings.joined() + Self.text("/proc/thread-self/status")
        }
        let program = alone {
            _ = KeeperPrivileges.giveUpEverything(realtimePriority: RealTime.highest)
            let order = CommandRunner.Order(
                program: "/bin/cat", arguments: ["/proc/self/status"], deadline: .seconds(20))
            guard var process = try? CommandProcess(order) else { return "" }
            while !process.hasEnded {
                process.read()
                process.wait(until: Instant.now() + .seconds(1))
            }
            _ = process.finish()
            return String(decoding: process.output, as: UTF8.self)
        }
        for sets in [sets(status), sets(program)] {
            #expect(sets["CapPrm"] == 0 && sets["CapEff"] == 0 && sets["CapAmb"] == 0 && sets["CapInh"] == 0)
            #expect(sets["NoNewPrivs"] == 1)
            if geteuid() == 0 { #expect(sets["CapBnd"] == 0) }
        }
    }
}
