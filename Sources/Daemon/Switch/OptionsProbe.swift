import NIOCore
import NIOPosix
import Primitives

/// Asks SIP addresses whether they answer: OPTIONS over UDP, again and again (RFC 3261 §11).
///
/// Lives on one event loop. An answer of 5xx is none: that is what a FreeSWITCH in standby says.
final class OptionsProbe {
    /// What is known of one address.
    enum Condition: Hashable {
        /// Not asked often enough to tell.
        case unknown
        case answering
        /// It answers 5xx, since then: the status line's code and words.
        case refusing(String, since: Instant, isLasting: Bool)
        /// Nothing comes back; when it answered last, or when it was asked first.
        case silent(since: Instant)
    }

    private struct Target {
        var address: SocketAddress
        var sent: UInt64 = 0
        /// When the newest questions went out, the newest last.
        var asked: [Instant] = []
        var answeredAt: Instant?
        /// Questions since anything came back.
        var unanswered = 0
        var refusal: (words: String, since: Instant)?
        /// When anything came back, or the first question went out.
        var heardAt: Instant?
        /// What was told last.
        var told = Condition.unknown

        func isAnswering(at now: Instant) -> Bool {
            refusal == nil && answeredAt.map { now - $0 < OptionsProbe.memory } ?? false
        }

        /// Asked questions count as well as time: a process that was not run has asked nothing meanwhile.
        func condition(patience: Duration, at now: Instant) -> Condition {
            guard let heardAt else { return .unknown }
            if unanswered >= OptionsProbe.leastUnanswered, now - heardAt >= patience {
                return .silent(since: heardAt)
            }
            if let refusal {
                return .refusing(
                    refusal.words, since: refusal.since, isLasting: now - refusal.since >= patience)
            }
            return answeredAt == nil ? .unknown : .answering
        }
    }

    private static let eager: Duration = .milliseconds(100)
    /// Three questions in a row without an answer, at the slowest pace there was.
    private static let memory: Duration = .seconds(4)
    private static let leastUnanswered = 3
    /// A later answer is none, though it shows that the switch lives: no caller waits that long before he tries elsewhere
    /// (RFC 3261 §17.1.1.2: an INVITE goes out for the fourth time after 3.5 s).
    private static let latest: Duration = .seconds(3)
    /// More than go out within `latest`, however eagerly it asks.
    private static let rememberedQuestions = 64
    /// A FreeSWITCH with all its sessions in use says so, where `sip-options-respond-503-on-busy` is set: it serves.
    private static let busy = "Maximum Calls In Progress"
    private let loop: any EventLoop
    private let log: EventLog
    private let interval: Duration
    /// How long an address is unanswered before it is called silent.
    private let patience: Duration
    /// One for each target, connected: what others than the target send the kernel drops, and it costs the target's answers
    /// no room.
    private var channels: [String: any Channel] = [:]
    private var opening: Set<String> = []
    private var targets: [String: Target] = [:]
    private var timer: Scheduled<Void>?
    private let token = UInt32.random(in: .min ... .max)
    private var isStopped = false
    /// Why there was no socket, told once.
    private var trouble: String?
    /// When the next turn is due.
    private var due: Instant?
    /// Until then it asks eagerly: something happened to what answers.
    private var suspectUntil = Instant.zero
    /// An address answers that did not, or the other way round.
    var changed: ((String) -> Void)?

    init(loop: any EventLoop, interval: Duration, patience: Duration, log: EventLog) {
        self.loop = loop
        self.interval = interval
        self.patience = patience
        self.log = log
    }

    /// Exactly these are asked from now on.
    func watch(_ addresses: [String: SocketAddress]) {
        guard addresses != targets.mapValues(\.address) else { return }
        for name in targets.keys.sorted() where addresses[name] != targets[name]?.address {
            targets[name] = nil
            hangUp(name)
        }
        for name in addresses.keys.sorted() where targets[name] == nil {
            targets[name] = addresses[name].map { Target(address: $0) }
        }
        tick()
    }

    /// The address is another holder's now: what was seen there before says nothing.
    func startOver(_ name: String) {
        guard let address = targets[name]?.address else { return }
        targets[name] = Target(address: address)
        hangUp(name)
        tick()
    }

    var names: [String] { targets.keys.sorted() }

    func isAnswering(_ name: String) -> Bool { targets[name]?.isAnswering(at: Instant.now()) ?? false }

    func condition(_ name: String) -> Condition {
        targets[name]?.condition(patience: patience, at: Instant.now()) ?? .unknown
    }

    /// Something happened to what answers: looked at closely for a while.
    func suspect() {
        suspectUntil = Instant.now() + .seconds(3)
        tick()
    }

    private func tick() {
        timer?.cancel()
        timer = nil
        guard !isStopped, !targets.isEmpty else {
            due = nil
            return
        }
        let now = Instant.now()
        excuse(at: now)
        for name in targets.keys.sorted() {
            ask(name, at: now)
            tell(name, at: now)
        }
        let isCalm = now >= suspectUntil && targets.values.allSatisfy { $0.answeredAt != nil }
        let wait = isCalm ? interval : min(Self.eager, interval)
        due = now + wait
        timer = loop.assumeIsolated().scheduleTask(in: .nanoseconds(wait.nanoseconds)) { [weak self] in
            self?.tick()
        }
    }

    /// While this process was not run, answers waited unread: that is no silence of others.
    private func excuse(at now: Instant) {
        guard let due, now - due > Self.eager else { return }
        for name in targets.keys {
            if let heardAt = targets[name]?.heardAt {
                targets[name]?.heardAt = min(now, heardAt + (now - due))
            }
        }
    }

    private func tell(_ name: String, at now: Instant) {
        guard let target = targets[name] else { return }
        let condition = target.condition(patience: patience, at: now)
        guard condition != target.told else { return }
        targets[name]?.told = condition
        changed?(name)
    }

    private func open(_ name: String, _ address: SocketAddress) {
        guard opening.insert(name).inserted else { return }
        let owner = NIOLoopBound(self, eventLoop: loop)
        let made = DatagramBootstrap(group: loop)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(
                        DatagramReader { owner.value.received($0) })
                }
            }
            .connect(to: address)
        made.hop(to: loop).assumeIsolated().whenComplete { [weak self] result in
            guard let self else { return }
            opening.remove(name)
            switch result {
            case .success(let channel) where isStopped || targets[name]?.address != address:
                channel.close(promise: nil)
            case .success(let channel):
                channels[name] = channel
                ask(name, at: Instant.now())
            // No way there now, or no descriptor; the next tick tries again.
            case .failure(let error):
                let text = "no socket to \(address): \(error)"
                if trouble != text { log.warning("options", "probe", text) }
                trouble = text
            }
        }
    }

    /// The next question goes out from a socket of its own: the way there, and so our own address, may be another.
    private func hangUp(_ name: String) { channels.removeValue(forKey: name)?.close(promise: nil) }

    private func ask(_ name: String, at now: Instant) {
        guard var target = targets[name], target.address.port != nil else { return }
        if channels[name]?.isActive == false { hangUp(name) }
        // Without a socket nothing is asked, and nothing is learnt from not being answered.
        guard let channel = channels[name], let port = channel.localAddress?.port else {
            return open(name, target.address)
        }
        target.sent += 1
        target.unanswered += 1
        target.asked = Array((target.asked + [now]).suffix(Self.rememberedQuestions))
        if target.heardAt == nil { target.heardAt = now }
        targets[name] = target
        let request = SIPOptions.request(
            to: target.address, from: port, token: "\(token)-\(name)",
            sequence: Int(target.sent % 0x7FFF_FFFF) + 1)
        channel.writeAndFlush(ByteBuffer(string: request)).assumeIsolated().whenFailure { [weak self] _ in
            guard let self, channels[name] === channel else { return }
            hangUp(name)
        }
    }

    /// One datagram that came back.
    func received(_ bytes: ByteBuffer) {
        guard let code = SIPOptions.code(of: bytes) else { return }
        let now = Instant.now()
        for name in targets.keys.sorted() {
            guard let sequence = SIPOptions.sequence(of: bytes, to: "\(token)-\(name)"),
                let target = targets[name], isInTime(sequence, of: target, at: now)
            else { continue }
            targets[name]?.heardAt = now
            targets[name]?.unanswered = 0
            let words = SIPOptions.status(of: bytes)
            if code < 500 || words.contains(Self.busy) {
                targets[name]?.answeredAt = now
                targets[name]?.refusal = nil
            } else {
                let since = targets[name]?.refusal?.since ?? now
                targets[name]?.refusal = (words, since)
            }
            tell(name, at: now)
        }
    }

    private func isInTime(_ sequence: Int, of target: Target, at now: Instant) -> Bool {
        let since = Int(target.sent % 0x7FFF_FFFF) + 1 - sequence
        guard since >= 0, since < target.asked.count else { return false }
        let age = now - target.asked[target.asked.count - 1 - since]
        return age <= max(Self.latest, patience)
    }

    func stop() {
        isStopped = true
        timer?.cancel()
        for channel in channels.values { channel.close(promise: nil) }
    }
}
