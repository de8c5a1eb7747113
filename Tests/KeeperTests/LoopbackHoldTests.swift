@preconcurrency import Glibc
import Keeper
import KeeperProtocol
import Testing

@Suite(.serialized) struct LoopbackHoldTests {
    private let address = KeeperAddress("127.86.3.9/8")!

    /// What the holder of the address answers to a datagram of `size` bytes; nil when nothing comes in time.
    private func probe(_ port: UInt16, size: Int = 4, within milliseconds: Int32 = 500) -> String? {
        let descriptor = socket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0)
        defer { close(descriptor) }
        var to = sockaddr_in()
        to.sin_family = sa_family_t(AF_INET)
        to.sin_port = port.bigEndian
        withUnsafeMutableBytes(of: &to.sin_addr) { $0.copyBytes(from: address.bytes) }
        let question = [UInt8](repeating: 1, count: size)
        withUnsafePointer(to: &to) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                _ = sendto(descriptor, question, size, 0, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        var waited = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        guard poll(&waited, 1, milliseconds) == 1 else { return nil }
        var bytes = [UInt8](repeating: 0, count: 100)
        let count = recv(descriptor, &bytes, bytes.count, 0)
        return count > 0 ? String(decoding: bytes[..<count], as: UTF8.self) : nil
    }

    @Test(
        "an address on loopback has one holder, which says its name, and the next takes it when that is gone")
    func takeover() throws {
        let port = UInt16(20_000 + getpid() % 20_000)
        let first = try KeeperUnderTest()
        let second = try KeeperUnderTest()
        for (keeper, name) in [(first, "first"), (second, "second")] {
            guard
                case .ready(0, let armed, _) = try keeper.configure(
                    .loopback(probePort: port), [address], name: name)
            else { Issue.record("not ready"); return }
            #expect(!armed.contains(.kernelLifetime))
        }
        try first.hold(address, for: 30_000, token: 1)
        guard case .held(address, 1, _, _) = try first.report() else { Issue.record("not held"); return }
        #expect(probe(port, size: 64) == "first\n")
        #expect(probe(port, size: 65, within: 100) == nil)
        try second.hold(address, for: 30_000, token: 2)
        guard case .failed(address, 2, EADDRINUSE, _) = try second.report() else {
            Issue.record("two!"); return
        }
        first.hangUp()
        guard case .held(address, 2, _, _) = try second.report() else { Issue.record("not taken"); return }
        #expect(probe(port) == "second\n")
        #expect(try first.exit() == .code(0))
        second.signal(SIGINT)
        second.signal(SIGTERM)
        guard case .released(address, 2, _, .asked) = try second.report() else {
            Issue.record("kept"); return
        }
        #expect(try second.exit() == .code(0))
    }

    @Test("a malformed request ends the keeper, and with it what it holds")
    func malformed() throws {
        let keeper = try KeeperUnderTest()
        let port = UInt16(20_000 + getpid() % 20_000)
        _ = try keeper.configure(.loopback(probePort: port), [address])
        try keeper.hold(address, for: 30_000, token: 1)
        guard case .held = try keeper.report() else { Issue.record("not held"); return }
        _ = send(keeper.process.descriptor, [1, 2, 3], 3, Int32(MSG_NOSIGNAL))
        guard case .released(address, 1, _, .asked) = try keeper.report() else {
            Issue.record("kept"); return
        }
        #expect(try keeper.exit() == .code(1))
    }
}
