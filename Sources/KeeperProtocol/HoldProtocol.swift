import Primitives

/// What the node service asks of the keeper, one datagram each over the socket pair.
package enum KeeperRequest: Equatable, Sendable {
    /// A part of the configuration; the keeper acts on it once the last part is in, and answers `ready`.
    case configure(KeeperConfiguration.Part)
    /// Hold the address until that instant. Renewals repeat the token; a new token is answered anew.
    case hold(KeeperAddress, until: Instant, token: UInt64)
    /// Let go of the address now; always answered by `released`, also when it was not held.
    case release(KeeperAddress, token: UInt64)
    /// Tell the neighbours again who has this address (after a conflict); ignored when not held.
    case announce(KeeperAddress)
}

/// What the keeper tells the node service, one datagram each over the socket pair.
package enum KeeperReport: Equatable, Sendable {
    /// Configured; `holding` counts the managed addresses on the machine (0 on start: leftovers are removed
    /// before).
    case ready(holding: UInt16, armed: KeeperArms, version: UInt8)
    /// Newly added (not sent at a renewal). `announcedAt` is nil when no announcement could be sent yet.
    case held(KeeperAddress, token: UInt64, at: Instant, announcedAt: Instant?)
    /// No longer on the machine.
    case released(KeeperAddress, token: UInt64, at: Instant, cause: ReleaseCause)
    /// A request could not be done (yet). After a valid `hold` the keeper goes on trying until the hold ends,
    /// then reports `released`; a refused `hold` (too late, not managed, being removed) is not tried again.
    case failed(KeeperAddress, token: UInt64, errno: Int32, text: String)
    /// Another machine says that it has the address, which is held here; told again as long as it does, at most four times
    /// a second. `hardware` is its Ethernet address as a number.
    case contested(KeeperAddress, token: UInt64, hardware: UInt64)
    /// Whether a guard would remove what this keeper does not; said when it changes, and when it is so from the start that
    /// there is none.
    case guarded(Bool)
}

/// Why an address was let go.
package enum ReleaseCause: UInt8, Sendable, Equatable {
    /// The node service asked for it, or the keeper was told to end.
    case asked = 1
    /// The hold's instant passed without a renewal.
    case expired = 2
    /// The node service's end of the socket closed.
    case peerGone = 3
    /// The kernel dropped the address and it could not be added again at once.
    case lost = 4
}

/// Which protections against a stuck holder this keeper really has.
package struct KeeperArms: OptionSet, Sendable, Hashable {
    package let rawValue: UInt8
    package init(rawValue: UInt8) { self.rawValue = rawValue }

    /// `mlockall` succeeded: no page fault from swap delays a removal.
    package static let memoryLocked = KeeperArms(rawValue: 1)
    /// Runs SCHED_RR.
    package static let realtime = KeeperArms(rawValue: 2)
    /// Addresses carry a kernel lifetime of 1 s: they go even when the keeper is frozen or killed.
    package static let kernelLifetime = KeeperArms(rawValue: 4)
}

/// How addresses are held: on a real interface, or as sockets on loopback where there are no privileges.
package enum KeeperMode: Equatable, Sendable {
    /// Add to the interface whose network contains the address, by rtnetlink.
    case kernel
    /// Own the UDP socket (address, probePort) and answer each small datagram with the node's name.
    case loopback(probePort: UInt16)
}

/// All a keeper must know before it can hold anything.
package struct KeeperConfiguration: Equatable, Sendable {
    package let mode: KeeperMode
    /// The name that loopback answers carry; at most 63 UTF-8 bytes.
    package let nodeName: String
    /// Sorted, without repeats, at most 256: the only addresses this keeper will ever add or remove.
    package let managed: [KeeperAddress]

    /// nil when there are more than 256 addresses, one address stands with two prefix lengths, or the name is
    /// empty or longer than 63 bytes.
    package init?(mode: KeeperMode, nodeName: String, managed: [KeeperAddress]) {
        let sorted = managed.sorted()
        var unique: [KeeperAddress] = []
        for address in sorted where unique.last != address {
            if let last = unique.last, last.isSameHost(as: address) { return nil }
            unique.append(address)
        }
        guard unique.count <= KeeperLimits.managedAddresses else { return nil }
        guard (1...KeeperLimits.nodeNameBytes).contains(nodeName.utf8.count) else { return nil }
        self.mode = mode
        self.nodeName = nodeName
        self.managed = unique
    }

    /// One datagram's worth of a configuration.
    package struct Part: Equatable, Sendable {
        package let mode: KeeperMode
        package let nodeName: String
        /// At most 22.
        package let managed: [KeeperAddress]
        package let isLast: Bool

        package init(mode: KeeperMode, nodeName: String, managed: [KeeperAddress], isLast: Bool) {
            self.mode = mode
            self.nodeName = nodeName
            self.managed = managed
            self.isLast = isLast
        }
    }

    /// The requests that carry this configuration, to be sent in this order.
    package var requests: [KeeperRequest] {
        var requests: [KeeperRequest] = []
        var rest = managed[...]
        repeat {
            let some = Array(rest.prefix(KeeperLimits.addressesPerPart))
            rest = rest.dropFirst(some.count)
            let part = Part(mode: mode, nodeName: nodeName, managed: some, isLast: rest.isEmpty)
            requests.append(.configure(part))
        } while !rest.isEmpty
        return requests
    }
}

/// The bounds of the keeper's protocol and work.
package enum KeeperLimits {
    /// Every datagram has exactly this many bytes.
    package static let datagramBytes = 512
    package static let managedAddresses = 256
    package static let addressesPerPart = 22
    package static let nodeNameBytes = 63
    package static let failureTextBytes = 200
    /// Nanoseconds (60 s). A hold further in the future is refused: leases are renewed, not granted long.
    package static let longestHold: Int64 = 60_000_000_000
}
