import EventSocket
import Testing

@Suite struct FrameDecoderTests {
    static let small = Recording.transcripts
    static let large = Recording.streams

    @Test("Every recorded byte of a server belongs to a frame", arguments: Recording.transcripts)
    func transcripts(file: String) throws {
        let conversations = try Recording.conversations(file)
        #expect(!conversations.isEmpty)
        for conversation in conversations {
            var decoder = FrameDecoder()
            decoder.append(conversation.server)
            var encoded: [UInt8] = []
            while let frame = try decoder.next() {
                encoded += frame.encoded()
                _ = try ServerMessage(frame)
            }
            #expect(!decoder.isInsideFrame, "\(conversation.name)")
            #expect(encoded == conversation.server, "\(conversation.name)")
        }
    }

    @Test("Every recorded event stream is read to its last byte", arguments: Recording.streams)
    func streams(file: String) throws {
        let bytes = try Recording.bytes(file)
        let frames = try frames([bytes[...]])
        #expect(frames.flatMap { $0.encoded() } == bytes)
        #expect(try frames.contains { if case .event = try ServerMessage($0) { true } else { false } })
    }

    @Test("Frames are the same wherever the bytes are cut in two", arguments: Recording.transcripts)
    func everySplit(file: String) throws {
        for conversation in try Recording.conversations(file) where conversation.server.count < 6000 {
            let bytes = conversation.server
            let whole = try frames([bytes[...]])
            for cut in 0...bytes.count { #expect(try frames([bytes[..<cut], bytes[cut...]]) == whole) }
            #expect(try frames(bytes.indices.map { bytes[$0...$0] }) == whole)
        }
    }

    @Test("Frames are the same however a long stream is cut", arguments: Recording.streams)
    func randomSplits(file: String) throws {
        let bytes = try Recording.bytes(file)
        let whole = try frames([bytes[...]])
        for seed in 1...5 {
            var generator = SeededGenerator(seed: UInt64(seed))
            var pieces: [ArraySlice<UInt8>] = []
            var at = 0
            while at < bytes.count {
                let end = min(bytes.count, at + Int.random(in: 1...3000, using: &generator))
                pieces.append(bytes[at..<end])
                at = end
            }
            #expect(try frames(pieces) == whole)
        }
    }

    @Test("A half frame waits for its rest")
    func halfFrame() throws {
        var decoder = FrameDecoder()
        decoder.append(Array("Content-Length: 3\nContent-Type: api/response\n\nab".utf8))
        #expect(try decoder.next() == nil)
        #expect(decoder.isInsideFrame)
        decoder.append(Array("c".utf8))
        #expect(try decoder.next()?.body == Array("abc".utf8))
        #expect(try decoder.next() == nil)
        #expect(!decoder.isInsideFrame)
    }

    @Test("A CR before a line's end is dropped")
    func carriageReturns() throws {
        let frames = try frames([Array("Content-Type: command/reply\r\nReply-Text: +OK\r\n\r\n".utf8)[...]])
        #expect(frames.map(\.headers["Reply-Text"]) == ["+OK"])
    }

    @Test(
        "A length that is none is refused",
        arguments: ["-1", "0x10", "12a", "", "1 2", "99999999999999999999", "+5", "1e3"])
    func lengths(value: String) throws {
        var decoder = FrameDecoder()
        decoder.append(Array("Content-Type: api/response\nContent-Length: \(value)\n\n".utf8))
        #expect(throws: FrameError.self) { try decoder.next() }
        // It stays refused: what follows cannot be told apart any more.
        decoder.append(Array("Content-Type: auth/request\n\n".utf8))
        #expect(throws: FrameError.self) { try decoder.next() }
    }

    @Test("Two lengths that differ are refused, the same one twice is not")
    func twoLengths() throws {
        var decoder = FrameDecoder()
        decoder.append(Array("Content-Length: 1\ncontent-length: 1\n\nx".utf8))
        #expect(try decoder.next()?.body == [UInt8(ascii: "x")])
        decoder.append(Array("Content-Length: 1\nContent-Length: 2\n\nxy".utf8))
        #expect(throws: FrameError.badContentLength("two different values")) { try decoder.next() }
    }

    @Test("A line without a colon is refused with its beginning")
    func malformed() throws {
        var decoder = FrameDecoder()
        decoder.append(Array("HTTP/1.1 400 Bad Request\n\n".utf8))
        #expect(throws: FrameError.malformedHeader("HTTP/1.1 400 Bad Request")) { try decoder.next() }
    }

    @Test("Too many headers are refused")
    func manyHeaders() throws {
        var decoder = FrameDecoder(limits: FrameLimits(headerCount: 3))
        decoder.append(Array("a: 1\nb: 2\nc: 3\nd: 4\n".utf8))
        #expect(throws: FrameError.tooManyHeaders(limit: 3)) { try decoder.next() }
    }

    @Test("A header without an end is refused at the limit, and its bytes are let go")
    func endlessHeader() throws {
        var decoder = FrameDecoder(limits: FrameLimits(headerBytes: 1000))
        for _ in 0..<10 {
            decoder.append([UInt8](repeating: UInt8(ascii: "x"), count: 100))
            #expect(try decoder.next() == nil)
        }
        decoder.append([UInt8(ascii: "x")])
        #expect(throws: FrameError.headerTooLong(limit: 1000)) { try decoder.next() }
        decoder.append([UInt8](repeating: 0, count: 1000))
        #expect(decoder.buffered == 0)
    }

    @Test(
        "A body above the limit is read over in bounded memory, and the frame after it is read",
        arguments: [1, 7, 400])
    func longBody(piece: Int) throws {
        var decoder = FrameDecoder(limits: FrameLimits(headerBytes: 100, bodyBytes: 100, bufferedBytes: 600))
        let bytes =
            Array("Content-Type: api/response\nContent-Length: 5000\n\n".utf8)
            + [UInt8](repeating: UInt8(ascii: "\n"), count: 5000)
            + Array("A: b\nContent-Length: 2\n\nxy".utf8)
        var frames: [Frame] = []
        for start in stride(from: 0, to: bytes.count, by: piece) {
            decoder.append(bytes[start..<min(start + piece, bytes.count)])
            while let frame = try decoder.next() { frames.append(frame) }
            #expect(decoder.buffered <= 100 + piece)
        }
        #expect(frames.map(\.omitted) == [5000, 0])
        #expect(frames.map(\.body) == [[], Array("xy".utf8)])
        #expect(!decoder.isInsideFrame)
    }

    @Test("A body longer than any answer of FreeSWITCH ends the stream instead of being read over")
    func endlessBody() throws {
        var decoder = FrameDecoder()
        decoder.append(Array("Content-Length: \(2 << 30)\n\n".utf8))
        #expect(throws: FrameError.bodyTooLong(length: 2 << 30, limit: FrameLimits.longestOmitted)) {
            try decoder.next()
        }
    }

    @Test("More bytes than may wait are refused")
    func overfull() throws {
        var decoder = FrameDecoder(limits: FrameLimits(headerBytes: 100, bodyBytes: 100, bufferedBytes: 300))
        for _ in 0..<4 {
            decoder.append(Array("Content-Length: 50\n\n".utf8) + [UInt8](repeating: 0, count: 50))
        }
        decoder.append(Array("Content-Length: 500\n\n".utf8))
        #expect(throws: FrameError.bufferFull(limit: 300)) { try decoder.next() }
    }

    @Test("The work grows with the bytes, not with the pieces they come in")
    func work() throws {
        let mebibyte = 1 << 20
        let header = [UInt8](repeating: UInt8(ascii: "x"), count: mebibyte)
        var decoder = FrameDecoder(limits: FrameLimits(headerBytes: 1 << 25))
        decoder.append(Array("a: ".utf8))
        for index in header.indices {
            decoder.append(header[index...index])
            if index % 7 == 0 { #expect(try decoder.next() == nil) }
        }
        decoder.append(Array("\n\n".utf8))
        #expect(try decoder.next()?.headers["a"]?.utf8.count == mebibyte)
        #expect(decoder.work < 4 * mebibyte)
    }

    @Test("A header of 16 MiB and a body of 16 MiB are looked at once")
    func large() throws {
        let size = 1 << 24
        var decoder = FrameDecoder(limits: FrameLimits(headerBytes: size + 100))
        let piece = [UInt8](repeating: UInt8(ascii: "x"), count: 1 << 14)
        decoder.append(Array("Content-Length: \(size)\na: ".utf8))
        for _ in 0..<(size / piece.count) {
            decoder.append(piece)
            #expect(try decoder.next() == nil)
        }
        decoder.append(Array("\n\n".utf8))
        for _ in 0..<(size / piece.count) {
            #expect(try decoder.next() == nil)
            decoder.append(piece)
        }
        #expect(try decoder.next()?.body.count == size)
        #expect(decoder.work < 5 * size)
        #expect(decoder.buffered == 0)
    }

    @Test("A stream of small frames in one piece is moved at most a few times")
    func manySmall() throws {
        let frame = Array("Content-Type: command/reply\nReply-Text: +OK\n\n".utf8)
        var decoder = FrameDecoder()
        var count = 0
        for _ in 0..<50 {
            decoder.append((0..<1000).flatMap { _ in frame })
            while try decoder.next() != nil { count += 1 }
        }
        #expect(count == 50_000)
        #expect(decoder.work < 3 * 50_000 * frame.count)
    }

    private func frames(_ pieces: [ArraySlice<UInt8>]) throws -> [Frame] {
        var decoder = FrameDecoder()
        var frames: [Frame] = []
        for piece in pieces {
            decoder.append(piece)
            while let frame = try decoder.next() { frames.append(frame) }
        }
        #expect(!decoder.isInsideFrame)
        return frames
    }
}
