import EventSocket
import Testing

@Suite struct FrameDecoderTests {
    @Test("A half frame waits for its rest")
    func halfFrame() throws {
        var decoder = FrameDecoder()
        decoder.append(Array("Content-Length: 3\nContent-Type: api/response\n\nab".utf8))
        #expect(try decoder.next() == nil)
        decoder.append(Array("c".utf8))
        #expect(try decoder.next()?.body == Array("abc".utf8))
        #expect(try decoder.next() == nil)
    }
}
