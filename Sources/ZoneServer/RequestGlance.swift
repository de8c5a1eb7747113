/// What can be told of a request from its bytes as they lie there, in bounded time, without memory of its own.
enum RequestGlance {
    static let headerLength = 12
    private static let nameLimit = 255
    /// A TSIG record's type, class and TTL (RFC 8945 §4.2).
    private static let signatureMark: [UInt8] = [0, 250, 0, 255, 0, 0, 0, 0]
    /// A TSIG record is the last, and no longer than this after its mark.
    private static let signatureReach = 512

    /// Whether it deserves any answer: a whole header, and no reply itself.
    static func isRequest(_ bytes: UnsafeRawBufferPointer) -> Bool {
        bytes.count >= headerLength && bytes[2] & 0x80 == 0
    }

    /// Whether there may be a signature; false only where no valid one is.
    static func mayBeSigned(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard bytes.count > headerLength + signatureMark.count, bytes[10] | bytes[11] != 0 else {
            return false
        }
        let start = max(headerLength, bytes.count - signatureReach)
        return (start...(bytes.count - signatureMark.count)).contains { place in
            bytes[place + 1] == signatureMark[1]
                && signatureMark.indices.allSatisfy { bytes[place + $0] == signatureMark[$0] }
        }
    }

    /// Writes "ask again by TCP" (TC) with the question, which is never longer than the request; returns its length, nil for
    /// what is no query of one question.
    static func truncatedReply(
        to bytes: UnsafeRawBufferPointer, into reply: UnsafeMutableRawBufferPointer
    ) -> Int? {
        guard isRequest(bytes), bytes[2] & 0x78 == 0, bytes[4] == 0, bytes[5] == 1 else { return nil }
        var end = headerLength
        while end < bytes.count, bytes[end] != 0 {
            guard bytes[end] < 64 else { return nil }
            end += 1 + Int(bytes[end])
        }
        // The root's length, type and class.
        end += 5
        guard end <= bytes.count, end <= headerLength + nameLimit + 4, end <= reply.count else { return nil }
        reply.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[..<end]))
        // QR and TC, with the client's wish for recursion.
        reply[2] = 0x82 | bytes[2] & 0x01
        reply[3] = 0
        for place in 6..<headerLength { reply[place] = 0 }
        return end
    }
}
