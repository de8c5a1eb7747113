import Primitives
import Switch
import Testing

extension RequestSequence {
    /// The least that there is.
    static let some = RequestSequence(milliseconds: 0, epoch: .zero)
}

/// The re-INVITE of a revived leg must have a higher CSeq than whatever an earlier switch sent in its dialog.
@Suite("CSeq numbers of revived legs") struct RequestSequenceTests {
    private static let noon: Int64 = 1_796_000_000_000

    private func number(
        _ milliseconds: Int64, _ index: UInt64 = 5, told: String? = nil, as name: String = "sip_invite_cseq"
    ) -> UInt32 {
        var leg = RecoveryPlanTests.leg("x")
        if let told { leg.variables.append(.init(name, told)) }
        let epoch = Epoch(term: 1, index: index)
        return RequestSequence(milliseconds: Self.noon + milliseconds, epoch: epoch).number(for: leg)
    }

    @Test("are above all that stock FreeSWITCH begins at, whenever it does") func aboveStock() {
        for day in stride(from: 0 as Int64, to: 3650, by: 7) {
            let number = number(day * 86_400_000)
            #expect(number > 0x7FF_FFFF + 10_000_000 && number < 1 << 31)
        }
        // A leg that another version revived has that one's number, or that version copied ours.
        #expect(number(0, told: "123447908") == number(0))
    }

    @Test("grow with each takeover, though clocks differ and nobody told of the one before")
    func takeovers() {
        #expect(number(100, 6) > number(0, 5) + 900)
        #expect(number(-2000, 6) > number(0, 5) + 800)
        #expect(number(-12_000, 6) > number(0, 5))
        // Requests in between: 60 a second.
        for seconds in [1, 60, 3600, 86_400] as [Int64] {
            #expect(number(seconds * 1000 - 2000, 6) > number(0, 5) + UInt32(seconds * 60))
        }
        // The switch was restarted.
        #expect(number(1000, 5) > number(0, 5) + 60)
    }

    @Test("grow from what is known where the clock is no help") func known() {
        let before = number(0)
        for told in [before, before + 1, before - 511, before + 1_000_000] {
            #expect(number(0, told: "\(told)") == told + 65_536)
            #expect(number(0, told: "\(told)", as: "SIP_Invite_CSeq") == told + 65_536)
        }
        #expect(number(0, told: "\(before - 512)") == before)
        #expect(number(-86_400_000, told: "\(before)") == before + 65_536)
        // Numbers by clock begin anew after some 300 days.
        let days = (0..<400).map { number($0 * 86_400_000) }
        let falls = days.indices.dropLast().filter { days[$0 + 1] < days[$0] }
        #expect(falls.count <= 2 && falls.count >= 1)
        for day in falls {
            #expect(number(Int64(day + 1) * 86_400_000, told: "\(days[day])") == days[day] + 65_536)
        }
    }

    @Test("do not follow a dialplan's nonsense, nor leave the 31 bits")
    func nonsense() {
        for told in [
            "", "-1", "2147483647", "2147483648", "4294967295", "99999999999999999999999", "0x7fffffff", " 9",
        ] {
            #expect(number(0, told: told) == number(0))
        }
        for told in stride(from: 0 as Int64, to: 1 << 32, by: 1 << 20) {
            #expect(number(0, told: "\(told)") < 0x7FFF_0001)
        }
        let extremes = [Int64.min, -1, Int64.max].flatMap { time in
            [0, UInt64.max].map { RequestSequence(milliseconds: time, epoch: Epoch(term: 1, index: $0)) }
        }
        for sequence in extremes {
            let number = sequence.later(by: .seconds(-1)).number(for: RecoveryPlanTests.leg("x"))
            #expect(number >= 0x900_0000 && number < 0x7000_0000)
        }
    }

    @Test("stand in every row, once; an earlier one does not come back") func rows() throws {
        var leg = RecoveryPlanTests.leg("x")
        leg.variables = [.init("sip_invite_cseq", "7"), .init("SIP_INVITE_CSEQ", "8")] + leg.variables
        for call in [RecoverableCall(legs: [leg]), RecoverableCall(legs: [leg], isFarewell: true)] {
            let row = try #require(call.rows(for: "slave", sequence: .some).first)
            let variables = try RecoveryMetadata(reading: row).leg.variables
            #expect(
                variables.filter { $0.name.lowercased() == "sip_invite_cseq" }
                    == [.init("sip_invite_cseq", "150994944")])
        }
    }

    @Test("are higher each time that rows are staged, also within one run whose switch is restarted")
    func restarts() throws {
        let legs = [RecoveryPlanTests.leg("x")]
        var run = RecoveryRun(
            legs: legs, profile: "svcA", settings: .init(), sequence: .some, at: .zero + .seconds(9))
        let patience: [Duration] = [.seconds(9), .seconds(10), .seconds(30)]
        var numbers: [Int] = []
        for (life, time) in patience.enumerated() {
            let local = RecoveryPlanTests.local(core: "slave-\(life)")
            for effect in run.handle(.local(local), at: .zero + time)
                + run.handle(.local(local), at: .zero + time)
            {
                guard case .stage(let stage) = effect, let row = stage.rows.first else { continue }
                let told = try RecoveryMetadata(reading: row).leg.variable("sip_invite_cseq")
                numbers.append(try #require(told.flatMap { Int($0) }))
            }
        }
        #expect(numbers == [150_994_944, 150_994_944 + 64, 150_994_944 + 21 * 64])
    }
}
