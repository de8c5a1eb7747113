import Wire

/// Decides what to answer to the bytes of one request: signature first, then query or update.
package struct ZoneResponder: Sendable {
    package enum Transport: Hashable, Sendable { case udp, tcp }

    package private(set) var zone: Zone
    private let key: TSIGKey?

    /// Without a key, updates are taken from this machine only.
    package init(zone: Zone, key: TSIGKey?) {
        self.zone = zone
        self.key = key
    }

    /// Answers one request; nil when the bytes deserve no answer (too short, or themselves a reply).
    ///
    /// - Parameters:
    ///   - now: wall time, seconds since 1970 UTC.
    ///   - fromLoopback: whether the sender is on this machine.
    ///   - commit: makes a changed zone durable; when it fails the change is dropped and SERVFAIL answered.
    package mutating func respond(
        to wire: [UInt8], over transport: Transport, fromLoopback: Bool, at now: UInt64,
        commit: (Zone) -> Bool = { _ in true }
    ) -> [UInt8]? {
        guard wire.count >= 12, wire[2] & 0x80 == 0 else { return nil }
        guard let scan = try? PacketScan(wire) else { return Self.header(of: wire, .formErr) }
        let requestMAC: [UInt8]?
        switch authenticate(scan, at: now) {
        case .unsigned: requestMAC = nil
        case .signed(let mac): requestMAC = mac
        case .refused(let reply): return reply
        }
        let reply = answer(
            scan, isTrusted: key == nil ? fromLoopback : requestMAC != nil, commit: commit)
        let limit = Self.sizeLimit(reply.request, transport)
        let signatureSize = requestMAC == nil ? 0 : key?.recordSize ?? 0
        let bytes = Self.fit(reply.message, into: limit - signatureSize)
        guard let requestMAC, let key else { return bytes }
        return key.sign(bytes, at: now, requestMAC: requestMAC).wire
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
            return .signed(mac: try key.verifyRequest(scan, at: now))
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

    private mutating func answer(
        _ scan: PacketScan, isTrusted: Bool, commit: (Zone) -> Bool
    ) -> (request: DNSMessage?, message: DNSMessage) {
        func refuse(_ code: ResponseCode) -> (DNSMessage?, DNSMessage) {
            (nil, DNSMessage(id: scan.id, isReply: true, operation: scan.operation, code: code))
        }
        switch scan.operation {
        case .query:
            // Bounded before libldns unpacks anything a stranger sent.
            guard scan.questionCount == 1, scan.answerCount == 0, scan.authorityCount <= 1,
                scan.additionalCount <= 2, let query = try? DNSMessage(scan)
            else { return refuse(.formErr) }
            return (query, zone.answer(query))
        case .update:
            guard isTrusted else { return refuse(.refused) }
            guard let request = try? DNSMessage(scan) else { return refuse(.formErr) }
            return (request, request.reply(update(request, commit)))
        case .notify, .other: return refuse(.notImp)
        }
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
