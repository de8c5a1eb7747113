import DNSMessages
import Glibc
import Primitives
import Synchronization
import Testing
import ZoneServer

@testable import Daemon

/// A name server on 127.0.0.1 with the real zone answers of `ZoneResponder` and any mood a test wishes.
final class MoodyServer: Sendable {
    enum Mood: Hashable, Sendable {
        case helpful
        /// Nothing by UDP, so that TCP is needed.
        case deafByUDP
        case silent
        /// Every answer without its last byte.
        case half
        /// Answers by UDP have the TC bit.
        case truncating
        /// Not authoritative.
        case forwarding
        case code(ResponseCode)
        /// Updates are done, but the answer is lost.
        case forgetful
        /// Answers are signed by somebody else.
        case forging
        /// Before each answer comes one by UDP that says BADKEY, from nobody knows whom.
        case spoofed
        /// Signed questions are answered with BADKEY.
        case ignorant
    }

    private struct State {
        var responder: ZoneResponder
        var mood = Mood.helpful
    }

    let endpoint: Endpoint
    private let datagrams: Int32
    private let listener: Int32
    private let state: Mutex<State>

    init(_ responder: ZoneResponder) throws {
        state = Mutex(State(responder: responder))
        (listener, datagrams, endpoint) = try Self.open()
        startThread { [self] in serveDatagrams() }
        startThread { [self] in serveStreams() }
    }

    /// One port by both transports: what is free by TCP may be somebody's by UDP, and another is tried.
    private static func open() throws -> (listener: Int32, datagrams: Int32, Endpoint) {
        let local = try #require(IPAddress("127.0.0.1"))
        let any = Endpoint(ip: local, port: 0)
        for _ in 0..<16 {
            let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
            let datagrams = socket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0)
            try #require(any.withSocketAddress { bind(listener, $0, $1) } == 0)
            try #require(listen(listener, 16) == 0)
            var name = sockaddr_in()
            var length = socklen_t(MemoryLayout<sockaddr_in>.size)
            withUnsafeMutablePointer(to: &name) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    _ = getsockname(listener, $0, &length)
                }
            }
            let endpoint = Endpoint(ip: local, port: UInt16(bigEndian: name.sin_port))
            if endpoint.withSocketAddress({ bind(datagrams, $0, $1) }) == 0 {
                return (listener, datagrams, endpoint)
            }
            close(listener)
            close(datagrams)
        }
        throw NoPort()
    }

    private struct NoPort: Error {}

    /// Wakes both threads, which then end.
    func stop() {
        state.withLock { $0.mood = .silent }
        shutdown(listener, Int32(SHUT_RDWR))
        shutdown(datagrams, Int32(SHUT_RDWR))
    }

    func be(_ mood: Mood) { state.withLock { $0.mood = mood } }

    /// Whether waiting longer would bring nothing.
    var isQuiet: Bool {
        state.withLock { [.silent, .half, .forgetful, .forging].contains($0.mood) }
    }

    var isDeafByUDP: Bool { state.withLock { $0.mood == .deafByUDP } }

    var zone: Zone { state.withLock { $0.responder.zone } }

    private func answer(_ bytes: [UInt8], _ transport: ZoneResponder.Transport) -> [UInt8]? {
        state.withLock { state -> [UInt8]? in
            let now = WallClock.seconds() + (state.mood == .forging ? 1 : 0)
            guard state.mood != .silent, !(state.mood == .deafByUDP && transport == .udp),
                var reply = state.responder.respond(
                    to: bytes, over: transport, fromLoopback: true, at: now
                ).first
            else { return nil }
            switch state.mood {
            case .ignorant where bytes[2] >> 3 == 0: return Self.badKey(bytes) ?? reply
            case .half: reply.removeLast()
            case .truncating where transport == .udp: reply[2] |= 0x02
            case .forwarding: reply[2] &= ~0x04
            case .code(let code): reply[3] = reply[3] & 0xF0 | UInt8(truncatingIfNeeded: code.code)
            case .forging: reply[reply.count - 12] ^= 1
            case .forgetful where bytes[2] >> 3 == 5: return nil
            default: break
            }
            return reply
        }
    }

    /// What a server without the key says to a signed message; nil for an unsigned one.
    private static func badKey(_ bytes: [UInt8]) -> [UInt8]? {
        guard let scan = try? PacketScan(bytes), let signature = scan.signature,
            let request = try? DNSMessage(wire: scan.unsigned), let wire = try? request.reply(.notAuth).wire()
        else { return nil }
        return TSIGKey.appendError(.badKey, to: wire, answering: signature)
    }

    private var isSpoofed: Bool { state.withLock { $0.mood == .spoofed } }

    private func serveDatagrams() {
        var buffer = [UInt8](repeating: 0, count: 65_535)
        while true {
            var name = sockaddr_storage()
            var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
            let count = withUnsafeMutablePointer(to: &name) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    recvfrom(datagrams, &buffer, 65_535, 0, $0, &length)
                }
            }
            guard count > 0 else { break }
            guard let reply = answer(Array(buffer[..<count]), .udp) else { continue }
            let first = isSpoofed ? Self.badKey(Array(buffer[..<count])) : nil
            for reply in (first.map { [$0] } ?? []) + [reply] {
                withUnsafeMutablePointer(to: &name) {
                    $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                        _ = sendto(datagrams, reply, reply.count, 0, $0, length)
                    }
                }
            }
        }
        close(datagrams)
    }

    private func serveStreams() {
        while case let client = accept(listener, nil, nil), client >= 0 {
            startThread { [self] in serveStream(client) }
        }
        close(listener)
    }

    private func serveStream(_ client: Int32) {
        defer { close(client) }
        while true {
            guard let head = read(2, from: client),
                let bytes = read(Int(head[0]) << 8 | Int(head[1]), from: client),
                let reply = answer(bytes, .tcp)
            else { return }
            let framed = [UInt8(reply.count >> 8), UInt8(truncatingIfNeeded: reply.count)] + reply
            guard send(client, framed, framed.count, Int32(MSG_NOSIGNAL)) == framed.count else { return }
        }
    }

    private func read(_ count: Int, from client: Int32) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: count)
        return recv(client, &bytes, count, Int32(MSG_WAITALL)) == count ? bytes : nil
    }
}
