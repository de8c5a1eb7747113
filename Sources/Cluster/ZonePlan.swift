import Consensus

/// What must change in the zone so that it says what the control state says: pure, idempotent, empty when true.
package struct ZonePlan: Hashable, Sendable {
    /// Each with its reason.
    package var steps: [String] = []
    /// Nil when nothing is to be done, or may be.
    package var update: ZoneUpdate?
    /// Why nothing is done although something differs.
    package var held: String?

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

    package init(settings: DNSSettings, writer: String, records: [ZoneRecord], ours: [IPAddress]) {
        self.settings = settings
        self.writer = writer
        self.records = records.sorted()
        self.ours = ours
    }

    /// Owner of the epoch record (design §6).
    package var epochName: String { "_fsdns.\(serviceName(settings.services.first ?? ""))" }

    package func serviceName(_ label: String) -> String {
        label.isEmpty ? settings.zone : "\(label).\(settings.zone)"
    }

    /// Every record set fsdns keeps, sorted; SOA last, for the serial.
    package func questions(seats: [String]) -> [ZoneQuestion] {
        var names = settings.services.map(serviceName)
        if settings.seatNames { names += seats.map { "\($0).\(settings.zone)" } }
        var questions = names.flatMap { name in ["A", "AAAA"].map { ZoneQuestion(name: name, type: $0) } }
        questions += settings.srv.map { ZoneQuestion(name: "\($0.service).\(settings.zone)", type: "SRV") }
        questions.append(ZoneQuestion(name: epochName, type: "TXT"))
        return questions.sorted() + [ZoneQuestion(name: settings.zone, type: "SOA")]
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

    /// Whether a record at one of our names is one fsdns may remove.
    private func isOurs(_ record: ZoneRecord) -> Bool {
        switch record.content {
        case .address(let ip): ours.contains(ip)
        case .srv(_, _, _, let target):
            settings.srv.contains { "\($0.service).\(settings.zone)" == record.name }
                && (target == settings.zone || target.hasSuffix(".\(settings.zone)"))
        case .txt: false
        }
    }

    /// The one update that makes the primary true, or why there is none.
    ///
    /// With `isContested`, a zone that is true already is still moved to our epoch, so that an update on its way from
    /// before finds its prerequisite gone.
    package func plan(
        from reading: ServerReading?, epoch: Epoch, adopt: Bool = false, isContested: Bool = false
    ) -> ZonePlan {
        var plan = ZonePlan()
        guard let reading else {
            plan.held = "the zone was not read yet"
            return plan
        }
        guard case .read(_, let found) = reading.outcome else {
            if case .failed(let reason) = reading.outcome {
                plan.held = "\(reading.endpoint) cannot be read: \(reason)"
            }
            return plan
        }
        let (delete, add) = difference(from: found)
        let expected = found.first { $0.name == epochName && $0.type == "TXT" }
        if delete.isEmpty && add.isEmpty {
            guard let mark = mark(in: expected), mark.writer == writer,
                mark.epoch.term < epoch.term || isContested && mark.epoch < epoch
            else { return plan }
            // Until then a late update, of a deposed leader or of our own with unknown end, would be taken.
            plan.steps.append("claim the zone for epoch \(epoch): updates from before are refused then")
        }
        for record in add { plan.steps.append("add \(record): it should be served") }
        for record in delete { plan.steps.append("delete \(record): it should not be served any more") }
        if let obstacle = obstacle(in: expected, epoch: epoch, adopt: adopt) ?? floorObstacle(found) {
            plan.held = obstacle
            return plan
        }
        plan.update = ZoneUpdate(
            zone: settings.zone, expected: expected, epochName: epochName,
            delete: (delete + (expected.map { [$0] } ?? [])).sorted(),
            add: (add + [epochRecord(epoch)]).sorted())
        return plan
    }

    private func mark(in record: ZoneRecord?) -> EpochMark? {
        guard case .txt(let text) = record?.content else { return nil }
        return EpochMark(text)
    }

    private func obstacle(in record: ZoneRecord?, epoch: Epoch, adopt: Bool) -> String? {
        guard let record, case .txt(let text) = record.content else { return nil }
        guard let mark = mark(in: record) else {
            return adopt ? nil : "\(record.name) holds \"\(text)\", which fsdns did not write"
        }
        if mark.writer != writer {
            return adopt
                ? nil
                : "the zone was last written by cluster \(mark.writer), this is \(writer); "
                    + "`fsdns zone apply --adopt` takes it over"
        }
        if mark.epoch > epoch { return "the zone is at epoch \(mark.epoch), this node only knows \(epoch)" }
        return nil
    }

    /// The service set never shrinks below the floor, and is never emptied.
    private func floorObstacle(_ found: [ZoneRecord]) -> String? {
        for label in settings.services {
            let name = serviceName(label)
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
