import TestSupport
import Testing

/// The recorded bytes are as good as what is looked for in them.
@Suite("Coverage of samples")
struct CoverageTests {
    enum Counted: CountedCases {
        enum CaseName: String, CaseIterable { case one, other }
        case one(Inner)
        case other
        var caseName: CaseName {
            switch self {
            case .one: .one
            case .other: .other
            }
        }
    }
    enum Listed: CaseIterable { case here, there }
    enum Uncounted { case some }
    struct Inner {
        var text = ""
        var number = 0
        var flag = false
        var list: [Int] = []
        var maybe: Int?
        var duration = Duration.zero
    }

    @Test("a field that is empty everywhere, and a case that none has, are told")
    func gaps() {
        let gaps = Coverage([Counted.one(Inner()), [Listed.here]]).gaps
        let fields = ["flag", "list", "maybe", "number", "text"]
        #expect(gaps.count == fields.count + 2)
        for field in fields { #expect(gaps.contains { $0.hasSuffix("Inner.\(field)") }) }
        #expect(gaps.contains { $0.hasSuffix("Counted.other") })
        #expect(gaps.contains { $0.hasSuffix("Listed.there") })
    }

    @Test("what is there in one sample is enough, however deep it is")
    func whole() {
        let filled = Inner(text: "a", number: -1, flag: true, list: [0], maybe: 0)
        let samples: [Any] = [Counted.other, [Counted.one(Inner()), .one(filled)], Listed.allCases]
        #expect(Coverage(samples).gaps == [])
    }

    @Test("an enumeration whose cases nobody counts is told, unless nobody is to look there")
    func uncounted() {
        #expect(Coverage([Uncounted.some]).gaps.count == 1)
        #expect(Coverage([Uncounted.some], leaves: [Uncounted.self]).gaps == [])
    }
}
