@preconcurrency import Glibc

/// A SIP message as the lab's phones read it: its first line and its headers, nothing checked.
struct SIPText {
    let start: Substring
    private let lines: [Substring]

    init(_ text: String) {
        let lines = text.split(separator: "\r\n", omittingEmptySubsequences: false)
        start = lines.first ?? ""
        self.lines = Array(lines.dropFirst().prefix { !$0.isEmpty })
    }

    /// Of a response; nil of a request.
    var status: Int? { start.hasPrefix("SIP/2.0 ") ? Int(start.dropFirst(8).prefix { $0.isNumber }) : nil }
    var method: String { String(start.prefix { $0 != " " }) }

    /// The header's value; the first, when there are more.
    func header(_ name: String) -> String {
        lines.first { $0.hasPrefix(name + ": ") }.map { String($0.dropFirst(name.count + 2)) } ?? ""
    }

    /// Number and method.
    var sequence: (number: Int, method: String) {
        let words = header("CSeq").split(separator: " ")
        return (words.first.flatMap { Int($0) } ?? 0, words.last.map(String.init) ?? "")
    }

    /// The 200 to this request, with these lines more before its body.
    func accepted(_ more: [String] = [], body: String = "", toTag: String = "phone") -> String {
        let copied = ["Via", "Record-Route"].flatMap { name in lines.filter { $0.hasPrefix(name + ": ") } }
        let to = header("To")
        let head =
            ["SIP/2.0 200 OK"] + copied.map(String.init) + ["From: " + header("From")]
            + ["To: " + (to.contains(";tag=") ? to : to + ";tag=" + toTag)]
            + ["Call-ID: " + header("Call-ID"), "CSeq: " + header("CSeq")] + more
            + ["Content-Length: \(body.utf8.count)"]
        return head.joined(separator: "\r\n") + "\r\n\r\n" + body
    }
}

extension UDPSocket {
    struct Datagram {
        var text: String
        var source: sockaddr_in
    }

    /// One datagram that is there already; nil when there is none.
    func receive() -> Datagram? {
        var buffer = [UInt8](repeating: 0, count: 65_536)
        var source = sockaddr_in()
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let count = withUnsafeMutablePointer(to: &source) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                recvfrom(descriptor, &buffer, buffer.count, Int32(MSG_DONTWAIT), $0, &size)
            }
        }
        guard count > 0 else { return nil }
        return Datagram(text: String(decoding: buffer[..<count], as: UTF8.self), source: source)
    }

    func send(_ text: String, to address: sockaddr_in) {
        var address = address
        let bytes = Array(text.utf8)
        withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                _ = sendto(
                    descriptor, bytes, bytes.count, Int32(MSG_DONTWAIT), $0,
                    socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
    }
}
