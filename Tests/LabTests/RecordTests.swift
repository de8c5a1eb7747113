import Lab
import Testing

@Suite("What the lab makes of its instruments' records")
struct RecordTests {
    @Test("two holders are counted from the second add to the first removal")
    func overlap() throws {
        var history = AddressHistory()
        try history.read("1000000 add 10.0.0.1\n9000000 del 10.0.0.1\n", of: "a")
        try history.read("6500000 add 10.0.0.1\n", of: "b")
        #expect(history.overlap(of: "10.0.0.1", until: BootTime(nanoseconds: 20_000_000)) == 2.5)
        #expect(history.overlap(of: "10.0.0.1", until: BootTime(nanoseconds: 6_000_000)) == 0)
        #expect(history.firstAdd(of: "10.0.0.1", after: BootTime(nanoseconds: 1_000_000))?.machine == "b")
    }

    @Test("an overlap that does not end is counted until the end asked for")
    func openOverlap() throws {
        var history = AddressHistory()
        try history.read("1000000 add 10.0.0.1\n", of: "a")
        try history.read("2000000 add 10.0.0.1\n", of: "b")
        #expect(history.overlap(of: "10.0.0.1", until: BootTime(nanoseconds: 5_000_000)) == 3)
    }

    @Test("a machine without power holds nothing")
    func powerCut() throws {
        var history = AddressHistory()
        try history.read("1000000 add 10.0.0.1\n2000000 add 10.0.0.2\n3000000 off -\n", of: "a")
        try history.read("3000001 add 10.0.0.1\n", of: "b")
        #expect(history.overlap(of: "10.0.0.1", until: BootTime(nanoseconds: 9_000_000)) == 0)
        let removal = history.firstRemoval(of: "10.0.0.2", from: "a", after: BootTime(nanoseconds: 0))
        #expect(removal?.at == BootTime(nanoseconds: 3_000_000))
    }

    @Test(
        "what is no record is refused, not skipped",
        arguments: ["add 10.0.0.1", "1 2", "x add y", "1 put 10.0.0.1"])
    func badRecord(line: String) {
        var history = AddressHistory()
        #expect(throws: LabFailure.self) { try history.read(line + "\n", of: "a") }
    }

    @Test("a gap is from the old owner's last answer to the new owner's first")
    func gap() throws {
        let record = try ProbeRecord(
            """
            1000000 1100000 fs1
            2000000 2100000 fs1
            3000000 0 -
            4000000 4600000 fs4
            5000000 5100000 fs4
            """)
        #expect(record.handovers.map(\.gap) == [2.5])
        #expect(record.handovers.map(\.to) == ["fs4"])
        #expect(record.questions == 5)
        #expect(record.lost == 1)
        let start = BootTime(nanoseconds: 0)
        #expect(record.longestSilence(after: start, until: BootTime(nanoseconds: 9_000_000)) == 2.5)
        let afterwards = BootTime(nanoseconds: 4_000_000)
        #expect(record.longestSilence(after: afterwards, until: BootTime(nanoseconds: 9_000_000)) == 0.6)
    }

    @Test("silence without any answer lasts as long as one listened")
    func silence() throws {
        let record = try ProbeRecord("1000000 0 -\n2000000 0 -\n")
        let start = BootTime(nanoseconds: 1_000_000)
        #expect(record.longestSilence(after: start, until: BootTime(nanoseconds: 8_000_000)) == 7)
        #expect(record.handovers.isEmpty)
    }

    @Test("median, 95th percentile and maximum of a sample")
    func sample() {
        let sample = Sample((1...20).map(Double.init).reversed())
        #expect(sample.median == 10.5)
        #expect(sample.percentile95 == 19)
        #expect(sample.maximum == 20)
        #expect(Sample([]).median == nil)
        #expect(Sample([3]).percentile95 == 3)
    }
}
