import EventSocket
import Foundation
import Replication
import Switch
import Testing

/// Rows of legs over TCP, TLS and SRTP, as recorded with real phones.
@Suite struct SecureMediaTests {
    private func leg(_ file: String, _ direction: CallLeg.Direction) throws -> CallLeg {
        let leg = try Recordings.rows(file).map { try RecoveryMetadata(reading: $0).leg }.first {
            $0.direction == direction && $0.variable("srtp_remote_audio_crypto_key") != nil
        }
        return try #require(leg)
    }

    private func staged(_ leg: CallLeg) throws -> CallLeg {
        let row = try #require(RecoverableCall(legs: [leg]).rows(for: "slave", sequence: .some).first)
        return try RecoveryMetadata(reading: row).leg
    }

    @Test("a called leg is offered the suite in use, not the last of the list, with a new key")
    func outbound() throws {
        let leg = try leg("rows_srtp_outbound.json", .outbound)
        #expect(leg.variable("rtp_secure_media") == "mandatory")
        #expect(
            leg.variable("rtp_last_audio_local_crypto_key")?.hasPrefix("11 AES_CM_128_NULL_AUTH ") == true)
        let row = try staged(leg)
        #expect(row.variable("rtp_secure_media") == "mandatory:AES_256_CM_HMAC_SHA1_80")
        #expect(row.variables.count { $0.name == "rtp_secure_media" } == 1)
        let key = try #require(row.variable("rtp_last_audio_local_crypto_key"))
        #expect(key.hasPrefix("1 AES_256_CM_HMAC_SHA1_80 inline:"))
    }

    @Test("a calling leg gets a new key too, or its peer would drop all as a replay") func inbound() throws {
        let leg = try leg("rows_srtp_inbound.json", .inbound)
        let old = try #require(leg.variable("rtp_last_audio_local_crypto_key"))
        let (one, two) = (try staged(leg), try staged(leg))
        #expect(one.variable("rtp_secure_media_inbound") == "mandatory:AES_256_CM_HMAC_SHA1_80")
        let keys = [one, two].compactMap { $0.variable("rtp_last_audio_local_crypto_key") }
        #expect(Set(keys + [old]).count == 3)
        for key in keys {
            let text = String(key.split(separator: ":")[1])
            #expect(Data(base64Encoded: text)?.count == 46)
            #expect(one.variables.count { $0.name == "rtp_last_audio_local_crypto_key" } == 1)
        }
        // The peer's key stays.
        #expect(one.variable("srtp_remote_audio_crypto_key") == leg.variable("srtp_remote_audio_crypto_key"))
    }

    @Test("over TLS our Contact names the transport, and no Via of the lost connection is sent")
    func connection() throws {
        var leg = try leg("rows_srtp_inbound.json", .inbound)
        #expect(leg.transport == "TLS")
        leg.variables.append(.init("sip_recover_via", "SIP/2.0/TLS 192.0.2.7:40000;branch=x"))
        let row = try staged(leg)
        #expect(row.variable("sip_transport") == "tls" && row.variable("sip_recover_via") == nil)
        leg.variables.removeAll { $0.name == "sip_via_protocol" || $0.name == "sip_recover_via" }
        leg.variables.append(.init("sip_via_protocol", "udp"))
        leg.variables.append(.init("sip_recover_via", "SIP/2.0/UDP 192.0.2.7;branch=x"))
        let plain = try staged(leg)
        #expect(plain.variable("sip_transport") == nil && plain.variable("sip_recover_via") != nil)
    }

    @Test("a call is as doubtful as the worse of its legs") func partners() throws {
        var a = RecoveryPlanTests.leg("a", partner: "b")
        var b = RecoveryPlanTests.leg("b", partner: "a", direction: .outbound)
        func verdict() -> String { Recoverability(of: a, partner: b, serviceAddress: nil).description }
        #expect(verdict() == "recoverable")
        b.set("sip_recover_via", "SIP/2.0/TCP 192.0.2.7;branch=x")
        #expect(verdict() == "its other leg is over TCP, needs a new connection to the peer")
        a.phase = .held
        #expect(verdict() == "its other leg is over TCP, needs a new connection to the peer")
        b.set("sip_recover_via", "SIP/2.0/UDP 192.0.2.7;branch=x")
        #expect(verdict() == "on hold, which the new switch does not know")
        a.phase = .answered
        b.phase = .held
        #expect(verdict() == "its other leg is on hold, which the new switch does not know")
        b.profile = ""
        #expect(verdict() == "its other leg goes through a channel that is not SIP, such as loopback")
    }
}
