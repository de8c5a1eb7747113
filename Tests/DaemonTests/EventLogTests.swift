import Cluster
import Glibc
import Primitives
import Synchronization
import Testing

@testable import Daemon

@Suite("Event log")
struct EventLogTests {
    private let directory = TemporaryDirectory()

    /// The lines that `say` makes the log write, without their times.
    private func lines(
        clock: @escaping @Sendable () -> Instant = { Instant.now() }, _ say: (EventLog) -> Void
    ) -> [String] {
        let descriptor = open("\(directory.path)/log", O_RDWR | O_CREAT | O_TRUNC, 0o600)
        defer { close(descriptor) }
        let log = EventLog(to: descriptor, clock: clock)
        say(log)
        log.flush()
        lseek(descriptor, 0, SEEK_SET)
        var bytes = [UInt8](repeating: 0, count: 1 << 20)
        let count = read(descriptor, &bytes, bytes.count)
        let text = String(decoding: bytes.prefix(max(count, 0)), as: UTF8.self)
        return text.split(separator: "\n").map { String($0.drop { $0 != " " }.dropFirst()) }
    }

    @Test("an event is one line with level, kind, subject, epoch and reason")
    func event() {
        let said = lines { log in
            log.event(ClusterEvent(.takeover, "master1", "because", epoch: Epoch(term: 3, index: 118)))
            log.event(ClusterEvent(.leaseLost, "fs1", "no majority"))
        }
        #expect(
            said == [
                "notice takeover master1 epoch=3.118 \"because\"", "warning lease-lost fs1 \"no majority\"",
            ])
    }

    @Test("text from outside cannot begin another line")
    func control() {
        let said = lines { $0.event(ClusterEvent(.trouble, "fs1", "one\nnotice takeover\u{1B}[2J\u{9B}1m")) }
        #expect(said == [#"warning trouble fs1 "one\x0anotice takeover\x1b[2J\x9b1m""#])
    }

    @Test("neither can what it is about, which is cut where it is long")
    func subject() {
        let user = "1000\r\n\u{7F}\u{202E}" + String(repeating: "x", count: 70_000)
        let said = lines { log in
            log.warning("registration", user, "refused")
            log.notice("registration", user, "refused")
            log.event(ClusterEvent(.trouble, user, "refused"))
        }
        #expect(said.count == 3)
        for line in said {
            #expect(line.contains(#"1000\x0d\x0a\x7f\u{202e}xxx"#) && line.hasSuffix(#"… "refused""#))
            #expect(line.utf8.count < 200)
        }
    }

    @Test("one kind cannot fill the log, and another is still heard")
    func rate() {
        let said = lines { log in
            for _ in 0..<500 { log.event(ClusterEvent(.nodeSilent, "fs2", "again")) }
            log.event(ClusterEvent(.takeover, "master1", "heard"))
        }
        // A second may end while it is said: twenty lines in each.
        #expect((20...40).contains(said.count { $0.contains("node-silent") }))
        #expect(said.last == "notice takeover master1 \"heard\"")
    }

    @Test("a reader that is stuck holds up neither who speaks nor the end, and is told what it missed")
    func stuckReader() {
        var pipe: [Int32] = [-1, -1]
        #expect(Glibc.pipe(&pipe) == 0)
        defer { for end in pipe { close(end) } }
        let log = EventLog(to: pipe[1])
        let long = String(repeating: "x", count: 900)
        // A pipe takes 64 KiB.
        for number in 0..<150 { log.notice("kind\(number)", "fs1", long) }
        log.flush()
        var bytes = [UInt8](repeating: 0, count: 1 << 20)
        #expect(read(pipe[0], &bytes, bytes.count) > 0)
        log.notice("after", "fs1", "it is read again")
        log.flush()
        let count = read(pipe[0], &bytes, bytes.count)
        let text = String(decoding: bytes.prefix(max(count, 0)), as: UTF8.self)
        #expect(text.contains("lines were lost: nobody read them"))
        #expect(text.contains("it is read again"))
    }

    @Test("what strangers cause is one line, however many they are, and another kind is still told")
    func strangers() {
        let said = lines { log in
            for number in 0..<60_000 {
                log.stranger("frame-dropped", number, sort: "wrong-key") {
                    ("10.\(number >> 8).\(number & 255).1", "cannot be opened")
                }
            }
            for number in 0..<1000 { log.stranger("peer-link", "10.0.0.\(number)", "was refused") }
        }
        #expect(
            said == [
                "warning frame-dropped 10.0.0.1 \"cannot be opened\"",
                "warning peer-link 10.0.0.0 \"was refused\"",
            ])
    }

    @Test("all warnings together have a bound, and the next that is said tells how many were not")
    func together() {
        let said = lines { log in
            for number in 0..<2000 { log.warning("kind\(number)", "subject", "text") }
            log.notice("ready", "fs1", "heard")
        }
        #expect((60...100).contains(said.count))
        #expect(said.last == "notice ready fs1 \"heard\"")
    }

    @Test("what fails again with each attempt is one line in ten seconds for each kind and subject")
    func again() {
        let subjects = [("peer-link", "fs1"), ("peer-link", "fs2"), ("replica-link", "fs1")]
        let milliseconds = Mutex<Int64>(0)
        let said = lines(clock: { Instant(nanoseconds: milliseconds.withLock { $0 } * 1_000_000) }) { log in
            for _ in 0..<180 {
                for (kind, subject) in subjects {
                    log.warning(kind, subject, "refused there: fs3 was forgotten")
                }
                milliseconds.withLock { $0 += 333 }
            }
        }
        for (kind, subject) in subjects {
            let own = said.filter { $0.hasPrefix("warning \(kind) \(subject) ") }
            #expect(own.count == 6)
            #expect(own.dropFirst().allSatisfy { $0.hasSuffix("(and 30 more lines before)") })
        }
    }

    @Test("of lines that differ each time, three are said in ten seconds") func different() {
        let now = Instant(nanoseconds: 1_000_000_000)
        let said = lines(clock: { now }) { log in
            for number in 0..<100 { log.warning("peer-link", "fs1", "refused there: \(number)") }
        }
        #expect(said.count == 3)
    }

    @Test("strangers who find many sorts of mischief have twenty lines, and take none from others")
    func mischief() {
        let now = Instant(nanoseconds: 1_000_000_000)
        let said = lines(clock: { now }) { log in
            for kind in 0..<64 { log.stranger("kind\(kind)", "10.0.0.1", "was refused") }
            for number in 0..<60 { log.warning("keeper", "\(number)", "has ended") }
        }
        #expect(said.count { $0.contains("was refused") } == 20)
        #expect(said.count { $0.contains("has ended") } == 60)
    }
}
