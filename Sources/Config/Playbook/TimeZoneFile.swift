import Calendar

/// Reads TZif, the compiled form of a time zone (RFC 8536, versions 1 to 4 as of RFC 9636).
///
/// Leap seconds are skipped: the clocks of people and of POSIX do not count them.
enum TimeZoneFile {
    /// The largest file known is below 4 KiB.
    static let byteLimit = 256 * 1024
    private static let transitionLimit = 8192

    struct Refusal: Error, Hashable {
        /// The rest of a sentence that starts with the file's name.
        var reason: String
    }

    private struct Header {
        var version: UInt8
        var universalCount: Int
        var standardCount: Int
        var leapCount: Int
        var transitionCount: Int
        var typeCount: Int
        var nameBytes: Int

        func length(timeSize: Int) -> Int {
            transitionCount * (timeSize + 1) + typeCount * 6 + nameBytes + leapCount * (timeSize + 4)
                + standardCount + universalCount
        }
    }

    static func rules(of bytes: [UInt8]) throws(Refusal) -> TimeZoneRules {
        var rest = bytes[...]
        let first = try header(&rest)
        if first.version == 0 { return try block(first, timeSize: 4, &rest, footer: nil) }
        // What stands here in 32 bits stands after it again in 64.
        _ = try take(first.length(timeSize: 4), of: &rest)
        let header = try header(&rest)
        let length = header.length(timeSize: 8)
        guard length <= rest.count else { throw Refusal(reason: "ends before its data does") }
        let footer = try footer(rest.dropFirst(length))
        return try block(header, timeSize: 8, &rest, footer: footer)
    }

    private static func take(_ count: Int, of rest: inout ArraySlice<UInt8>) throws(Refusal) -> ArraySlice<
        UInt8
    > {
        guard count <= rest.count else { throw Refusal(reason: "ends before its data does") }
        defer { rest = rest.dropFirst(count) }
        return rest.prefix(count)
    }

    /// Big-endian, two's complement.
    private static func integer(_ bytes: ArraySlice<UInt8>) -> Int64 {
        let isNegative = (bytes.first ?? 0) >= 0x80
        return bytes.reduce(isNegative ? -1 : 0) { $0 << 8 | Int64($1) }
    }

    private static func header(_ rest: inout ArraySlice<UInt8>) throws(Refusal) -> Header {
        let bytes = Array(try take(44, of: &rest))
        guard bytes.starts(with: Array("TZif".utf8)) else { throw Refusal(reason: "is no time zone file") }
        let version = bytes[4]
        guard version == 0 || (0x32...0x34).contains(version) else {
            throw Refusal(reason: "has the unknown version byte \(version)")
        }
        let counts = stride(from: 20, to: 44, by: 4).map { Int(integer([0] + bytes[$0..<($0 + 4)])) }
        let header = Header(
            version: version, universalCount: counts[0], standardCount: counts[1], leapCount: counts[2],
            transitionCount: counts[3], typeCount: counts[4], nameBytes: counts[5])
        // RFC 8536 §3.1: at least one type; indices are bytes. A version 1 block may be empty but for that.
        guard (1...256).contains(header.typeCount), header.nameBytes <= 4096,
            header.transitionCount <= transitionLimit, header.leapCount <= 4096,
            header.standardCount <= 256, header.universalCount <= 256
        else { throw Refusal(reason: "has counts no time zone has") }
        return header
    }

    private static func block(
        _ header: Header, timeSize: Int, _ rest: inout ArraySlice<UInt8>, footer: DaylightRule?
    ) throws(Refusal) -> TimeZoneRules {
        let times = Array(try take(header.transitionCount * timeSize, of: &rest))
        let indices = Array(try take(header.transitionCount, of: &rest))
        let types = Array(try take(header.typeCount * 6, of: &rest))
        let names = Array(try take(header.nameBytes, of: &rest))
        var periods: [TimeZoneRules.Period] = []
        for index in 0..<header.typeCount {
            periods.append(try period(types[(index * 6)..<(index * 6 + 6)], names))
        }
        var transitions: [TimeZoneRules.Transition] = []
        var previous: Int64?
        for (position, index) in indices.enumerated() {
            let time = integer(times[(position * timeSize)..<((position + 1) * timeSize)])
            guard Int(index) < periods.count else {
                throw Refusal(reason: "names a type of time it does not have")
            }
            if let previous, previous >= time {
                throw Refusal(reason: "has transitions that are not in the order of time")
            }
            previous = time
            // zic marks "since ever" with instants before the universe; arithmetic wants a margin.
            let at = WallTime(seconds: max(time, -1 << 59))
            if transitions.last?.at == at { transitions.removeLast() }
            guard at.seconds <= 1 << 59 else { throw Refusal(reason: "has a transition beyond all time") }
            transitions.append(.init(at: at, period: periods[Int(index)]))
        }
        return TimeZoneRules(first: periods[0], transitions: transitions, footer: footer)
    }

    private static func period(
        _ bytes: ArraySlice<UInt8>, _ names: [UInt8]
    ) throws(Refusal) -> TimeZoneRules.Period {
        let fields = Array(bytes)
        let offset = Int(integer(fields[0..<4]))
        guard abs(offset) <= TimeZoneRules.offsetLimit else {
            throw Refusal(reason: "has an offset of \(offset) s, beyond all time zones")
        }
        guard fields[4] <= 1, Int(fields[5]) < names.count,
            let end = names[Int(fields[5])...].firstIndex(of: 0)
        else { throw Refusal(reason: "has a damaged type of time") }
        let name = names[Int(fields[5])..<end]
        guard name.count <= 32, name.allSatisfy({ (33...126).contains($0) }) else {
            throw Refusal(reason: "has a damaged abbreviation")
        }
        return .init(
            offset: offset, isDaylight: fields[4] == 1, abbreviation: String(decoding: name, as: UTF8.self))
    }

    /// The POSIX rule between two line feeds; nil when it is empty.
    private static func footer(_ rest: ArraySlice<UInt8>) throws(Refusal) -> DaylightRule? {
        guard rest.first == 10, let end = rest.dropFirst().firstIndex(of: 10), rest.count <= 512 else {
            throw Refusal(reason: "has no footer")
        }
        let bytes = rest[(rest.startIndex + 1)..<end]
        if bytes.isEmpty { return nil }
        let text = String(decoding: bytes, as: UTF8.self)
        guard let rule = DaylightRuleText.parse(text) else {
            throw Refusal(reason: "has the unknown rule \(quoted(text))")
        }
        return rule
    }
}
