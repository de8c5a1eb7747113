import Cluster

/// The zone as each server answers it, what it should be, and why it is not.
struct ZoneReportText {
    var paint: Paint
    var width: Int?

    /// `fsdns zone show`: records server by server; `+` is to come, `-` is to go.
    func show(_ report: ZoneReport) -> [String] {
        var lines = [paint("Zone \(report.zone)", .bold)]
        let leaving = Self.leaving(report)
        for reading in report.readings {
            lines.append("")
            switch reading.outcome {
            case .failed(let why):
                lines.append(paint(cut("Server \(reading.endpoint): not read: \(why)", to: width), .bad))
            case .read(let serial, let records):
                lines.append("Server \(reading.endpoint), serial \(serial)")
                for record in records {
                    let goes = leaving.contains(record)
                    lines.append(paint(cut("\(goes ? "-" : " ") \(record)", to: width), goes ? .bad : .plain))
                }
                for record in report.desired where !records.contains(record) {
                    lines.append(paint(cut("+ \(record)", to: width), .good))
                }
            }
        }
        if let held = report.held { lines += ["", paint(cut("Held: \(held)", to: width), .warn)] }
        for notice in report.notices ?? [] { lines.append(paint(cut("Note: \(notice)", to: width), .warn)) }
        return lines
    }

    /// What is to go for good: our own mark is replaced with each change, which is no fault.
    private static func leaving(_ report: ZoneReport) -> [ZoneRecord] {
        guard let update = report.update else { return [] }
        return update.delete.filter { record in
            !(record.name == update.epochName && record.type == "TXT") && !update.add.contains(record)
        }
    }

    /// `fsdns zone plan`: what would be done now, each with its reason.
    func plan(_ report: ZoneReport) -> [String] {
        if let held = report.held {
            return [paint("Held, nothing is changed: \(held)", .warn)] + report.steps.map { "  \($0)" }
        }
        if report.steps.isEmpty { return ["Nothing to do: \(report.zone) is as it should be."] }
        return report.steps
    }

    /// Why the zone is not converged, each a sentence; empty when every server answers what it should.
    static func faults(_ report: ZoneReport) -> [String] {
        var faults: [String] = []
        if let held = report.held { faults.append("held: \(held)") }
        faults += (report.troubles ?? []).filter { $0 != report.held }
        faults += report.steps.map { "to do: \($0)" }
        if report.readings.isEmpty { faults.append("no server of \(report.zone) was read") }
        for reading in report.readings {
            switch reading.outcome {
            case .failed(let why): faults.append("\(reading.endpoint) was not read: \(why)")
            case .read(_, let records):
                for record in report.desired where !records.contains(record) {
                    faults.append("\(reading.endpoint) lacks \(record)")
                }
                for record in leaving(report) where records.contains(record) {
                    faults.append("\(reading.endpoint) still serves \(record)")
                }
            }
        }
        return faults
    }
}

/// `fsdns zone … --format json`.
struct ZoneDocument: Encodable {
    struct Record: Encodable {
        var name: String
        var ttl: UInt32
        var type: String
        var data: String

        init(_ record: ZoneRecord) {
            name = record.name
            ttl = record.ttl
            type = record.type
            data = record.dataText
        }
    }

    struct Server: Encodable {
        var address: String
        var serial: StatusDocument.Nullable<UInt32>
        var records: [Record]
        var problem: StatusDocument.Nullable<String>

        init(_ reading: ServerReading) {
            address = "\(reading.endpoint)"
            switch reading.outcome {
            case .read(let number, let found):
                serial = .init(number)
                records = found.map(Record.init)
                problem = .init(nil)
            case .failed(let why):
                serial = .init(nil)
                records = []
                problem = .init(why)
            }
        }
    }

    var zone: String
    var converged: Bool
    var desired: [Record]
    var servers: [Server]
    var steps: [String]
    var held: StatusDocument.Nullable<String>

    init(_ report: ZoneReport) {
        zone = report.zone
        converged = ZoneReportText.faults(report).isEmpty
        desired = report.desired.map(Record.init)
        servers = report.readings.map(Server.init)
        steps = report.steps
        held = .init(report.held)
    }
}
