/// The three ways FreeSWITCH writes an event.
///
/// Only JSON can be read back exactly. Plain and XML values are URL-encoded, but a `%XX` that is part of the value is left as
/// it is (switch_utils.c: switch_url_encode), so `sip:a%40b@example.net` arrives as `sip:a@b@example.net`.
package enum EventFormat: String, Hashable, Sendable, CaseIterable {
    case plain, json, xml

    package var contentType: String { "text/event-\(rawValue)" }
}

/// Events to bytes and back, in each format as FreeSWITCH writes it (switch_event.c: switch_event_serialize,
/// switch_event_serialize_json, switch_event_xmlize).
///
/// A decoded event is the same whatever format it came in, unless a value has a `%XX` of its own: values are decoded, the `Content-Length` that only tells of the body
/// is left out, an empty value (`_undef_` in plain) is empty, and a value that is a list stands in FreeSWITCH's own form
/// `ARRAY::a|:b`. Bytes that are not UTF-8 are replaced by U+FFFD in headers and kept in bodies.
package enum EventCodec {
    /// Above this an event is refused: a channel has some hundreds.
    package static let maximumHeaders = 20_000

    package static func decode(_ bytes: [UInt8], as format: EventFormat) throws(EventError) -> SwitchEvent {
        switch format {
        case .plain: try PlainEvent.decode(bytes)
        case .json: try JSONEvent.decode(bytes)
        case .xml: try XMLEvent.decode(bytes)
        }
    }

    package static func encode(_ event: SwitchEvent, as format: EventFormat) -> [UInt8] {
        switch format {
        case .plain: PlainEvent.encode(event)
        case .json: JSONEvent.encode(event)
        case .xml: XMLEvent.encode(event)
        }
    }

    /// The event as the whole frame a server sends: `Content-Length` first, then `Content-Type`.
    package static func frame(_ event: SwitchEvent, as format: EventFormat) -> [UInt8] {
        let body = encode(event, as: format)
        return Array("Content-Length: \(body.count)\nContent-Type: \(format.contentType)\n\n".utf8) + body
    }
}

/// Why an event cannot be read; the stream it came in is still in step.
package enum EventError: Error, Hashable, Sendable {
    case tooManyHeaders(limit: Int)
    /// A line without a colon; counted from 1.
    case malformedLine(Int)
    case badContentLength(String)
    /// The event's own `Content-Length` and what follows differ.
    case bodyLength(stated: Int, found: Int)
    /// What was expected at this byte of the JSON text.
    case json(at: Int, expected: String)
    /// What was expected at this byte of the XML text.
    case xml(at: Int, expected: String)
    case tooLarge(bytes: Int, limit: Int)
}

extension EventError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .tooManyHeaders(let limit): "the event has more than \(limit) headers"
        case .malformedLine(let line): "line \(line) of the event has no colon"
        case .badContentLength(let value): "the event's Content-Length is not a length: “\(value)”"
        case .bodyLength(let stated, let found): "the event states a body of \(stated) bytes and has \(found)"
        case .json(let at, let expected): "the event's JSON at byte \(at): expected \(expected)"
        case .xml(let at, let expected): "the event's XML at byte \(at): expected \(expected)"
        case .tooLarge(let bytes, let limit): "it has \(bytes) bytes, more than the \(limit) that are read"
        }
    }
}
