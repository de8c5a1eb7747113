/// An enumeration whose cases are counted by hand: `caseName` is a `switch` that does not compile when one is added, and
/// `Coverage` tells when a name stands for no sample.
package protocol CountedCases {
    associatedtype CaseName: CaseIterable & RawRepresentable<String>
    var caseName: CaseName { get }
}

/// What samples of a format leave out: a property that is empty in all of them could be left out by the writer unnoticed,
/// and so could a case that none of them has.
package struct Coverage {
    private let leaves: [any Any.Type]
    /// Of `Type.property`, whether any sample has something there.
    private var properties: [String: Bool] = [:]
    private var cases: [String: (all: Set<String>, seen: Set<String>)] = [:]
    private var uncounted: Set<String> = []

    /// - Parameter leaves: types that are not looked into.
    package init(_ samples: [Any], leaves: [any Any.Type] = []) {
        self.leaves = leaves
        for sample in samples { look(at: sample) }
    }

    /// Nothing, or a sentence for everything that is missing.
    package var gaps: [String] {
        let empty = properties.filter { !$0.value }.keys.sorted().map { "no sample has anything in \($0)" }
        let missing = cases.sorted { $0.key < $1.key }.flatMap { type, cases in
            cases.all.subtracting(cases.seen).sorted().map { "no sample is \(type).\($0)" }
        }
        return empty + missing + uncounted.sorted().map { "nobody counts the cases of \($0)" }
    }

    private mutating func look(at value: Any) {
        let type = type(of: value)
        if leaves.contains(where: { $0 == type }) || value is Duration { return }
        let mirror = Mirror(reflecting: value)
        switch mirror.displayStyle {
        case .enum: note(value, "\(String(reflecting: type))")
        case .struct:
            for child in mirror.children {
                let name = "\(String(reflecting: type)).\(child.label ?? "?")"
                properties[name] = properties[name, default: false] || !Self.isEmpty(child.value)
            }
        default: break
        }
        if mirror.displayStyle == nil { return }
        for child in mirror.children { look(at: child.value) }
    }

    private mutating func note(_ value: Any, _ type: String) {
        if let counted = value as? any CountedCases {
            note(Self.names(counted), type)
        } else if let iterable = value as? any CaseIterable {
            note(Self.names(iterable), type)
        } else {
            uncounted.insert(type)
        }
    }

    private mutating func note(_ names: (all: [String], one: String), _ type: String) {
        cases[type, default: (Set(names.all), [])].seen.insert(names.one)
    }

    private static func names<Value: CountedCases>(_ value: Value) -> (all: [String], one: String) {
        (Value.CaseName.allCases.map(\.rawValue), value.caseName.rawValue)
    }

    private static func names<Value: CaseIterable>(_ value: Value) -> (all: [String], one: String) {
        (Value.allCases.map { "\($0)" }, "\(value)")
    }

    private static func isZero(_ number: some BinaryInteger) -> Bool { number == 0 }

    private static func isEmpty(_ value: Any) -> Bool {
        let mirror = Mirror(reflecting: value)
        // Before all else: a cast would look into it.
        if mirror.displayStyle == .optional { return mirror.children.isEmpty }
        switch value {
        case let flag as Bool: return !flag
        case let text as String: return text.isEmpty
        case let number as any BinaryInteger: return isZero(number)
        case let list as any Collection: return list.isEmpty
        default: return false
        }
    }
}
