import Replication

/// What is limited: a name within the backend of FreeSWITCH's `limit` that counts it.
///
/// mod_hash names `REALM_ID`; mod_hiredis names `ID` for a total and `ID_<epoch / INTERVAL>` for a rate.
package struct LimitKey: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// Which of FreeSWITCH's limit backends counts it; the raw value begins the key of its records.
    package enum Backend: String, Hashable, Sendable, CaseIterable {
        case hash = "h"
        case hiredis = "r"
    }
    package var backend: Backend
    package var name: String

    package init(_ backend: Backend, _ name: String) {
        self.backend = backend
        self.name = name
    }

    package var description: String { "\(backend == .hash ? "hash" : "hiredis") \(name)" }

    package static func < (a: LimitKey, b: LimitKey) -> Bool {
        a.backend == b.backend ? a.name < b.name : a.backend.rawValue < b.backend.rawValue
    }

    /// The key of its records in a node's replication stream: `h` or `r`, then the name.
    package var record: [UInt8] { Array(backend.rawValue.utf8) + name.utf8 }

    /// Nil when no record of ours has such a key.
    package init?(record: [UInt8]) {
        guard let first = record.first, let backend = Backend(rawValue: String(UnicodeScalar(first))),
            let name = String(validating: record[1...], as: UTF8.self)
        else { return nil }
        self.init(backend, name)
        if fault != nil { return nil }
    }

    /// What makes it unfit, as the end of a sentence; nil when nothing does.
    ///
    /// A slash ends the key in a line of `hash_dump`, and figures follow: with one in it, mod_hash would read another key
    /// and other figures.
    package var fault: String? {
        if let fault = Self.fault(in: name) { return fault }
        return backend == .hash && name.utf8.contains(UInt8(ascii: "/")) ? "has a slash" : nil
    }

    /// What makes a name unfit, as the end of a sentence; nil when nothing does.
    package static func fault(in name: String) -> String? {
        var name = name
        return name.withUTF8 { fault(in: UnsafeRawBufferPointer($0)) }
    }

    package static func fault(in name: UnsafeRawBufferPointer) -> String? {
        if name.isEmpty { return "is empty" }
        if name.count > LimitBounds.keyLength { return "is longer than \(LimitBounds.keyLength) bytes" }
        if name.contains(where: { $0 < 0x20 || $0 == 0x7F }) { return "has control characters" }
        if String(validating: name, as: UTF8.self) == nil { return "is not UTF-8" }
        return nil
    }
}

extension LimitKey {
    /// Begins the name of a variable of our own: a mod_hiredis key the leg holds, which mod_hiredis itself leaves no
    /// variable for. It travels with the leg, and is on the channel of a revived one.
    package static let variablePrefix = "fsdns_limit_"

    /// The keys a leg holds, from its variables: first those of mod_hash, which leaves `limit_usage_<REALM>_<ID>` for
    /// each (mod_hash.c, limit_incr_hash) while `limit_backend` names the backends used, then those of mod_hiredis by
    /// our own variables. In the order of the variables.
    package static func held(byVariables variables: [CallLeg.Field]) -> [LimitKey] {
        var keys = heldOfHash(variables)
        for variable in variables where variable.name.hasPrefix(variablePrefix) {
            let key = LimitKey(.hiredis, variable.value)
            if key.fault == nil, !keys.contains(key), keys.count < LimitBounds.keysPerLeg { keys.append(key) }
        }
        return keys
    }

    private static func heldOfHash(_ variables: [CallLeg.Field]) -> [LimitKey] {
        let prefix = "limit_usage_"
        let backends = variables.filter { $0.name == "limit_backend" }.flatMap {
            $0.value.split(separator: ",")
        }
        guard backends.isEmpty || backends.contains("hash") else { return [] }
        var keys: [LimitKey] = []
        for variable in variables where variable.name.hasPrefix(prefix) {
            let key = LimitKey(.hash, String(variable.name.dropFirst(prefix.count)))
            if key.fault == nil, !keys.contains(key), keys.count < LimitBounds.keysPerLeg { keys.append(key) }
        }
        return keys
    }

    /// The key that stays taken until hangup once `limit` ran with this data:
    /// `BACKEND REALM ID [MAX[/INTERVAL] [CAUSE]]` (the `Application-Data` of CHANNEL_EXECUTE).
    ///
    /// mod_hiredis leaves no variable that names its keys, so this is how they are known. Nil for a rate of
    /// mod_hiredis, which is not given back, and for backends that are not counted here.
    package static func taken(byLimit data: String) -> LimitKey? {
        let words = data.split(separator: " ", omittingEmptySubsequences: true)
        guard words.count >= 3 else { return nil }
        let isRate = words.count > 3 && words[3].contains("/") && !words[3].hasSuffix("/0")
        let key: LimitKey
        switch words[0] {
        case "hash": key = LimitKey(.hash, "\(words[1])_\(words[2])")
        case "hiredis" where !isRate: key = LimitKey(.hiredis, String(words[2]))
        default: return nil
        }
        return key.fault == nil ? key : nil
    }
    /// Seconds of the rate that `limit` was run with; nil for a total, and for what is no number.
    package static func interval(ofLimit data: String) -> Int64? {
        let words = data.split(separator: " ", omittingEmptySubsequences: true)
        guard words.count > 3, let slash = words[3].firstIndex(of: "/"),
            let seconds = Int64(words[3][words[3].index(after: slash)...]), seconds > 0
        else { return nil }
        return min(seconds, LimitBounds.expiry)
    }
}

/// How much of a key of mod_hash our own calls can have in use at most.
package struct LimitAllowance: Hashable, Sendable {
    package var total: UInt32
    package var rate: UInt32

    package init(total: UInt32 = 0, rate: UInt32 = 0) {
        self.total = total
        self.rate = rate
    }
}
