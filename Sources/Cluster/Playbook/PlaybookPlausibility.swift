import Calendar

extension Playbook {
    /// What no arithmetic of ours could bear or no run could mean, whoever sent it; nil when there is nothing.
    package var implausibility: String? {
        if name.isEmpty || name.utf8.count > 64 { return "its name has no 1 to 64 bytes" }
        if summary.utf8.count > PlaybookLimits.reason { return "its summary is too long" }
        if let window {
            let minutes = 0...1440
            if !minutes.contains(window.from) || !minutes.contains(window.to) || window.weekdays > 0x7F {
                return "its window is not within a day"
            }
        }
        if case .once(let time) = schedule, !WallTime.plausible.contains(time) {
            return "it is scheduled for an instant out of bounds"
        }
        if let reason = Self.implausibility(of: steps, depth: 0) { return reason }
        if steps.writtenCount > PlaybookLimits.writtenSteps {
            return "it has more than \(PlaybookLimits.writtenSteps) steps"
        }
        if steps.textSize > PlaybookLimits.writtenText {
            return "its texts are longer than \(PlaybookLimits.writtenText) bytes"
        }
        return nil
    }

    private static func implausibility(of steps: [PlaybookStep], depth: Int) -> String? {
        if depth > 4 { return "its for-each steps are nested too deeply" }
        if steps.count > PlaybookLimits.writtenSteps {
            return "it has more than \(PlaybookLimits.writtenSteps) steps"
        }
        for step in steps {
            let reason = step.implausibility(depth: depth)
            if let reason { return "line \(step.line): \(reason)" }
        }
        return nil
    }

    fileprivate static func inner(_ steps: [PlaybookStep], _ depth: Int) -> String? {
        implausibility(of: steps, depth: depth + 1)
    }
}

extension PlaybookStep {
    fileprivate func implausibility(depth: Int) -> String? {
        var durations = [timeout]
        if let undo { durations.append(undo.timeout) }
        switch action {
        case .drain(_, let deadline, _, _): if let deadline { durations.append(deadline) }
        case .lowerTTL(let ttl): durations.append(ttl)
        case .wait(let duration): durations.append(duration)
        case .run(let order), .notify(.command(let order)): durations.append(order.timeout)
        case .check(.command(let order), let interval): durations += [order.timeout, interval]
        case .check(_, let interval): durations.append(interval)
        case .forEach(_, let atMost, let pause, let steps):
            if !(1...PlaybookLimits.steps).contains(atMost) { return "at-most is out of bounds" }
            if let reason = Playbook.inner(steps, depth) { return reason }
            durations.append(pause)
        case .undrain, .switchover, .notify, .approve, .fail: break
        }
        return durations.allSatisfy(PlaybookLimits.durations.contains) ? nil : "a duration is out of bounds"
    }
}

extension WallTime {
    /// 1970 to 9999.
    static let plausible = WallTime(seconds: 0)...WallTime(seconds: 253_402_300_799)
}
