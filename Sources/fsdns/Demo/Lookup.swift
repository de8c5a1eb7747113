import DNSMessages
import Primitives

/// Plain questions to one authoritative name server, asked and read by ourselves.
struct Lookup: Hashable, Sendable {
    enum Answer: Hashable, Sendable {
        /// Sorted.
        case records([DNSRecord])
        case silent
        /// What it said instead.
        case wrong(String)
    }

    var server: Endpoint
    var patience: Duration = .milliseconds(500)

    func ask(_ name: String, _ type: RecordType) -> Answer {
        do {
            let query = DNSMessage.query(
                id: UInt16.random(in: 0...UInt16.max), name: try DNSName(name), type: type)
            let socket = try DatagramProbe(connectedTo: server)
            socket.send(try query.wire())
            let watch = Stopwatch()
            while let bytes = socket.receive(within: patience - watch.elapsed) {
                guard let reply = try? DNSMessage(wire: bytes), reply.isReply(to: query) else { continue }
                guard reply.code == .noError else { return .wrong("\(reply.code)") }
                guard reply.isAuthoritative else { return .wrong("not authoritative") }
                return .records(try reply.answers().sorted())
            }
            return .silent
        } catch {
            return .wrong("\(error)")
        }
    }

    /// The addresses of a name, as text; empty when it has none or nobody answers.
    func addresses(_ name: String) -> [String] {
        guard case .records(let records) = ask(name, .a) else { return [] }
        return records.map { "\($0.data)" }
    }
}
