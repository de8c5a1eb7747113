/// FreeSWITCH's URL-encoding of event values (switch_utils.c: switch_url_encode, switch_url_decode).
package enum URLCoding {
    /// Bytes written as `%XX`: all but printable ASCII, and SWITCH_URL_UNSAFE of switch_utils.h.
    private static let isUnsafe: [Bool] = {
        let unsafe = Set(" #%&+:;<=>?@[\\]^`{|}\"".utf8)
        return (0...UInt8.max).map { $0 < 0x20 || $0 > 0x7E || unsafe.contains($0) }
    }()
    private static let hex = Array("0123456789ABCDEF".utf8)

    /// Every `%` is encoded, so that decoding gives the value back.
    ///
    /// - Parameter keepsEscapes: a `%` that two hexadecimal digits in capitals follow is left alone, as FreeSWITCH does, which
    ///   a reader cannot tell from its own encoding.
    package static func encode(_ value: String, keepsEscapes: Bool = false, into bytes: inout [UInt8]) {
        var value = value
        value.withUTF8 { value in
            isUnsafe.withUnsafeBufferPointer { isUnsafe in
                var start = 0
                for at in 0..<value.count where isUnsafe[Int(value[at])] {
                    if keepsEscapes, value[at] == UInt8(ascii: "%"), value.count - at > 2,
                        hex.contains(value[at + 1]), hex.contains(value[at + 2])
                    {
                        continue
                    }
                    bytes.append(contentsOf: value[start..<at])
                    bytes.append(UInt8(ascii: "%"))
                    bytes.append(hex[Int(value[at] >> 4)])
                    bytes.append(hex[Int(value[at] & 15)])
                    start = at + 1
                }
                bytes.append(contentsOf: value[start...])
            }
        }
    }

    package static func encode(_ value: String, keepsEscapes: Bool = false) -> String {
        var bytes: [UInt8] = []
        encode(value, keepsEscapes: keepsEscapes, into: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }

    /// A `%` that two hexadecimal digits do not follow stands for itself; `+` is a plus.
    package static func decode(_ value: String) -> String {
        var value = value
        return value.withUTF8 { decode($0) }
    }

    /// One pass into the string's own memory.
    static func decode(_ bytes: UnsafeBufferPointer<UInt8>) -> String {
        String(unsafeUninitializedCapacity: bytes.count) { target in
            var at = 0
            var count = 0
            while at < bytes.count {
                var byte = bytes[at]
                if byte == UInt8(ascii: "%"), bytes.count - at > 2, let high = digit(bytes[at + 1]),
                    let low = digit(bytes[at + 2])
                {
                    byte = high << 4 | low
                    at += 2
                }
                target[count] = byte
                count += 1
                at += 1
            }
            return count
        }
    }

    static func digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}
