import Primitives

/// What must change in the zone so that it says what the control state says: pure, idempotent, empty when true.
package struct ZonePlan: Hashable, Sendable {
    /// Each with its reason.
    package var steps: [String] = []
    /// Nil when nothing is to be done, or may be.
    package var update: ZoneUpdate?
    /// Why nothing is done although something differs.
    package var held: String?
    /// What cannot be done, while the rest is: names where something stands in the way.
    package var blocked: [String] = []

    package init() {}
}

/// The zone as it should be and the names fsdns looks after.
package struct DesiredZone: Hashable, Sendable {
    package var settings: DNSSettings
    /// Cluster name and clusterID, as the epoch record names its writer.
    package var writer: String
    /// Sorted; without the epoch record.
    package var records: [ZoneRecord]
    /// Addresses that are ours to remove.
    package var ours: [IPAddress]
    /// Names of all seats, published or not.
    package var seats: [String]

    package init(
        settings: DNSSettings, writer: String, records: [ZoneRecord], ours: [IPAddress], seats: [String] = []
    ) {
        self.settings = settings
        self.writer = writer
        self.records = records.sorted()
        self.ours = ours
        self.seats = seats
    }

    /// Owner of the epoch record.
    package var epochName: String { "_fsdns.\(serviceName(settings.services.first ?? ""))" }

    package func serviceName(_ label: String) -> String {
        label.isEmpty ? settings.zone : "\(label).\(settings.zone)"
    }

    private var serviceNames: [String] { settings.services.map(serviceName) }

    private var seatNames: [String] {
        settings.seatNames ? seats.map { "\($0).\(settings.zone)" } : []
    }

    /// Every record set fsdns keeps, sorted; SOA last, for the serial.
    package var questions: [ZoneQuestion] { keptSets + [ZoneQuestion(name: settings.zone, type: "SOA")] }

    /// Name and type of every record set fsdns writes to, sorted.
    package var keptSets: [ZoneQuestion] {
        var questions = (serviceNames + seatNames).flatMap { name in
            ["A", "AAAA"].map { ZoneQuestion(name: name, type: $0) }
        }
        questions += settings.srv.map { ZoneQuestion(name: "\($0.service).\(settings.zone)", type: "SRV") }
        questions.append(ZoneQuestion(name: epochName, type: "TXT"))
        return questions.sorted()
    }

    /// Those of the kept sets that may have to be written: addresses only of families the cluster has.
    package var writtenSets: [ZoneQuestion] {
        let families = Set(ours.map(\.family))
        return keptSets.filter { set in
            switch set.type {
            case "A": families.contains(.v4)
            case "AAAA": families.contains(.v6)
            default: true
            }
        }
    }

    /// The wildcards that could answer for one of our names, sorted.
    package var wildcardQuestions: [ZoneQuestion] {
        var questions: Set<ZoneQuestion> = []
        for kept in keptSets {
            for wildcard in wildcards(over: kept.name) {
                questions.insert(ZoneQuestion(name: wildcard, type: kept.type == "TXT" ? "TXT" : "A"))
            }
        }
        return questions.sorted()
    }

    /// `*.` before each name above this one, up to the zone.
    private func wildcards(over name: String) -> [String] {
        var wildcards: [String] = []
        var rest = name[...]
        while rest != settings.zone, let dot = rest.firstIndex(of: ".") {
            rest = rest[rest.index(after: dot)...]
            wildcards.append("*.\(rest)")
        }
        return wildcards
    }

    package func epochRecord(_ epoch: Epoch) -> ZoneRecord {
        ZoneRecord(
            name: epochName, ttl: UInt32(clamping: settings.ttl.nanoseconds / 1_000_000_000),
            content: .txt("v=1 cluster=\(writer) epoch=\(epoch)"))
    }

    /// Compares with what a server answered: records to delete and to add, both sorted.
    package func difference(from found: [ZoneRecord]) -> (delete: [ZoneRecord], add: [ZoneRecord]) {
        let delete = found.filter { record in
            isOurs(record) && !records.contains { $0.name == record.name && $0.content == record.content }
        }
        return (delete.sorted(), records.filter { !found.contains($0) })
    }

    /// Whether a record is one fsdns may remove: at a name of ours, and something fsdns writes there.
    private func isOurs(_ record: ZoneRecord) -> Bool {
        switch record.content {
        case .address(let ip):
            (serviceNames + seatNames).contains(record.name)
                && (ours.contains(ip) || isExclusive(record.name))
        case .srv(_, _, _, let target):
            // By what we publish, not by how it looks: a target elsewhere in the zone is somebody's own.
            settings.srv.contains { "\($0.service).\(settings.zone)" == record.name }
                && (settings.seatNames ? seatNames.contains(target) : serviceNames.contains(target))
        case .txt: false
        }
    }

    private func isExclusive(_ name: String) -> Bool {
        (settings.exclusiveServices ?? []).contains { serviceName($0) == name }
    }

    // MARK: - The update

    /// The one update that makes the primary true, or why there is none.
    ///
    /// With `isContested`, a zone that is true already is still moved to our epoch, so that an update on its way from
    /// before finds its prerequisite gone.
    ///
    /// - Parameter refused: sets that the server refuses to change: all others are not to wait for them.
    package func plan(
        from reading: ServerReading?, epoch: Epoch, adopt: Bool = false, isContested: Bool = false,
        leavingOut refused: [ZoneQuestion] = []
    ) -> ZonePlan {
        var plan = ZonePlan()
        guard let reading else {
            plan.held = "the zone was not read yet"
            return plan
        }
        guard let found = reading.records else {
            if case .failed(let reason) = reading.outcome {
                plan.held = "\(reading.endpoint) cannot be read: \(reason)"
            }
            return plan
        }
        func isLeftOut(_ record: ZoneRecord) -> Bool {
            refused.contains { $0.name == record.name && $0.type == record.type }
        }
        let difference = difference(from: found)
        let aliases = blocking(reading)
        plan.blocked = aliases.filter { alias in difference.add.contains { $0.name == alias.name } }.map {
            "\($0.name) is a CNAME to \($0.target) on \(reading.endpoint): no server adds other records "
                + "beside it; remove the CNAME"
        }
        let add = difference.add.filter { record in
            !isLeftOut(record) && !aliases.contains { $0.name == record.name }
        }
        let delete = difference.delete.filter { !isLeftOut($0) }
        let marks = marks(in: found)
        if delete.isEmpty && add.isEmpty {
            guard let claim = claim(marks, epoch, adopt: adopt, isContested: isContested) else {
                plan.held = obstacle(in: marks, epoch: epoch, adopt: adopt)
                return plan
            }
            plan.steps.append(claim)
        }
        for record in add { plan.steps.append("add \(record): \(reason(for: record, found))") }
        for record in delete { plan.steps.append("delete \(record): \(reason(against: record))") }
        if let obstacle = obstacle(in: marks, epoch: epoch, adopt: adopt) ?? floorObstacle(found) {
            plan.held = obstacle
            return plan
        }
        var change = Change(delete: delete, add: add)
        changeTTLs(&change, found)
        change.delete += marks.own.map(\.record)
        change.add.append(epochRecord(epoch))
        plan.update = ZoneUpdate(
            zone: settings.zone, expected: marks.own.first?.record,
            required: required(marks, change.required), epochName: epochName,
            delete: change.delete.sorted(), add: change.add.sorted())
        return plan
    }

    private struct Change {
        var delete: [ZoneRecord]
        var add: [ZoneRecord]
        /// Sets that must still be as they were read.
        var required: [ZoneRecord] = []
    }

    /// Gives each set with a wrong TTL the right one by deleting and adding all of it.
    ///
    /// Knot ignores the addition of a record that is there already, whatever its TTL. The set must be as it was read,
    /// so that nothing is brought back which somebody removes at the same moment.
    private func changeTTLs(_ change: inout Change, _ found: [ZoneRecord]) {
        let wrong = change.add.filter { record in
            found.contains { $0.name == record.name && $0.content == record.content }
        }
        for set in Set(wrong.map { ZoneQuestion(name: $0.name, type: $0.type) }).sorted() {
            func isOfSet(_ record: ZoneRecord) -> Bool { record.name == set.name && record.type == set.type }
            let there = found.filter(isOfSet)
            let wanted = records.filter(isOfSet)
            guard let ttl = wanted.first?.ttl else { continue }
            var kept = there.filter { record in
                !change.delete.contains(record) && !wanted.contains { $0.content == record.content }
            }
            for index in kept.indices { kept[index].ttl = ttl }
            change.delete = change.delete.filter { !isOfSet($0) } + there
            change.add = change.add.filter { !isOfSet($0) } + wanted + kept
            change.required += there
        }
    }

    /// Other records of the epoch record's set count too, as a prerequisite compares whole sets.
    private func required(_ marks: Marks, _ sets: [ZoneRecord]) -> [ZoneRecord]? {
        let all = marks.own.dropFirst().map(\.record) + marks.foreign + sets
        return all.isEmpty ? nil : all.sorted()
    }

    private func reason(for record: ZoneRecord, _ found: [ZoneRecord]) -> String {
        let there = found.first { $0.name == record.name && $0.content == record.content }
        return there.map { "its TTL is \($0.ttl) there" } ?? "it should be served"
    }

    private func reason(against record: ZoneRecord) -> String {
        if case .address(let ip) = record.content, !ours.contains(ip) {
            return "the service is exclusive, and the cluster has no such address"
        }
        return "it should not be served any more"
    }

    // MARK: - Who wrote the zone

    /// What is at the epoch record's name.
    struct Marks {
        /// Those of our format, whoever wrote them.
        var own: [(record: ZoneRecord, mark: EpochMark)] = []
        /// Other TXT records there; they are left alone.
        var foreign: [ZoneRecord] = []
    }

    func marks(in found: [ZoneRecord]) -> Marks {
        var marks = Marks()
        for record in found where record.name == epochName {
            guard case .txt(let text) = record.content else { continue }
            if let mark = EpochMark(text) {
                marks.own.append((record, mark))
            } else {
                marks.foreign.append(record)
            }
        }
        if marks.own.isEmpty, isFromWildcard(marks.foreign, found) { marks.foreign = [] }
        return marks
    }

    /// Whether these are what a wildcard answers, so that the name itself has nothing.
    private func isFromWildcard(_ records: [ZoneRecord], _ found: [ZoneRecord]) -> Bool {
        guard !records.isEmpty else { return false }
        return wildcards(over: epochName).contains { wildcard in
            let texts = found.filter { $0.name == wildcard && $0.type == "TXT" }.map(\.content)
            return !texts.isEmpty && Set(texts) == Set(records.map(\.content))
        }
    }

    /// Whether only an answer for the wildcards tells what is really there.
    package func needsWildcards(_ reading: ServerReading?) -> Bool {
        guard let reading, let found = reading.records else { return false }
        if !(reading.aliases ?? []).isEmpty { return true }
        let texts = found.filter { $0.name == epochName && $0.type == "TXT" }
        return !texts.isEmpty && marks(in: texts).own.isEmpty
    }

    /// Names of ours that really are a CNAME: not what a wildcard answers.
    private func blocking(_ reading: ServerReading) -> [ZoneAlias] {
        let aliases = reading.aliases ?? []
        return aliases.filter { alias in
            !alias.name.hasPrefix("*.")
                && !wildcards(over: alias.name).contains { wildcard in
                    aliases.contains { $0.name == wildcard && $0.target == alias.target }
                }
        }
    }

    /// Why the mark alone is to be written, when nothing else is; nil when it need or may not be.
    private func claim(_ marks: Marks, _ epoch: Epoch, adopt: Bool, isContested: Bool) -> String? {
        guard let first = marks.own.first else {
            return records.isEmpty
                ? nil
                : "add the mark at \(epochName): without it a deposed leader's late update would be taken"
        }
        if let other = marks.own.first(where: { $0.mark.writer != writer }) {
            return adopt ? "take the zone over from cluster \(other.mark.writer)" : nil
        }
        guard first.mark.epoch.term < epoch.term || isContested && first.mark.epoch < epoch else {
            return nil
        }
        // Until then a late update, of a deposed leader or of our own with unknown end, would be taken.
        return "claim the zone for epoch \(epoch): updates from before are refused then"
    }

    /// Why the zone is not ours to write.
    func obstacle(in marks: Marks, epoch: Epoch, adopt: Bool) -> String? {
        if let other = marks.own.first(where: { $0.mark.writer != writer }) {
            return adopt
                ? nil
                : "the zone was last written by cluster \(other.mark.writer), this is \(writer); "
                    + "`fsdns zone apply --adopt` takes it over"
        }
        if let newest = marks.own.map(\.mark.epoch).max(), newest > epoch {
            return "the zone is at epoch \(newest), this node only knows \(epoch)"
        }
        return nil
    }

    /// The service set never shrinks below the floor, and is never emptied.
    private func floorObstacle(_ found: [ZoneRecord]) -> String? {
        for name in serviceNames {
            func count(_ list: [ZoneRecord]) -> Int {
                list.count { record in
                    if case .address = record.content { record.name == name } else { false }
                }
            }
            let after = count(records)
            if after < count(found), after < max(1, settings.floor) {
                return
                    "\(name) would have \(after) addresses, fewer than the floor of \(max(1, settings.floor))"
            }
        }
        return nil
    }

    // MARK: - What is left alone

    /// Records at our names that are not ours, with what to do; `isQuiet` leaves out what is often meant.
    package func notices(_ found: [ZoneRecord]) -> [(key: String, text: String, isQuiet: Bool)] {
        var notices: [(key: String, text: String, isQuiet: Bool)] = []
        for record in found where keptSets.contains(ZoneQuestion(name: record.name, type: record.type)) {
            switch record.content {
            case .address(let ip) where serviceNames.contains(record.name) && !ours.contains(ip):
                if isExclusive(record.name) { continue }
                notices.append(
                    (
                        "extra \(record.name) \(ip)",
                        "\(record.name) also serves \(ip), which is no address of this cluster: callers are sent "
                            + "there; remove it, or write exclusive=\"yes\" at <service>", false
                    ))
            case .srv where !isOurs(record):
                notices.append(
                    (
                        "srv \(record)",
                        "\(record.name) also serves \(record.dataText), which fsdns did not write",
                        true
                    ))
            case .txt(let text) where EpochMark(text) == nil && marks(in: found).foreign.contains(record):
                notices.append(
                    (
                        "txt \(text)",
                        "\(record.name) also holds \"\(text)\" beside our mark: it is left alone",
                        false
                    ))
            default: break
            }
        }
        return notices
    }
}

/// The text of an epoch record, read back: `v=1 cluster=pbx/1f epoch=3.117`.
struct EpochMark: Hashable {
    var writer: String
    var epoch: Epoch

    init?(_ text: String) {
        let parts = text.split(separator: " ")
        guard parts.count == 3, parts[0] == "v=1", parts[1].hasPrefix("cluster="),
            parts[2].hasPrefix("epoch=")
        else { return nil }
        let numbers = parts[2].dropFirst(6).split(separator: ".")
        guard numbers.count == 2, let term = Term(numbers[0]), let index = Index(numbers[1]) else {
            return nil
        }
        writer = String(parts[1].dropFirst(8))
        epoch = Epoch(term: term, index: index)
    }
}
