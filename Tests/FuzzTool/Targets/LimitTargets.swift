import EventSocket
import Limits
import Primitives

/// The limit service, and what mod_hash tells of its own limits.
extension FuzzTarget {
    static let limits: [FuzzTarget] = [limitService, limitBook]

    private static let moment = LimitMoment(
        boot: Instant(nanoseconds: 1_000_000_000_000), wall: 1_795_254_954)

    static let limitService = FuzzTarget(
        "limit-service", "a connection of the limit service: RESP in pieces, one command or many",
        maximumLength: 16_384,
        seeds: {
            let release =
                "local n = redis.call('decr', KEYS[1]) if n <= 0 then redis.call('del', KEYS[1]) end return n"
            let commands = [
                ["INCR", "a"], ["decr", "a"], ["GET", "a"], ["expire", "cps_1795254954", "1"],
                ["eval", release, "1", "a"], ["auth", "s3cret"], ["auth", "default", "s3cret"],
                ["hello", "3", "auth", "default", "s3cret"], ["ping"], ["echo", "x"], ["select", "0"],
                ["command"], ["client", "setname", "x"], ["info"], ["config", "get", "save"], ["quit"],
            ].map { words in
                "*\(words.count)\r\n" + words.map { "$\($0.utf8.count)\r\n\($0)\r\n" }.joined()
            }
            return (commands + [commands.joined(), "INCR a\r\nGET a\r\nPING\r\n"]).map { Array($0.utf8) }
                + [Recordings.file("Tests/LimitsTests/Fixtures/hiredis_resp.txt")]
        }
    ) { input in
        let password: [UInt8]? = input.flag() ? Array("s3cret".utf8) : nil
        var shared = LimitSession.Shared(
            book: LimitBook(me: "fs1", seed: 5), passwords: PasswordGuard(password: password))
        var session = LimitSession(id: 7, needsPassword: password != nil)
        var now = moment
        var held: [UInt8] = []
        var isOver = false
        while !isOver, let piece = input.piece() {
            held += piece
            now.boot += .milliseconds(input.choice(256) * 10)
            now.wall += UInt64(input.choice(3))
            var replies = RESPReplies()
            var (used, next) = held.withUnsafeBytes { session.receive($0, &shared, at: now, into: &replies) }
            held.removeFirst(used)
            while next != .more, !isOver {
                if next == .close {
                    isOver = true
                } else {
                    next = session.resume(into: &replies)
                    if next == .more {
                        (used, next) = held.withUnsafeBytes {
                            session.receive($0, &shared, at: now, into: &replies)
                        }
                        held.removeFirst(used)
                    }
                }
            }
            expect(replies.isEmpty || replies.bytes.suffix(2).elementsEqual([13, 10]), "half a reply")
            shared.book.sweep(at: now)
        }
        _ = shared.book.takeChanges()
        _ = shared.book.report(at: now)
    }

    static let limitBook = FuzzTarget(
        "limit-book", "dumps of mod_hash and other nodes' usage, against a book", maximumLength: 8192,
        seeds: {
            let dump = Array("L/a/3/1/10/1795254954\nL/b c/1/0/0/0\n".utf8)
            let usage = Limits.LimitUsage.counter(CounterUsage(counted: 3, adopted: 1)).bytes
            return [
                FuzzInput.message(0, dump), FuzzInput.message(1, usage),
                FuzzInput.message(0, Recordings.file("Tests/LimitsTests/Fixtures/hash_remote_poll.txt")),
                FuzzInput.message(1, usage) + FuzzInput.message(2, Array("ca".utf8))
                    + FuzzInput.message(3, Array("b/2/1".utf8)),
            ]
        }
    ) { input in
        var book = LimitBook(me: "fs1", seed: 1)
        var now = moment
        let origin = LimitOrigin(node: "fs2", life: 1)
        let keys = [LimitKey.Backend.hash, .hiredis].map { LimitKey($0, "a").record }
        while let (kind, bytes) = input.message() {
            now.boot += .milliseconds(Int(kind))
            now.wall += UInt64(kind >> 6)
            switch kind % 6 {
            case 0:
                _ = book.observe(
                    dump: bytes, allowances: ["a": LimitAllowance(total: 1), "b": .init(rate: 9)], at: now)
                _ = LimitDump.parse(String(decoding: bytes, as: UTF8.self))
            case 1:
                if let usage = Limits.LimitUsage(bytes: bytes) {
                    expect(Limits.LimitUsage(bytes: usage.bytes) == usage, "another usage comes back")
                }
                for key in keys { try? book.apply(.put(key, bytes), of: origin, at: now) }
                for key in keys { try? book.restore(.put(key, bytes), at: now) }
            case 2: try? book.apply(.put(bytes, [1, 1]), of: origin, at: now)
            case 3:
                let text = String(decoding: bytes, as: UTF8.self)
                _ = LimitKey.taken(byLimit: text)
                _ = LimitKey.interval(ofLimit: text)
                _ = LimitKey.held(byVariables: [
                    .init(LimitKey.variablePrefix + "x", text), .init(text, text),
                ])
            case 4: try? book.reset(origin)
            default: book.forget(origin)
            }
            _ = book.hashAnswer(at: now)
            _ = book.report(at: now)
            _ = book.takeChanges()
        }
    }
}
