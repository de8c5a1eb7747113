import Cluster
import Config
@preconcurrency import Glibc
import Keeper
import KeeperProtocol
import Primitives

/// The node's hand on its keeper: starts it, tells it what to hold, hears what became of it.
///
/// Everything here runs on the heart's thread and never blocks: what does not fit into the socket waits.
final class KeeperGuard {
    private static let firstBackOff: Duration = .milliseconds(100)
    private static let longestBackOff: Duration = .seconds(5)
    /// Reports read at once.
    private static let burst = 1024
    /// A keeper that leaves so many requests unread is not alive.
    private static let waitingLimit = 1024
    /// What a keeper that is gone held may be in the kernel for less than so long. Until then the heart goes on beating, and
    /// waits for nobody.
    private static let afterlife: Duration = .seconds(3)
    private static let shortPatience: Duration = .milliseconds(50)
    /// So many looks in a row, 50 ms apart, at a keeper that reads nothing: it stands still. It runs at real-time priority.
    private static let unreadLooks = 6

    /// Where a keeper comes from.
    enum Source: Hashable, Sendable, CustomStringConvertible {
        /// The node service starts this program, with a socket pair between the two.
        case program(String)
        /// It is a service of its own, started by this socket.
        case socket(String)

        var description: String {
            switch self {
            case .program(let path), .socket(let path): path
            }
        }
    }

    /// A keeper that runs, or is about to.
    private struct Peer {
        var descriptor: Int32
        /// Nil when it is no child of ours.
        var process: KeeperProcess?
    }

    private let source: Source
    /// Starts the program for a service that has no privileges to give it.
    private let spawner: KeeperSpawner?
    private let configuration: KeeperConfiguration
    private let addresses: [ServiceAddress]
    private let log: EventLog
    private var peer: Peer?
    /// Ended keepers that are not reaped yet.
    private var ended: [KeeperProcess] = []
    private var nextStart = Instant.zero
    private var lostAt: Instant?
    private var backOff = firstBackOff
    private var tokens: [Token] = []
    private var nextToken: UInt64 = 1
    private var waiting: [KeeperRequest] = []
    /// Looks in a row at which something that was sent was not read.
    private var unread = 0
    /// Unless a keeper of its own unit says that it has no guard.
    private var isGuarded = true
    /// Whether what a keeper holds ends by itself when it dies or stands still.
    private var endsByItself = false
    /// Releases asked for and not answered yet; a new keeper answers those its predecessor did not, because it
    /// begins by removing everything.
    private var releases: [(address: String, epoch: Epoch)] = []
    private var buffer = [UInt8](repeating: 0, count: KeeperLimits.datagramBytes + 1)
    private struct Token {
        var number: UInt64
        var address: String
        var epoch: Epoch
        /// The keeper said that it let go of what was asked with it.
        var isOver = false
    }

    /// What the keeper could not arm, each a sentence.
    private(set) var warnings: [String] = []

    /// - Parameter agreed: addresses the cluster goes by until it has agreed on this file, which may lack them.
    /// - Throws: `ServiceFailure` when the file has more or other addresses than a keeper takes.
    init(
        _ source: Source, spawner: KeeperSpawner? = nil, file: ClusterFile, agreed: [ServiceAddress] = [],
        node: String, log: EventLog
    ) throws(ServiceFailure) {
        self.source = source
        self.spawner = spawner
        self.log = log
        addresses = file.settings.addresses
        var managed = addresses.compactMap(KeeperAddress.init)
        let mode: KeeperMode =
            switch file.addressMode {
            case .kernel: .kernel
            case .loopback(let port): .loopback(probePort: port)
            }
        let isWhole = managed.count == addresses.count
        for address in agreed.compactMap(KeeperAddress.init)
        where !managed.contains(where: address.isSameHost) && managed.count < KeeperLimits.managedAddresses {
            managed.append(address)
        }
        guard isWhole,
            let configuration = KeeperConfiguration(mode: mode, nodeName: node, managed: managed)
        else { throw ServiceFailure("the keeper cannot manage the addresses of the cluster file") }
        self.configuration = configuration
    }

    /// Why there can be no keeper any more, and so nothing can be held: the service is to end and begin anew.
    private(set) var end: String?
    var descriptor: Int32? { peer?.descriptor }
    /// Nil when the keeper is no child of ours, or there is none.
    var pid: pid_t? { peer?.process?.pid }

    /// Starts the keeper, or connects to it, when there is none and it is time to.
    ///
    /// - Returns: that the keeper stands still, or nothing.
    func tend(at now: Instant) -> [Event] {
        flush()
        ended.removeAll { (try? $0.reap()) != nil }
        spawner?.reap()
        if let peer, isStandingStill(peer) { return giveUp(peer, at: now) }
        guard peer == nil, now >= nextStart else { return [] }
        do throws(KeeperSpawner.Failure) {
            peer = try reach(at: now)
            waiting = []
            isGuarded = true
            for request in configuration.requests { send(request) }
        } catch {
            if error == .gone, !isRecentlyLost(at: now) { end = error.text }
            log.warning("keeper", "\(source)", "cannot be reached: \(error.text)")
            postpone(at: now)
        }
        return []
    }

    private func isRecentlyLost(at now: Instant) -> Bool {
        lostAt.map { now - $0 < Self.afterlife } ?? false
    }

    /// What an operator should see before it matters; nil when nothing.
    var trouble: Blocker? {
        if !isGuarded {
            return Blocker(
                .room, nil,
                "the keeper has no guard: should it stand still, its addresses stay for another second: see its log"
            )
        }
        guard let spawner, spawner.isGone || !spawner.isAnswering() else { return nil }
        return Blocker(
            .room, nil, "another keeper could not be started, should this one end: restart fsdns here")
    }

    private func isStandingStill(_ peer: Peer) -> Bool {
        var bytes: Int32 = 0
        // What the other end has not read yet (unix(7), SIOCOUTQ).
        let isRead = ioctl(peer.descriptor, UInt(TIOCOUTQ), &bytes) != 0 || bytes == 0
        unread = isRead && waiting.isEmpty ? 0 : unread + 1
        return unread >= Self.unreadLooks
    }

    /// A keeper of ours is killed, and followed by another, which begins by removing everything. Another one hears at its next
    /// read that its node is gone, and what it was told before has ended by then, or ends with that.
    private func giveUp(_ peer: Peer, at now: Instant) -> [Event] {
        log.warning("keeper", "\(source)", "does not read what it is told, and is given up")
        unread = 0
        if let process = peer.process { kill(process.pid, SIGKILL) }
        shutdown(peer.descriptor, Int32(SHUT_RDWR))
        return lose(peer, at: now)
    }

    private func reach(at now: Instant) throws(KeeperSpawner.Failure) -> Peer {
        if let spawner {
            let process = try spawner.start(
                patience: isRecentlyLost(at: now) ? Self.shortPatience : KeeperSpawner.patience)
            return Peer(descriptor: process.descriptor, process: process)
        }
        do throws(SystemFailure) {
            switch source {
            case .program(let path):
                let process = try KeeperProcess.spawn(path: path)
                return Peer(descriptor: process.descriptor, process: process)
            case .socket(let path):
                return Peer(descriptor: try KeeperSocket.connect(path: path), process: nil)
            }
        } catch {
            throw .system(error)
        }
    }

    private func postpone(at now: Instant) {
        nextStart = now + backOff
        backOff = min(backOff * 2, Self.longestBackOff)
    }

    // MARK: - Asking

    /// What is known at once: that no keeper runs.
    func hold(_ address: ServiceAddress, until: Instant, epoch: Epoch) -> Event? {
        guard peer != nil, let wire = KeeperAddress(address) else {
            return .keeperFailed(address: address.name, epoch: epoch, reason: "the keeper does not run")
        }
        send(
            .hold(
                wire, until: Instant(nanoseconds: until.nanoseconds),
                token: token(address.name, epoch)))
        return nil
    }

    func release(_ address: ServiceAddress, epoch: Epoch) {
        guard let wire = KeeperAddress(address) else { return }
        if !releases.contains(where: { $0.address == address.name && $0.epoch == epoch }) {
            releases.append((address.name, epoch))
        }
        send(.release(wire, token: token(address.name, epoch)))
    }

    func announce(_ address: ServiceAddress) {
        guard let wire = KeeperAddress(address) else { return }
        send(.announce(wire))
    }

    /// One number for each address and epoch, the same at every renewal, and another once the keeper let go: a second
    /// word about the former hold, when it ended by time as well as by request, is then no word about the new one.
    private func token(_ address: String, _ epoch: Epoch) -> UInt64 {
        if let known = tokens.last(where: { $0.address == address && $0.epoch == epoch }), !known.isOver {
            return known.number
        }
        // Old ones of the address stay for late reports, a few of them.
        if tokens.count > 8 * KeeperLimits.managedAddresses { tokens.removeFirst(tokens.count / 2) }
        defer { nextToken += 1 }
        tokens.append(Token(number: nextToken, address: address, epoch: epoch))
        return nextToken
    }

    private func send(_ request: KeeperRequest) {
        guard peer != nil else { return }
        waiting.append(request)
        flush()
    }

    private func flush() {
        guard let peer else { return }
        let flags = Int32(MSG_DONTWAIT | MSG_NOSIGNAL)
        while let request = waiting.first {
            let bytes = request.datagram
            guard Glibc.send(peer.descriptor, bytes, bytes.count, flags) == bytes.count else { break }
            waiting.removeFirst()
        }
        // It is given up at the next look.
        if waiting.count > Self.waitingLimit { unread = Self.unreadLooks }
    }

    // MARK: - Hearing

    /// Everything the keeper said, as events; `.keeperLost` when it is gone.
    func receive(at now: Instant) -> [Event] {
        guard let peer else { return [] }
        var events: [Event] = []
        for _ in 0..<Self.burst {
            let count = recv(peer.descriptor, &buffer, buffer.count, Int32(MSG_DONTWAIT))
            if count < 0, errno == EAGAIN || errno == EINTR { break }
            guard count > 0 else { return events + lose(peer, at: now) }
            do throws(HoldProtocolError) {
                let report = try KeeperReport(datagram: Array(buffer[..<count]))
                events += self.events(of: report)
            } catch {
                log.warning("keeper", "\(source)", "said something malformed: \(error)")
            }
        }
        return events
    }

    private func lose(_ lost: Peer, at now: Instant) -> [Event] {
        close(lost.descriptor)
        if let process = lost.process { ended.append(process) }
        peer = nil
        lostAt = now
        log.warning("keeper", "\(source)", "has ended; it is started again")
        postpone(at: now)
        return [.keeperLost(endsByItself: endsByItself)]
    }

    private func events(of report: KeeperReport) -> [Event] {
        switch report {
        case .ready(let holding, let armed, _):
            warnings = Self.warnings(of: armed, configuration.mode)
            backOff = Self.firstBackOff
            // Sockets on loopback go with the process, which is killed where it is ours and stands still.
            endsByItself =
                configuration.mode == .kernel ? armed.contains(.kernelLifetime) : peer?.process != nil
            guard holding == 0 else {
                log.warning("keeper", "\(source)", "starts with \(holding) addresses on the machine")
                return []
            }
            defer { releases = [] }
            return [.keeperReady]
                + releases.map {
                    .keeperReleased(address: $0.address, epoch: $0.epoch, cause: "the keeper began anew")
                }
        case .held(_, let token, _, _):
            guard let known = known(token) else { return [] }
            return [.keeperHeld(address: tokens[known].address, epoch: tokens[known].epoch)]
        case .released(_, let token, _, .lost):
            // It tries to have it back until the hold ends, so the node must not say that it let go.
            guard let known = known(token) else { return [] }
            return [
                .keeperFailed(
                    address: tokens[known].address, epoch: tokens[known].epoch, reason: Self.text(.lost))
            ]
        case .released(_, let token, _, let cause):
            guard let known = known(token), !tokens[known].isOver else { return [] }
            tokens[known].isOver = true
            let (address, epoch) = (tokens[known].address, tokens[known].epoch)
            releases.removeAll { $0.address == address && $0.epoch == epoch }
            return [.keeperReleased(address: address, epoch: epoch, cause: Self.text(cause))]
        case .failed(_, let token, let code, let text):
            guard let known = known(token) else { return [] }
            let reason = text.isEmpty ? errorText(code) : text
            return [
                .keeperFailed(address: tokens[known].address, epoch: tokens[known].epoch, reason: reason)
            ]
        case .contested(_, let token, let hardware):
            guard let known = known(token) else { return [] }
            let (address, epoch) = (tokens[known].address, tokens[known].epoch)
            return [.keeperContested(address: address, epoch: epoch, hardware: hardware)]
        case .guarded(let isWell):
            isGuarded = isWell
            return []
        }
    }

    private func known(_ token: UInt64) -> Int? { tokens.firstIndex { $0.number == token } }

    private static func text(_ cause: ReleaseCause) -> String {
        switch cause {
        case .asked: "asked"
        case .expired: "the lease ended"
        case .peerGone: "the node service was gone"
        case .lost: "the kernel dropped it"
        }
    }

    private static func warnings(of armed: KeeperArms, _ mode: KeeperMode) -> [String] {
        var warnings: [String] = []
        if !armed.contains(.realtime) { warnings.append("the keeper has no real-time scheduling") }
        if !armed.contains(.memoryLocked) { warnings.append("the keeper's memory is not locked") }
        if mode == .kernel, !armed.contains(.kernelLifetime) {
            warnings.append("addresses have no kernel lifetime")
        }
        return warnings
    }

    /// Closes our end: the keeper lets go of everything and ends.
    func finish() {
        if let peer { close(peer.descriptor) }
        peer = nil
    }
}

extension KeeperAddress {
    init?(_ address: ServiceAddress) {
        guard let length = UInt8(exactly: address.prefixLength) else { return nil }
        self.init(
            family: address.ip.family == .v4 ? .v4 : .v6, bytes: address.ip.bytes, prefixLength: length)
    }
}
