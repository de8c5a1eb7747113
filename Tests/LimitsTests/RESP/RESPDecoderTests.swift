import Limits
import Testing

@Suite("RESP decoder")
struct RESPDecoderTests {
    /// The commands found in the bytes, fed in pieces that end at the given places.
    private func decode(
        _ bytes: [UInt8], cutAt cuts: [Int], trusted: Bool = true
    ) throws(RESPFailure) -> [[String]] {
        var decoder = RESPDecoder(isTrusted: trusted)
        var commands: [[String]] = []
        var held: [UInt8] = []
        var start = 0
        for end in cuts + [bytes.count] {
            held += bytes[start..<end]
            start = end
            while let command = try step(&decoder, &held) { commands.append(command) }
        }
        return commands
    }

    private func step(_ decoder: inout RESPDecoder, _ held: inout [UInt8]) throws(RESPFailure) -> [String]? {
        var outcome: Result<Int?, RESPFailure> = .success(nil)
        held.withUnsafeBytes { bytes in
            do throws(RESPFailure) { outcome = .success(try decoder.next(bytes)) } catch {
                outcome = .failure(error)
            }
        }
        guard let count = try outcome.get() else { return nil }
        let words = decoder.arguments.map {
            String(decoding: held[$0.start..<($0.start + $0.count)], as: UTF8.self)
        }
        held.removeFirst(count)
        return words
    }

    private let stream =
        RESPClient.command(["INCR", "carrier1"])
        + Array("ping  \"two words\" 'x'\r\n\r\nget a\n*0\r\n*-1\r\n".utf8)
        + RESPClient.command(["", "a\r\nb", "expire"])
    private let words = [
        ["INCR", "carrier1"], ["ping", "two words", "x"], [], ["get", "a"], [], [], ["", "a\r\nb", "expire"],
    ]

    @Test("commands are found whole, wherever the stream is cut")
    func everySplit() throws {
        for first in 0...stream.count {
            for second in stride(from: first, through: stream.count, by: 3) {
                #expect(try decode(stream, cutAt: [first, second]) == words)
            }
        }
        #expect(try decode(stream, cutAt: Array(0..<stream.count)) == words)
    }

    @Test("half a command waits for its rest")
    func half() throws {
        for end in 1..<30 where end < RESPClient.command(["INCR", "carrier1"]).count {
            var decoder = RESPDecoder(isTrusted: true)
            var held = Array(stream[..<end])
            #expect(try step(&decoder, &held) == nil)
            #expect(decoder.isUnderWay)
        }
    }

    @Test(
        "what is no command is refused in redis's words",
        arguments: [
            ("*x\r\n", "invalid multibulk length"), ("*65\r\n", "invalid multibulk length"),
            ("*99999999999999999999999\r\n", "invalid multibulk length"),
            ("*\r\n", "invalid multibulk length"),
            ("*1\n", "invalid multibulk length"), ("*1\r\n+a\r\n", "expected '$', got '+'"),
            ("*1\r\n\u{1}", "expected '$', got a byte of value 1"), ("*1\r\n$-1\r\n", "invalid bulk length"),
            ("*1\r\n$8193\r\n", "invalid bulk length"), ("*1\r\n$x\r\n", "invalid bulk length"),
            ("*1\r\n$1\r\nab\r\n", "expected a line end after an argument"),
            ("\"a\r\n", "unbalanced quotes in request"), ("\"a\"b\r\n", "unbalanced quotes in request"),
            ("\"a\\\"b\"\r\n", "unbalanced quotes in request"),
            (String(repeating: "a", count: 1025), "too big inline request"),
            (String(repeating: "a ", count: 65) + "\r\n", "invalid multibulk length"),
            ("*" + String(repeating: "0", count: 40), "invalid multibulk length"),
        ])
    func refused(text: String, words: String) {
        for cuts in [[], Array(0..<text.utf8.count)] {
            let failure = #expect(throws: RESPFailure.self) { try decode(Array(text.utf8), cutAt: cuts) }
            #expect(failure?.description == words)
        }
    }

    @Test("a length that lies costs nothing before its bytes are there")
    func lies() throws {
        #expect(try decode(Array("*64\r\n$8192\r\n".utf8), cutAt: []) == [])
    }

    @Test("a command is at most so long")
    func length() {
        let words = Array(repeating: String(repeating: "x", count: 8000), count: 5)
        let failure = #expect(throws: RESPFailure.self) { try decode(RESPClient.command(words), cutAt: []) }
        #expect(failure == .tooLong)
    }

    @Test("who has not given the password may say less")
    func stranger() throws {
        #expect(
            throws: RESPFailure.unauthenticatedCount,
            performing: {
                try decode(Array("*11\r\n".utf8), cutAt: [], trusted: false)
            })
        #expect(
            throws: RESPFailure.unauthenticatedLength,
            performing: {
                try decode(Array("*2\r\n$5000\r\n".utf8), cutAt: [], trusted: false)
            })
        #expect(try decode(RESPClient.command(["AUTH", "x"]), cutAt: [], trusted: false) == [["AUTH", "x"]])
    }

    @Test("numbers are written as redis writes them")
    func replies() {
        var replies = RESPReplies()
        for number: UInt64 in [0, 9, 10, 407, 2_000_000_000, .max] { replies.integer(number) }
        replies.bulk(UInt64(0))
        replies.bulk(UInt64(1_203))
        replies.none()
        replies.array(2)
        replies.status("OK")
        replies.bulk("ä")
        replies.failure("ERR two\r\nlines")
        #expect(
            String(decoding: replies.bytes, as: UTF8.self)
                == ":0\r\n:9\r\n:10\r\n:407\r\n:2000000000\r\n:18446744073709551615\r\n$1\r\n0\r\n$4\r\n1203\r\n"
                + "$-1\r\n*2\r\n+OK\r\n$2\r\nä\r\n-ERR two  lines\r\n")
    }
}
