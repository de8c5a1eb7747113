import DNSMessages

/// The whole zone as messages for a secondary (RFC 5936), also in answer to IXFR (RFC 1995 §4 allows it).
extension Zone {
    /// Uncompressed bytes of records put into one message.
    private static let messageSize = 16_384

    /// Answers a query of type AXFR or IXFR that came by TCP from somebody entitled.
    package func transfer(_ query: DNSMessage) -> [DNSMessage] {
        guard let question = query.questions.first, question.name == origin, question.recordClass == .in
        else { return [query.reply(.notAuth)] }
        let soa = records(origin, .soa)
        if question.type == .ixfr, let known = try? query.authorities().first,
            case .soa(let known) = known.data, !serial.isNewer(than: known.serial)
        {
            return [message(query, soa, isFirst: true)]
        }
        var messages: [DNSMessage] = []
        var batch: [DNSRecord] = []
        var size = 0
        for record in soa + records.filter({ $0.type != .soa }) + soa {
            let recordSize = record.name.wire.count + 10 + record.data.wire.count
            if size + recordSize > Self.messageSize, !batch.isEmpty {
                messages.append(message(query, batch, isFirst: messages.isEmpty))
                (batch, size) = ([], 0)
            }
            batch.append(record)
            size += recordSize
        }
        return messages + [message(query, batch, isFirst: messages.isEmpty)]
    }

    /// The question stands in the first message only (RFC 5936 §2.2.1).
    private func message(_ query: DNSMessage, _ records: [DNSRecord], isFirst: Bool) -> DNSMessage {
        var reply = query.reply(.noError)
        reply.isAuthoritative = true
        if !isFirst { reply.questions = [] }
        reply.answerSection = records.map { RawRecord($0) }
        return reply
    }
}
