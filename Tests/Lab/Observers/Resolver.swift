import CLab
@preconcurrency import Glibc

/// A client's own DNS cache: what a server said for a name counts for its TTL, then it is asked again (RFC 1035 §3.2.1).
final class Resolver {
    struct Answer {
        var addresses: [String]
        var fetched: BootTime
        var expires: BootTime
    }

    private let socket: UDPSocket
    private let name: String
    private var answer: Answer?
    private var id: UInt16

    init(server: String, name: String, number: Int) throws {
        socket = try UDPSocket()
        try socket.connect(to: server, port: 53)
        self.name = name
        id = UInt16(truncatingIfNeeded: number &* 1009)
    }

    /// The addresses of the name as this client knows them now; throws when the server does not answer.
    func addresses() throws -> Answer {
        if let answer, BootTime.now < answer.expires { return answer }
        for _ in 0..<4 {
            id &+= 1
            let question = ZoneWatch.question(name, id)
            // What the server says is from then on, or later: the client remembers from when it asked.
            let asked = BootTime.now
            _ = Glibc.send(socket.descriptor, question, question.count, 0)
            guard let bytes = reply() else { continue }
            let records = ZoneWatch.records(in: bytes)
            let ttl = records.map(\.ttl).min() ?? 0
            let answer = Answer(
                addresses: records.map(\.address).sorted(), fetched: asked,
                expires: asked.adding(milliseconds: Double(ttl) * 1000))
            self.answer = answer
            return answer
        }
        throw LabFailure("the name server does not answer")
    }

    private func reply() -> [UInt8]? {
        var buffer = [UInt8](repeating: 0, count: 4096)
        var polls = [pollfd(fd: socket.descriptor, events: Int16(POLLIN), revents: 0)]
        let end = BootTime.now.adding(milliseconds: 250)
        while BootTime.now < end, poll(&polls, 1, 50) >= 0 {
            guard polls[0].revents != 0 else { continue }
            let count = recv(socket.descriptor, &buffer, buffer.count, 0)
            if count >= 12, buffer[0] == UInt8(id >> 8), buffer[1] == UInt8(id & 0xFF) {
                return Array(buffer[..<count])
            }
        }
        return nil
    }
}
