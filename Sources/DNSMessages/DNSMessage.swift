/// One DNS message without its signature.
///
/// In an UPDATE the four sections mean zone, prerequisites, operations and additional (RFC 2136 §2).
package struct DNSMessage: Hashable, Sendable {
    package var id: UInt16
    package var isReply: Bool
    package var operation: OperationCode
    package var isAuthoritative: Bool
    /// TC: the reply did not fit, ask again by TCP.
    package var isTruncated: Bool
    package var recursionDesired: Bool
    package var recursionAvailable: Bool
    package var code: ResponseCode
    package var questions: [DNSQuestion]
    package var answerSection: [RawRecord]
    package var authoritySection: [RawRecord]
    package var additionalSection: [RawRecord]
    /// Nil when the message carries no OPT record.
    package var edns: EDNS?

    package init(
        id: UInt16, isReply: Bool = false, operation: OperationCode = .query,
        isAuthoritative: Bool = false, isTruncated: Bool = false, recursionDesired: Bool = false,
        recursionAvailable: Bool = false, code: ResponseCode = .noError, questions: [DNSQuestion] = [],
        answerSection: [RawRecord] = [], authoritySection: [RawRecord] = [],
        additionalSection: [RawRecord] = [], edns: EDNS? = nil
    ) {
        self.id = id
        self.isReply = isReply
        self.operation = operation
        self.isAuthoritative = isAuthoritative
        self.isTruncated = isTruncated
        self.recursionDesired = recursionDesired
        self.recursionAvailable = recursionAvailable
        self.code = code
        self.questions = questions
        self.answerSection = answerSection
        self.authoritySection = authoritySection
        self.additionalSection = additionalSection
        self.edns = edns
    }

    /// A plain question to an authoritative server.
    package static func query(
        id: UInt16, name: DNSName, type: RecordType, edns: EDNS? = EDNS()
    ) -> DNSMessage {
        DNSMessage(id: id, questions: [DNSQuestion(name: name, type: type)], edns: edns)
    }

    /// An empty reply to this message: same id, operation and question; EDNS answered when asked with.
    package func reply(_ code: ResponseCode) -> DNSMessage {
        DNSMessage(
            id: id, isReply: true, operation: operation, recursionDesired: recursionDesired, code: code,
            questions: questions, edns: edns == nil ? nil : EDNS())
    }

    /// Whether this is a reply to `request`: its id, its operation, its question.
    ///
    /// A server may leave the question out of an error or of an update's reply (RFC 2136 §3.8).
    package func isReply(to request: DNSMessage) -> Bool {
        isReply && id == request.id && operation == request.operation
            && (questions == request.questions
                || questions.isEmpty && (code != .noError || operation == .update))
    }

    /// The answer's records of class IN.
    ///
    /// Throws `malformedRecord` rather than leave one out: a record that cannot be read is not an absent one.
    package func answers() throws(DNSFailure) -> [DNSRecord] { try Self.records(answerSection) }

    package func authorities() throws(DNSFailure) -> [DNSRecord] { try Self.records(authoritySection) }

    package func additionals() throws(DNSFailure) -> [DNSRecord] { try Self.records(additionalSection) }

    private static func records(_ section: [RawRecord]) throws(DNSFailure) -> [DNSRecord] {
        var records: [DNSRecord] = []
        for raw in section where raw.recordClass == .in { records.append(try raw.record()) }
        return records
    }
}

/// What a query asks for; in UPDATE the zone, with type SOA.
package struct DNSQuestion: Hashable, Sendable {
    package var name: DNSName
    package var type: RecordType
    package var recordClass: RecordClass

    package init(name: DNSName, type: RecordType, recordClass: RecordClass = .in) {
        self.name = name
        self.type = type
        self.recordClass = recordClass
    }
}

/// The parts of the OPT record (RFC 6891) fsdns uses; options are read over.
package struct EDNS: Hashable, Sendable {
    /// The largest UDP message its sender takes, in bytes; 1232 avoids fragments on any path.
    package var payload: UInt16
    package var version: UInt8
    package var dnssecOK: Bool

    package init(payload: UInt16 = 1232, version: UInt8 = 0, dnssecOK: Bool = false) {
        self.payload = payload
        self.version = version
        self.dnssecOK = dnssecOK
    }
}
