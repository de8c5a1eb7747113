import Cluster
import Crypto
import FoundationEssentials

/// Opens the heartbeats of all others and tells the second copy of one from the first.
package struct HeartbeatOpener: Sendable {
    /// A heartbeat that is what it says.
    package struct Opened: Hashable, Sendable {
        package var heartbeat: Heartbeat
        /// Whether it had not been opened before; the same datagram comes once over every network.
        package var isNew: Bool
        /// The start of a service that sealed it.
        package var session: HeartbeatSession
        /// Of its session; what is missing between two was lost on the way.
        package var counter: UInt64
    }

    /// What the clear head of a datagram says, before anything is opened.
    package enum Glance: Hashable, Sendable {
        /// It cannot be opened.
        case foreign(FrameFailure)
        /// This very counter of a known session came over this network already.
        case copy
        /// Of a session that was opened before.
        case known
        /// Of a session never opened: its key must be derived first.
        case unknown
    }

    /// What is remembered of one session.
    private struct Known {
        var key: SymmetricKey
        /// Over all networks.
        var window = ReplayWindow()
        /// Over each of them.
        var windows: [ReplayWindow] = []
        var lastUse: UInt64

        mutating func see(_ counter: UInt64, over network: Int) {
            while windows.count <= network { windows.append(ReplayWindow()) }
            _ = windows[network].accept(counter)
        }
    }

    /// Shorter datagrams are no sealed heartbeats.
    package static let shortest = HeartbeatHeader.length + HeartbeatHeader.tagLength
    /// Twice the nodes there can be: a restarted node has two for a while.
    private static let rememberedSessions = 2 * Limits.nodes
    /// Networks told apart, each with its multicast and its unicast; those beyond share one window.
    private static let networkLimit = 16
    private let clusterKey: ClusterKey
    /// The session of each of `known`, side by side: looked through for every datagram.
    private var sessions: [HeartbeatSession] = []
    private var known: [Known] = []
    private var uses: UInt64 = 0

    package init(key: ClusterKey) { clusterKey = key }

    /// Looks at the head alone; costs next to nothing, remembers nothing and allocates nothing.
    ///
    /// - Parameter network: which of the networks it came over, counted from 0.
    package func glance(at datagram: UnsafeRawBufferPointer, network: Int = 0) -> Glance {
        let header: HeartbeatHeader
        do throws(FrameFailure) {
            header = try checkedHeader(of: datagram)
        } catch {
            return .foreign(error)
        }
        guard let place = place(of: header.session) else { return .unknown }
        let network = min(network, Self.networkLimit - 1)
        let windows = known[place].windows
        return network < windows.count && windows[network].hasSeen(header.counter) ? .copy : .known
    }

    private func checkedHeader(
        of datagram: UnsafeRawBufferPointer
    ) throws(FrameFailure) -> HeartbeatHeader {
        guard datagram.count <= FrameLimits.longestHeartbeat else { throw .tooLong(datagram.count) }
        let header = try HeartbeatHeader(datagram)
        guard header.clusterHash == clusterKey.clusterHash else { throw .otherCluster }
        guard header.keyID == clusterKey.keyID else { throw .wrongKey }
        return header
    }

    private func place(of session: HeartbeatSession) -> Int? {
        for place in sessions.indices where sessions[place] == session { return place }
        return nil
    }

    /// - Parameter network: which of the networks it came over, counted from 0.
    /// - Throws: what is wrong with the datagram; nothing is remembered of one that does not open.
    package mutating func open(
        _ datagram: UnsafeRawBufferPointer, network: Int = 0
    ) throws(FrameFailure) -> Opened {
        let header = try checkedHeader(of: datagram)
        let place = place(of: header.session)
        let key = place.map { known[$0].key } ?? clusterKey.sessionKey(header.session)
        let heartbeat = try HeartbeatCodec.decode(try Self.body(of: datagram, key))
        uses += 1
        let isNew = remember(header, key, at: place, network: min(network, Self.networkLimit - 1))
        return Opened(
            heartbeat: heartbeat, isNew: isNew, session: header.session, counter: header.counter)
    }

    package mutating func open(_ datagram: [UInt8], network: Int = 0) throws(FrameFailure) -> Opened {
        let result = datagram.withUnsafeBytes { bytes -> Result<Opened, FrameFailure> in
            do throws(FrameFailure) {
                return .success(try open(bytes, network: network))
            } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }

    private static func body(
        of datagram: UnsafeRawBufferPointer, _ key: SymmetricKey
    ) throws(FrameFailure) -> [UInt8] {
        do {
            // The counter stands before the ciphertext: with four zeros it is the nonce, in one buffer.
            var combined = Data(datagram[(HeartbeatHeader.counterStart - 4)...])
            combined.resetBytes(in: combined.startIndex..<(combined.startIndex + 4))
            let box = try ChaChaPoly.SealedBox(combined: combined)
            let head = UnsafeRawBufferPointer(rebasing: datagram[..<HeartbeatHeader.length])
            return Array(try ChaChaPoly.open(box, using: key, authenticating: head))
        } catch {
            throw .forged
        }
    }

    private mutating func remember(
        _ header: HeartbeatHeader, _ key: SymmetricKey, at place: Int?, network: Int
    ) -> Bool {
        if let place {
            known[place].lastUse = uses
            known[place].see(header.counter, over: network)
            return known[place].window.accept(header.counter)
        }
        if known.count == Self.rememberedSessions,
            let oldest = known.indices.min(by: { known[$0].lastUse < known[$1].lastUse })
        {
            known.remove(at: oldest)
            sessions.remove(at: oldest)
        }
        var fresh = Known(key: key, lastUse: uses)
        fresh.see(header.counter, over: network)
        _ = fresh.window.accept(header.counter)
        known.append(fresh)
        sessions.append(header.session)
        return true
    }
}

/// Which of the last 64 counters of a session were seen (RFC 4303 §3.4.3); older ones count as seen.
struct ReplayWindow: Hashable, Sendable {
    private var newest: UInt64 = 0
    /// Bit `n` stands for `newest - n`.
    private var seen: UInt64 = 0

    func hasSeen(_ counter: UInt64) -> Bool {
        if counter > newest { return false }
        let back = newest - counter
        return back >= 64 || seen & (1 << back) != 0
    }

    /// Whether this counter is seen for the first time.
    mutating func accept(_ counter: UInt64) -> Bool {
        if hasSeen(counter) { return false }
        if counter > newest {
            let step = counter - newest
            seen = step < 64 ? seen << step | 1 : 1
            newest = counter
        } else {
            seen |= 1 << (newest - counter)
        }
        return true
    }
}
