import Cluster
import ControlProtocol
@preconcurrency import Glibc
import Synchronization

/// Where everything that happens off the heart's thread waits for it, in order.
final class Inbox: Sendable {
    enum Item: Sendable {
        case event(Event)
        /// A doer saw what operators should read.
        case noticed(ClusterEvent)
        /// Somebody wants to see the heartbeat paths.
        case ringsWanted(@Sendable (RingsReport) -> Void)
        /// A node told the key of its heartbeats.
        case vouched(HeartbeatVouch)
        /// An authority is trusted no more: links are made anew.
        case authorityRemoved
    }

    private struct State {
        var items: [Item] = []
        var isWoken = false
        var dropped: UInt64 = 0
    }

    /// Beyond this many waiting items, peer frames are dropped; consensus sends them again.
    static let frameLimit = 4096
    /// Readable when something waits.
    let descriptor: Int32
    private let waker: Int32
    private let state = Mutex(State())

    /// - Throws: `ServiceFailure` when the system has no descriptor left.
    init() throws(ServiceFailure) {
        var pair: [Int32] = [-1, -1]
        let kind = Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
        guard socketpair(AF_UNIX, kind, 0, &pair) == 0 else {
            throw ServiceFailure("cannot make a socket pair: \(errorText(errno))")
        }
        descriptor = pair[0]
        waker = pair[1]
    }

    deinit {
        close(descriptor)
        close(waker)
    }

    /// For answers and signals, which are never dropped: they are as many as what was asked.
    func put(_ event: Event) { put(.event(event)) }

    func put(_ item: Item) {
        let wake = state.withLock { state in
            state.items.append(item)
            defer { state.isWoken = true }
            return !state.isWoken
        }
        if wake { self.wake() }
    }

    /// For peer frames, dropped and counted when the heart does not keep up.
    func offer(_ event: Event) {
        let wake = state.withLock { state in
            guard state.items.count < Self.frameLimit else {
                state.dropped += 1
                return false
            }
            state.items.append(.event(event))
            defer { state.isWoken = true }
            return !state.isWoken
        }
        if wake { self.wake() }
    }

    var dropped: UInt64 { state.withLock { $0.dropped } }

    /// Everything that waits, oldest first.
    func take() -> [Item] {
        var byte: UInt8 = 0
        while recv(descriptor, &byte, 1, 0) > 0 {}
        return state.withLock { state in
            defer {
                state.items = []
                state.isWoken = false
            }
            return state.items
        }
    }

    private func wake() {
        var byte: UInt8 = 1
        send(waker, &byte, 1, Int32(MSG_NOSIGNAL))
    }
}

/// Why the service cannot start or go on: a sentence for the operator.
package struct ServiceFailure: Error, Hashable, Sendable, CustomStringConvertible {
    package var description: String
    /// What the process ends with: 1 refused, 2 an invalid file.
    var exitCode: Int32

    init(_ description: String, exitCode: Int32 = 1) {
        self.description = description
        self.exitCode = exitCode
    }
}
