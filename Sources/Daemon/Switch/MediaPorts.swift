import Switch

/// The RTP ports of one machine's switch, and what goes wrong without a range of its own.
///
/// A revived leg keeps the port it had on the other machine, which the switch's allocator here does not know. Without
/// `rtp-port-usage-robustness` the switch binds such a port again for a new call, whose caller then hears another's call
/// (switch_rtp.c binds with SO_REUSEADDR). With ranges that do not overlap this cannot even happen in the moment of a revival.
package struct MediaPorts: Hashable, Sendable {
    package var first: UInt16
    package var last: UInt16

    package static let robustness = "rtp-port-usage-robustness"
    package static let start = "rtp-start-port"
    package static let end = "rtp-end-port"
    package static let command = SwitchParameters.command("switch.conf")

    /// Stock FreeSWITCH's range is divided while there are few machines; more machines need ports below it too.
    /// The number of parts grows in powers of two, so that one more machine seldom moves the others.
    ///
    /// - Returns: nil for a node that is not among them.
    package init?(of node: String, among nodes: [String]) {
        let names = Set(nodes).sorted()
        guard let place = names.firstIndex(of: node), names.count <= 256 else { return nil }
        var parts = 4
        while parts < names.count { parts *= 2 }
        let (lowest, highest) = parts == 4 ? (16_384, 32_768) : (10_000, 32_768)
        let size = (highest - lowest) / parts / 2 * 2
        first = UInt16(lowest + place * size)
        last = UInt16(lowest + (place + 1) * size - 2)
    }

    package enum Problem: Hashable, Sendable, CustomStringConvertible {
        case notRobust
        case noRange
        /// The switch has another range than this one; it may not overlap with any other machine's.
        case otherRange(String, MediaPorts)

        /// Whether revived calls would be harmed.
        package var isBlocking: Bool {
            switch self {
            case .notRobust, .noRange: true
            case .otherRange: false
            }
        }

        package var description: String {
            switch self {
            case .notRobust:
                "\(MediaPorts.robustness) is not true: new calls would take the RTP ports of revived ones"
            case .noRange:
                "it has no RTP ports of its own (\(MediaPorts.start), \(MediaPorts.end)): while calls are revived, "
                    + "new ones could take their ports"
            case .otherRange(let range, let ours):
                "its RTP ports are \(range), not \(ours.first)-\(ours.last): no other machine may use any of them"
            }
        }
    }

    /// - Parameter answer: to `command`.
    /// - Returns: nil when the switch does not tell its configuration.
    package static func problems(answer: String, node: String, nodes: [String]) -> [Problem]? {
        guard let parameters = SwitchParameters.read(answer) else { return nil }
        var problems: [Problem] = []
        if !isTrue(parameters[robustness]) { problems.append(.notRobust) }
        guard let first = parameters[start].flatMap({ UInt16($0) }),
            let last = parameters[end].flatMap({ UInt16($0) })
        else { return problems + [.noRange] }
        if let ours = MediaPorts(of: node, among: nodes), first != ours.first || last != ours.last {
            problems.append(.otherRange("\(first)-\(last)", ours))
        }
        return problems
    }

    /// switch_utils.h: switch_true.
    private static func isTrue(_ value: String?) -> Bool {
        guard let value = value?.lowercased() else { return false }
        return ["yes", "on", "true", "t", "enabled", "active", "allow"].contains(value)
            || (Int(value) ?? 0) != 0
    }
}
