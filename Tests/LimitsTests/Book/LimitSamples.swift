import Foundation
import Limits
import Primitives

/// The wall clock in these tests; within the time of the recordings.
let wallStart: UInt64 = 1_795_254_940

extension LimitMoment {
    /// So many seconds after the start, by both clocks.
    static func after(_ seconds: Double) -> LimitMoment {
        LimitMoment(
            boot: Instant(nanoseconds: 1_000_000_000_000 + Int64(seconds * 1_000_000_000)),
            wall: wallStart + UInt64(seconds))
    }
}

extension LimitBook {
    mutating func incr(_ key: String, at now: LimitMoment = .after(0)) -> UInt64? {
        Array(key.utf8).withUnsafeBytes { increment($0, at: now) }
    }

    mutating func decr(_ key: String, at now: LimitMoment = .after(0)) -> UInt64 {
        Array(key.utf8).withUnsafeBytes { decrement($0, at: now) }
    }

    mutating func get(_ key: String, at now: LimitMoment = .after(0)) -> UInt64? {
        Array(key.utf8).withUnsafeBytes { value($0, at: now) }
    }

    mutating func expire(_ key: String, _ seconds: Int64, at now: LimitMoment = .after(0)) -> Bool {
        Array(key.utf8).withUnsafeBytes { expire($0, after: seconds, at: now) }
    }

    mutating func put(
        _ node: String, life: UInt64 = 1, _ key: String, _ counted: UInt32, adopted: UInt32 = 0,
        expires: Double? = nil, at now: LimitMoment = .after(0)
    ) throws {
        let usage = LimitUsage.counter(CounterUsage(counted: counted, adopted: adopted))
        try apply(
            .put(
                LimitKey(.hiredis, key).record, usage.bytes,
                expires: expires.map { LimitMoment.after($0).boot }),
            of: LimitOrigin(node: node, life: life), at: now)
    }

    mutating func putHash(_ node: String, life: UInt64 = 1, _ key: String, _ usage: HashUsage) throws {
        try apply(
            .put(LimitKey(.hash, key).record, LimitUsage.hash(usage).bytes),
            of: LimitOrigin(node: node, life: life), at: .after(0))
    }

    mutating func observe(_ dump: String, at now: LimitMoment = .after(0)) -> (keys: Int, faults: [String]) {
        observe(dump: Array(dump.utf8), allowances: .all(of: dump), at: now)
    }

    func hash(at now: LimitMoment = .after(0)) -> String {
        String(decoding: hashAnswer(at: now), as: UTF8.self)
    }
}

func book(_ me: String = "fs1", _ rules: [LimitPolicies.Rule] = []) -> LimitBook {
    LimitBook(me: me, policies: LimitPolicies(rules: rules), seed: 7)
}

/// A recording of FreeSWITCH, from this target's fixtures.
func fixture(_ name: String) throws -> String {
    let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../Fixtures")
    return try String(contentsOf: folder.appending(path: name), encoding: .utf8)
}

extension [String: LimitAllowance] {
    /// As if our own calls accounted for every key of the dump.
    static func all(of dump: String) -> Self {
        let keys = dump.split(separator: "\n").compactMap { line -> String? in
            let fields = line.split(separator: "/", omittingEmptySubsequences: false)
            return fields.count == 6 ? String(fields[1]) : nil
        }
        return Dictionary(keys.map { ($0, LimitAllowance(total: .max, rate: .max)) }) { one, _ in one }
    }
}
