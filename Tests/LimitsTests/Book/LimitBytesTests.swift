import Limits
import TestSupport
import Testing

extension LimitUsage: CountedCases {
    package enum CaseName: String, CaseIterable { case counter, hash }
    package var caseName: CaseName {
        switch self {
        case .counter: .counter
        case .hash: .hash
        }
    }
}

/// Uses of limits, as bytes that were recorded.
@Suite("Recorded bytes of limits")
struct LimitBytesTests {
    @Test("every use is the bytes that were recorded, and is read from them")
    func usage() throws {
        let uses: [(name: String, value: LimitUsage?)] = [
            ("counter", .counter(CounterUsage(counted: 300, adopted: 2))),
            (
                "hash",
                .hash(
                    HashUsage(total: 300, adopted: 2, rate: 70, interval: 60, lastCheck: 1_795_485_600))
            ), ("counter-plain", .counter(CounterUsage())), ("hash-plain", .hash(HashUsage())),
        ]
        #expect(
            try Golden("usage", as: .hex).faults(
                uses, write: { $0?.bytes ?? [] }, read: { LimitUsage(bytes: $0) })
                == [])
        #expect(Coverage(uses.map { $0.value as Any }).gaps == [])
    }

    @Test("every key is the bytes that were recorded, and is read from them")
    func key() throws {
        let keys: [(name: String, value: LimitKey?)] = [
            ("hash", LimitKey(.hash, "outbound_trunk")), ("hiredis", LimitKey(.hiredis, "trunk ä")),
        ]
        #expect(
            try Golden("key", as: .hex).faults(
                keys, write: { $0?.record ?? [] }, read: { LimitKey(record: $0) })
                == [])
        #expect(Coverage(keys.map { $0.value as Any }).gaps == [])
    }
}
