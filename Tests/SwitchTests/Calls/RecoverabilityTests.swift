import EventSocket
import Replication
import Switch
import Testing

/// Which legs another switch could revive, and why others not.
@Suite struct RecoverabilityTests {
    private let legs: [String: CallLeg]

    init() throws {
        var tracker = CallTracker()
        for dump in try Recordings.dumps() { tracker.handle(dump, at: .zero) }
        legs = Dictionary(uniqueKeysWithValues: tracker.legs.map { ($0.uuid, $0) })
    }

    private func verdict(_ uuid: String, _ change: (inout CallLeg) -> Void = { _ in }) -> String {
        var leg = legs[uuid]!
        change(&leg)
        return Recoverability(
            of: leg, partner: leg.partner.flatMap { legs[$0] }, serviceAddress: "10.77.0.50"
        ).description
    }

    @Test("the recorded calls can be revived") func recoverable() {
        for uuid in legs.keys { #expect(verdict(uuid) == "recoverable") }
    }

    @Test("hopeless on an address are exactly the legs that a plan at the next holder would leave")
    func hopeless() throws {
        var tracker = CallTracker()
        for dump in try Recordings.dumps() { tracker.handle(dump, at: .zero) }
        let profile = try #require(tracker.legs.first?.profile)
        #expect(tracker.hopeless(on: profile, serviceAddress: "10.77.0.50") == [])
        #expect(tracker.hopeless(on: "elsewhere", serviceAddress: nil) == [])
        let all = tracker.legs(of: profile)
        let plan = try RecoveryPlan(
            legs: all, profile: profile,
            local: LocalSwitch(
                coreUUID: "other", profiles: [SofiaProfile(name: profile, state: "RUNNING (0)")]),
            settings: RecoveryPlan.Settings(serviceAddress: "10.77.0.51"))
        #expect(plan.left.map(\.uuid) == all.map(\.uuid))
        #expect(tracker.hopeless(on: profile, serviceAddress: "10.77.0.51") == plan.left.map(\.uuid))
    }

    @Test("each obstacle is told") func obstacles() {
        let bridged = Recordings.bridged
        #expect(verdict(bridged) { $0.phase = .ringing } == "not answered yet")
        #expect(verdict(bridged) { $0.phase = .held } == "on hold, which the new switch does not know")
        #expect(verdict(bridged) { $0.profile = "" } == "not a SIP call")
        #expect(verdict(bridged) { $0.variables = [] } == "not known yet")
        #expect(
            verdict(bridged) { $0.set("sip_via_protocol", "tls") }
                == "over TLS, needs a new connection to the peer")
        #expect(
            verdict(bridged) { $0.set("srtp_remote_audio_crypto_key", "1 AES_CM_128_HMAC_SHA1_80 inline:k") }
                == "with SRTP, for which the peer must take a new key")
        #expect(
            verdict(bridged) { $0.set("media_webrtc", "true") }
                == "with DTLS or ICE media, which are negotiated anew")
        #expect(
            verdict(bridged) { $0.set("sip_via_protocol", "tcp") }
                == "over TCP, needs a new connection to the peer")
        #expect(
            verdict(Recordings.callee) { $0.set("sip_recover_via", "SIP/2.0/WSS 10.77.0.50;branch=x") }
                == "over WSS, whose connection cannot be moved")
        #expect(
            verdict(bridged) { $0.set("local_media_ip", "10.77.0.11") }
                == "its media are bound to 10.77.0.11, which is not the service address")
        #expect(verdict(bridged) { $0.partner = "unheard" } == "its other leg unheard cannot be revived")
        #expect(
            verdict(Recordings.parked) { $0.set("current_application", "") }
                == "nothing tells what it was doing")
        #expect(
            verdict(Recordings.parked) {
                $0.set("sip_full_to", "<sip:park@10.77.0.50:5060>")
                $0.set("sip_to_tag", "")
            } == "not confirmed by its peer yet, as far as is known; the switch is asked again")
    }

    @Test("a leg is as lost as its partner") func partners() throws {
        var partner = try #require(legs[Recordings.callee])
        let leg = try #require(legs[Recordings.bridged])
        partner.phase = .ringing
        #expect(
            Recoverability(of: leg, partner: partner, serviceAddress: nil)
                == .impossible(.halfKnown(Recordings.callee)))
        partner = try #require(legs[Recordings.callee])
        partner.profile = "svcB"
        #expect(
            Recoverability(of: leg, partner: partner, serviceAddress: nil)
                == .impossible(.otherProfile("svcB")))
    }

    @Test("the limits a leg holds are in its variables") func limits() throws {
        var leg = try #require(legs[Recordings.parked])
        #expect(leg.limits == [])
        leg.variables += [
            .init("limit_usage", "2"), .init("limit_usage_trunk_carrier1", "2"), .init("limit_rate", "1"),
            .init("limit_usage_trunk_cps1", "0"), .init("limit_rate_trunk_cps1", "3"),
            .init("limit_usage_inbound_10.0.0.1", "x"), .init("limit_realm", "trunk"),
        ]
        #expect(
            leg.limits == [
                LimitHolding(key: "inbound_10.0.0.1", isRate: false, usage: nil),
                LimitHolding(key: "trunk_carrier1", isRate: false, usage: 2),
                LimitHolding(key: "trunk_cps1", isRate: true, usage: 3),
            ])
    }
}

extension CallLeg {
    /// Gives a variable another value; none has two.
    mutating func set(_ name: String, _ value: String) {
        if let at = variables.firstIndex(where: { $0.name == name }) {
            variables[at].value = value
        } else {
            variables.append(.init(name, value))
        }
    }
}
