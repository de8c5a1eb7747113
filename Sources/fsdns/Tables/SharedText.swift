import ControlProtocol

/// `fsdns calls`: one line a call, the doubtful ones marked, the count of each kind below.
struct CallsText {
    var paint: Paint
    var width: Int?

    func lines(_ calls: [CallLine]) -> [String] {
        guard !calls.isEmpty else { return ["No calls."] }
        var table = Table([
            .init("ADDRESS"), .init("NODE"), .init("FROM"), .init("TO"), .init("STATE"),
            .init("TIME", .right), .init("RECOVERY"), .init("UUID"),
        ])
        for call in calls {
            let verdict: Table.Cell
            if !call.isRecoverable {
                verdict = .init("lost: \(call.reason ?? "unknown")", .bad)
            } else if let reason = call.reason {
                verdict = .init("doubtful: \(reason)", .warn)
            } else {
                verdict = .init("yes", .good)
            }
            table.add([
                .init(call.address, .bold), .init(call.node ?? "-"), .init(call.from), .init(call.to),
                .init(call.phase), .init(clock(call.seconds)), verdict, .init(call.uuid),
            ])
        }
        let lost = calls.count { !$0.isRecoverable }
        let doubtful = calls.count { $0.isRecoverable && $0.reason != nil }
        return table.lines(paint: paint, width: width) + [
            "",
            "\(calls.count) calls: \(calls.count - lost - doubtful) recoverable, \(doubtful) doubtful, \(lost) not",
        ]
    }
}

/// `fsdns registrations`: one line a contact.
struct RegistrationsText {
    var paint: Paint
    var width: Int?

    func lines(_ registrations: [RegistrationLine]) -> [String] {
        guard !registrations.isEmpty else { return ["No registrations."] }
        var table = Table([
            .init("USER"), .init("ADDRESS"), .init("NODE"), .init("EXPIRES", .right), .init("TAKEOVER"),
            .init("CONTACT"), .init("AGENT"),
        ])
        for line in registrations {
            table.add([
                .init(line.user, .bold), .init(line.address), .init(line.node ?? "-"),
                .init("\(line.expiresSeconds) s"),
                takeover(line),
                .init(line.contact), .init(line.userAgent),
            ])
        }
        return table.lines(paint: paint, width: width) + ["", "\(registrations.count) registrations"]
    }

    private func takeover(_ line: RegistrationLine) -> Table.Cell {
        if line.node == nil { return .init("until it registers again", .warn) }
        return line.survivesTakeover
            ? .init("survives", .good) : .init("\(line.transport): phone must return", .warn)
    }
}

/// `fsdns limits`: the sum first, then who uses it.
struct LimitsText {
    var paint: Paint
    var width: Int?

    func lines(_ limits: [LimitUseLine]) -> [String] {
        guard !limits.isEmpty else { return ["No limit is in use."] }
        var table = Table([.init("LIMIT"), .init("KIND"), .init("USED", .right), .init("NODES")])
        for line in limits {
            table.add([
                .init(line.key, .bold), .init(line.kind), .init(line.total),
                .init(line.nodes.map { "\($0.node) \($0.count)" }.joined(separator: ", ")),
            ])
        }
        return table.lines(paint: paint, width: width)
    }
}

/// `fsdns history`: one block a recovery, the newest last.
struct HistoryText {
    var paint: Paint
    var width: Int?
    /// More losses than this are counted, not listed.
    private static let listed = 20

    private static func outcome(_ line: RecoveryLine) -> String {
        let stayed = line.stayed ?? 0
        let up = "\(stayed) \(stayed == 1 ? "leg" : "legs") stayed up"
        if line.legs == 0 {
            return line.stayed == nil
                ? "nothing to recover" : "nothing to recover: \(stayed == 0 ? "no call was left" : up)"
        }
        let done = "\(line.recovered) of \(line.legs) legs recovered"
        // No time is told of what was not over.
        let end = line.left.map {
            " before \($0.why), \($0.legs) left to the next holder"
        }
        return done + (end ?? " in \(line.milliseconds) ms") + (stayed == 0 ? "" : ", \(up)")
    }

    func lines(_ recoveries: [RecoveryLine]) -> [String] {
        guard !recoveries.isEmpty else { return ["No address with calls has come to another machine yet."] }
        return recoveries.flatMap { line -> [String] in
            let isWhole = line.recovered == line.legs
            let head =
                "\(line.time)  \(line.address) on \(line.node) at epoch \(line.epoch): " + Self.outcome(line)
            let all = line.lost.map { ("lost", $0) } + (line.left?.open ?? []).map { ("left", $0) }
            let losses = all.prefix(Self.listed).map { word, leg in
                cut("    \(word) \(leg.uuid): \(leg.reason)", to: width)
            }
            let more = all.count - losses.count
            return [paint(head, isWhole ? .plain : .warn)] + losses
                + (more > 0 ? ["    and \(more) more; --format json lists all"] : [])
        }
    }
}

/// `1:02:03`, `2:03`.
private func clock(_ seconds: Int) -> String {
    let two = { (number: Int) in number < 10 ? "0\(number)" : "\(number)" }
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60)
    return hours > 0 ? "\(hours):\(two(minutes)):\(two(seconds % 60))" : "\(minutes):\(two(seconds % 60))"
}
