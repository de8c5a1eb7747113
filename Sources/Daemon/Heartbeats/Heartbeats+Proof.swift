import Cluster
import PeerProtocol
import Primitives

// Whose heartbeats count where links need certificates: those signed by a key that their node told over a link.

/// The keys that nodes told, and what vouches for each.
struct HeartbeatKeys {
    struct Told {
        var vouch: HeartbeatVouch
        /// When it counts no more unless it is told again; nil when that is not to be expected.
        var end: Instant?
        /// When it was told, or the newest heartbeat it signed came.
        var alive: Instant
    }

    /// So long links may take to be made anew after an authority was removed; they take some milliseconds.
    static let grace: Duration = .seconds(30)
    /// Of one node: of its start, and of some before.
    static let perName = 4
    /// A start that is heard has its say: no newer one of that name takes its place. Otherwise a clone of a machine, which is refused
    /// and started again a few times, would silence the original.
    static let voice: Duration = .seconds(2)
    var told: [Told] = []
    /// The newest of each name that found no room.
    var waiting: [String: HeartbeatVouch] = [:]
    var watch = UnprovenWatch()
    /// The newest start of each node that was proven.
    private var newest: [String: Holder] = [:]
    /// A recording is older; clocks of machines without NTP differ by less as a rule.
    private static let past: Int64 = 60_000

    /// Whether a heartbeat that nothing vouches for is of an earlier start than the one that is known.
    ///
    /// - Parameters:
    ///   - own: the start of this node itself.
    ///   - wallClock: of here, in milliseconds since 1970.
    func isFormer(_ heartbeat: Heartbeat, own: Holder?, wallClock: Int64) -> Bool {
        let name = heartbeat.sender.name
        if let known = name == own?.name ? own : newest[name], known.member == heartbeat.sender.member {
            return heartbeat.sender.incarnation < known.incarnation
        }
        // Before that node was heard, or of a member that it is no more: only by what its clock said.
        return heartbeat.wallClock.map { wallClock - $0 > Self.past } ?? false
    }

    /// A heartbeat of that start that this session's key signed.
    mutating func hear(_ session: HeartbeatSession, of holder: Holder, at now: Instant) {
        newest[holder.name] = holder
        for place in told.indices where told[place].vouch.voucher.session == session {
            told[place].alive = now
        }
    }

    /// Whether a newer key of that name may count, and which one makes room for it.
    func oldest(of name: String, at now: Instant) -> (hasRoom: Bool, leaving: HeartbeatVouch?) {
        let own = told.filter { $0.vouch.name == name }
        guard own.count >= Self.perName else { return (true, nil) }
        guard let silent = own.min(by: { $0.alive < $1.alive }), now - silent.alive >= Self.voice else {
            return (false, nil)
        }
        return (true, silent.vouch)
    }
}

extension Heartbeats {
    /// A node told the key of its heartbeats over a link; they count from now on. They do also while its links are gone: what
    /// stops TCP makes nobody look dead.
    func learn(_ vouch: HeartbeatVouch, at now: Instant = Instant.now()) {
        guard let trust, trust.requiresCertificates else { return }
        keys.waiting[vouch.name] = nil
        // It may have been forgotten since.
        guard trust.fault(of: LinkProven(certificate: vouch.certificate), as: vouch.name) == nil else {
            return
        }
        if !opener.isVouched(vouch.voucher, for: vouch.name) {
            let oldest = keys.oldest(of: vouch.name, at: now)
            guard oldest.hasRoom else {
                keys.waiting[vouch.name] = vouch
                return
            }
            if let leaving = oldest.leaving { opener.withdraw(leaving.voucher, of: leaving.name) }
        }
        opener.vouch(vouch.voucher, for: vouch.name)
        keys.told.removeAll {
            ($0.vouch.name == vouch.name && $0.vouch.voucher == vouch.voucher)
                || !opener.isVouched($0.vouch.voucher, for: $0.vouch.name)
        }
        keys.told.append(HeartbeatKeys.Told(vouch: vouch, alive: now))
        keys.watch.prove(vouch.name)
    }

    /// Some names were forgotten: what was told by certificates that count no more does neither.
    func forgetRevoked() {
        withdraw { one in trust?.isRevoked(one.vouch.certificate) == true }
    }

    /// An authority is trusted no more: links are made anew, and by them keys are told again.
    func expectAnew(at now: Instant) {
        for place in keys.told.indices { keys.told[place].end = now + HeartbeatKeys.grace }
    }

    func forgetExpired(at now: Instant) {
        withdraw { one in one.end.map { now >= $0 } ?? false }
        for name in keys.waiting.keys.sorted() where keys.oldest(of: name, at: now).hasRoom {
            if let vouch = keys.waiting[name] { learn(vouch, at: now) }
        }
    }

    private func withdraw(where isMeant: (HeartbeatKeys.Told) -> Bool) {
        for one in keys.told where isMeant(one) { opener.withdraw(one.vouch.voucher, of: one.vouch.name) }
        keys.told.removeAll { !opener.isVouched($0.vouch.voucher, for: $0.vouch.name) }
    }

    /// One that does not count; it is counted and, when it goes on, told of.
    func noteUnproven(_ opened: HeartbeatOpener.Opened, from source: IPAddress, at now: Instant) {
        count("unproven", 1)
        let name = opened.heartbeat.sender.name
        let sort: UnprovenWatch.Sort =
            opened.proof == .wrong
            ? .forged
            : keys.isFormer(opened.heartbeat, own: speaker, wallClock: wallClock()) ? .former : .unproven
        guard keys.watch.note(name, from: source, sort, at: now) else { return }
        log.stranger("heartbeat-unproven", source, sort: "\(sort)") {
            let text =
                switch sort {
                case .forged:
                    "heartbeats in its name from \(source) are forged by somebody with the cluster key"
                case .unproven: "heartbeats in its name from \(source) do not count: no link vouches for them"
                case .former:
                    "heartbeats of its former starts are played again from \(source); they do not count"
                }
            return (name, text)
        }
    }

    /// How the links of a node that nothing vouches for may be called: at the address in the cluster file, and at the one that its
    /// heartbeat names or came from.
    func hint(of heard: Heard) -> PeerSighting {
        let sender = heard.heartbeat.sender
        let bound = bindings.first { $0.node == sender.name }.map {
            Endpoint(ip: $0.address, port: heard.from.port)
        }
        let told = heard.heartbeat.endpoints.first { $0.ip == heard.from.ip } ?? heard.from
        let ways = [bound, told].compactMap { $0 }.flatMap { remote in
            ports.compactMap { port in
                port.reaches(remote.ip) ? port.local.map { PeerWay(remote: remote, local: $0) } : nil
            }
        }
        return PeerSighting(
            holder: sender, ways: ways.isEmpty ? [PeerWay(remote: heard.from, local: heard.local)] : ways,
            isTold: false)
    }
}
