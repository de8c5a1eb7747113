import Switch

/// The RTP ports of a machine's switch, and what goes wrong with other settings.
///
/// A revived leg keeps the port it had on the other machine, which the switch's allocator here does not know. Without
/// `rtp-port-usage-robustness` the switch binds such a port again for a new call, whose caller then hears another's call
/// (switch_rtp.c binds with SO_REUSEADDR). The range must be the same on all machines: when a revived leg ends, its port is
/// given back, and one above the local end is written beyond the allocator's memory (switch_core_port_allocator.c,
/// switch_core_port_allocator_free_port looks at the start of the range only). Then no new call gets a port any more.
package struct MediaPorts: Hashable, Sendable {
    package var first: UInt16
    package var last: UInt16

    package static let robustness = "rtp-port-usage-robustness"
    package static let start = "rtp-start-port"
    package static let end = "rtp-end-port"
    package static let command = SwitchParameters.command("switch.conf")

    /// Stock FreeSWITCH's range, for all machines.
    package static let shared = MediaPorts(first: 16_384, last: 32_766)

    /// What an earlier release gave a machine, which harms others; nil for a node that is not among them.
    package static func former(of node: String, among nodes: [String]) -> MediaPorts? {
        let names = Set(nodes).sorted()
        guard let place = names.firstIndex(of: node), names.count <= 256 else { return nil }
        var parts = 4
        while parts < names.count { parts *= 2 }
        let (lowest, highest) = parts == 4 ? (16_384, 32_768) : (10_000, 32_768)
        let size = (highest - lowest) / parts / 2 * 2
        return MediaPorts(
            first: UInt16(lowest + place * size), last: UInt16(lowest + (place + 1) * size - 2))
    }

    private init(first: UInt16, last: UInt16) {
        self.first = first
        self.last = last
    }

    private init?(_ parameters: [String: String]) {
        guard let first = parameters[Self.start].flatMap({ UInt16($0) }),
            let last = parameters[Self.end].flatMap({ UInt16($0) })
        else { return nil }
        self.init(first: first, last: last)
    }

    /// The allocator rounds an odd end down.
    private var even: MediaPorts { MediaPorts(first: first, last: last & ~1) }

    /// What the switch has, to be compared with others'; nil when it does not tell.
    ///
    /// - Parameter answer: to `command`.
    package static func range(answer: String) -> String? {
        SwitchParameters.read(answer).flatMap { MediaPorts($0)?.even }.map { "\($0.first)-\($0.last)" }
    }

    /// Whether two answers tell other ports, or another way of giving them away.
    static func isOther(_ one: String, _ other: String) -> Bool {
        guard let one = SwitchParameters.read(one), let other = SwitchParameters.read(other) else {
            return false
        }
        return MediaPorts(one) != MediaPorts(other)
            || SwitchParameters.isTrue(one[robustness]) != SwitchParameters.isTrue(other[robustness])
    }

    package enum Problem: Hashable, Sendable, CustomStringConvertible {
        case notRobust
        case noRange
        /// The range that an earlier release gave this machine alone.
        case ownRange(String)
        /// Another range than ours, which all machines may have.
        case otherRange(String)

        /// Whether revived calls would be harmed.
        package var isBlocking: Bool {
            switch self {
            case .notRobust, .noRange, .ownRange: true
            case .otherRange: false
            }
        }

        package var description: String {
            switch self {
            case .notRobust:
                "\(MediaPorts.robustness) is not true: new calls would take the RTP ports of revived ones"
            case .noRange:
                "it has no RTP ports of fsdns (\(MediaPorts.start), \(MediaPorts.end)): all machines must have the same"
            case .ownRange(let range):
                "its RTP ports are \(range): all machines must have the same, or new calls get none after calls came back"
            case .otherRange(let range):
                "its RTP ports are \(range), not \(MediaPorts.shared.first)-\(MediaPorts.shared.last): see that all "
                    + "machines have the same"
            }
        }
    }

    /// - Parameter answer: to `command`.
    /// - Returns: nil when the switch does not tell its configuration.
    package static func problems(answer: String, node: String, nodes: [String]) -> [Problem]? {
        guard let parameters = SwitchParameters.read(answer) else { return nil }
        var problems: [Problem] = []
        if !SwitchParameters.isTrue(parameters[robustness]) { problems.append(.notRobust) }
        guard let found = MediaPorts(parameters) else { return problems + [.noRange] }
        let (first, last) = (found.first, found.last)
        let even = found.even
        if found == former(of: node, among: nodes) {
            problems.append(.ownRange("\(first)-\(last)"))
        } else if even != shared, !(first == shared.first && last == 32_768) {
            problems.append(.otherRange("\(first)-\(last)"))
        }
        return problems
    }
}
