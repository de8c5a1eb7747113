import CLab
@preconcurrency import Glibc

/// Asks a name server for the addresses of one name without pause and writes down every change of the answer.
package enum ZoneWatch {
    /// Runs until killed; one line a change on standard output: `nanoseconds address,address,…` (boot time
    /// when the
    /// first answer with them arrived; sorted; `-` for none).
    package static func run(server: String, name: String, periodMicroseconds: UInt32) throws -> Never {
        let socket = try UDPSocket()
        try socket.connect(to: server, port: 53)
        Priority.raise(55)
        var last: String?
        var id: UInt16 = 0
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
            id &+= 1
            let question = question(name, id)
            _ = send(socket.descriptor, question, question.count, 0)
            var polls = [pollfd(fd: socket.descriptor, events: Int16(POLLIN), revents: 0)]
            while poll(&polls, 1, 200) > 0 {
                let count = recv(socket.descriptor, &buffer, buffer.count, 0)
                let now = BootTime.now
                guard count >= 12, buffer[0] == UInt8(id >> 8), buffer[1] == UInt8(id & 0xff) else {
                    continue
                }
                let answer = addresses(in: Array(buffer[..<count])).sorted().joined(separator: ",")
                if answer != last { say("\(now.nanoseconds) \(answer.isEmpty ? "-" : answer)\n") }
                last = answer
                break
            }
            usleep(periodMicroseconds)
        }
    }

    /// A query for type A, class IN (RFC 1035 §4.1).
    static func question(_ name: String, _ id: UInt16) -> [UInt8] {
        var bytes: [UInt8] = [UInt8(id >> 8), UInt8(id & 0xff), 0, 0, 0, 1, 0, 0, 0, 0, 0, 0]
        for label in name.split(separator: ".") { bytes += [UInt8(label.utf8.count)] + Array(label.utf8) }
        return bytes + [0, 0, 1, 0, 1]
    }

    static func addresses(in bytes: [UInt8]) -> [String] { records(in: bytes).map(\.address) }

    /// The A records of the answer section, with their TTLs in seconds; what does not parse ends the reading.
    static func records(in bytes: [UInt8]) -> [(address: String, ttl: Int)] {
        func number(_ offset: Int) -> Int { Int(bytes[offset]) << 8 | Int(bytes[offset + 1]) }
        func afterName(_ start: Int) -> Int? {
            var offset = start
            while offset < bytes.count {
                if bytes[offset] == 0 { return offset + 1 }
                if bytes[offset] >= 0xc0 { return offset + 2 }
                offset += 1 + Int(bytes[offset])
            }
            return nil
        }
        guard bytes.count >= 12, var offset = afterName(12) else { return [] }
        offset += 4
        var found: [(address: String, ttl: Int)] = []
        for _ in 0..<number(6) {
            guard let fixed = afterName(offset), fixed + 10 <= bytes.count else { break }
            let end = fixed + 10 + number(fixed + 8)
            guard end <= bytes.count else { break }
            if number(fixed) == 1, end == fixed + 14 {
                let address = bytes[(fixed + 10)..<end].map { "\($0)" }.joined(separator: ".")
                found.append((address, number(fixed + 4) << 16 | number(fixed + 6)))
            }
            offset = end
        }
        return found
    }
}
