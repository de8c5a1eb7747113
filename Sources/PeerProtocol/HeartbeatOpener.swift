import Cluster
import Crypto
import FoundationEssentials

/// Opens the heartbeats of all others and tells the second copy of one from the first; where proof is asked for, also those
/// of the node they name from those of somebody who only has the cluster's key.
package struct HeartbeatOpener: Sendable {
    /// Whether a heartbeat is of the node that it names.
    package enum Proof: Hashable, Sendable {
        /// Whoever has the cluster's key is believed.
        case notAsked
        /// Its node told over a link the key by which it is signed.
        case proven
        /// Nobody told a key for its session. Its counter is not recorded.
        case missing
        /// A key was told for its session, not by that node or not the one it is signed by.
        case wrong
        /// Its counter came already, and it is not known as a copy of that one.
        case stale
    }

    /// A heartbeat sealed by somebody with the cluster's key.
    package struct Opened: Hashable, Sendable {
        package var heartbeat: Heartbeat
        /// Whether it had not been opened before; the same datagram comes once over every network.
        package var isNew: Bool
        /// The start of a service that sealed it.
        package var session: HeartbeatSession
        /// Of its session; what is missing between two was lost on the way.
        package var counter: UInt64
        package var proof = Proof.notAsked
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
        /// Who may be believed to have sealed in it, where that is asked for.
        var vouching: SessionVouching?

        mutating func see(_ counter: UInt64, over network: Int) {
            while windows.count <= network { windows.append(ReplayWindow()) }
            _ = windows[network].accept(counter)
        }
    }

    /// Shorter datagrams are no sealed heartbeats.
    package static let shortest = HeartbeatHeader.length + HeartbeatHeader.tagLength
    /// Twice the nodes there can be: a restarted node has two for a while.
    private static let rememberedSessions = 2 * ClusterLimits.nodes
    /// Networks told apart, each with its multicast and its unicast; those beyond share one window.
    private static let networkLimit = 16
    /// Of one node: of its start, and of some before.
    private static let keysPerName = 4
    /// Sessions somebody vouched for, of all nodes.
    private static let vouchedSessions = 4 * ClusterLimits.nodes
    private let clusterKey: ClusterKey
    private let requiresProof: Bool
    /// The session of each of `known`, side by side: looked through for every datagram.
    private var sessions: [HeartbeatSession] = []
    private var known: [Known] = []
    private var uses: UInt64 = 0
    private var tellings: UInt64 = 0

    /// - Parameter requiresProof: whether heartbeats count only when their node vouched for them (`vouch`).
    package init(key: ClusterKey, requiresProof: Bool = false) {
        clusterKey = key
        self.requiresProof = requiresProof
    }

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
        let body = try Self.body(of: datagram, key)
        let heartbeat = try HeartbeatCodec.decode(body)
        uses += 1
        var opened = Opened(
            heartbeat: heartbeat, isNew: false, session: header.session, counter: header.counter)
        if requiresProof {
            opened.proof = proof(of: datagram, body, heartbeat.sender.name, header, at: place)
            // Whoever has the cluster's key could use up counters of others otherwise.
            guard opened.proof == .proven else {
                if place == nil { remember(key, of: header.session) }
                return opened
            }
        }
        opened.isNew = remember(header, key, at: place, network: min(network, Self.networkLimit - 1))
        return opened
    }

    /// The signature is looked at once for each counter: last of all, and not for copies.
    private mutating func proof(
        of datagram: UnsafeRawBufferPointer, _ body: [UInt8], _ name: String, _ header: HeartbeatHeader,
        at place: Int?
    ) -> Proof {
        guard let place, let key = known[place].vouching?.key else { return .missing }
        guard known[place].vouching?.isOf(name) == true else { return .wrong }
        if known[place].window.hasSeen(header.counter) {
            return known[place].vouching?.isCopy(header.counter, datagram) == true ? .proven : .stale
        }
        let head = UnsafeRawBufferPointer(rebasing: datagram[..<HeartbeatHeader.length])
        guard HeartbeatSignature.verifies(body, head: head, by: key) else { return .wrong }
        known[place].vouching?.remember(header.counter, datagram)
        return .proven
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
        let place = remember(key, of: header.session)
        known[place].see(header.counter, over: network)
        return known[place].window.accept(header.counter)
    }

    /// A session of which no counter is known; the one used longest ago makes room.
    ///
    /// - Returns: its place.
    @discardableResult
    private mutating func remember(_ key: SymmetricKey, of session: HeartbeatSession) -> Int {
        // Those somebody vouched for have room of their own, or strangers to them could make this node forget what came.
        let others = known.indices.filter { known[$0].vouching == nil }
        if others.count >= Self.rememberedSessions,
            let oldest = others.min(by: { known[$0].lastUse < known[$1].lastUse })
        {
            known.remove(at: oldest)
            sessions.remove(at: oldest)
        }
        known.append(Known(key: key, lastUse: uses))
        sessions.append(session)
        return known.count - 1
    }
}

// MARK: - Who vouches for what

extension HeartbeatOpener {
    /// That node told the key over a link that proved its name; its heartbeats count from now on when they are signed by it.
    /// Told again, it changes nothing. Of each node the newest few keys count.
    package mutating func vouch(_ voucher: HeartbeatVoucher, for name: String) {
        guard requiresProof, let key = voucher.key else { return }
        tellings += 1
        let place =
            place(of: voucher.session)
            ?? remember(clusterKey.sessionKey(voucher.session), of: voucher.session)
        known[place].vouching = known[place].vouching ?? SessionVouching(key)
        known[place].vouching?.add(name, tellings)
        let places = known.indices.filter { known[$0].vouching?.isOf(name) == true }
        if places.count > Self.keysPerName,
            let oldest = places.min(by: { order(of: name, at: $0) < order(of: name, at: $1) })
        {
            withdraw(name, at: oldest)
        }
        let vouched = known.indices.filter { known[$0].vouching != nil }
        if vouched.count > Self.vouchedSessions,
            let oldest = vouched.filter({ sessions[$0] != voucher.session }).min(by: {
                known[$0].lastUse < known[$1].lastUse
            })
        {
            known[oldest].vouching = nil
        }
    }

    private func order(of name: String, at place: Int) -> UInt64 {
        known[place].vouching?.names.first { $0.name == name }?.order ?? 0
    }

    /// What that node told counts no more.
    package mutating func withdraw(_ voucher: HeartbeatVoucher, of name: String) {
        if let place = place(of: voucher.session) { withdraw(name, at: place) }
    }

    /// Which counters came stays remembered: it may be told again.
    private mutating func withdraw(_ name: String, at place: Int) {
        known[place].vouching?.remove(name)
        if known[place].vouching?.names.isEmpty == true { known[place].vouching = nil }
    }

    /// Whether that is among the keys of that node that count.
    package func isVouched(_ voucher: HeartbeatVoucher, for name: String) -> Bool {
        place(of: voucher.session).map { known[$0].vouching?.isOf(name) == true } ?? false
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
