import CLinux
@preconcurrency import Glibc
import KeeperProtocol

/// Stands in for interfaces where there are no privileges: holding an address is owning its UDP socket.
///
/// The kernel lets one socket only own (address, port), so two processes can never hold an address at once,
/// and whoever sends a small datagram there learns the holder's name.
final class LoopbackAddresses: AddressPlace {
    private let probePort: UInt16
    private let answer: [UInt8]
    private var owned: [(address: KeeperAddress, descriptor: Int32)] = []

    /// Longer datagrams are not answered.
    private static let longestProbe = 64

    init(probePort: UInt16, nodeName: String) {
        self.probePort = probePort
        answer = Array("\(nodeName)\n".utf8)
    }

    deinit {
        for entry in owned { close(entry.descriptor) }
    }

    var descriptors: [Int32] { owned.map(\.descriptor) }

    func manage(_ addresses: [KeeperAddress]) {}

    var hasLeisureWork: Bool { false }

    func doLeisureWork() {}

    func finish() {}

    /// Sockets of a dead predecessor died with it.
    func present() throws(SystemFailure) -> [KeeperAddress] { [] }

    func add(_ address: KeeperAddress) -> Holdings.Event {
        if owned.contains(where: { $0.address == address }) { return .added(address, isNew: false) }
        let kind = Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
        let descriptor = socket(address.family == .v4 ? AF_INET : AF_INET6, kind, 0)
        guard descriptor >= 0 else { return failure(address, SystemFailure("socket")) }
        guard bind(descriptor, to: address) == 0 else {
            let failure = SystemFailure("bind \(address) port \(probePort)")
            close(descriptor)
            return self.failure(address, failure)
        }
        owned.append((address, descriptor))
        return .added(address, isNew: true)
    }

    func refresh(_ address: KeeperAddress) {}

    func remove(_ address: KeeperAddress) -> Holdings.Event {
        for entry in owned where entry.address == address { close(entry.descriptor) }
        owned.removeAll { $0.address == address }
        return .removed(address)
    }

    func announce(_ address: KeeperAddress) -> Holdings.Event { .announced(address) }

    /// Answers one probe; the rest wait until the holds have been looked at again.
    func read(_ descriptor: Int32) -> [Holdings.Event] {
        var probe = [UInt8](repeating: 0, count: Self.longestProbe + 1)
        var from = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        withUnsafeMutablePointer(to: &from) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { from in
                let count = recvfrom(descriptor, &probe, probe.count, 0, from, &length)
                guard count >= 0, count <= Self.longestProbe else { return }
                _ = sendto(descriptor, answer, answer.count, 0, from, length)
            }
        }
        return []
    }

    private func failure(_ address: KeeperAddress, _ failure: SystemFailure) -> Holdings.Event {
        .addFailed(address, errno: failure.errno, text: failure.text)
    }

    private func bind(_ descriptor: Int32, to address: KeeperAddress) -> Int32 {
        switch address.family {
        case .v4:
            var to = sockaddr_in()
            to.sin_family = sa_family_t(AF_INET)
            to.sin_port = probePort.bigEndian
            withUnsafeMutableBytes(of: &to.sin_addr) { $0.copyBytes(from: address.bytes) }
            return withUnsafePointer(to: &to) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    Glibc.bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
                }
            }
        case .v6:
            var to = sockaddr_in6()
            to.sin6_family = sa_family_t(AF_INET6)
            to.sin6_port = probePort.bigEndian
            withUnsafeMutableBytes(of: &to.sin6_addr) { $0.copyBytes(from: address.bytes) }
            return withUnsafePointer(to: &to) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    Glibc.bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in6>.size))
                }
            }
        }
    }
}
