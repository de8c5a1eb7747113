/// `text/event-plain`: `Name: value` lines with encoded values, a blank line, and the body by the event's own length.
enum PlainEvent {
    /// What FreeSWITCH writes for an empty value (switch_event.c: switch_event_serialize).
    private static let undefined = "_undef_"

    static func decode(_ bytes: [UInt8]) throws(EventError) -> SwitchEvent {
        var fields: [Headers.Field] = []
        fields.reserveCapacity(min(bytes.count / 32 + 8, 512))
        let end = try bytes.withUnsafeBufferPointer { (bytes) throws(EventError) in
            try readHeaders(bytes, &fields)
        }
        return SwitchEvent(
            headers: Headers(try unframed(&fields, bytes.count - end)), body: Array(bytes[end...]))
    }

    /// Reads lines up to the blank one (whose absence is no loss); returns where the body begins. The hot path of every event, hence the
    /// plain pointer: every index into it is compared with its count first.
    private static func readHeaders(
        _ bytes: UnsafeBufferPointer<UInt8>, _ fields: inout [Headers.Field]
    ) throws(EventError) -> Int {
        var at = 0
        while at < bytes.count {
            let lineStart = at
            var colon = -1
            while at < bytes.count, bytes[at] != UInt8(ascii: "\n") {
                if bytes[at] == UInt8(ascii: ":") {
                    colon = at
                    break
                }
                at += 1
            }
            var isEncoded = false
            while at < bytes.count, bytes[at] != UInt8(ascii: "\n") {
                if bytes[at] == UInt8(ascii: "%") { isEncoded = true }
                at += 1
            }
            let lineEnd = at > lineStart && bytes[at - 1] == UInt8(ascii: "\r") ? at - 1 : at
            if at < bytes.count { at += 1 }
            if lineEnd == lineStart { return at }
            guard colon > lineStart else { throw .malformedLine(fields.count + 1) }
            guard fields.count < EventCodec.maximumHeaders else {
                throw .tooManyHeaders(limit: EventCodec.maximumHeaders)
            }
            var start = colon + 1
            while start < lineEnd, bytes[start] == UInt8(ascii: " ") { start += 1 }
            // A CR right after the colon has moved the line's end before the value's beginning.
            let value = UnsafeBufferPointer(rebasing: bytes[start..<max(start, lineEnd)])
            let text = isEncoded ? URLCoding.decode(value) : String(decoding: value, as: UTF8.self)
            fields.append(
                Headers.Field(
                    String(decoding: UnsafeBufferPointer(rebasing: bytes[lineStart..<colon]), as: UTF8.self),
                    text == undefined ? "" : text))
        }
        return at
    }

    /// The headers without the last one if it is the serializer's `Content-Length`, which must tell what follows.
    private static func unframed(_ fields: inout [Headers.Field], _ found: Int) throws(EventError)
        -> [Headers.Field]
    {
        guard let last = fields.last, last.name == "Content-Length" else {
            guard found == 0 else { throw .bodyLength(stated: 0, found: found) }
            return fields
        }
        guard let stated = Decimal.parse(last.value) else { throw .badContentLength(last.value) }
        guard stated == found else { throw .bodyLength(stated: stated, found: found) }
        fields.removeLast()
        return fields
    }

    /// Headers whose names cannot stand in a line are left out: there is no way to write them.
    static func encode(_ event: SwitchEvent) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(event.headers.fields.count * 48 + event.body.count + 32)
        for field in event.headers.fields where isName(field.name) {
            bytes.append(contentsOf: field.name.utf8)
            bytes.append(UInt8(ascii: ":"))
            bytes.append(UInt8(ascii: " "))
            URLCoding.encode(
                field.value.isEmpty ? undefined : field.value, keepsEscapes: true, into: &bytes)
            bytes.append(UInt8(ascii: "\n"))
        }
        if !event.body.isEmpty { bytes.append(contentsOf: "Content-Length: \(event.body.count)\n".utf8) }
        bytes.append(UInt8(ascii: "\n"))
        bytes.append(contentsOf: event.body)
        return bytes
    }

    private static func isName(_ name: String) -> Bool {
        !name.isEmpty
            && name.utf8.allSatisfy {
                $0 != UInt8(ascii: ":") && $0 != UInt8(ascii: "\n") && $0 != UInt8(ascii: "\r")
            }
    }
}
