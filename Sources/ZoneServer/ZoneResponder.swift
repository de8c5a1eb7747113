import DNSMessages

/// Decides what to answer to the bytes of one request: signature first, then query or update.
package struct ZoneResponder: Sendable {
    package enum Transport: Hashable, Sendable { case udp, tcp }

    package private(set) var zone: Zone
    /// Whether the last request carried a valid signature.
    package private(set) var wasSigned = false
    private let key: TSIGKey?
    private var seen = SeenUpdates()
    private let since: UInt64?

    /// Without a key, updates are taken from this machine only.
    ///
    /// - Parameter since: the wall time of this start, seconds since 1970 UTC: what was signed before may have been carried out by a
    ///   process before this one, whose memory of it is gone (RFC 8945 §5.2.3). Nil where nothing was.
    package init(zone: Zone, key: TSIGKey?, since: UInt64? = nil) {
        self.zone = zone
        self.key = key
        self.since = since
    }

    /// Answers one request with one message, a zone transfer with as many as it takes.
    ///
    /// Empty when the bytes deserve no answer (too short, or themselves a reply).
    ///
    /// - Parameters:
    ///   - now: wall time, seconds since 1970 UTC.
    ///   - fromLoopback: whether the sender is on this machine.
    ///   - commit: makes a changed zone durable; when it fails the change is dropped and SERVFAIL answered.
    package mutating func respond(
        to wire: [UInt8], over transport: Transport, fromLoopback: Bool, at now: UInt64,
        commit: (Zone) -> Bool = { _ in true }
    ) -> [[UInt8]] {
        wasSigned = false
        guard wire.count >= 12, wire[2] & 0x80 == 0 else { return [] }
        guard let scan = try? PacketScan(wire) else { return [Self.header(of: wire, .formErr)] }
        let requestMAC: [UInt8]?
        switch authenticate(scan, at: now) {
        case .unsigned: requestMAC = nil
        case .signed(let mac):
            requestMAC = mac
            wasSigned = true
        case .refused(let reply): return [reply]
        }
        let isTrusted = key == nil ? fromLoopback : requestMAC != nil
        let reply: Reply
        if let requestMAC, scan.operation == .update {
            reply = answerOnce(scan, requestMAC, over: transport, at: now, commit)
        } else {
            reply = answer(scan, over: transport, isTrusted: isTrusted, commit: commit)
        }
        let signatureSize = requestMAC == nil ? 0 : key?.recordSize ?? 0
        let limit = Self.sizeLimit(reply.request, transport) - signatureSize
        let messages = reply.messages.map { Self.fit($0, into: limit) }
        guard var previousMAC = requestMAC, let key else { return messages }
        return messages.enumerated().map { position, bytes in
            let signed = key.sign(
                bytes, at: now, requestMAC: previousMAC, isContinuation: position > 0)
            previousMAC = signed.mac
            return signed.wire
        }
    }

    // MARK: - Signatures

    private enum Authentication {
        case unsigned
        case signed(mac: [UInt8])
        case refused(reply: [UInt8])
    }

    /// RFC 8945 §5.2: a signature that is not accepted ends the matter, whatever the request is.
    private func authenticate(_ scan: PacketScan, at now: UInt64) -> Authentication {
        guard let record = scan.signature else { return .unsigned }
        let refusal = Self.header(of: scan.unsigned, .notAuth, id: scan.id)
        guard let key else {
            return .refused(reply: TSIGKey.appendError(.badKey, to: refusal, answering: record))
        }
        do throws(TSIGFailure) {
            let mac = try key.verifyRequest(scan, at: now)
            // A clock that was set back since the start would refuse everything for as long.
            if let since, since <= now, record.timeSigned < since, scan.operation == .update {
                throw .badTime(signed: record.timeSigned, now: now)
            }
            return .signed(mac: mac)
        } catch {
            switch error {
            case .wrongKey:
                return .refused(reply: TSIGKey.appendError(.badKey, to: refusal, answering: record))
            case .wrongSize(let size):
                // RFC 8945 §5.2.2.1: too short or too long to be a signature at all is a format error.
                let isTruncation = size >= max(10, key.algorithm.size / 2) && size < key.algorithm.size
                return .refused(
                    reply: isTruncation
                        ? TSIGKey.appendError(.badTrunc, to: refusal, answering: record)
                        : Self.header(of: scan.unsigned, .formErr, id: scan.id))
            case .badTime(let signed, _):
                let reply = key.sign(
                    refusal, at: signed, requestMAC: record.mac, error: .badTime, serverTime: now)
                return .refused(reply: reply.wire)
            case .badSignature, .malformed, .unsigned, .refused:
                return .refused(reply: TSIGKey.appendError(.badSig, to: refusal, answering: record))
            }
        }
    }

    // MARK: - Requests

    private typealias Reply = (request: DNSMessage?, messages: [DNSMessage])

    /// A signed update that came before is answered as it was then.
    private mutating func answerOnce(
        _ scan: PacketScan, _ mac: [UInt8], over transport: Transport, at now: UInt64,
        _ commit: (Zone) -> Bool
    ) -> Reply {
        func code(_ code: ResponseCode) -> Reply {
            (nil, [DNSMessage(id: scan.id, isReply: true, operation: scan.operation, code: code)])
        }
        if let former = seen.answer(to: mac, at: now) { return code(former) }
        guard !seen.isFull else { return code(.servFail) }
        let reply = answer(scan, over: transport, isTrusted: true, commit: commit)
        if let answer = reply.messages.first?.code, answer != .servFail { seen.note(mac, answer, at: now) }
        return reply
    }

    private mutating func answer(
        _ scan: PacketScan, over transport: Transport, isTrusted: Bool, commit: (Zone) -> Bool
    ) -> Reply {
        func refuse(_ code: ResponseCode) -> Reply {
            (nil, [DNSMessage(id: scan.id, isReply: true, operation: scan.operation, code: code)])
        }
        switch scan.operation {
        case .query:
            // Bounded before libldns unpacks anything a stranger sent.
            guard scan.questionCount == 1, scan.answerCount == 0, scan.authorityCount <= 1,
                scan.additionalCount <= 2, let query = try? DNSMessage(scan)
            else { return refuse(.formErr) }
            return (query, answer(query, over: transport, isTrusted: isTrusted))
        case .update:
            guard isTrusted else { return refuse(.refused) }
            guard let request = try? DNSMessage(scan) else { return refuse(.formErr) }
            return (request, [request.reply(update(request, commit))])
        case .notify, .other: return refuse(.notImp)
        }
    }

    /// The whole zone goes by TCP only, and only to those who may also change it.
    private func answer(
        _ query: DNSMessage, over transport: Transport, isTrusted: Bool
    ) -> [DNSMessage] {
        guard let type = query.questions.first?.type, type == .axfr || type == .ixfr, isTrusted else {
            return [zone.answer(query)]
        }
        if transport == .tcp { return zone.transfer(query) }
        guard type == .ixfr, query.questions.first?.name == zone.origin else {
            return [query.reply(.refused)]
        }
        // The SOA alone says "ask by TCP" when its serial is newer (RFC 1995 §2).
        var reply = query.reply(.noError)
        reply.isAuthoritative = true
        reply.answerSection = zone.records(zone.origin, .soa).map { RawRecord($0) }
        return [reply]
    }

    /// Each section is judged before the next is read (RFC 2136 §3).
    private mutating func update(_ request: DNSMessage, _ commit: (Zone) -> Bool) -> ResponseCode {
        do throws(DNSFailure) {
            guard try DNSUpdate.zone(of: request) == zone.origin,
                request.questions.first?.recordClass == .in
            else { return .notAuth }
            let code = zone.check(try DNSUpdate.prerequisites(of: request))
            guard code == .noError else { return code }
            var changed = zone
            let result = changed.carryOut(try DNSUpdate.operations(of: request))
            if result == .noError, changed.serial != zone.serial {
                guard commit(changed) else { return .servFail }
                zone = changed
            }
            return result
        } catch {
            return .formErr
        }
    }

    // MARK: - Sizes

    /// 512 bytes by UDP without EDNS, never more than 1232 with it (no fragments on any path).
    private static func sizeLimit(_ request: DNSMessage?, _ transport: Transport) -> Int {
        guard transport == .udp else { return 65_535 }
        guard let payload = request?.edns?.payload else { return 512 }
        return Int(min(max(payload, 512), EDNS().payload))
    }

    /// Leaves out first what was not asked for, then everything, saying so with TC (RFC 2181 §9).
    private static func fit(_ message: DNSMessage, into limit: Int) -> [UInt8] {
        var message = message
        if let bytes = try? message.wire(), bytes.count <= limit { return bytes }
        let isReferral = message.answerSection.isEmpty && !message.isAuthoritative
        if !isReferral {
            message.additionalSection = []
            if let bytes = try? message.wire(), bytes.count <= limit { return bytes }
        }
        message.isTruncated = true
        message.additionalSection = []
        message.answerSection = []
        message.authoritySection = []
        return (try? message.wire())
            ?? header(
                id: message.id, operation: message.operation.code, code: .servFail)
    }

    /// A reply of twelve bytes to a request that cannot be, or will not be, read further.
    private static func header(of wire: [UInt8], _ code: ResponseCode, id: UInt16? = nil) -> [UInt8] {
        header(
            id: id ?? UInt16(wire[0]) << 8 | UInt16(wire[1]), operation: wire[2] >> 3 & 0xF, code: code)
    }

    private static func header(id: UInt16, operation: UInt8, code: ResponseCode) -> [UInt8] {
        [UInt8(id >> 8), UInt8(id & 0xFF), 0x80 | operation << 3, UInt8(code.code & 0xF)]
            + [UInt8](repeating: 0, count: 8)
    }
}
