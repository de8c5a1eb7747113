import Cluster

/// What one end of a peer link says first: who it is and which versions it speaks.
package struct PeerHello: Hashable, Sendable {
    package var oldestVersion: UInt8
    package var newestVersion: UInt8
    package var cluster: String
    package var holder: Holder
    /// The key that its heartbeats are signed by. Told only to an end that showed that it reads on here.
    package var voucher: HeartbeatVoucher?

    package init(
        oldestVersion: UInt8 = PeerFrameCodec.version, newestVersion: UInt8 = PeerFrameCodec.version,
        cluster: String, holder: Holder, voucher: HeartbeatVoucher? = nil
    ) {
        self.voucher = voucher
        self.oldestVersion = oldestVersion
        self.newestVersion = newestVersion
        self.cluster = cluster
        self.holder = holder
    }
}

/// One frame of a peer link.
package enum PeerFrame: Hashable, Sendable {
    case hello(PeerHello)
    case message(PeerMessage)
    /// Of a kind that only a later release knows; readers pass over it.
    case unknown(kind: UInt8)
}

/// Peer frames as bytes: `length 4 | version 1 | kind 1 | body`, the length counting what follows it.
package enum PeerFrameCodec {
    package static let version: UInt8 = 1
    private static let jsonLimit = FrameLimits.peerFrame

    /// What follows the fields of a hello, as in heartbeats: who does not know one reads over it.
    private enum HelloSection {
        static let voucher: UInt8 = 1
    }

    private enum Code {
        static let hello: UInt8 = 0
        static let consensus: UInt8 = 1
        static let admission: UInt8 = 2
        static let released: UInt8 = 3
        static let relinquish: UInt8 = 4
        static let request: UInt8 = 5
        static let response: UInt8 = 6
        static let refused: UInt8 = 7
        static let stepNoticed: UInt8 = 8
        static let known = hello...stepNoticed
    }

    /// A whole frame, its length in front.
    package static func encode(_ message: PeerMessage) -> [UInt8] { encode(.message(message)) }

    /// - Parameter bytes: one whole frame and nothing else.
    /// - Throws: also for a hello, and for a kind that is not known.
    package static func decode(_ bytes: [UInt8]) throws(FrameFailure) -> PeerMessage {
        guard case .message(let message) = try decodeFrame(bytes) else { throw .malformed("message kind") }
        return message
    }

    package static func encode(_ frame: PeerFrame) -> [UInt8] {
        var writer = FrameWriter()
        writer.write(byte: version)
        switch frame {
        case .hello(let hello):
            writer.write(byte: Code.hello)
            writer.write(byte: hello.oldestVersion)
            writer.write(byte: hello.newestVersion)
            writer.write(text: hello.cluster)
            writer.write(hello.holder)
            writer.write(section: HelloSection.voucher) { $0.write(raw: hello.voucher?.publicKey ?? []) }
        case .message(let message):
            write(message, to: &writer)
        case .unknown(let kind): writer.write(byte: kind)
        }
        var framed = FrameWriter()
        framed.write(fixed: UInt32(truncatingIfNeeded: writer.bytes.count))
        framed.write(raw: writer.bytes)
        return framed.bytes
    }

    package static func decodeFrame(_ bytes: [UInt8]) throws(FrameFailure) -> PeerFrame {
        var reader = FrameReader(bytes)
        let length = Int(try reader.fixed32())
        guard length <= FrameLimits.peerFrame else { throw .tooLong(length) }
        guard length <= reader.remaining else { throw .truncated }
        guard length == reader.remaining else { throw .malformed("length") }
        let version = try reader.byte()
        guard version == Self.version else { throw .version(version) }
        let kind = try reader.byte()
        guard Code.known.contains(kind) else { return .unknown(kind: kind) }
        let frame = try frame(of: kind, &reader)
        guard reader.remaining == 0 else { throw .malformed("end") }
        return frame
    }

    private static func write(_ message: PeerMessage, to writer: inout FrameWriter) {
        switch message {
        case .consensus(let consensus, let rider):
            writer.write(byte: Code.consensus)
            ConsensusCodec.write(consensus, to: &writer)
            write(rider, to: &writer)
        case .admission(let admission):
            writer.write(byte: Code.admission)
            writer.write(blob: ControlJSON.encode(admission))
        case .released(let notice):
            writer.write(byte: Code.released)
            writer.write(text: notice.address)
            writer.write(notice.holder)
            writer.write(notice.epoch)
        case .relinquish(let relinquishment):
            writer.write(byte: Code.relinquish)
            writer.write(blob: ControlJSON.encode(relinquishment))
        case .request(let id, let request):
            writer.write(byte: Code.request)
            writer.write(id)
            writer.write(blob: ControlJSON.encode(request))
        case .response(let id, let reply):
            writer.write(byte: Code.response)
            writer.write(id)
            writer.write(blob: ControlJSON.encode(reply))
        case .refused(let reason):
            writer.write(byte: Code.refused)
            writer.write(blob: ControlJSON.encode([reason]))
        case .stepNoticed(let notice):
            writer.write(byte: Code.stepNoticed)
            writer.write(blob: ControlJSON.encode(notice))
        }
    }

    private static func frame(
        of kind: UInt8, _ reader: inout FrameReader
    ) throws(FrameFailure) -> PeerFrame {
        switch kind {
        case Code.hello:
            let oldest = try reader.byte()
            let newest = try reader.byte()
            guard oldest <= newest else { throw .malformed("version range") }
            let cluster = try reader.name("cluster name")
            var hello = PeerHello(
                oldestVersion: oldest, newestVersion: newest, cluster: cluster,
                holder: try reader.holder("holder"))
            try readSections(&reader, into: &hello)
            return .hello(hello)
        case Code.consensus:
            let message = try ConsensusCodec.message(&reader)
            return .message(.consensus(message, try rider(&reader)))
        case Code.admission:
            let admission: Admission = try json(&reader, "admission")
            guard FrameReader.isName(admission.holder.name) else { throw .malformed("admission") }
            return .message(.admission(admission))
        case Code.released:
            let address = try reader.name("address")
            let holder = try reader.holder("holder")
            let epoch = try reader.epoch("grant")
            return .message(.released(ReleaseNotice(address: address, holder: holder, epoch: epoch)))
        case Code.relinquish:
            let relinquishment: Relinquishment = try json(&reader, "relinquishment")
            guard FrameReader.isName(relinquishment.holder.name) else { throw .malformed("relinquishment") }
            return .message(.relinquish(relinquishment))
        case Code.request:
            let id = try reader.number("request id")
            let request: OperatorRequest = try json(&reader, "request")
            return .message(.request(id: id, try RequestCheck.plausible(request)))
        case Code.response:
            let id = try reader.number("request id")
            return .message(.response(id: id, try json(&reader, "response")))
        case Code.refused:
            let reasons: [String] = try json(&reader, "reason")
            guard reasons.count == 1, let reason = reasons.first else { throw .malformed("reason") }
            return .message(.refused(reason))
        case Code.stepNoticed: return .message(.stepNoticed(try json(&reader, "step notice")))
        default: throw .malformed("message kind")
        }
    }

    private static func readSections(
        _ reader: inout FrameReader, into hello: inout PeerHello
    ) throws(FrameFailure) {
        try reader.sections { (tag, content) throws(FrameFailure) in
            guard tag == HelloSection.voucher else { return }
            let key = Array(try content.raw(HeartbeatVoucher.length))
            guard let voucher = HeartbeatVoucher(publicKey: key) else { throw .malformed("voucher") }
            hello.voucher = voucher
        }
    }

    private static func json<Value: Decodable>(
        _ reader: inout FrameReader, _ field: String
    ) throws(FrameFailure) -> Value {
        try ControlJSON.decode(Value.self, try reader.blob(field, limit: jsonLimit), field: field)
    }

    private static func write(_ rider: Rider, to writer: inout FrameWriter) {
        writer.write(rider.effectiveThrough)
        writer.write(count: rider.ages.count)
        for age in rider.ages {
            writer.write(age.fence)
            writer.write(age.holder)
            writer.write(age: age.age)
        }
    }

    private static func rider(_ reader: inout FrameReader) throws(FrameFailure) -> Rider {
        let through = try reader.number("effective index")
        let count = try reader.count("silence ages", limit: 4 * ClusterLimits.nodes)
        var ages: [SilenceAge] = []
        for _ in 0..<count {
            let fence = try reader.epoch("fence")
            let holder = try reader.holder("fenced holder")
            ages.append(SilenceAge(fence: fence, holder: holder, age: try reader.age("silence age")))
        }
        return Rider(effectiveThrough: through, ages: ages)
    }
}

/// Cuts a stream of bytes into frames.
package struct PeerFrameDecoder: Sendable {
    private var buffer: [UInt8] = []
    private var start = 0

    package init() {}

    package mutating func append(_ bytes: some Collection<UInt8>) {
        if start > 0 {
            buffer.removeFirst(start)
            start = 0
        }
        buffer.append(contentsOf: bytes)
    }

    /// The next whole frame; nil when more bytes are needed. After an error the stream has no meaning any more.
    package mutating func next() throws(FrameFailure) -> PeerFrame? {
        var reader = FrameReader(buffer, from: start)
        guard reader.remaining >= 4 else { return nil }
        let length = Int(try reader.fixed32())
        guard length <= FrameLimits.peerFrame else { throw .tooLong(length) }
        guard length <= reader.remaining else { return nil }
        let frame = Array(buffer[start..<(start + 4 + length)])
        start += 4 + length
        return try PeerFrameCodec.decodeFrame(frame)
    }
}
