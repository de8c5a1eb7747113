import Glibc

extension Lab {
    /// The multicast group of a ring.
    package static func group(ring: Int = 0) -> String { "239.77.0.\(ring + 1)" }

    /// A machine on the rings whose user has no key.
    package func addAttacker() throws -> Machine { try addStranger("x\(strangers.count + 1)").machine }

    /// Sends every heartbeat on to all hosts from the attacker's address, and holds who calls it.
    @discardableResult
    package func startReflecting(from attacker: Machine, seconds: Double) throws -> Int32 {
        let victims = hosts.map { $0.machine.addresses[0] }
        return try attacker.start(
            [instruments, "reflect", attacker.addresses[0], Self.group(), "\(seconds)"] + victims,
            outputFile: "reflect", errorsFile: "reflect")
    }

    /// Forges heartbeats for so long and waits; returns how many went out.
    package func flood(
        _ kind: RingFlood.Kind, perSecond: Int, seconds: Double, from attacker: Machine, to target: String,
        isSpoofing: Bool = false
    ) throws -> Int {
        let flood = floodCommand(kind, perSecond, seconds, attacker, target, isSpoofing)
        let text = try attacker.check(flood, seconds: seconds + 20)
        guard let count = Int(text.split(separator: "\n").last ?? "") else {
            throw LabFailure("the flood did not tell how much it sent: \(text)")
        }
        return count
    }

    /// The same without waiting for its end; returns its process.
    package func startFlood(
        _ kind: RingFlood.Kind, perSecond: Int, seconds: Double, from attacker: Machine, to target: String
    ) throws -> pid_t {
        try attacker.start(
            floodCommand(kind, perSecond, seconds, attacker, target, false), outputFile: "flood.log",
            errorsFile: "flood.log")
    }

    private func floodCommand(
        _ kind: RingFlood.Kind, _ perSecond: Int, _ seconds: Double, _ attacker: Machine, _ target: String,
        _ isSpoofing: Bool
    ) -> [String] {
        [
            instruments, "flood", kind.rawValue, "\(perSecond)", "\(seconds)", attacker.addresses[0],
            Self.group(), target,
        ]
            + (kind == .signed ? ["signed", plan.name, (try? clusterKey) ?? ""] : [])
            + (isSpoofing ? ["spoof"] : [])
    }
}
