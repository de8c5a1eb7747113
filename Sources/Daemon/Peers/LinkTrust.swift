import Cluster
import Config
@preconcurrency import Glibc
import NIOCore
import NIOSSL
import PeerProtocol
import Synchronization

/// Whom this node makes links with: what it shows and asks for, from files that may change while it runs, and who was
/// forgotten. Shared by both kinds of links; may be used from any thread.
final class LinkTrust: Sendable {
    /// Links that must prove themselves anew.
    enum Stale: Hashable, Sendable {
        case all
        case of([String])

        func includes(_ name: String) -> Bool {
            switch self {
            case .all: true
            case .of(let names): names.contains(name)
            }
        }
    }

    private struct State {
        var credentials: LinkCredentials
        /// Nil where the key is all there is.
        var certificates: LinkCertificates?
        /// Of the files, when they were looked at last.
        var stamps: [FileStamp?] = []
        /// Why the files as they are now are not used.
        var problem: String?
        var revoked: [Revocation] = []
        var observers: [@Sendable (Stale) -> Void] = []
        /// When the end of a certificate was complained about in the log.
        var complainedAt: Int64?
    }

    private static let interval: TimeAmount = .seconds(10)
    /// Seconds by which clocks may differ.
    private static let clockAllowance: Int64 = 60
    /// Between two lines about a certificate that ends soon.
    private static let complaintPause: Int64 = 86_400
    let key: ClusterKey
    private let files: LinkCertificateFiles?
    private let node: String
    private let log: EventLog
    private let clock: @Sendable () -> Int64
    private let state: Mutex<State>
    private let queue = WorkQueue("certificates")

    /// - Parameters:
    ///   - files: nil where the key is all there is.
    ///   - node: whose certificate it must be.
    ///   - clock: seconds since 1970.
    /// - Throws: `ServiceFailure` with the file to mend. A certificate that has ended or not begun is no reason: clocks may be
    ///   set later, and files replaced.
    init(
        _ key: ClusterKey, files: LinkCertificateFiles? = nil, node: String = "", log: EventLog,
        clock: @escaping @Sendable () -> Int64 = { Int64(WallClock.seconds()) }
    ) throws(ServiceFailure) {
        self.key = key
        self.files = files
        self.node = node
        self.log = log
        self.clock = clock
        guard let files else {
            do { state = Mutex(State(credentials: try PeerTLS.credentials(key))) } catch {
                throw ServiceFailure("the cluster key cannot be used for links: \(error)")
            }
            return
        }
        let stamps = FileStamp.of(files)
        let certificates = try LinkCertificates(files, node: node, key: key, at: clock())
        state = Mutex(
            State(
                credentials: try PeerTLS.credentials(certificates, key), certificates: certificates,
                stamps: stamps))
        log.notice("certificates", node, "links show the certificate \(certificates.summary)")
    }

    // MARK: - Links

    /// The handlers of a new connection in front of the link itself.
    ///
    /// - Throws: what the TLS library throws for a connection it cannot begin.
    func handlers(of end: LinkProof.End) throws -> [any ChannelHandler] {
        let credentials = state.withLock { $0.credentials }
        let tls =
            switch end {
            case .caller: try NIOSSLClientHandler(context: credentials.client, serverHostname: nil)
            case .called: NIOSSLServerHandler(context: credentials.server) as NIOSSLHandler
            }
        return [tls, LinkGuard(tls, own: credentials.own, key: key, end: end)]
    }

    /// Whether a link that shows no certificate is worth telling.
    var hasCertificates: Bool { files != nil }

    /// Whether whoever has no certificate is nobody: no links with it, and no heartbeats.
    var requiresCertificates: Bool { files?.isRequired ?? false }

    /// Why whoever proved that is not believed to be that node; nil when it is.
    func fault(of proven: LinkProven, as name: String) -> LinkFault? {
        guard let files else { return nil }
        guard let certificate = proven.certificate else {
            return files.isRequired ? LinkFault(.noCertificate, "it shows no certificate") : nil
        }
        let expected = PeerCertificate.name(of: name, in: key.cluster)
        guard certificate.names.contains(expected) else {
            return LinkFault(
                .otherName,
                "it says that it is \(name), and its certificate is for \(certificate.namesText), not \(expected)"
            )
        }
        // TLS has looked, unless the session is one resumed from before.
        if let text = certificate.untimeliness(at: clock()) {
            return LinkFault(.certificate, "its certificate, for \(certificate.namesText), \(text)")
        }
        guard let revocation = revocation(of: certificate) else { return nil }
        let node = revocation.name
        let when = revocation.at.map { " on \($0.text)" } ?? ""
        let isAhead = revocation.at.map { $0.seconds > clock() + Self.clockAllowance } ?? true
        return LinkFault(
            .forgotten,
            "\(node) \(PathTrouble.forgotten)\(when), and its certificate is from \(PeerCertificate.text(certificate.start)): "
                + (isAhead
                    ? "by the clock here that moment is still to come, so the leader's was wrong: set the clocks, "
                        + "then `fsdns forget \(node) --revoke`, then give it a newer one"
                    : "give it a newer one"))
    }

    /// Of any name that it is for: a certificate for two nodes is worth nothing when one of them was stolen.
    private func revocation(of certificate: PeerCertificate) -> Revocation? {
        state.withLock { state in
            state.revoked.first { one in
                certificate.names.contains(PeerCertificate.name(of: one.name, in: key.cluster))
                    && one.covers(certificateFrom: certificate.start)
            }
        }
    }

    /// Whether it is of a node that was forgotten since, whatever else is wrong with it.
    func isRevoked(_ certificate: PeerCertificate) -> Bool { revocation(of: certificate) != nil }

    /// Whom the cluster forgot; links of new ones are to be proved anew.
    func revoke(_ revoked: [Revocation]) {
        guard files != nil else { return }
        let (observers, names) = state.withLock { state in
            let new = revoked.filter { !state.revoked.contains($0) }.map(\.name)
            state.revoked = revoked
            return (state.observers, new)
        }
        guard !names.isEmpty else { return }
        for tell in observers { tell(.of(names)) }
    }

    /// - Parameter tell: called from any thread when standing links must be proved anew.
    func observe(_ tell: @escaping @Sendable (Stale) -> Void) {
        state.withLock { $0.observers.append(tell) }
    }

    // MARK: - Files

    /// Looks at the files now and then.
    func start(on loop: any EventLoop) {
        guard files != nil else { return }
        loop.scheduleRepeatedTask(initialDelay: Self.interval, delay: Self.interval) { [weak self] task in
            guard let self else { return task.cancel() }
            look()
        }
    }

    /// Reads the files anew when they have changed; returns at once.
    func look() { queue.async { [weak self] in self?.reread() } }

    /// As `look`, on this thread.
    func reread() {
        guard let files else { return }
        let stamps = FileStamp.of(files)
        defer { complain() }
        guard state.withLock({ $0.stamps != stamps }) else { return renew() }
        do throws(ServiceFailure) {
            let now = clock()
            let certificates = try LinkCertificates(files, node: node, key: key, at: now)
            if let text = certificates.own.untimeliness(at: now) {
                throw ServiceFailure("certificates for links: that in \(files.certificateFile) \(text)")
            }
            let credentials = try PeerTLS.credentials(certificates, key)
            let observers = state.withLock { state in
                // One that is added changes nothing for links that stand.
                let isLess =
                    state.certificates?.authorities.contains { !certificates.authorities.contains($0) }
                    ?? false
                state.credentials = credentials
                state.certificates = certificates
                state.stamps = stamps
                state.problem = nil
                state.complainedAt = nil
                return isLess ? state.observers : []
            }
            log.notice("certificates", node, "new links show the certificate \(certificates.summary)")
            // Who is vouched for by an authority that is gone has no place any more.
            for tell in observers { tell(.all) }
        } catch {
            let problem = error.description
            state.withLock { state in
                state.stamps = stamps
                state.problem = problem
            }
            log.warning(
                "certificates", node, "\(problem); links go on with what was read before", atOnce: 4)
        }
    }

    /// The same certificates with new contexts: TLS sessions of earlier links cannot be resumed with those, so that every
    /// link proves its certificates, and that their authority has not ended.
    private func renew() {
        guard let certificates = state.withLock({ $0.certificates }),
            let credentials = try? PeerTLS.credentials(certificates, key)
        else { return }
        state.withLock { $0.credentials = credentials }
    }

    /// What an operator should do about the files, a sentence each.
    func warnings() -> [String] {
        let (problem, certificates) = state.withLock { ($0.problem, $0.certificates) }
        guard let certificates else { return [] }
        let changed = problem.map { ["\($0); links go on with what was read before"] } ?? []
        return changed + certificates.warnings(at: clock())
    }

    /// The same in short, as others hear of it.
    func troubles() -> [PathTrouble] {
        let (problem, certificates) = state.withLock { ($0.problem, $0.certificates) }
        guard let certificates else { return [] }
        let text =
            problem == nil
            ? certificates.findings(at: clock()).first?.short : "the files were changed and are not used"
        return text.map { [PathTrouble(.certificate, detail: $0, peers: [])] } ?? []
    }

    private func complain() {
        let now = clock()
        let warnings = state.withLock { state -> [String] in
            if let last = state.complainedAt, (0..<Self.complaintPause).contains(now - last) { return [] }
            let warnings = state.certificates?.warnings(at: now) ?? []
            if !warnings.isEmpty { state.complainedAt = now }
            return warnings
        }
        for warning in warnings { log.warning("certificates", node, warning, atOnce: 4) }
    }
}

/// What tells a file from the one that was there before.
struct FileStamp: Hashable, Sendable {
    private var numbers: [Int64]

    /// Nil for a file that is not there.
    init?(_ path: String) {
        var facts = stat()
        guard stat(path, &facts) == 0 else { return nil }
        numbers = [
            Int64(bitPattern: UInt64(facts.st_dev)), Int64(bitPattern: UInt64(facts.st_ino)),
            Int64(facts.st_size),
            Int64(facts.st_mtim.tv_sec), Int64(facts.st_mtim.tv_nsec), Int64(facts.st_ctim.tv_sec),
            Int64(facts.st_ctim.tv_nsec),
        ]
    }

    static func of(_ files: LinkCertificateFiles) -> [FileStamp?] {
        [FileStamp(files.certificateFile), FileStamp(files.authorityFile)]
    }
}
