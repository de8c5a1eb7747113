import NIOCore
import NIOSSL
import NIOTLS
import PeerProtocol

/// The other end of a link has proved what it must: the cluster key, and where it showed one, its certificate. Whether the
/// certificate is that of the node it says it is, who reads its hello finds out.
struct LinkProven: Sendable {
    /// Nil on a link by the cluster key alone.
    var certificate: PeerCertificate?
    /// Whether it understands a hello that tells the key of heartbeats; always where this end tells one.
    var readsVouchers = false
}

/// A node told over a link the key by which it signs its heartbeats.
struct HeartbeatVouch: Hashable, Sendable {
    /// As its certificate proves.
    var name: String
    var certificate: PeerCertificate
    var voucher: HeartbeatVoucher

    /// Nil where no key was told, or nothing but the cluster key proves who told it.
    init?(_ hello: PeerHello, _ proven: LinkProven) {
        guard let voucher = hello.voucher, let certificate = proven.certificate else { return nil }
        (name, self.certificate, self.voucher) = (hello.holder.name, certificate, voucher)
    }
}

/// Stands between TLS and a link, and lets nothing through before the other end has proved that it knows the cluster key.
///
/// By TLS 1.2 it has when the handshake is over. By certificates it says so itself: the caller sends random bytes, the called
/// one its own and a proof over both, the caller its proof (`LinkProof`). Each has a fixed length, so that no more is kept of
/// a stranger than one read. What goes wrong before that comes to the link as one `LinkFault`, where certificates are in use.
///
/// Nor does it let anything through once this end has closed the link: TLS lets in what comes until the other end has, too.
final class LinkGuard: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private enum Stage {
        case handshake
        /// The caller sent its random bytes and waits for the other's with their proof.
        case calling(nonce: [UInt8], theirs: PeerCertificate)
        /// The called one waits for random bytes.
        case called(theirs: PeerCertificate)
        /// It waits for the proof over both.
        case answered(LinkProof, theirs: PeerCertificate)
        case proven
        case failed
    }

    private let tls: NIOSSLHandler
    private let own: PeerCertificate?
    private let key: ClusterKey
    private let end: LinkProof.End
    private var stage = Stage.handshake
    /// By this end.
    private var isClosed = false
    private var buffer = ByteBuffer()
    /// What both ends understand beyond the first release (ALPN); nil where one is of that.
    private var dialect: String?

    /// - Parameters:
    ///   - tls: the handler before this one.
    ///   - own: the certificate shown there; nil where the key is all there is.
    ///   - end: which of the two this is.
    init(_ tls: NIOSSLHandler, own: PeerCertificate?, key: ClusterKey, end: LinkProof.End) {
        self.tls = tls
        self.own = own
        self.key = key
        self.end = end
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        context.fireUserInboundEventTriggered(event)
        guard case .handshakeCompleted(let dialect) = event as? TLSUserEvent, case .handshake = stage else {
            return
        }
        self.dialect = dialect
        guard let own, tls.tlsVersion == .tlsv13 else { return prove(context, nil) }
        guard let certificate = tls.peerCertificate, let theirs = try? PeerCertificate(certificate) else {
            return fail(context, LinkFault(.noCertificate, "it shows no certificate that can be read"))
        }
        // Between two nodes this is a mistake worth its own words: one file was copied to both.
        guard theirs.fingerprint != own.fingerprint else {
            return fail(
                context,
                LinkFault(.otherName, "it has the very certificate of this node; every machine needs its own")
            )
        }
        if let text = theirs.unfitness {
            return fail(context, LinkFault(.certificate, "its certificate, for \(theirs.namesText), \(text)"))
        }
        switch end {
        case .caller:
            let nonce = LinkProof.nonce()
            stage = .calling(nonce: nonce, theirs: theirs)
            context.writeAndFlush(wrapOutboundOut(ByteBuffer(bytes: nonce)), promise: nil)
        case .called: stage = .called(theirs: theirs)
        }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !isClosed else { return }
        if case .proven = stage { return context.fireChannelRead(data) }
        if case .failed = stage { return }
        var bytes = unwrapInboundIn(data)
        buffer.writeBuffer(&bytes)
        while advance(context) {}
    }

    /// - Returns: whether something was read, so that there may be more to do.
    private func advance(_ context: ChannelHandlerContext) -> Bool {
        let length = LinkProof.length
        switch stage {
        case .calling(let nonce, let theirs):
            guard buffer.readableBytes >= 2 * length, let other = buffer.readBytes(length: length),
                let word = buffer.readBytes(length: length), let own
            else { return false }
            let proof = LinkProof(
                key, nonces: (nonce, other), certificates: (own.fingerprint, theirs.fingerprint))
            guard proof.isProof(word, of: .called) else { return refuse(context, theirs) }
            context.writeAndFlush(wrapOutboundOut(ByteBuffer(bytes: proof.proof(of: .caller))), promise: nil)
            prove(context, theirs)
        case .called(let theirs):
            guard let other = buffer.readBytes(length: length), let own else { return false }
            let nonce = LinkProof.nonce()
            let proof = LinkProof(
                key, nonces: (other, nonce), certificates: (theirs.fingerprint, own.fingerprint))
            stage = .answered(proof, theirs: theirs)
            context.writeAndFlush(
                wrapOutboundOut(ByteBuffer(bytes: nonce + proof.proof(of: .called))), promise: nil)
        case .answered(let proof, let theirs):
            guard let word = buffer.readBytes(length: length) else { return false }
            guard proof.isProof(word, of: .caller) else { return refuse(context, theirs) }
            prove(context, theirs)
        case .handshake, .proven, .failed: return false
        }
        return true
    }

    private func refuse(_ context: ChannelHandlerContext, _ theirs: PeerCertificate) -> Bool {
        fail(
            context,
            LinkFault(
                .noKey, "it has the certificate of \(theirs.namesText) and does not know the cluster key"))
        return false
    }

    private func prove(_ context: ChannelHandlerContext, _ certificate: PeerCertificate?) {
        stage = .proven
        context.fireUserInboundEventTriggered(
            LinkProven(certificate: certificate, readsVouchers: dialect == PeerTLS.vouching))
        guard buffer.readableBytes > 0 else { return }
        let rest = buffer
        buffer = ByteBuffer()
        context.fireChannelRead(wrapInboundOut(rest))
    }

    func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        isClosed = true
        context.close(mode: mode, promise: promise)
    }

    func channelInactive(context: ChannelHandlerContext) {
        // An honest node says at its own end why it does not go on; somebody else would leave no trace.
        if case .answered(_, let theirs) = stage {
            fail(
                context,
                LinkFault(
                    .noKey,
                    "it has the certificate of \(theirs.namesText) and ended the link instead of proving the "
                        + "cluster key"))
        }
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        switch stage {
        case .proven: context.fireErrorCaught(error)
        case .failed: break
        case .handshake, .calling, .called, .answered:
            guard own != nil, let fault = LinkFault(error, tls.peerCertificate) else {
                return context.fireErrorCaught(error)
            }
            fail(context, fault)
        }
    }

    private func fail(_ context: ChannelHandlerContext, _ fault: LinkFault) {
        stage = .failed
        buffer = ByteBuffer()
        context.fireErrorCaught(fault)
        context.close(promise: nil)
    }
}

extension LinkFault {
    /// What BoringSSL calls it, and what it means here; the first that fits.
    private static let meanings: [(mark: String, sort: Sort, text: String)] = [
        ("PEER_DID_NOT_RETURN_A_CERTIFICATE", .noCertificate, "it shows no certificate"),
        (
            "UNSUPPORTED_PROTOCOL", .noCertificate,
            "it makes links by the cluster key alone, and certificates are required here"
        ),
        (
            "PROTOCOL_VERSION", .noCertificate,
            "it takes links by the cluster key alone, or has another setting of certificates than this node"
        ),
        ("CERTIFICATE_REQUIRED", .certificate, "it wants a certificate of this node and was shown none"),
        (
            "CERTIFICATE_EXPIRED", .certificate,
            "it does not accept this node's certificate, which by its clock has ended or not begun"
        ),
        (
            "UNKNOWN_CA", .certificate,
            "it does not accept this node's certificate: its authority file knows nobody who signed it"
        ),
        ("ALERT_CERTIFICATE", .certificate, "it does not accept this node's certificate"),
        ("ALERT_BAD_CERTIFICATE", .certificate, "it does not accept this node's certificate"),
        ("ALERT_UNSUPPORTED_CERTIFICATE", .certificate, "it does not accept this node's certificate"),
    ]

    /// Whether TLS refused something. An end that only went away, as a node does that stops, refused nothing.
    static func isOfTLS(_ error: any Error) -> Bool {
        switch error {
        case NIOSSLError.uncleanShutdown: false
        case let error where error is NIOSSLError || error is BoringSSLError:
            !"\(error)".contains("EOF during")
        default: false
        }
    }

    /// Nil for what TLS has nothing to do with.
    ///
    /// - Parameter shown: the certificate at the other end, which nobody has vouched for.
    fileprivate init?(_ error: any Error, _ shown: NIOSSLCertificate?) {
        guard LinkFault.isOfTLS(error) else { return nil }
        let text = "\(error)"
        if text.contains("CERTIFICATE_VERIFY_FAILED") {
            let theirs = shown.flatMap { try? PeerCertificate($0) }
            let name = theirs.map { "its certificate, for \($0.namesText)," } ?? "its certificate"
            let why =
                theirs?.untimeliness(at: Int64(WallClock.seconds()))
                ?? "is signed by nobody in our authority file, or for another use"
            self.init(.certificate, "\(name) \(why)")
        } else if let meaning = Self.meanings.first(where: { text.contains($0.mark) }) {
            self.init(meaning.sort, meaning.text)
        } else {
            self.init(
                .handshake, "TLS with it fails, as with one that does not know the cluster key: \(error)")
        }
    }
}
