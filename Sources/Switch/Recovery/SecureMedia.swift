import Replication

/// What a row must say so that a leg with SRTP by SDES keys is heard again.
///
/// Left as they are, the variables revive it wrongly (switch_core_media.c: switch_core_media_recover_session):
/// - an outbound leg with `rtp_secure_media=mandatory` is offered anew with the last suite of FreeSWITCH's list, not with the one
///   in use, and refused (488);
/// - an inbound leg is offered its old key with a new sequence: the peer drops everything as a replay, the key stream is used
///   twice, and a new key in the peer's answer is ignored.
///
/// With the suite in use as the only one, FreeSWITCH makes a new key for it and takes the peer's.
struct SecureMedia: Hashable, Sendable {
    /// What FreeSWITCH calls the suite; the peer may have used another name for it.
    let suite: String
    private let direction: CallLeg.Direction
    private let key: String?

    /// The variable that says what the leg's key must be.
    private static let localKey = "rtp_last_audio_local_crypto_key"
    private static let remoteKey = "srtp_remote_audio_crypto_key"

    /// - Returns: nil when the leg has no such keys.
    init?(_ leg: CallLeg) {
        guard let remote = leg.variable(Self.remoteKey), !remote.isEmpty else { return nil }
        // `TAG SUITE inline:KEY`
        let words = remote.split(separator: " ")
        let told = leg.variable("srtp_remote_audio_crypto_type").flatMap { $0.isEmpty ? nil : $0 }
        guard let suite = told ?? (words.count > 1 ? String(words[1]) : nil),
            suite.utf8.allSatisfy({ Self.isWord($0) })
        else { return nil }
        self.suite = Self.names[suite] ?? suite
        direction = leg.direction
        key = Self.freshKey(self.suite)
    }

    /// Names of RFC 6188 that FreeSWITCH takes from a peer, and its own (switch_core_media.c: SUITES).
    private static let names = [
        "AES_CM_256_HMAC_SHA1_80": "AES_256_CM_HMAC_SHA1_80",
        "AES_CM_256_HMAC_SHA1_32": "AES_256_CM_HMAC_SHA1_32",
        "AES_CM_192_HMAC_SHA1_80": "AES_192_CM_HMAC_SHA1_80",
        "AES_CM_192_HMAC_SHA1_32": "AES_192_CM_HMAC_SHA1_32",
    ]
    /// Bytes of key and salt.
    private static let lengths = [
        "AES_CM_128_HMAC_SHA1_80": 30, "AES_CM_128_HMAC_SHA1_32": 30, "AES_CM_128_NULL_AUTH": 30,
        "AES_192_CM_HMAC_SHA1_80": 38, "AES_192_CM_HMAC_SHA1_32": 38, "AES_256_CM_HMAC_SHA1_80": 46,
        "AES_256_CM_HMAC_SHA1_32": 46, "AEAD_AES_128_GCM_8": 28, "AEAD_AES_256_GCM_8": 44,
        "AEAD_AES_128_GCM": 28, "AEAD_AES_256_GCM": 44,
    ]

    private static func isWord(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"):
            true
        default: false
        }
    }

    /// A key for a FreeSWITCH that makes none itself, from the system's generator; nil for a suite of unknown length.
    private static func freshKey(_ suite: String) -> String? {
        guard let length = lengths[suite] else { return nil }
        var generator = SystemRandomNumberGenerator()
        let bytes = (0..<length).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
        return "1 \(suite) inline:\(Base64Text.encode(bytes))"
    }

    /// The variable FreeSWITCH looks at for a leg of this direction.
    private var preference: String { direction == .inbound ? "rtp_secure_media_inbound" : "rtp_secure_media" }

    /// Whether the leg's own variable of that name must not be in the row.
    func replaces(_ name: String) -> Bool {
        switch name {
        case preference, Self.localKey: true
        // It would go before `rtp_secure_media`.
        case "rtp_secure_media_outbound": direction == .outbound
        default: false
        }
    }

    /// What stands in the row instead.
    var fields: [CallLeg.Field] {
        [.init(preference, "mandatory:\(suite)")] + (key.map { [.init(Self.localKey, $0)] } ?? [])
    }
}

/// RFC 4648, with padding; Foundation's is not at hand here.
enum Base64Text {
    private static let digits = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    static func encode(_ bytes: [UInt8]) -> String {
        var text: [UInt8] = []
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let group = bytes[start..<min(start + 3, bytes.count)]
            let value = group.reduce(0) { $0 << 8 | UInt32($1) } << UInt32(8 * (3 - group.count))
            for place in 0..<4 {
                let digit = digits[Int(value >> UInt32(18 - 6 * place)) & 63]
                text.append(place <= group.count ? digit : UInt8(ascii: "="))
            }
        }
        return String(decoding: text, as: UTF8.self)
    }
}
