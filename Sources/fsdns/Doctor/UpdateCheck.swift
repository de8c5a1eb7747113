import Cluster
import Daemon
import Dispatch
import Synchronization

/// Whether the primary would take every update the cluster may have to send, found out by updates that change nothing.
struct UpdateCheck {
    var settings: ClusterSettings
    /// Whose secrets may be besides root's.
    var user: UInt32

    /// Between two updates, so that no more than five are sent in a second.
    private static let pause = Duration.milliseconds(250)

    var findings: [Finding] {
        guard let dns = settings.dns, let primary = dns.servers.first else { return [] }
        let subject = "updates of \(dns.zone)"
        let server: ZoneUpdater.Server
        do throws(ServiceFailure) {
            server = try ZoneKey.server(primary, user: user)
        } catch {
            return [
                .wrong(subject, error.description, fix: "put the secret of the server's key there, chmod 600")
            ]
        }
        let desired = DesiredZone(
            settings: dns, writer: "", records: [], ours: settings.addresses.map(\.ip),
            seats: settings.seats.map(\.name))
        let conversation = ZoneConversation(server)
        guard let reading = conversation.read(desired.questions), let found = reading.records else {
            // Said by the check of the servers already.
            return []
        }
        var proof = ZoneProof()
        proof.begin(desired.writtenSets, in: found)
        while let sets = proof.next() {
            let outcome = conversation.update(
                desired.proof(of: sets, in: found, guarded: proof.isGuarded))
            if proof.ended(outcome, primary, at: .zero) { break }
            Stopwatch.sleep(Self.pause)
        }
        if proof.trouble.isEmpty {
            return [
                .fine(
                    subject,
                    "\(primary.endpoint) would take them, signed with \(primary.keyName ?? "no key")")
            ]
        }
        return proof.trouble.map {
            .wrong(
                subject, $0.text,
                fix: "see docs/operations.md, \"What a name server answers, and what to change\"")
        }
    }
}

/// One question at a time to one name server, answered before the call returns.
private final class ZoneConversation: Sendable {
    private let updater: ZoneUpdater
    private let answers: Answers

    private final class Answers: Sendable {
        let arrived = DispatchSemaphore(value: 0)
        let newest = Mutex<Event?>(nil)
    }

    init(_ server: ZoneUpdater.Server) {
        let answers = Answers()
        self.answers = answers
        updater = ZoneUpdater(servers: [server]) { event in
            answers.newest.withLock { $0 = event }
            answers.arrived.signal()
        }
    }

    func read(_ questions: [ZoneQuestion]) -> ServerReading? {
        updater.read(1, questions)
        answers.arrived.wait()
        guard case .zoneRead(_, let readings) = answers.newest.withLock({ $0 }) else { return nil }
        return readings.first
    }

    func update(_ update: ZoneUpdate) -> ZoneUpdateOutcome {
        updater.update(2, update)
        answers.arrived.wait()
        guard case .zoneUpdated(_, let outcome) = answers.newest.withLock({ $0 }) else {
            return .unknown("no answer")
        }
        return outcome
    }
}
