import Cluster
import DNSMessages
import Primitives

/// One look at one server: questions, which of them are answered, and what was said.
struct ZoneReading {
    struct Unread {
        var question: ZoneQuestion
        var message: DNSMessage
        var wire: [UInt8]
        /// To be asked by TCP only.
        var isTruncated = false
    }

    private static let attempts = 2

    let server: Endpoint
    let patience: ZoneUpdater.Patience
    private(set) var unread: [Unread] = []
    private var answers: [(question: ZoneQuestion, message: DNSMessage)] = []
    /// Whether anything at all came back, believed or not.
    private(set) var wasAnswered = false
    /// Whether UDP brought nothing while TCP did.
    private(set) var wasSilentByUDP = false

    init(server: Endpoint, patience: ZoneUpdater.Patience) {
        self.server = server
        self.patience = patience
    }

    /// - Returns: why the questions cannot be asked; nil when they can.
    mutating func prepare(_ questions: [ZoneQuestion]) -> String? {
        for question in questions {
            guard let name = try? DNSName(question.name), let type = RecordType(question.type) else {
                return "\(question.name) \(question.type) is no question of DNS"
            }
            let message = DNSMessage.query(id: .random(in: .min ... .max), name: name, type: type)
            guard let wire = try? message.wire() else {
                return "\(question.name) \(question.type) does not fit into a message"
            }
            unread.append(Unread(question: question, message: message, wire: wire))
        }
        return nil
    }

    /// Asks all that is unread by UDP, twice where nothing comes, then what is left by TCP.
    mutating func ask(
        signedBy key: TSIGKey?, byTCPOnly: Bool
    ) throws(ServerConversation.Failure) {
        if !byTCPOnly {
            for _ in 0..<Self.attempts where unread.contains(where: { !$0.isTruncated }) {
                let isRejected = try ask(by: .udp, signedBy: key)
                if isRejected { return }
            }
        }
        guard !unread.isEmpty else { return }
        let heard = wasAnswered
        _ = try ask(by: .tcp, signedBy: key)
        if !heard, !byTCPOnly, wasAnswered { wasSilentByUDP = true }
    }

    /// - Returns: whether an answer came that our key does not verify: asked again unsigned, it may do.
    private mutating func ask(
        by transport: ServerConversation.Transport, signedBy key: TSIGKey?
    ) throws(ServerConversation.Failure) -> Bool {
        let deadline = Instant.now() + (transport == .udp ? patience.attempt : patience.stream)
        var rejected = 0
        do throws(ServerConversation.Failure) {
            let conversation = try ServerConversation(to: server, by: transport, until: deadline)
            let asked = unread.filter { transport == .tcp || !$0.isTruncated }
            var macs: [UInt16: [UInt8]] = [:]
            for one in asked {
                guard let key else {
                    try conversation.send(one.wire, until: deadline)
                    continue
                }
                let signed = key.sign(one.wire, at: WallClock.seconds())
                macs[one.message.id] = signed.mac
                try conversation.send(signed.wire, until: deadline)
            }
            var open = asked.count
            while open > 0, let bytes = try conversation.receive(until: deadline) {
                guard let reply = Self.message(bytes),
                    let place = unread.firstIndex(where: { Self.answers(reply, $0.message) })
                else { continue }
                wasAnswered = true
                open -= 1
                if let key, !Self.isVerified(bytes, key, macs[reply.id]) {
                    rejected += 1
                } else if reply.isTruncated {
                    unread[place].isTruncated = true
                } else if reply.isReply(to: unread[place].message) {
                    try Self.check(reply, unread[place].question)
                    answers.append((unread[place].question, reply))
                    unread.remove(at: place)
                }
            }
        } catch {
            // A refusal by ICMP may be a server that restarts; the second attempt and TCP decide.
            if transport == .tcp && rejected == 0 || error.isVerdict { throw error }
        }
        return rejected > 0
    }

    private static func message(_ bytes: [UInt8]) -> DNSMessage? {
        guard let scan = try? PacketScan(bytes) else { return nil }
        return try? DNSMessage(scan)
    }

    private static func answers(_ reply: DNSMessage, _ query: DNSMessage) -> Bool {
        reply.isReply && reply.id == query.id
            && (reply.questions == query.questions || reply.questions.isEmpty)
    }

    private static func isVerified(_ bytes: [UInt8], _ key: TSIGKey, _ mac: [UInt8]?) -> Bool {
        guard let mac else { return false }
        return (try? key.verifyReply(bytes, requestMAC: mac, at: WallClock.seconds())) != nil
    }

    /// An answer that does not speak for the zone is not an absence.
    private static func check(
        _ reply: DNSMessage, _ question: ZoneQuestion
    ) throws(ServerConversation.Failure) {
        guard reply.code == .noError || reply.code == .nxDomain else {
            throw .init(
                description: "answered \(reply.code) for \(question.name) \(question.type)", isVerdict: true)
        }
        guard reply.isAuthoritative else {
            throw .init(description: "is not authoritative for \(question.name)", isVerdict: true)
        }
    }

    /// What the server said to all questions together.
    var result: ServerReading {
        func failed(_ why: String) -> ServerReading {
            ServerReading(endpoint: server, outcome: .failed(why))
        }
        if let first = unread.first {
            return failed("no answer for \(first.question.name) \(first.question.type)")
        }
        var serial: UInt32?
        var records: [ZoneRecord] = []
        var aliases: Set<ZoneAlias> = []
        for answer in answers {
            guard let found = try? answer.message.answers() else { return failed("an answer cannot be read") }
            for record in found {
                if case .soa(let soa) = record.data, answer.question.type == "SOA" {
                    serial = soa.serial.value
                } else if case .cname(let target) = record.data {
                    let alias = ZoneAlias(
                        name: ZoneRecord.text(of: record.name), target: ZoneRecord.text(of: target))
                    if alias.name == answer.question.name { aliases.insert(alias) }
                } else if let ours = ZoneRecord(record), ours.name == answer.question.name,
                    ours.type == answer.question.type
                {
                    // What a CNAME leads to belongs to another name.
                    records.append(ours)
                }
            }
        }
        guard let serial else { return failed("the zone has no SOA there") }
        return ServerReading(
            endpoint: server, outcome: .read(serial: serial, records: records.sorted()),
            aliases: aliases.isEmpty ? nil : aliases.sorted())
    }
}
