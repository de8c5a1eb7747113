/// What must hold before an update is carried out (RFC 2136 §2.4).
package enum Prerequisite: Hashable, Sendable {
    /// §2.4.1: the name has records of this type, whatever they say.
    case exists(DNSName, RecordType)
    /// §2.4.2: the name's records of this type say exactly this, no more and no less; TTLs do not count.
    ///
    /// The data must not be empty and all of one type.
    case equals(DNSName, [RecordData])
    /// §2.4.3: the name has no record of this type.
    case absent(DNSName, RecordType)
    /// §2.4.4: the name has at least one record.
    case nameInUse(DNSName)
    /// §2.4.5: the name has no record at all.
    case nameNotInUse(DNSName)
}

/// One change of an update (RFC 2136 §2.5).
package enum UpdateOperation: Hashable, Sendable {
    /// §2.5.1: add to the set of this name and type; the set takes this TTL.
    case add(DNSRecord)
    /// §2.5.2: delete all records of this name and type.
    case deleteSet(DNSName, RecordType)
    /// §2.5.3: delete all records of this name.
    case deleteName(DNSName)
    /// §2.5.4: delete the one record that says exactly this.
    case delete(DNSName, RecordData)
}

/// One dynamic update of one zone: its prerequisites hold and all operations happen, or nothing does.
package struct DNSUpdate: Hashable, Sendable {
    package var zone: DNSName
    package var prerequisites: [Prerequisite]
    package var operations: [UpdateOperation]

    package init(zone: DNSName, prerequisites: [Prerequisite] = [], operations: [UpdateOperation]) {
        self.zone = zone
        self.prerequisites = prerequisites
        self.operations = operations
    }

    /// The message that asks for this update, to be signed by `TSIGKey.sign`.
    package func message(id: UInt16) -> DNSMessage {
        DNSMessage(
            id: id, operation: .update, questions: [DNSQuestion(name: zone, type: .soa)],
            answerSection: prerequisites.flatMap(\.records), authoritySection: operations.map(\.record))
    }

    /// Reads the update a message asks for; `malformedMessage` is to be answered with FORMERR.
    package init(_ message: DNSMessage) throws(DNSFailure) {
        zone = try Self.zone(of: message)
        prerequisites = try Self.prerequisites(of: message)
        operations = try Self.operations(of: message)
    }

    /// The zone section alone, which a server judges before it reads further (RFC 2136 §3.1).
    package static func zone(of message: DNSMessage) throws(DNSFailure) -> DNSName {
        guard message.operation == .update, message.questions.count == 1, message.questions[0].type == .soa
        else { throw .malformedMessage("an update names one zone") }
        return message.questions[0].name
    }

    /// The update section alone, judged after the prerequisites were found to hold (RFC 2136 §3.4.1).
    package static func operations(of message: DNSMessage) throws(DNSFailure) -> [UpdateOperation] {
        var operations: [UpdateOperation] = []
        for raw in message.authoritySection { operations.append(try UpdateOperation(raw)) }
        return operations
    }

    /// The prerequisite section alone.
    ///
    /// Records of class IN that belong to one set become one `equals`, in the place of the first of them.
    package static func prerequisites(of message: DNSMessage) throws(DNSFailure) -> [Prerequisite] {
        var result: [Prerequisite] = []
        for raw in message.answerSection {
            guard raw.ttl == 0 else { throw .malformedMessage("a prerequisite has a TTL") }
            guard raw.recordClass == .in else {
                result.append(try Prerequisite(withoutData: raw))
                continue
            }
            guard !raw.type.isMeta else { throw .malformedMessage("prerequisite of type \(raw.type)") }
            let record = try raw.record()
            let place = result.firstIndex { known in
                guard case .equals(let name, let data) = known else { return false }
                return name == record.name && data.first?.type == record.type
            }
            if let place, case .equals(let name, let data) = result[place] {
                result[place] = .equals(name, data.contains(record.data) ? data : data + [record.data])
            } else {
                result.append(.equals(record.name, [record.data]))
            }
        }
        return result
    }
}

extension Prerequisite {
    /// Reads the kinds that carry no data: class ANY (must be there) and NONE (must not).
    fileprivate init(withoutData raw: RawRecord) throws(DNSFailure) {
        guard raw.data.isEmpty else { throw .malformedMessage("a prerequisite has data it should not") }
        let isAny = raw.type == .any
        guard isAny || !raw.type.isMeta else {
            throw .malformedMessage("prerequisite of type \(raw.type)")
        }
        switch raw.recordClass {
        case .any: self = isAny ? .nameInUse(raw.name) : .exists(raw.name, raw.type)
        case .none: self = isAny ? .nameNotInUse(raw.name) : .absent(raw.name, raw.type)
        default: throw .malformedMessage("prerequisite of class \(raw.recordClass)")
        }
    }

    /// The records that say this in a message.
    package var records: [RawRecord] {
        if case .equals(let name, let data) = self {
            precondition(!data.isEmpty, "a prerequisite on \(name) compares with nothing, which asks nothing")
        }
        return switch self {
        case .exists(let name, let type): [RawRecord(name: name, type: type, recordClass: .any)]
        case .absent(let name, let type): [RawRecord(name: name, type: type, recordClass: .none)]
        case .nameInUse(let name): [RawRecord(name: name, type: .any, recordClass: .any)]
        case .nameNotInUse(let name): [RawRecord(name: name, type: .any, recordClass: .none)]
        case .equals(let name, let data):
            data.map { RawRecord(name: name, type: $0.type, recordClass: .in, data: $0.wire) }
        }
    }

    package var name: DNSName {
        switch self {
        case .exists(let name, _), .equals(let name, _), .absent(let name, _), .nameInUse(let name),
            .nameNotInUse(let name):
            name
        }
    }
}

extension UpdateOperation {
    fileprivate init(_ raw: RawRecord) throws(DNSFailure) {
        switch raw.recordClass {
        case .in:
            guard !raw.type.isMeta else { throw .malformedMessage("add of type \(raw.type)") }
            self = .add(try raw.record())
        case .any:
            guard raw.ttl == 0, raw.data.isEmpty else {
                throw .malformedMessage("a delete has a TTL or data it should not")
            }
            guard raw.type == .any || !raw.type.isMeta else {
                throw .malformedMessage("delete of type \(raw.type)")
            }
            self = raw.type == .any ? .deleteName(raw.name) : .deleteSet(raw.name, raw.type)
        case .none:
            guard raw.ttl == 0, !raw.type.isMeta else {
                throw .malformedMessage("a delete has a TTL, or type \(raw.type)")
            }
            self = .delete(raw.name, try RecordData(type: raw.type, wire: raw.data))
        default: throw .malformedMessage("update of class \(raw.recordClass)")
        }
    }

    /// The record that says this in a message.
    package var record: RawRecord {
        switch self {
        case .add(let record): RawRecord(record)
        case .deleteSet(let name, let type): RawRecord(name: name, type: type, recordClass: .any)
        case .deleteName(let name): RawRecord(name: name, type: .any, recordClass: .any)
        case .delete(let name, let data):
            RawRecord(name: name, type: data.type, recordClass: .none, data: data.wire)
        }
    }

    package var name: DNSName {
        switch self {
        case .add(let record): record.name
        case .deleteSet(let name, _), .deleteName(let name), .delete(let name, _): name
        }
    }
}
