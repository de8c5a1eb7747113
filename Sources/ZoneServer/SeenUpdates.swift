import DNSMessages

/// Signed updates that were answered of late: the same bytes again, under whatever id, are answered alike and change
/// nothing. Without prerequisites an update would be carried out a second time by whoever saw it on its way.
struct SeenUpdates: Sendable {
    /// A signature holds 300 s before and after the time in it (RFC 8945 §10).
    private static let lasting: UInt64 = 600
    private static let limit = 65_536
    private var answers: [[UInt8]: (code: ResponseCode, until: UInt64)] = [:]

    var isFull: Bool { answers.count >= Self.limit }

    /// - Parameter now: wall time, seconds since 1970 UTC.
    mutating func answer(to mac: [UInt8], at now: UInt64) -> ResponseCode? {
        if isFull { answers = answers.filter { $0.value.until > now } }
        return answers[mac].flatMap { $0.until > now ? $0.code : nil }
    }

    mutating func note(_ mac: [UInt8], _ code: ResponseCode, at now: UInt64) {
        answers[mac] = (code, now.addingReportingOverflow(Self.lasting).partialValue)
    }
}
