import Cluster
import Consensus
import Dispatch
import Synchronization
import Wire

/// Reads the zone from every server and sends updates to the primary, on threads that may wait.
final class ZoneUpdater: Sendable {
    /// A server and what signs for it.
    struct Server: Sendable {
        var endpoint: Endpoint
        var key: TSIGKey?
    }

    /// How long servers are waited for.
    struct Patience: Sendable {
        /// For the answers to all questions by UDP, each of two times.
        var attempt: Duration = .milliseconds(300)
        /// For the answers by TCP.
        var stream: Duration = .seconds(1)
        /// For an update, which waits for the primary's disk.
        var update: Duration = .seconds(2)
    }

    private static let attempts = 2
    private static let largestDatagram = 1200

    private let servers: [Server]
    private let patience: Patience
    private let queue = DispatchQueue(label: "fsdns.zone", attributes: .concurrent)
    private let answer: @Sendable (Event) -> Void

    /// - Parameters:
    ///   - servers: the first is the primary.
    ///   - answer: gets one `.zoneRead` or `.zoneUpdated` for each call.
    init(
        servers: [Server], patience: Patience = Patience(), answer: @escaping @Sendable (Event) -> Void
    ) {
        self.servers = servers
        self.patience = patience
        self.answer = answer
    }

    func read(_ id: UInt64, _ questions: [ZoneQuestion]) {
        let collected = Collected(count: servers.count)
        let group = DispatchGroup()
        for (place, server) in servers.enumerated() {
            queue.async(group: group) { [self] in
                let reading = ServerReading(
                    endpoint: server.endpoint, outcome: read(server.endpoint, questions))
                collected.put(reading, at: place)
            }
        }
        group.notify(queue: queue) { [answer] in answer(.zoneRead(id: id, collected.all)) }
    }

    func update(_ id: UInt64, _ update: ZoneUpdate) {
        queue.async { [self] in answer(.zoneUpdated(id: id, carryOut(update))) }
    }

    private final class Collected: Sendable {
        private let readings: Mutex<[ServerReading?]>
        init(count: Int) { readings = Mutex(Array(repeating: nil, count: count)) }
        func put(_ reading: ServerReading, at place: Int) { readings.withLock { $0[place] = reading } }
        var all: [ServerReading] { readings.withLock { $0.compactMap { $0 } } }
    }
}

// MARK: - Reading

extension ZoneUpdater {
    private struct Unread {
        var question: ZoneQuestion
        var message: DNSMessage
        var wire: [UInt8]
    }

    private func read(_ server: Endpoint, _ questions: [ZoneQuestion]) -> ServerReading.Outcome {
        var answers: [DNSMessage] = []
        var unread: [Unread] = []
        for question in questions {
            guard let name = try? DNSName(question.name), let type = RecordType(question.type) else {
                return .failed("\(question.name) \(question.type) is no question of DNS")
            }
            let message = DNSMessage.query(id: .random(in: .min ... .max), name: name, type: type)
            guard let wire = try? message.wire() else {
                return .failed("\(question.name) \(question.type) does not fit into a message")
            }
            unread.append(Unread(question: question, message: message, wire: wire))
        }
        do throws(ServerConversation.Failure) {
            for transport in [ServerConversation.Transport.udp, .tcp] where !unread.isEmpty {
                try ask(server, by: transport, &unread, &answers)
            }
        } catch {
            return .failed(error.description)
        }
        if let first = unread.first {
            return .failed("no answer for \(first.question.name) \(first.question.type)")
        }
        return Self.outcome(of: answers)
    }

    /// Asks all that is unread at once; a truncated answer leaves its question for TCP.
    private func ask(
        _ server: Endpoint, by transport: ServerConversation.Transport, _ unread: inout [Unread],
        _ answers: inout [DNSMessage]
    ) throws(ServerConversation.Failure) {
        var truncated: [UInt16] = []
        for _ in 0..<(transport == .udp ? Self.attempts : 1) {
            let asked = unread.filter { !truncated.contains($0.message.id) }
            if asked.isEmpty { return }
            let deadline = BootClock.now() + (transport == .udp ? patience.attempt : patience.stream)
            do throws(ServerConversation.Failure) {
                let conversation = try ServerConversation(to: server, by: transport, until: deadline)
                for one in asked { try conversation.send(one.wire, until: deadline) }
                while unread.contains(where: { !truncated.contains($0.message.id) }),
                    let bytes = try conversation.receive(until: deadline)
                {
                    guard let reply = try? DNSMessage(wire: bytes),
                        let place = unread.firstIndex(where: { reply.isReply(to: $0.message) })
                    else { continue }
                    if reply.isTruncated {
                        truncated.append(reply.id)
                        continue
                    }
                    try Self.check(reply, unread[place].question)
                    answers.append(reply)
                    unread.remove(at: place)
                }
            } catch {
                // A refusal by ICMP may be a server that restarts; the second attempt and TCP decide.
                if transport == .tcp || error.isVerdict { throw error }
            }
        }
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

    private static func outcome(of answers: [DNSMessage]) -> ServerReading.Outcome {
        var serial: UInt32?
        var records: [ZoneRecord] = []
        for answer in answers {
            guard let found = try? answer.answers() else { return .failed("an answer cannot be read") }
            for record in found {
                if case .soa(let soa) = record.data {
                    serial = soa.serial.value
                } else if let ours = ZoneRecord(record) {
                    records.append(ours)
                }
            }
        }
        guard let serial else { return .failed("the zone has no SOA there") }
        return .read(serial: serial, records: records.sorted())
    }
}

// MARK: - Updating

extension ZoneUpdater {
    private func carryOut(_ update: ZoneUpdate) -> ZoneUpdateOutcome {
        guard let primary = servers.first else { return .refused("no server is configured") }
        guard let key = primary.key else { return .refused("no key is configured for \(primary.endpoint)") }
        guard let request = (try? DNSUpdate(update))?.message(id: .random(in: .min ... .max)),
            let wire = try? request.wire()
        else { return .refused("the update cannot be written as a DNS message") }
        let signed = key.sign(wire, at: WallClock.seconds())
        let transport: ServerConversation.Transport =
            signed.wire.count <= Self.largestDatagram ? .udp : .tcp
        let deadline = BootClock.now() + patience.update
        do throws(ServerConversation.Failure) {
            let conversation = try ServerConversation(to: primary.endpoint, by: transport, until: deadline)
            try conversation.send(signed.wire, until: deadline)
            var doubt = "no answer from \(primary.endpoint)"
            while let bytes = try conversation.receive(until: deadline) {
                do throws(TSIGFailure) {
                    let reply = try key.verifyReply(
                        bytes, requestMAC: signed.mac, at: WallClock.seconds())
                    if reply.isReply(to: request) { return Self.outcome(of: reply.code) }
                } catch {
                    if case .refused = error { return .refused("\(error)") }
                    doubt = "\(primary.endpoint) answered, but not to be trusted: \(error)"
                }
            }
            return .unknown(doubt)
        } catch {
            return .unknown("\(primary.endpoint): \(error)")
        }
    }

    private static func outcome(of code: ResponseCode) -> ZoneUpdateOutcome {
        switch code {
        case .noError: .done
        case .nxRRSet, .yxRRSet, .nxDomain, .yxDomain: .prerequisiteFailed("\(code)")
        default: .refused("\(code)")
        }
    }
}
