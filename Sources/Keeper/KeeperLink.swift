import CLinux
@preconcurrency import Glibc
import KeeperProtocol

/// The keeper's end of the socket pair to its node service.
final class KeeperLink {
    enum Incoming: Equatable {
        case request(KeeperRequest)
        case malformed(HoldProtocolError)
        case nothing
        case closed
    }

    let descriptor: Int32
    private(set) var isClosed = false
    /// Reports that did not fit into the socket's buffer.
    private var waiting: [KeeperReport] = []
    private var buffer = [UInt8](repeating: 0, count: KeeperLimits.datagramBytes + 1)

    /// A node service that reads nothing for so many reports is not alive.
    private static let waitingLimit = 1024

    /// nil when the descriptor is not one end of a UNIX SOCK_SEQPACKET pair.
    init?(descriptor: Int32) {
        func option(_ name: Int32) -> Int32? {
            var value: Int32 = 0
            var length = socklen_t(MemoryLayout<Int32>.size)
            return getsockopt(descriptor, SOL_SOCKET, name, &value, &length) == 0 ? value : nil
        }
        guard option(SO_DOMAIN) == AF_UNIX, option(SO_TYPE) == Int32(SOCK_SEQPACKET.rawValue) else {
            return nil
        }
        var peer = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let isConnected = withUnsafeMutablePointer(to: &peer) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getpeername(descriptor, $0, &length) == 0 }
        }
        guard isConnected else { return nil }
        self.descriptor = descriptor
    }

    var hasWaiting: Bool { !waiting.isEmpty }

    func receive() -> Incoming {
        let count = recv(descriptor, &buffer, buffer.count, Int32(MSG_DONTWAIT))
        if count > 0 {
            do throws(HoldProtocolError) {
                return .request(try KeeperRequest(datagram: Array(buffer[..<count])))
            } catch {
                return .malformed(error)
            }
        }
        if count < 0, errno == EAGAIN || errno == EINTR { return .nothing }
        isClosed = true
        return .closed
    }

    func send(_ report: KeeperReport) {
        guard !isClosed else { return }
        waiting.append(report)
        flush()
    }

    /// Sends what waits, as far as the socket takes it.
    func flush() {
        while let report = waiting.first, !isClosed {
            let bytes = report.datagram
            let flags = Int32(MSG_DONTWAIT | MSG_NOSIGNAL)
            if Glibc.send(descriptor, bytes, bytes.count, flags) == bytes.count {
                waiting.removeFirst()
            } else if errno == EAGAIN || errno == ENOBUFS {
                if waiting.count > Self.waitingLimit { isClosed = true }
                return
            } else if errno != EINTR {
                isClosed = true
            }
        }
    }
}
