import Crypto
import FoundationEssentials

/// Signs the heartbeats of one start of one node service (Ed25519, RFC 8032), by a key that is made for it and is nowhere
/// but in its memory.
///
/// The seal proves the cluster's key, which every machine has; the signature proves the start that told its public key over
/// links (`HeartbeatVoucher`). It stands at the end of what is sealed, as a section, so that who does not ask for it reads
/// over it.
package struct HeartbeatSigner: Sendable {
    /// What others need to check it.
    package let voucher: HeartbeatVoucher
    private let key: Curve25519.Signing.PrivateKey

    package init() { self.init(Curve25519.Signing.PrivateKey()) }

    /// - Parameter key: never used by another start.
    init(_ key: Curve25519.Signing.PrivateKey) {
        self.key = key
        voucher = HeartbeatVoucher(key.publicKey)
    }

    /// - Parameters:
    ///   - head: the clear head, with session and counter.
    ///   - body: everything sealed before the signature.
    func section(head: [UInt8], body: [UInt8]) -> [UInt8] {
        guard let signature = try? key.signature(for: HeartbeatSignature.signed(head: head, body: body))
        else {
            preconditionFailure("a heartbeat can always be signed")
        }
        return HeartbeatSignature.lead + signature
    }
}

/// The public key of one start of a node service, as it tells it over links. The session its heartbeats are sealed in
/// follows from it, so that nobody can claim the session of another.
package struct HeartbeatVoucher: Hashable, Sendable {
    package static let length = 32
    package let publicKey: [UInt8]
    package let session: HeartbeatSession

    /// Nil when these bytes are no such key.
    package init?(publicKey: [UInt8]) {
        guard let key = try? Curve25519.Signing.PublicKey(rawRepresentation: publicKey) else { return nil }
        self.init(key)
    }

    fileprivate init(_ key: Curve25519.Signing.PublicKey) {
        publicKey = Array(key.rawRepresentation)
        let hash = Array(SHA256.hash(data: Array("fsdns 1 heartbeat session".utf8) + publicKey))
        func number(_ bytes: ArraySlice<UInt8>) -> UInt64 { bytes.reduce(0) { $0 << 8 | UInt64($1) } }
        session = HeartbeatSession(high: number(hash[0..<8]), low: number(hash[8..<16]))
    }

    /// The key ready for use.
    var key: Curve25519.Signing.PublicKey? {
        try? Curve25519.Signing.PublicKey(rawRepresentation: publicKey)
    }
}

/// How a signature stands in a sealed body: as the last section, of tag, length and 64 bytes.
enum HeartbeatSignature {
    /// With tag and length.
    static let sectionLength = lead.count + length
    static let lead: [UInt8] = [HeartbeatSection.signature, UInt8(length)]
    private static let length = 64
    private static let label = Array("fsdns 1 heartbeat signature".utf8)

    /// The label keeps it from being a signature of anything else.
    static func signed(head: some Sequence<UInt8>, body: some Sequence<UInt8>) -> [UInt8] {
        label + head + body
    }

    /// Whether that body ends with a signature of the rest and of the head by that key.
    static func verifies(
        _ body: [UInt8], head: some Sequence<UInt8>, by key: Curve25519.Signing.PublicKey
    ) -> Bool {
        guard body.count > sectionLength else { return false }
        let end = body.count - sectionLength
        guard body[end..<(end + lead.count)].elementsEqual(lead) else { return false }
        return key.isValidSignature(
            body[(end + lead.count)...], for: signed(head: head, body: body[..<end]))
    }
}

/// What vouches for the heartbeats of one session: a key, the nodes that told it as theirs over links, and which of its
/// heartbeats it was found to have signed.
struct SessionVouching: Sendable {
    private struct Recent {
        var counter: UInt64
        var digest: SHA256.Digest
    }

    /// A certificate may be for several nodes; more would be a mistake.
    private static let nameLimit = 4
    /// Second copies come within as many heartbeats.
    private static let recentLimit = 16
    let key: Curve25519.Signing.PublicKey
    /// Each with when it was told, as a number that grows.
    private(set) var names: [(name: String, order: UInt64)] = []
    private var recent: [Recent] = []
    private var next = 0

    init(_ key: Curve25519.Signing.PublicKey) { self.key = key }

    func isOf(_ name: String) -> Bool { names.contains { $0.name == name } }

    mutating func add(_ name: String, _ order: UInt64) {
        names.removeAll { $0.name == name }
        // Whoever told it first stays: others may tell a key that is not theirs.
        guard names.count < Self.nameLimit else { return }
        names.append((name, order))
    }

    mutating func remove(_ name: String) { names.removeAll { $0.name == name } }

    mutating func remember(_ counter: UInt64, _ datagram: UnsafeRawBufferPointer) {
        let one = Recent(counter: counter, digest: SHA256.hash(data: datagram))
        if recent.count < Self.recentLimit {
            recent.append(one)
        } else {
            recent[next] = one
            next = (next + 1) % Self.recentLimit
        }
    }

    /// Whether it is, byte for byte, one whose signature was checked.
    func isCopy(_ counter: UInt64, _ datagram: UnsafeRawBufferPointer) -> Bool {
        guard let one = recent.first(where: { $0.counter == counter }) else { return false }
        return one.digest == SHA256.hash(data: datagram)
    }
}
