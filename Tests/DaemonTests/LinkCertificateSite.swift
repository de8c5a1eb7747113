import Cluster
import Config
import Consensus
import Glibc
import NIOCore
import NIOPosix
import NIOSSL
import PeerProtocol
import Primitives
import Testing

@testable import Daemon

/// A folder with a certificate and authorities, as on a machine, from the fixtures beside this file.
final class CertificateFolder {
    private static let fixtures = #filePath.split(separator: "/").dropLast().reduce(into: "") {
        $0 += "/" + $1
    }
    let directory = TemporaryDirectory()
    let isRequired: Bool
    private var version = 0

    init(_ own: String, authorities: [String] = ["authority"], isRequired: Bool = true) throws {
        self.isRequired = isRequired
        try put(own, authorities: authorities)
    }

    var files: LinkCertificateFiles {
        LinkCertificateFiles(
            certificateFile: directory.path + "/peer.pem", authorityFile: directory.path + "/peer-ca.pem",
            isRequired: isRequired)
    }

    static func fixture(_ name: String) throws -> [UInt8] {
        let file = try #require(fopen("\(fixtures)/Certificates/\(name).pem", "r"), "\(name)")
        defer { fclose(file) }
        var bytes = [UInt8](repeating: 0, count: 1 << 16)
        let count = fread(&bytes, 1, bytes.count, file)
        return Array(bytes.prefix(count))
    }

    /// Replaces both files, as an operator would.
    func put(_ own: String, authorities: [String] = ["authority"]) throws {
        try write(try Self.fixture(own), to: files.certificateFile, mode: 0o600)
        try write(
            try authorities.flatMap { try Self.fixture($0) }, to: files.authorityFile, mode: 0o644)
    }

    /// By a new name, so that it is another file whatever the clock says.
    func write(_ bytes: [UInt8], to path: String, mode: mode_t) throws {
        version += 1
        let new = "\(path).\(version)"
        let file = try #require(fopen(new, "w"))
        #expect(fwrite(bytes, 1, bytes.count, file) == bytes.count)
        fclose(file)
        chmod(new, mode)
        #expect(rename(new, path) == 0)
    }
}

/// What a log says, line by line, as it comes.
final class LogEar: Sendable {
    let log: EventLog
    let lines = Mailbox<String>()
    private let writing: Int32

    init() throws {
        var ends: [Int32] = [0, 0]
        try #require(pipe(&ends) == 0)
        (writing, log) = (ends[1], EventLog(to: ends[1]))
        let (reading, lines) = (ends[0], lines)
        startThread {
            var rest = ""
            var bytes = [UInt8](repeating: 0, count: 4096)
            while case let count = read(reading, &bytes, bytes.count), count > 0 {
                rest += String(decoding: bytes.prefix(count), as: UTF8.self)
                while let end = rest.firstIndex(of: "\n") {
                    lines.put(String(rest[..<end]))
                    rest = String(rest[rest.index(after: end)...])
                }
            }
            close(reading)
        }
    }

    /// The next line with that text; nil when none comes in time.
    func hears(_ text: String, within seconds: Double = 20) -> String? {
        lines.next(within: seconds) { $0.contains(text) }
    }

    deinit {
        log.flush()
        close(writing)
    }
}

/// One end: a node's peer links with what it shows.
final class CertifiedEnd {
    struct Letter: Hashable, Sendable {
        var message: PeerMessage
        var from: MemberID
    }
    static let now: Int64 = 1_800_000_000
    let me: Holder
    let links: PeerLinks
    let trust: LinkTrust
    let ear: LogEar
    let mailbox = Mailbox<Letter>()
    /// The key of its heartbeats, and those that others told.
    let signer = HeartbeatSigner()
    let vouched = Mailbox<HeartbeatVouch>()
    let folder: CertificateFolder?
    private(set) var place: Endpoint?

    /// - Parameters:
    ///   - folder: nil shows no certificate.
    ///   - owner: whose certificate it is; `name` unless it is somebody else's.
    init(
        _ name: String, _ folder: CertificateFolder?, owner: String? = nil,
        secret: String = "a secret of enough length", patience: TimeAmount = PeerLinks.patience,
        clock: @escaping @Sendable () -> Int64 = { CertifiedEnd.now }
    ) throws {
        me = Holder(member: MemberID(name: name, birth: 5), incarnation: 1 << 32)
        ear = try LogEar()
        self.folder = folder
        let key = ClusterKey(cluster: "pbx", secret: Array(secret.utf8))
        trust = try LinkTrust(key, files: folder?.files, node: owner ?? name, log: ear.log, clock: clock)
        let (mailbox, vouched) = (mailbox, vouched)
        links = try PeerLinks(
            loop: MultiThreadedEventLoopGroup.singleton.next(), key: key, me: me, log: ear.log, trust: trust,
            patience: patience, voucher: signer.voucher, vouch: { vouched.put($0) },
            deliver: { mailbox.put(Letter(message: $0, from: $1)) })
        trust.observe { [weak links] in links?.prove($0) }
        place = links.listen(
            at: Endpoint(ip: try #require(IPAddress("127.0.0.1")), port: 0), within: .seconds(20))
    }

    /// Hears that one, and so calls it.
    func hears(_ other: CertifiedEnd) throws { links.heard(other.me, at: try #require(other.place)) }

    /// Somebody says that it is that one, of that birth, and nothing vouches for it.
    func hinted(_ holder: Holder, at place: Endpoint) throws {
        let way = PeerWay(remote: place, local: Endpoint(ip: try #require(IPAddress("127.0.0.1")), port: 0))
        links.hinted(PeerSighting(holder: holder, ways: [way], isTold: false))
    }

    /// Whether a message arrives there, the other being heard again and again as it is by its heartbeats.
    func reaches(_ other: CertifiedEnd, _ text: String, within rounds: Int = 200) throws -> Bool {
        try hears(other)
        links.send(.refused(text), to: other.me.member)
        for _ in 0..<rounds {
            try hears(other)
            if other.mailbox.waits(within: 0.1) {
                return other.mailbox.next() == Letter(message: .refused(text), from: me.member)
            }
        }
        return false
    }

    /// What is said of the link to that one.
    func condition(_ other: CertifiedEnd) -> String? {
        links.watch.conditions().first { $0.peer == other.me.name }?.text
    }

    /// Whether that comes to be said of it.
    func condition(_ other: CertifiedEnd, has text: String) -> Bool {
        for _ in 0..<10_000 {
            // Goes to the links' own thread and back.
            _ = links.listening()
            if condition(other)?.contains(text) == true { return true }
        }
        return false
    }

    deinit { links.stop() }
}

/// Somebody who calls with what he likes, and says what he likes once TLS is through.
final class RawCaller: Sendable {
    private final class Mouth: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer
        private let words: [UInt8]
        private let ended: Mailbox<Int>
        private var count = 0

        init(_ words: [UInt8], _ ended: Mailbox<Int>) { (self.words, self.ended) = (words, ended) }

        func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
            context.writeAndFlush(wrapOutboundOut(ByteBuffer(bytes: words)), promise: nil)
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            count += unwrapInboundIn(data).readableBytes
        }

        func channelInactive(context: ChannelHandlerContext) { ended.put(count) }
        func errorCaught(context: ChannelHandlerContext, error: any Error) {}
    }

    /// Gets how many bytes came when the other end closes.
    let ended = Mailbox<Int>()
    private let channel: any Channel

    /// - Parameter chain: the certificates to show, the key of the first in the same PEM; empty shows none.
    init(to place: Endpoint, chain: [NIOSSLCertificate], key: [UInt8]?, words: [UInt8] = []) throws {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.certificateVerification = .none
        configuration.minimumTLSVersion = .tlsv13
        configuration.certificateChain = chain.map { .certificate($0) }
        configuration.privateKey = try key.map { .privateKey(try NIOSSLPrivateKey(bytes: $0, format: .pem)) }
        let context = try NIOSSLContext(configuration: configuration)
        let ended = ended
        channel = try ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandlers([
                        try NIOSSLClientHandler(context: context, serverHostname: nil), Mouth(words, ended),
                    ])
                }
            }
            .connect(host: "\(place.ip)", port: Int(place.port)).wait()
    }

    convenience init(to place: Endpoint, shows name: String?, words: [UInt8] = []) throws {
        let bytes = try name.map { try CertificateFolder.fixture($0) }
        try self.init(
            to: place, chain: try bytes.map { try NIOSSLCertificate.fromPEMBytes($0) } ?? [], key: bytes,
            words: words)
    }

    deinit { channel.close(promise: nil) }
}
