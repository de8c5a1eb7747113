/// `text/event-plain`: `Name: value` lines with encoded values, a blank line, and the body by the event's own length.
enum PlainEvent {
    /// What FreeSWITCH writes for an empty value (switch_event.c: switch_event_serialize).
    private static let undefined = "_undef_"

    static func decode(_ bytes: [UInt8]) throws(EventError) -> SwitchEvent {
        var fields: [Headers.Field] = []
        fields.reserveCapacity(min(bytes.count / 32 + 8, 512))
        var at = 0
        while true {
            // The length of an event without a body ends with its blank line, but a missing one is no loss.
            guard at < bytes.count else { break }
            let lineStart = at
            var colon = -1
            var isEncoded = false
            while at < bytes.count, bytes[at] != UInt8(ascii: "\n") {
                if bytes[at] == UInt8(ascii: ":"), colon < 0 { colon = at }
                if bytes[at] == UInt8(ascii: "%") { isEncoded = true }
                at += 1
            }
            let lineEnd = at > lineStart && bytes[at - 1] == UInt8(ascii: "\r") ? at - 1 : at
            at += 1
            if lineEnd == lineStart { break }
            guard colon > lineStart else { throw .malformedLine(fields.count + 1) }
            guard fields.count < EventCodec.maximumHeaders else {
                throw .tooManyHeaders(limit: EventCodec.maximumHeaders)
            }
            var value = colon + 1
            while value < lineEnd, bytes[value] == UInt8(ascii: " ") { value += 1 }
            let text =
                isEncoded
                ? URLCoding.decode(bytes[value..<lineEnd])
                : String(decoding: bytes[value..<lineEnd], as: UTF8.self)
            fields.append(
                Headers.Field(
                    String(decoding: bytes[lineStart..<colon], as: UTF8.self), text == undefined ? "" : text))
        }
        let rest = min(at, bytes.count)..<bytes.count
        return SwitchEvent(headers: Headers(try unframed(&fields, rest.count)), body: Array(bytes[rest]))
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

    static func encode(_ event: SwitchEvent) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(event.headers.fields.count * 48 + event.body.count + 32)
        for field in event.headers.fields {
            bytes.append(contentsOf: field.name.utf8)
            bytes.append(UInt8(ascii: ":"))
            bytes.append(UInt8(ascii: " "))
            URLCoding.encode(field.value.isEmpty ? undefined : field.value, into: &bytes)
            bytes.append(UInt8(ascii: "\n"))
        }
        if !event.body.isEmpty { bytes.append(contentsOf: "Content-Length: \(event.body.count)\n".utf8) }
        bytes.append(UInt8(ascii: "\n"))
        bytes.append(contentsOf: event.body)
        return bytes
    }
}
