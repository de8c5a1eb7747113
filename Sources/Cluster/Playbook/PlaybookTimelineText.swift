import Calendar

/// A timeline as text of fixed width, the same from `check` and from a node's dry run.
extension PlaybookTimeline {
    /// The playbook's own conditions, then one line a step.
    package func texts(of playbook: Playbook) -> [String] {
        var texts = ["\(playbook.name): \(playbook.summary)"]
        texts += playbook.conditions.map { "  \($0)" }
        texts.append("")
        let numbers = lines.map { String(repeating: "  ", count: $0.depth) + $0.number }
        let offsets = lines.map { line in
            line.earliest == line.latest
                ? "at \(line.earliest.timelineText)"
                : "\(line.earliest.timelineText) to \(line.latest.timelineText)"
        }
        let numberWidth = (numbers.map(\.count).max() ?? 0) + 2
        let offsetWidth = (offsets.map(\.count).max() ?? 0) + 2
        for (index, line) in lines.enumerated() {
            let previous = index == 0 ? nil : lines[index - 1]
            if let item = line.item, previous?.item != item || (previous?.depth ?? 0) < line.depth {
                texts.append(String(repeating: "  ", count: line.depth) + "\(item):")
            }
            let start = Self.padded(numbers[index], numberWidth) + Self.padded(offsets[index], offsetWidth)
            texts.append(start + line.text)
            var notes = line.waitsForApproval ? "given up after" : "at most"
            notes += " \(line.timeout.timelineText)"
            if let undo = line.undo { notes += "; undo: \(undo)" }
            texts.append(String(repeating: " ", count: start.count) + notes)
        }
        if isCut { texts.append("… and more steps than are shown") }
        texts.append("")
        texts.append(
            "the run takes between \(earliestEnd.timelineText) and \(latestEnd.timelineText), "
                + "and the undoing of its steps after that if it fails")
        if let window = playbook.window, window.length < latestEnd {
            texts.append(
                "the window is \(window.length.timelineText) long: a run that needs all its time is stopped "
                    + "at its end")
        }
        return texts
    }

    private static func padded(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(1, width - text.count))
    }
}

extension Playbook {
    /// When it runs and what stops it, one a line.
    package var conditions: [String] {
        var lines: [String] = []
        switch schedule {
        case .cron(let line, let zone)?: lines.append("due at: \(line.text) (\(zone))")
        case .once(let time)?: lines.append("due once, at \(time.text)")
        case nil: lines.append("due never: runs when somebody says so")
        }
        if let window {
            lines.append("window: \(window.text); at its end a run is \(rollsBack ? "undone" : "stopped")")
        }
        var aborts: [String] = []
        if let slaves = self.aborts.slavesBelow {
            aborts.append(slaves == 1 ? "no slave is ready" : "fewer than \(slaves) slaves are ready")
        }
        if self.aborts.onNodeFailure { aborts.append("another node fails") }
        if self.aborts.onThinQuorum { aborts.append("one more failure would lose the quorum") }
        lines.append(
            "aborted when: " + (aborts.isEmpty ? "nothing but a failed step" : aborts.joined(separator: "; "))
        )
        lines.append(
            rollsBack
                ? "a failed or aborted run undoes its done steps, newest first"
                : "a failed or aborted run stays as it is: nothing is undone")
        return lines
    }
}

extension PlaybookWindow {
    /// `22:00 to 02:00 on mon tue (Europe/Berlin)`.
    package var text: String {
        let clock = { (minute: Int) in
            "\(LocalTime.padded(minute / 60, 2)):\(LocalTime.padded(minute % 60, 2))"
        }
        let names = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
        let days = names.enumerated().filter { weekdays >> $0.offset & 1 == 1 }.map(\.element)
        let on = days.count == 7 ? "every day" : "on \(days.joined(separator: " "))"
        return "\(clock(from)) to \(clock(to)) \(on) (\(zone))"
    }
}
