import Cluster
import DNSMessages
import Primitives
import Synchronization

/// Reads the zone from every server and sends updates to the primary, on threads that may wait.
package final class ZoneUpdater: Sendable {
    /// A server and what signs for it.
    package struct Server: Sendable {
        package var endpoint: Endpoint
        package var key: TSIGKey?

        package init(endpoint: Endpoint, key: TSIGKey?) {
            self.endpoint = endpoint
            self.key = key
        }
    }

    /// How long servers are waited for.
    struct Patience: Sendable {
        /// For the answers to all questions by UDP, each of two times.
        var attempt: Duration = .milliseconds(300)
        /// For the answers by TCP.
        var stream: Duration = .seconds(1)
        /// For an update by UDP, which waits for the primary's disk; then TCP is tried.
        var update: Duration = .seconds(1)
        /// For an update by TCP.
        var updateStream: Duration = .seconds(2)
    }

    private static let largestDatagram = 1200

    let patience: Patience
    private let servers: [Server]
    private let ways: Mutex<[Ways]>
    private let queue: WorkQueue
    private let answer: @Sendable (Event) -> Void

    /// What was learnt of the way to one server, each until then.
    struct Ways: Sendable {
        /// How long it is believed.
        static let span = Duration.seconds(600)

        var readsByTCP: Instant?
        var updatesByTCP: Instant?
        /// It does not know our key, or does not sign answers.
        var readsUnsigned: Instant?
    }

    /// - Parameters:
    ///   - servers: the first is the primary.
    ///   - answer: gets one `.zoneRead` or `.zoneUpdated` for each call.
    package convenience init(servers: [Server], answer: @escaping @Sendable (Event) -> Void) {
        self.init(servers: servers, patience: Patience(), answer: answer)
    }

    init(servers: [Server], patience: Patience, answer: @escaping @Sendable (Event) -> Void) {
        self.servers = servers
        self.patience = patience
        self.answer = answer
        ways = Mutex(Array(repeating: Ways(), count: servers.count))
        // A server that is slow to answer holds up neither the others nor an update.
        queue = WorkQueue("zone", width: servers.count * 2 + 1)
    }

    package func read(_ id: UInt64, _ questions: [ZoneQuestion]) {
        if servers.isEmpty { return queue.async { [answer] in answer(.zoneRead(id: id, [])) } }
        let collected = Collected(count: servers.count)
        for place in servers.indices {
            queue.async { [self] in
                guard let all = collected.put(read(place, questions), at: place) else { return }
                answer(.zoneRead(id: id, all))
            }
        }
    }

    package func update(_ id: UInt64, _ update: ZoneUpdate) {
        queue.async { [self] in answer(.zoneUpdated(id: id, carryOut(update))) }
    }

    private final class Collected: Sendable {
        private let readings: Mutex<[ServerReading?]>
        init(count: Int) { readings = Mutex(Array(repeating: nil, count: count)) }
        /// All of them when this was the last.
        func put(_ reading: ServerReading, at place: Int) -> [ServerReading]? {
            readings.withLock { readings in
                readings[place] = reading
                let all = readings.compactMap { $0 }
                return all.count == readings.count ? all : nil
            }
        }
    }

    private func isKnown(_ way: KeyPath<Ways, Instant?>, of place: Int) -> Bool {
        ways.withLock { ways in ways[place][keyPath: way].map { Instant.now() < $0 } ?? false }
    }

    private func learn(_ way: WritableKeyPath<Ways, Instant?>, of place: Int, _ isSo: Bool) {
        let end = isSo ? Instant.now() + Ways.span : nil
        ways.withLock { $0[place][keyPath: way] = end }
    }
}

// MARK: - Reading

extension ZoneUpdater {
    /// Signed where a key is configured, as a server may answer by key; then unsigned, as it may not know the key.
    private func read(_ place: Int, _ questions: [ZoneQuestion]) -> ServerReading {
        let server = servers[place]
        var reading = ZoneReading(server: server.endpoint, patience: patience)
        if let failure = reading.prepare(questions) {
            return ServerReading(endpoint: server.endpoint, outcome: .failed(failure))
        }
        let isByTCP = isKnown(\.readsByTCP, of: place)
        let isUnsigned = isKnown(\.readsUnsigned, of: place)
        do throws(ServerConversation.Failure) {
            if let key = server.key, !isUnsigned {
                var failure: ServerConversation.Failure?
                do throws(ServerConversation.Failure) {
                    try reading.ask(signedBy: key, byTCPOnly: isByTCP)
                } catch {
                    failure = error
                }
                if let failure, failure.isVerdict || !reading.wasAnswered { throw failure }
                if !reading.unread.isEmpty, reading.wasAnswered {
                    try reading.ask(signedBy: nil, byTCPOnly: isByTCP)
                    learn(\.readsUnsigned, of: place, reading.unread.isEmpty)
                }
            } else {
                try reading.ask(signedBy: nil, byTCPOnly: isByTCP)
            }
        } catch {
            learn(\.readsByTCP, of: place, false)
            return ServerReading(endpoint: server.endpoint, outcome: .failed(error.description))
        }
        if isByTCP, !reading.unread.isEmpty { learn(\.readsByTCP, of: place, false) }
        if reading.wasSilentByUDP { learn(\.readsByTCP, of: place, reading.unread.isEmpty) }
        var result = reading.result
        if server.key != nil, isKnown(\.readsUnsigned, of: place) { result.isUnsigned = true }
        return result
    }
}

// MARK: - Updating

extension ZoneUpdater {
    /// What one attempt brought.
    private enum Attempt {
        case outcome(ZoneUpdateOutcome)
        /// Nothing was heard, or nothing that must be believed; why.
        case silence(String)
    }

    private func carryOut(_ update: ZoneUpdate) -> ZoneUpdateOutcome {
        guard let primary = servers.first else { return .refused("no server is configured") }
        guard let key = primary.key else { return .refused("no key is configured for \(primary.endpoint)") }
        guard let request = try? DNSUpdate(update), let wire = try? request.message(id: 0).wire() else {
            return .refused("the update cannot be written as a DNS message")
        }
        let isLarge = wire.count + key.recordSize > Self.largestDatagram
        var transports: [ServerConversation.Transport] = isLarge ? [.tcp] : [.udp, .tcp]
        if !isLarge, isKnown(\.updatesByTCP, of: 0) { transports = [.tcp, .udp] }
        var doubts: [String] = []
        for (number, transport) in transports.enumerated() {
            switch attempt(request, primary, key, by: transport) {
            case .outcome(let outcome):
                if !isLarge { learn(\.updatesByTCP, of: 0, transport == .tcp) }
                // It knows the key, as far as this tells; when it does so no more, the next reading is to show it.
                if outcome == .done { learn(\.readsUnsigned, of: 0, false) }
                // The attempt before may have been carried out, its answer lost.
                if number > 0, case .prerequisiteFailed(let code) = outcome {
                    return .prerequisiteFailed("\(code) at the second attempt")
                }
                return outcome
            case .silence(let doubt):
                if !doubts.contains(doubt) { doubts.append(doubt) }
            }
        }
        return .unknown(doubts.joined(separator: "; "))
    }

    /// A message of its own each time: new id, new signature.
    private func attempt(
        _ update: DNSUpdate, _ primary: Server, _ key: TSIGKey, by transport: ServerConversation.Transport
    ) -> Attempt {
        let request = update.message(id: .random(in: .min ... .max))
        guard let wire = try? request.wire() else { return .silence("the update cannot be written") }
        let signed = key.sign(wire, at: WallClock.seconds())
        let way = transport == .udp ? "UDP" : "TCP"
        let span = transport == .udp ? patience.update : patience.updateStream
        let deadline = Instant.now() + span
        var doubt = "no answer from \(primary.endpoint) by \(way)"
        do throws(ServerConversation.Failure) {
            let conversation = try ServerConversation(to: primary.endpoint, by: transport, until: deadline)
            try conversation.send(signed.wire, until: deadline)
            while let bytes = try conversation.receive(until: deadline) {
                do throws(TSIGFailure) {
                    let reply = try key.verifyReply(
                        bytes, requestMAC: signed.mac, at: WallClock.seconds())
                    if reply.isReply(to: request) { return .outcome(Self.outcome(of: reply.code)) }
                } catch {
                    if case .refused(_, _, authenticated: true) = error {
                        return .outcome(.refused(Self.text(of: error)))
                    }
                    // Anybody may have written it: the server's own answer may still come.
                    guard Self.answers(bytes, request) else { continue }
                    doubt =
                        "\(primary.endpoint) answered \(Self.text(of: error)), without a signature of its own"
                    if transport == .tcp { return .silence(doubt) }
                }
            }
            return .silence(doubt)
        } catch {
            return .silence("\(primary.endpoint) by \(way): \(error)")
        }
    }

    /// Whether a message that proves nothing at least has the id and the question of ours.
    private static func answers(_ bytes: [UInt8], _ request: DNSMessage) -> Bool {
        guard let scan = try? PacketScan(bytes), let reply = try? DNSMessage(scan) else { return false }
        return reply.id == request.id && reply.isReply
            && (reply.questions.isEmpty || reply.questions == request.questions)
    }

    private static func text(of failure: TSIGFailure) -> String {
        switch failure {
        case .refused(.badTime, let time?, _):
            let now = WallClock.seconds()
            let difference = time > now ? time - now : now - time
            return
                "BADTIME: its clock is \(difference) s \(time > now ? "ahead of" : "behind") this machine's"
        case .refused(let code, _, _): return "\(code)"
        case .unsigned(let code?): return "\(code), unsigned"
        default: return "what cannot be trusted: \(failure)"
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
