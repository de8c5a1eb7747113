import PeerProtocol
import Primitives

// Whose heartbeats count where links need certificates: those signed by a key that their node told over a link.

/// The keys that nodes told, and what vouches for each.
struct HeartbeatKeys {
    struct Told {
        var vouch: HeartbeatVouch
        /// When it counts no more unless it is told again; nil when that is not to be expected.
        var end: Instant?
    }

    /// So long links may take to be made anew after an authority was removed; they take some milliseconds.
    static let grace: Duration = .seconds(30)
    var told: [Told] = []
    var watch = UnprovenWatch()
}

extension Heartbeats {
    /// A node told the key of its heartbeats over a link; they count from now on. They do also while its links are gone: what
    /// stops TCP makes nobody look dead.
    func learn(_ vouch: HeartbeatVouch) {
        guard let trust, trust.requiresCertificates else { return }
        // It may have been forgotten since.
        guard trust.fault(of: LinkProven(certificate: vouch.certificate), as: vouch.name) == nil else {
            return
        }
        opener.vouch(vouch.voucher, for: vouch.name)
        keys.told.removeAll {
            ($0.vouch.name == vouch.name && $0.vouch.voucher == vouch.voucher)
                || !opener.isVouched($0.vouch.voucher, for: $0.vouch.name)
        }
        keys.told.append(HeartbeatKeys.Told(vouch: vouch))
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

    func forgetExpired(at now: Instant) { withdraw { one in one.end.map { now >= $0 } ?? false } }

    private func withdraw(where isMeant: (HeartbeatKeys.Told) -> Bool) {
        for one in keys.told where isMeant(one) { opener.withdraw(one.vouch.voucher, of: one.vouch.name) }
        keys.told.removeAll { !opener.isVouched($0.vouch.voucher, for: $0.vouch.name) }
    }

    /// One that does not count; it is counted and, when it goes on, told of.
    func noteUnproven(_ opened: HeartbeatOpener.Opened, from source: IPAddress, at now: Instant) {
        count("unproven", 1)
        let name = opened.heartbeat.sender.name
        let isForged = opened.proof == .wrong
        guard keys.watch.note(name, from: source, isForged: isForged, at: now) else { return }
        log.stranger("heartbeat-unproven", source, sort: isForged ? "forged" : "unproven") {
            (
                name,
                isForged
                    ? "heartbeats in its name from \(source) are forged by somebody with the cluster key"
                    : "heartbeats in its name from \(source) do not count: no link vouches for them"
            )
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
