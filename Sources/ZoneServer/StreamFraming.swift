import NIOCore

/// Cuts a TCP stream into messages: two bytes of length before each (RFC 1035 §4.2.2).
struct StreamFraming: ByteToMessageDecoder {
    typealias InboundOut = ByteBuffer

    /// What a client sent that no message can be.
    struct Failure: Error {}

    mutating func decode(
        context: ChannelHandlerContext, buffer: inout ByteBuffer
    ) throws -> DecodingState {
        guard let length = buffer.getInteger(at: buffer.readerIndex, as: UInt16.self) else {
            return .needMoreData
        }
        guard length >= 12 else { throw Failure() }
        guard let message = buffer.getSlice(at: buffer.readerIndex + 2, length: Int(length)) else {
            return .needMoreData
        }
        buffer.moveReaderIndex(forwardBy: 2 + Int(length))
        context.fireChannelRead(wrapInboundOut(message))
        return .continue
    }
}
