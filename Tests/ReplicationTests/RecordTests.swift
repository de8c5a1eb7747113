import Replication
import Testing

@Suite struct RecordTests {
    @Test("A registration comes back from its bytes as it was, whatever tells it from others")
    func registrations() throws {
        var samples = RecordSamples(seed: 1)
        for number in 0..<200 {
            let registration = number % 2 == 0 ? samples.registration(number) : samples.oddRegistration()
            for identity in [RegistrationIdentity.user, .contact, .callID] {
                let record = try Record(registration, identity: identity)
                let back = try record.registration()
                #expect(back == registration)
                #expect(Array(back.realm.utf8) == Array(registration.realm.utf8))
                #expect(record.expires == registration.expires)
            }
        }
    }

    @Test("Texts that are equal but written differently keep their bytes")
    func canonicalEquivalence() throws {
        let registration = Registration(
            profile: "p", user: "caf\u{e9}", host: "h", contact: "c", callID: "i", toUser: "cafe\u{301}",
            expires: .zero)
        let back = try Record(registration).registration()
        #expect(Array(back.toUser.utf8) == Array("cafe\u{301}".utf8))
    }

    @Test("A realistic registration takes at most 260 bytes")
    func size() throws {
        var samples = RecordSamples(seed: 2)
        for number in 0..<100 {
            let record = try Record(samples.registration(number * 7919))
            #expect(record.key.count + record.payload.count <= 260)
        }
    }

    @Test("A call leg comes back from its bytes as it was")
    func callLegs() throws {
        var samples = RecordSamples(seed: 3)
        for _ in 0..<50 {
            let leg = samples.callLeg()
            let record = try Record(leg)
            #expect(record.key == Record.key(uuid: leg.uuid))
            #expect(try record.callLeg() == leg)
        }
    }

    @Test("A call leg of more than 64 KiB is refused with its size")
    func tooLarge() {
        var leg = CallLeg(
            uuid: "u", runtime: "r", switchname: "s", profile: "p", direction: .inbound, phase: .answered)
        leg.variables = [.init("sip_history", String(repeating: "x", count: 70_000))]
        let failure = #expect(throws: RecordFailure.self) { try Record(leg) }
        guard case .tooLarge("payload", let bytes, let limit) = failure else {
            Issue.record("\(String(describing: failure))")
            return
        }
        #expect(bytes > 70_000 && limit == 65_536)
    }

    @Test("A record cut anywhere is refused")
    func cut() throws {
        var samples = RecordSamples(seed: 4)
        let registration = try Record(samples.registration(5))
        for count in 0..<registration.payload.count {
            var record = registration
            record.payload.removeLast(registration.payload.count - count)
            #expect(throws: RecordFailure.self) { try record.registration() }
        }
        let leg = try Record(samples.callLeg())
        for count in 0..<leg.payload.count {
            var record = leg
            record.payload.removeLast(leg.payload.count - count)
            #expect(throws: RecordFailure.self) { try record.callLeg() }
        }
    }

    @Test("A record of a later version, of another kind or with more at its end is refused by name")
    func wrong() throws {
        var samples = RecordSamples(seed: 5)
        let good = try Record(samples.registration(5))
        var record = good
        record.payload[0] = 2
        #expect(throws: RecordFailure.newerVersion(2)) { try record.registration() }
        #expect(throws: RecordFailure.wrongKind(.registration)) { try good.callLeg() }
        record = good
        record.payload.append(0)
        #expect(throws: RecordFailure.malformed("end")) { try record.registration() }
        record = good
        record.expires = nil
        #expect(throws: RecordFailure.malformed("expires")) { try record.registration() }
    }
}
