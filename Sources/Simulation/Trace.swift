/// What happened in a world, one line each: when (true time), where, what.
///
/// The same seed gives the same lines in every process.
package struct Trace: Hashable, Sendable {
    package let isKept: Bool
    package private(set) var lines: [String] = []
    /// What comes after so many lines is not kept.
    private static let longest = 200_000

    init(isKept: Bool) { self.isKept = isKept }

    mutating func add(_ moment: Moment, _ machine: String, _ text: @autoclosure () -> String) {
        guard isKept, lines.count < Self.longest else { return }
        lines.append("\(Self.milliseconds(moment)) \(machine): \(text())")
    }

    /// Of all lines (FNV-1a, 64 bits).
    package var digest: UInt64 {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for line in lines {
            for byte in line.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
            hash = (hash ^ 10) &* 0x100_0000_01B3
        }
        return hash
    }

    /// `12345.678ms`, padded so that lines align.
    static func milliseconds(_ moment: Moment) -> String {
        let micros = moment.nanoseconds / 1000
        let fraction = String(micros % 1000)
        let whole = String(micros / 1000)
        let zeros = String(repeating: "0", count: 3 - fraction.count)
        return String(repeating: " ", count: max(0, 6 - whole.count)) + "\(whole).\(zeros)\(fraction)ms"
    }
}
