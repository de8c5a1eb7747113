import Cluster
import Consensus
@preconcurrency import Glibc
import NIOCore
import NIOPosix
import PeerProtocol

extension PeerLinks {
    private func place(of member: MemberID) -> Int? {
        state.value.peers.firstIndex { $0.member == member }
    }

    /// Takes in what a new heartbeat says, and calls its sender when there is no link.
    func note(_ sighting: PeerSighting) {
        guard !state.value.isStopped else { return }
        let (member, now) = (sighting.holder.member, NIODeadline.now())
        guard let place = place(of: member) else {
            forgetHints(of: member.name)
            if state.value.peers.count >= Self.peerLimit { forgetOldest() }
            var peer = Peer(member: member, incarnation: sighting.holder.incarnation)
            peer.heardAt = now
            peer.ways.learn(sighting, at: now)
            state.value.peers.append(peer)
            watch.missing(member.name, "", at: now)
            dial(member)
            return
        }
        // A heartbeat of an earlier life, kept by somebody and sent again, moves nothing.
        guard sighting.holder.incarnation >= state.value.peers[place].incarnation else { return }
        let isKnown = state.value.peers[place].heardAt != nil
        let isReborn = isKnown && sighting.holder.incarnation > state.value.peers[place].incarnation
        // The link of one that is heard for the first time may be what vouched for it.
        let isBack = state.value.peers[place].heardAt.map { now - $0 > Self.stall } ?? false
        state.value.peers[place].incarnation = sighting.holder.incarnation
        state.value.peers[place].heardAt = now
        state.value.peers[place].ways.learn(sighting, at: now)
        if isReborn || isBack { state.value.peers[place].ways.forgive() }
        if isReborn || isBack || !isOfUse(state.value.peers[place].link, sighting) {
            state.value.peers[place].backOff = Self.firstBackOff
            state.value.peers[place].dialAt = .uptimeNanoseconds(0)
            cut(place)
        }
        endUseless(sighting)
        // The watch knows names only: another machine may have used this one and be gone.
        if case .ready = state.value.peers[place].link {
            watch.present(member.name, isPlain: state.value.peers[place].isPlain, at: now)
        } else {
            watch.missing(member.name, "", at: now)
        }
        dial(member)
    }

    /// Calls whoever says, by a heartbeat that nothing vouches for, that it is that node, where none of that node is heard: it may
    /// have started just now. It ends no link, makes none of a link that stands, and its start is not believed.
    func hint(_ sighting: PeerSighting) {
        guard !state.value.isStopped else { return }
        let (member, now) = (sighting.holder.member, NIODeadline.now())
        let isHeard = state.value.peers.contains { peer in
            peer.member.name == member.name && (peer.heardAt.map { now - $0 < Self.silence } ?? false)
        }
        guard !isHeard, let place = place(of: member) ?? placeForHint(of: member) else { return }
        state.value.peers[place].hintedAt = now
        if case .ready = state.value.peers[place].link {
            watch.present(member.name, isPlain: state.value.peers[place].isPlain, at: now)
            return
        }
        guard case .idle = state.value.peers[place].link else { return }
        state.value.peers[place].ways.hint(sighting.ways, at: now)
        watch.missing(member.name, "", isVouched: false, at: now)
        dial(state.value.peers[place].member)
    }

    /// One of each name, whatever state it says that it has: who answers tells that itself. Nil when there is none.
    private func placeForHint(of member: MemberID) -> Int? {
        let hinted = state.value.peers.indices.filter { state.value.peers[$0].heardAt == nil }
        if let known = hinted.first(where: { state.value.peers[$0].member.name == member.name }) {
            return known
        }
        let isCrowded = hinted.count >= Self.hintLimit
        if isCrowded || state.value.peers.count >= Self.peerLimit {
            // Nobody who has a link makes room, nor who is being called.
            let idle = (isCrowded ? hinted : Array(state.value.peers.indices)).filter {
                if case .idle = state.value.peers[$0].link { true } else { false }
            }
            guard
                let oldest = idle.min(by: { state.value.peers[$0].saidAt < state.value.peers[$1].saidAt })
            else { return nil }
            state.value.peers.remove(at: oldest)
        }
        state.value.peers.append(Peer(member: member, incarnation: 0))
        return state.value.peers.count - 1
    }

    private func forgetHints(of name: String) {
        for place in state.value.peers.indices.reversed()
        where state.value.peers[place].heardAt == nil && state.value.peers[place].member.name == name {
            cut(place)
            state.value.peers.remove(at: place)
        }
    }

    /// Whether the ring of a link still carries something. TCP itself would notice only after a second, and nothing is
    /// decided together meanwhile.
    private func isOfUse(_ link: Link, _ sighting: PeerSighting) -> Bool {
        switch link {
        case .idle: true
        case .dialing(let attempt): sighting.allows(attempt.way)
        case .ready(_, let way, _): sighting.allows(way)
        }
    }

    /// The links of that peer that come in on a silent ring: it may hear us there, and so not know that we do not hear it.
    private func endUseless(_ sighting: PeerSighting) {
        state.value.incoming.removeAll { link in
            guard link.member == sighting.holder.member, !sighting.allows(link.channel) else { return false }
            link.channel.close(promise: nil)
            return true
        }
    }

    private func forgetOldest() {
        let oldest = state.value.peers.indices.min { a, b in
            let (a, b) = (state.value.peers[a], state.value.peers[b])
            return (a.heardAt ?? .distantPast, a.saidAt) < (b.heardAt ?? .distantPast, b.saidAt)
        }
        guard let oldest else { return }
        cut(oldest)
        state.value.peers.remove(at: oldest)
    }

    /// Ends the link, whether it stands or is being made; what becomes of its channel later is of no account.
    func cut(_ place: Int) {
        let link = state.value.peers[place].link
        state.value.peers[place].link = .idle
        switch link {
        case .idle: break
        case .dialing(let attempt):
            attempt.deadline.cancel()
            attempt.channel?.close(promise: nil)
        case .ready(_, _, let channel): channel.close(promise: nil)
        }
    }

    private func dial(_ member: MemberID) {
        guard let place = place(of: member), case .idle = state.value.peers[place].link,
            !state.value.isStopped
        else { return }
        let now = NIODeadline.now()
        guard now >= state.value.peers[place].dialAt,
            let way = state.value.peers[place].ways.next(at: now, within: Self.silence)
        else { return }
        state.value.attempts += 1
        let number = state.value.attempts
        let deadline = loop.scheduleTask(in: patience) { [self] in
            lose(member, number, "\(way.remote) does not complete the link (TCP, TLS and hello)")
        }
        state.value.peers[place].link = .dialing(Attempt(number: number, way: way, deadline: deadline))
        connect(to: member, by: way, number).whenFailure { [self] error in
            lose(member, number, LinkOptions.text(of: error, at: way.remote))
        }
    }

    private func connect(to member: MemberID, by way: PeerWay, _ number: UInt64) -> EventLoopFuture<Void> {
        do {
            let remote = try SocketAddress(ipAddress: "\(way.remote.ip)", port: Int(way.remote.port))
            // From the ring's own address: a service address may leave this machine at any time.
            let local = try SocketAddress(ipAddress: "\(way.local.ip)", port: 0)
            return LinkOptions.keepingAlive(ClientBootstrap(group: loop), Self.userTimeout)
                .connectTimeout(min(LinkOptions.connectTimeout, patience))
                .bind(to: local)
                .channelInitializer { [self] channel in
                    channel.eventLoop.makeCompletedFuture {
                        begun(member, number, channel)
                        try channel.pipeline.syncOperations.addHandlers(
                            trust.handlers(of: .caller)
                                + [OutgoingLink(links: self, member: member, attempt: number)])
                    }
                }
                .connect(to: remote)
                .map { _ in }
        } catch {
            return loop.makeFailedFuture(error)
        }
    }

    /// The attempt has a channel from now on, which is closed when it is given up.
    private func begun(_ member: MemberID, _ number: UInt64, _ channel: any Channel) {
        guard let place = place(of: member), case .dialing(var attempt) = state.value.peers[place].link,
            attempt.number == number
        else { return }
        attempt.channel = channel
        state.value.peers[place].link = .dialing(attempt)
    }

    /// The other end introduced itself as who it should be.
    func stand(_ holder: Holder, _ number: UInt64, _ channel: any Channel, _ proven: LinkProven) {
        let member = holder.member
        guard let place = place(of: member), case .dialing(let attempt) = state.value.peers[place].link,
            attempt.number == number
        else {
            channel.close(promise: nil)
            return
        }
        attempt.deadline.cancel()
        state.value.peers[place].ways.succeeded(attempt.way)
        state.value.peers[place].link = .ready(number: number, way: attempt.way, channel)
        state.value.peers[place].backOff = Self.firstBackOff
        // Its heartbeats count from now on, and are no reason to make the link anew.
        if trust.requiresCertificates {
            state.value.peers[place].incarnation = max(
                state.value.peers[place].incarnation, holder.incarnation)
            state.value.peers[place].heardAt = .now()
        }
        let isPlain = trust.hasCertificates && proven.certificate == nil
        state.value.peers[place].isPlain = isPlain
        watch.present(member.name, isPlain: isPlain, at: .now())
        pour(member)
    }

    /// The link of that attempt, made or only begun, is gone or given up.
    func lose(_ member: MemberID, _ number: UInt64, _ reason: String) {
        guard let place = place(of: member) else { return }
        switch state.value.peers[place].link {
        case .dialing(let attempt) where attempt.number == number:
            state.value.peers[place].ways.failed(attempt.way)
        case .ready(number, let way, _):
            // Another way is tried first, if there is one: the other end may have closed it because it hears nothing there.
            state.value.peers[place].ways.failed(way)
        case .idle, .dialing, .ready: return
        }
        cut(place)
        let saidAt = state.value.peers[place].saidAt
        if .now() - saidAt < Self.silence {
            let isVouched = state.value.peers[place].heardAt == saidAt
            watch.missing(member.name, reason, isVouched: isVouched, heardAt: saidAt, at: .now())
        }
        let backOff = state.value.peers[place].backOff
        state.value.peers[place].dialAt = .now() + backOff
        state.value.peers[place].backOff = min(backOff * 2, Self.longestBackOff)
        loop.scheduleTask(in: backOff) { [self] in dial(member) }
    }

    func submit(_ message: PeerMessage, to member: MemberID) {
        guard let place = place(of: member) else {
            state.value.dropped += 1
            return
        }
        let bytes = PeerFrameCodec.encode(message)
        guard bytes.count <= FrameLimits.peerFrame else {
            state.value.dropped += 1
            log.warning("frame-too-long", member.name, "a message of \(bytes.count) bytes is not sent")
            return
        }
        var mayBeDropped = false
        if case .consensus = message { mayBeDropped = true }
        state.value.peers[place].waiting.append(Waiting(bytes: bytes, mayBeDropped: mayBeDropped))
        state.value.peers[place].waitingBytes += bytes.count
        pour(member)
        bound(place)
    }

    /// Writes what waits, as long as the link takes it.
    func pour(_ member: MemberID) {
        guard let place = place(of: member), case .ready(_, _, let channel) = state.value.peers[place].link
        else {
            return
        }
        var hasWritten = false
        while !state.value.peers[place].waiting.isEmpty, channel.isWritable {
            let next = state.value.peers[place].waiting.removeFirst()
            state.value.peers[place].waitingBytes -= next.bytes.count
            channel.write(ByteBuffer(bytes: next.bytes), promise: nil)
            hasWritten = true
        }
        if hasWritten { channel.flush() }
    }

    /// The oldest consensus message goes first, then the oldest of all.
    private func bound(_ place: Int) {
        while state.value.peers[place].waiting.count > Self.waitingLimit
            || state.value.peers[place].waitingBytes > Self.waitingBytesLimit
        {
            let oldest = state.value.peers[place].waiting.firstIndex { $0.mayBeDropped } ?? 0
            let gone = state.value.peers[place].waiting.remove(at: oldest)
            state.value.peers[place].waitingBytes -= gone.bytes.count
            state.value.dropped += 1
        }
    }
}
