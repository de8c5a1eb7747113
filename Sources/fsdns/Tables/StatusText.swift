import Cluster

/// `fsdns status` for people: what the cluster is, who holds what, and what needs attention.
struct StatusText {
    var paint: Paint
    /// Columns of the terminal; nil cuts nothing.
    var width: Int?

    func lines(_ report: StatusReport) -> [String] {
        var lines = header(report)
        lines += [""] + nodes(report).lines(paint: paint, width: width)
        if !report.seats.isEmpty { lines += [""] + seats(report).lines(paint: paint, width: width) }
        lines += [""] + maintenance(report.maintenance, report.nodes)
        if let run = report.playbook { lines += playbook(run) }
        if let dns = report.dns { lines += zone(dns) }
        for warning in report.warnings { lines.append(paint(cut("! \(warning)", to: width), .warn)) }
        return lines
    }

    private func header(_ report: StatusReport) -> [String] {
        let quorum = report.quorum
        let isQuorate = quorum.have >= quorum.needed
        let verdict = isQuorate ? "quorate" : "NO QUORUM"
        var lines = [
            cut(
                "Cluster \(report.cluster) · seen by \(report.node) · leader \(report.leader ?? "none") · "
                    + "term \(report.term) · epoch \(report.epoch)", to: width),
            "Quorum \(quorum.have)/\(quorum.votes), \(quorum.needed) needed: "
                + paint(verdict, isQuorate ? .good : .bad),
        ]
        if let format = report.format, report.nodes.contains(where: { ($0.newestFormat ?? format) != format })
        {
            lines.append("Format \(format) is agreed on; some releases read another")
        }
        if let forming = report.forming { lines.append(paint(cut("Forming: \(forming)", to: width), .warn)) }
        return lines
    }

    private func nodes(_ report: StatusReport) -> Table {
        let releases = Set(report.nodes.compactMap(Self.release))
        let notes = report.nodes.map { node in
            let release = releases.count > 1 ? Self.release(node) : nil
            return [note(node), release ?? ""].filter { !$0.isEmpty }.joined(separator: "; ")
        }
        var columns: [Table.Column] = [
            .init("NODE"), .init("ROLE"), .init("SEAT"), .init("ADDRESSES"), .init("LEASE"), .init("SWITCH"),
            .init("CALLS", .right), .init("REGS", .right), .init("HEARD", .right),
        ]
        // A node of an earlier release does not tell.
        let hasReadiness = report.nodes.contains { $0.ready != nil || $0.blockers != nil }
        if hasReadiness { columns.append(.init("READY")) }
        let hasNotes = notes.contains { !$0.isEmpty }
        if hasNotes { columns.append(.init("NOTE")) }
        var table = Table(columns)
        for (node, note) in zip(report.nodes, notes) {
            var row: [Table.Cell] = [
                .init(node.name, .bold), .init(node.role.rawValue, style(node.role)),
                .init(node.seat ?? node.position.map { "#\($0)" } ?? "-"),
                .init(node.addresses.isEmpty ? "-" : node.addresses.joined(separator: ",")),
                .init(node.lease, node.lease == "expired" ? .bad : node.lease == "unknown" ? .warn : .plain),
                .init(node.freeswitch.rawValue, node.freeswitch == .unhealthy ? .bad : .plain),
                figure(node.calls, of: node), figure(node.registrations, of: node),
                .init(heard(node, reporter: report.node)),
            ]
            if hasReadiness { row.append(readiness(node)) }
            if hasNotes { row.append(.init(note, .warn)) }
            table.add(row)
        }
        return table
    }

    /// Of a spare, whether it stands ready; of any node, what is gravest when it does not.
    private func readiness(_ node: StatusReport.NodeLine) -> Table.Cell {
        let blocker = node.blockers?.first
        guard let ready = node.ready else {
            return blocker.map { Table.Cell($0, .warn) } ?? Table.Cell("-")
        }
        if ready { return .init("yes", .good) }
        return .init("no" + (blocker.map { ": \($0)" } ?? ""), .warn)
    }

    /// What a switch that is not well said before may be no longer true, and of a node that only others hear nothing is known.
    private func figure(_ number: Int, of node: StatusReport.NodeLine) -> Table.Cell {
        if number == 0, node.lease == "unknown" { return .init("?", .warn) }
        return number > 0 && Self.isOld(node) ? .init("\(number)?", .warn) : .init(number)
    }

    private static func isOld(_ node: StatusReport.NodeLine) -> Bool {
        node.freeswitch == .unhealthy || node.freeswitch == .unknown
    }

    private func style(_ role: Role) -> Paint.Style {
        switch role {
        case .master: .good
        case .slave, .witness: .plain
        case .starting, .maintenance: .warn
        case .failed: .bad
        }
    }

    private func heard(_ node: StatusReport.NodeLine, reporter: String) -> String {
        if node.name == reporter { return "self" }
        let own = node.lastHeardMs.map(time) ?? "never"
        let others = (node.heardBy ?? []).map { "\($0.node) \(time($0.ms))" }
        return others.isEmpty ? own : "\(own); \(others.joined(separator: ", "))"
    }

    private func time(_ milliseconds: Int) -> String {
        OperatorDuration.text(
            milliseconds < 10_000 ? .milliseconds(milliseconds) : .seconds(milliseconds / 1_000))
    }

    /// Shown where not all nodes have the same.
    private static func release(_ node: StatusReport.NodeLine) -> String? {
        if let release = node.release { return "release \(release)" }
        // Heard, and from before there was a word for it.
        return node.newestFormat.map { _ in "an earlier release" }
    }

    private func note(_ node: StatusReport.NodeLine) -> String {
        var notes: [String] = []
        if !node.voter { notes.append("no vote") }
        if node.configurationDiffers { notes.append("configuration differs") }
        if let note = node.note { notes.append(note) }
        return notes.joined(separator: "; ")
    }

    private func seats(_ report: StatusReport) -> Table {
        var columns: [Table.Column] = [
            .init("SEAT"), .init("ADDRESS"), .init("NAME"), .init("HOLDER"), .init("STATE"), .init("DNS"),
            .init("EPOCH"),
        ]
        // A node of an earlier release does not tell.
        let isSeen = report.seats.contains { $0.seen?.isEmpty == false }
        if isSeen { columns.append(.init("SEEN BY")) }
        var table = Table(columns)
        for seat in report.seats {
            let style: Paint.Style =
                switch seat.state {
                case .active: seat.trouble == nil ? .good : .bad
                case .draining, .moving: .warn
                case .uncovered: .bad
                }
            var row: [Table.Cell] = [
                .init(seat.name, .bold), .init(seat.address), .init(seat.addressName),
                .init(seat.holder ?? "-"), .init(condition(seat), seat.unheardBy == nil ? style : .warn),
                publication(seat),
                .init(seat.epoch ?? "-"),
            ]
            if isSeen { row.append(seen(seat)) }
            table.add(row)
        }
        return table
    }

    /// What is known of it, and by whom: that one node does not hear the holder is no state of the seat.
    private func condition(_ seat: StatusReport.SeatLine) -> String {
        if seat.state == .active, seat.trouble != nil { return "unserved" }
        guard let deaf = seat.unheardBy else { return seat.state.rawValue }
        if seat.isStateKnown == false { return "unknown to \(deaf)" }
        let hearers = (seat.heardBy ?? []).joined(separator: ", ")
        let word = seat.state == .active ? "held" : seat.state.rawValue
        return "\(word), as \(hearers) \(seat.heardBy?.count == 1 ? "hears" : "hear"); not heard by \(deaf)"
    }

    private func publication(_ seat: StatusReport.SeatLine) -> Table.Cell {
        if seat.published { return .init("published") }
        return .init(seat.isPublicationKnown == false ? "unknown" : "not published", .warn)
    }

    /// Who asks the seat's address by SIP, and what came back.
    private func seen(_ seat: StatusReport.SeatLine) -> Table.Cell {
        let lines = seat.seen ?? []
        let text = lines.map { "\($0.node) \($0.verdict == .served ? "yes" : $0.verdict.rawValue)" }
        return .init(
            text.isEmpty ? "-" : text.joined(separator: ", "),
            lines.allSatisfy { $0.verdict == .served } ? .plain : .warn)
    }

    private func maintenance(
        _ line: StatusReport.MaintenanceLine, _ nodes: [StatusReport.NodeLine]
    ) -> [String] {
        let addresses = line.addresses.isEmpty ? "none" : line.addresses.joined(separator: ", ")
        let lines = ["Maintenance address: \(addresses)"]
        guard let drain = line.drain else { return lines }
        let emptied = drain.phase == .lingering || drain.phase.isUndoing ? drain.to : drain.from
        let isOld = nodes.first { $0.name == emptied }.map(Self.isOld) ?? false
        var left =
            "\(drain.callsLeft)\(isOld ? "?" : "") calls and \(drain.registrationsLeft) registrations left"
        if let deadline = drain.deadlineText { left += ", \(deadline)" }
        var texts = [
            "Drain of \(drain.seat): \(drain.from) → \(drain.to), \(drain.oldAddress) → \(drain.newAddress), "
                + drain.phase.rawValue,
            "  \(left); by \(drain.owner)" + (drain.reason.isEmpty ? "" : ": \(drain.reason)"),
        ]
        if let waitingFor = drain.waitingFor { texts.append("  waits for \(waitingFor)") }
        if let seconds = drain.returnAfterSeconds {
            texts.append(
                "  \(drain.from) comes back by itself \(OperatorDuration.text(.seconds(seconds))) after the end"
            )
        }
        if let outlook = drain.outlook { texts.append("  \(outlook)") }
        return lines + texts.map { paint(cut($0, to: width), .warn) }
    }

    private func playbook(_ run: StatusReport.PlaybookLine) -> [String] {
        var texts = [
            "Playbook \(run.name): \(run.phase), step \(run.step) of \(run.of), \(run.title); by \(run.who)"
        ]
        if let waitingFor = run.waitingFor { texts.append("  waits for \(waitingFor)") }
        return texts.map { paint(cut($0, to: width), .warn) }
    }

    private func zone(_ dns: StatusReport.DNSLine) -> [String] {
        let agreeing = dns.servers.count { $0.converged }
        let verdict = dns.converged ? "converged" : "NOT converged"
        var lines = [
            "DNS \(dns.zone): " + paint(verdict, dns.converged ? .good : .bad)
                + " on \(agreeing) of \(dns.servers.count) servers, epoch \(dns.epoch ?? "none")"
        ]
        if let problem = dns.problem { lines.append(paint(cut("  \(problem)", to: width), .bad)) }
        for server in dns.servers {
            let serial = server.serial.map { "serial \($0)" } ?? "not read"
            let problem = server.problem.map { ": \($0)" } ?? ""
            let text = "  \(server.address) \(serial)\(problem)"
            lines.append(paint(cut(text, to: width), server.converged ? .plain : .bad))
        }
        return lines
    }
}
