import CLab
@preconcurrency import Glibc

/// Asks one address who answers there, once a millisecond, as a caller would.
package enum Probe {
    /// Written before the first probe.
    package static let begun = "begun\n"

    /// Runs until standard input ends (at most `seconds`), then writes, after `begun`, one line a probe:
    /// `sent answered who` (boot-time nanoseconds; `0 -` when nobody answered).
    package static func run(address: String, periodMicroseconds: Int, seconds: Double) throws {
        let socket = try UDPSocket()
        try socket.connect(to: address, port: Echo.port)
        Priority.raise(55)
        var sent: [Int64] = []
        var answered: [Int64] = []
        var who: [String] = []
        let limit = Int(seconds * 1_000_000) / periodMicroseconds
        sent.reserveCapacity(limit)
        print(begun, terminator: "")
        fflush(stdout)
        let start = BootTime.now.nanoseconds
        var isEnding = false
        var index = 0
        while index < limit && !isEnding {
            let due = start + Int64(index) * Int64(periodMicroseconds) * 1000
            if BootTime.now.nanoseconds >= due {
                sent.append(BootTime.now.nanoseconds)
                answered.append(0)
                who.append("-")
                send(index, socket.descriptor)
                index += 1
            } else {
                isEnding = takeAnswers(socket.descriptor, until: due, &answered, &who)
            }
        }
        let end = BootTime.now.adding(milliseconds: 100).nanoseconds
        while BootTime.now.nanoseconds < end {
            _ = takeAnswers(socket.descriptor, until: end, &answered, &who, watchingInput: false)
        }
        var text = ""
        for index in sent.indices { text += "\(sent[index]) \(answered[index]) \(who[index])\n" }
        print(text, terminator: "")
    }

    private static func send(_ index: Int, _ socket: Int32) {
        let packet: [UInt64] = [UInt64(index), 0]
        _ = packet.withUnsafeBytes { Glibc.send(socket, $0.baseAddress, 16, Int32(MSG_DONTWAIT)) }
    }

    /// Takes answers until the instant; true when standard input ended.
    private static func takeAnswers(
        _ socket: Int32, until due: Int64, _ answered: inout [Int64], _ who: inout [String],
        watchingInput: Bool = true
    ) -> Bool {
        let left = max(0, due - BootTime.now.nanoseconds)
        var wait = timespec(tv_sec: Int(left / 1_000_000_000), tv_nsec: Int(left % 1_000_000_000))
        var polls = [
            pollfd(fd: socket, events: Int16(POLLIN), revents: 0),
            pollfd(fd: watchingInput ? 0 : -1, events: Int16(POLLIN), revents: 0),
        ]
        guard ppoll(&polls, 2, &wait, nil) > 0 else { return false }
        var buffer = [UInt8](repeating: 0, count: 256)
        while polls[0].revents != 0 {
            let count = recv(socket, &buffer, buffer.count, Int32(MSG_DONTWAIT))
            guard count > 0 else { break }
            let now = BootTime.now.nanoseconds
            guard count > 16 else { continue }
            let index = buffer.withUnsafeBytes { Int(truncatingIfNeeded: $0.load(as: UInt64.self)) }
            guard answered.indices.contains(index), answered[index] == 0 else { continue }
            answered[index] = now
            who[index] = String(decoding: buffer[16..<count], as: UTF8.self)
        }
        return polls[1].revents != 0
    }
}
