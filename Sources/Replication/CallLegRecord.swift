extension Record {
    private static let callLegVersion: UInt8 = 1

    /// The key of a call leg.
    package static func key(uuid: String) -> [UInt8] { Array(uuid.utf8) }

    /// The compact form of a call leg; refused with `.tooLarge` when its variables take more than
    /// `ReplicationLimits.payload` bytes.
    package init(_ leg: CallLeg) throws(RecordFailure) {
        let texts = [leg.runtime, leg.switchname, leg.profile, leg.partner ?? "", leg.flags ?? ""]
        var capacity = 8 + FieldWriter.number * (texts.count + 2)
        for text in texts { capacity += text.utf8.count }
        for fields in [leg.variables, leg.caller] {
            for field in fields {
                capacity += field.name.utf8.count + field.value.utf8.count + 2 * FieldWriter.number
            }
            if fields.count > ReplicationLimits.fields {
                throw .tooLarge("fields", bytes: fields.count, limit: ReplicationLimits.fields)
            }
        }
        let payload = FieldWriter.bytes(capacity: capacity) { writer in
            writer.byte(Record.callLegVersion)
            writer.byte(leg.direction == .inbound ? 0 : 1)
            writer.byte(leg.phase.rawValue)
            writer.byte(leg.isOriginator ? 1 : 0)
            writer.text(leg.runtime)
            writer.text(leg.switchname)
            writer.text(leg.profile)
            writer.optional(leg.partner)
            writer.optional(leg.flags)
            writer.fields(leg.variables)
            writer.fields(leg.caller)
        }
        self.init(kind: .callLeg, key: Record.key(uuid: leg.uuid), payload: payload)
        if let fault { throw fault }
    }

    /// The call leg this record holds.
    package func callLeg() throws(RecordFailure) -> CallLeg {
        guard kind == .callLeg else { throw .wrongKind(kind) }
        guard let uuid = String(validating: key, as: UTF8.self) else { throw .malformed("uuid") }
        return try payload.withBytes { bytes throws(RecordFailure) in
            var reader = FieldReader(bytes)
            let version = try reader.byte()
            guard version == Record.callLegVersion else {
                if version > Record.callLegVersion { throw .newerVersion(version) }
                throw .malformed("version")
            }
            let outbound = try reader.flag("direction")
            guard let phase = CallLeg.Phase(rawValue: try reader.byte()) else { throw .malformed("phase") }
            let isOriginator = try reader.flag("originator")
            let leg = CallLeg(
                uuid: uuid, runtime: try reader.text("runtime"), switchname: try reader.text("switchname"),
                profile: try reader.text("profile"), direction: outbound ? .outbound : .inbound,
                phase: phase, partner: try reader.optional("partner"), isOriginator: isOriginator)
            return try reader.rest(of: leg)
        }
    }
}

extension FieldWriter {
    fileprivate mutating func optional(_ text: String?) {
        byte(text == nil ? 0 : 1)
        if let text { self.text(text) }
    }

    fileprivate mutating func fields(_ fields: [CallLeg.Field]) {
        number(fields.count)
        for field in fields {
            text(field.name)
            text(field.value)
        }
    }
}

extension FieldReader {
    fileprivate mutating func optional(_ field: StaticString) throws(RecordFailure) -> String? {
        try flag(field) ? try text(field) : nil
    }

    fileprivate mutating func fields(_ name: StaticString) throws(RecordFailure) -> [CallLeg.Field] {
        let count = try count(name, limit: ReplicationLimits.fields)
        var fields: [CallLeg.Field] = []
        fields.reserveCapacity(count)
        for _ in 0..<count { fields.append(CallLeg.Field(try text(name), try text(name))) }
        return fields
    }

    fileprivate mutating func rest(of leg: CallLeg) throws(RecordFailure) -> CallLeg {
        var leg = leg
        leg.flags = try optional("flags")
        leg.variables = try fields("variables")
        leg.caller = try fields("caller")
        try end()
        return leg
    }
}
