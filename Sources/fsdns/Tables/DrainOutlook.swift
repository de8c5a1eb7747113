import Cluster

extension StatusReport.DrainLine {
    /// What the deadline does, or did; nil without one, and while the drain is undone, when it counts no more.
    var deadlineText: String? {
        guard let seconds = deadlineSeconds, !phase.isUndoing else { return nil }
        switch phase {
        case .handingOver, .lingering: return "handed over: those left end by themselves at \(to)"
        case .hangingUp: return "the deadline has passed: they are hung up"
        case .rotating: return nil
        default: break
        }
        if seconds > 0 {
            return "\(OperatorDuration.text(.seconds(seconds))) to the deadline (then \(onDeadline.rawValue))"
        }
        // Whole seconds: less than one may be left.
        if seconds == 0 { return "the deadline is now (then \(onDeadline.rawValue))" }
        let ago = seconds < 0 ? " \(OperatorDuration.text(.seconds(-seconds))) ago" : ""
        return onDeadline == .wait
            ? "the deadline passed\(ago): calls are waited for all the same"
            : "the deadline passed\(ago): \(onDeadline.rawValue) comes as soon as DNS and the phones are done"
    }

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
