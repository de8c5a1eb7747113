import Cluster
import Consensus
import Dispatch
import Glibc
import NIOCore
import Primitives
import Synchronization

@testable import Daemon

/// Collects what another thread says and lets a test wait for it, with a deadline instead of a sleep.
final class Mailbox<Value: Sendable>: Sendable {
    private let values = Mutex<[Value]>([])
    private let arrivals = DispatchSemaphore(value: 0)

    func put(_ value: Value) {
        values.withLock { $0.append(value) }
        arrivals.signal()
    }

    /// The oldest value not taken yet; nil when none came in time.
    func next(within seconds: Double = 20) -> Value? {
        guard arrivals.wait(timeout: .now() + seconds) == .success else { return nil }
        return values.withLock { $0.removeFirst() }
    }

    var isEmpty: Bool { values.withLock { $0.isEmpty } }

    /// Whether there is a value, or comes one in time; it stays.
    func waits(within seconds: Double) -> Bool {
        guard arrivals.wait(timeout: .now() + seconds) == .success else { return false }
        arrivals.signal()
        return true
    }

    /// The next value that fits; others are let go.
    func next(within seconds: Double = 20, where fits: (Value) -> Bool) -> Value? {
        while let value = next(within: seconds) {
            if fits(value) { return value }
        }
        return nil
    }
}

/// A directory of a test's own, removed when the test ends.
final class TemporaryDirectory {
    let path: String

    init() {
        var template = Array("/tmp/fsdns-test-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { preconditionFailure("no temporary directory") }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit { remove(path) }

    private func remove(_ path: String) {
        if let directory = opendir(path) {
            while let entry = readdir(directory) {
                let name = withUnsafePointer(to: entry.pointee.d_name) {
                    $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
                }
                if name != ".", name != ".." { remove("\(path)/\(name)") }
            }
            closedir(directory)
        }
        Glibc.remove(path)
    }
}

extension EventLog {
    /// Says nothing to anybody.
    static let silent = EventLog(to: open("/dev/null", O_WRONLY | O_CLOEXEC))
}

extension PeerLinks {
    /// A new heartbeat of that node was opened, whose links are called there.
    func heard(_ holder: Holder, at remote: Endpoint, isTold: Bool = true) {
        guard let ip = IPAddress("127.0.0.1") else { return }
        let way = PeerWay(remote: remote, local: Endpoint(ip: ip, port: 0))
        heard(PeerSighting(holder: holder, ways: [way], isTold: isTold))
    }

    /// Where it listens, once it does; nil when it does not in time.
    func listen(at endpoint: Endpoint, besides all: [Endpoint] = [], within limit: Duration) -> Endpoint? {
        listen(at: all.isEmpty ? [endpoint] : all)
        let clock = ContinuousClock()
        let end = clock.now + limit
        // Each question goes to the links' own thread and back.
        while clock.now < end {
            if let place = listening().first(where: { $0.ip == endpoint.ip }) { return place }
        }
        return nil
    }

    /// The address of this end of the link that comes in from there.
    func ring(from member: MemberID) -> IPAddress? {
        let address = try? loop.submit {
            self.state.value.incoming.first { $0.member == member }?.channel.localAddress
        }.wait()
        return (address ?? nil).flatMap(Endpoint.init)?.ip
    }
}
