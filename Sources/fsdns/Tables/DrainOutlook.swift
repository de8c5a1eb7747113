import Cluster

extension StatusReport.DrainLine {
    /// How long the calls will take, or that they will not end; nil while nothing is counted.
    var outlook: String? {
        guard callsLeft > 0, [.waitingForCalls, .lingering, .emptying].contains(phase) else { return nil }
        if let standstillSeconds, .seconds(standstillSeconds) >= DrainPace.patience {
            let time = OperatorDuration.text(.seconds(standstillSeconds))
            return "no call has ended for \(time): it may never end by itself; see: fsdns calls --oldest"
        }
        guard let callsPerMinute else { return nil }
        // One decimal, without Foundation's formatting.
        let tenths = Int(exactly: (callsPerMinute * 10).rounded()) ?? 0
        let pace = "\(tenths < 0 ? "-" : "")\(abs(tenths) / 10).\(abs(tenths) % 10) calls leave in a minute"
        guard let estimateSeconds else { return "\(pace): no end in sight yet" }
        return "\(pace): about \(OperatorDuration.text(.seconds(estimateSeconds))) to go"
    }
}
