import Limits
import Primitives

/// A connection of the limit service without a socket: bytes in, bytes out, the clock given.
struct RESPClient {
    var shared: LimitSession.Shared
    var session: LimitSession
    private var held: [UInt8] = []
    var next = LimitSession.Next.more
    var now = LimitMoment(boot: Instant(nanoseconds: 1_000_000_000_000), wall: 1_795_254_954)

    init(password: String? = nil, seed: UInt64 = 5) {
        let passwords = PasswordGuard(password: password.map { Array($0.utf8) })
        shared = LimitSession.Shared(book: LimitBook(me: "fs1", seed: seed), passwords: passwords)
        session = LimitSession(id: 7, needsPassword: password != nil)
    }

    /// What comes back for these bytes.
    mutating func send(_ bytes: some Sequence<UInt8>) -> [UInt8] {
        held += bytes
        return serve()
    }

    mutating func send(_ text: String) -> String { String(decoding: send(text.utf8), as: UTF8.self) }

    /// What comes back for a command of these words, sent as an array of bulk strings.
    mutating func call(_ words: String...) -> String {
        String(decoding: send(Self.command(words)), as: UTF8.self)
    }

    mutating func resume() -> String {
        var replies = RESPReplies()
        next = session.resume(into: &replies)
        return String(decoding: replies.bytes + (next == .more ? serve() : []), as: UTF8.self)
    }

    private mutating func serve() -> [UInt8] {
        var replies = RESPReplies()
        let (used, next) = held.withUnsafeBytes { session.receive($0, &shared, at: now, into: &replies) }
        held.removeFirst(used)
        self.next = next
        return replies.bytes
    }

    static func command(_ words: [String]) -> [UInt8] {
        Array("*\(words.count)\r\n".utf8) + words.flatMap { Array("$\($0.utf8.count)\r\n\($0)\r\n".utf8) }
    }
}
