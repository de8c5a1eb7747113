import Cluster
import Consensus
import NIOCore
import Primitives
import Synchronization

/// Knows which links are missing although the peer is heard, since when and why, for `status`, `rings` and the log.
final class MissingLinkWatch: Sendable {
    private struct Entry {
        var name: String
        var missingSince: NIODeadline?
        var heardAt: NIODeadline
        var reason: String
        var isTold = false
        /// It stands by the cluster key alone although this node has a certificate.
        var isPlain = false
    }

    /// Shorter gaps are ordinary: a peer that starts is heard before it can be called.
    private static let notable: TimeAmount = .seconds(2)
    /// An event and a log line are worth it then.
    private static let alarming: TimeAmount = .seconds(5)
    /// A peer that is not heard lacks more than a link, and that is told elsewhere.
    private static let silence: TimeAmount = .seconds(1)
    /// Who is not heard for so long is gone, or was forgotten.
    private static let memory: TimeAmount = .seconds(60)
    private static let entryLimit = 2 * ClusterLimits.nodes

    /// `link` or `replica link`.
    private let kind: String
    private let consequence: String
    private let report: @Sendable (ClusterEvent) -> Void
    private let entries = Mutex<[Entry]>([])
    /// Of names that nothing vouches for: who has the key can make them up.
    private let unvouched = Mutex(EventPause())

    /// - Parameters:
    ///   - kind: what such a link is called.
    ///   - consequence: what does not work without it.
    ///   - report: gets an event when a link is missing for long, and when it is back.
    init(kind: String, consequence: String, report: @escaping @Sendable (ClusterEvent) -> Void) {
        self.kind = kind
        self.consequence = consequence
        self.report = report
    }

    /// The peer was heard, now unless told, and has no link.
    ///
    /// - Parameter isVouched: whether it was the peer that was heard, not somebody in its name.
    func missing(
        _ name: String, _ reason: String, isVouched: Bool = true, heardAt: NIODeadline? = nil,
        at now: NIODeadline
    ) {
        let event: ClusterEvent? = entries.withLock { entries in
            let place = Self.place(of: name, in: &entries, at: now)
            // While it was not heard, no link was to be expected.
            if (heardAt ?? now) - entries[place].heardAt >= Self.silence { entries[place].missingSince = nil }
            entries[place].heardAt = max(entries[place].heardAt, heardAt ?? now)
            if !reason.isEmpty { entries[place].reason = reason }
            let since = entries[place].missingSince ?? now
            entries[place].missingSince = since
            guard !entries[place].isTold, now - since >= Self.alarming, isVouched || mayTell(at: now) else {
                return nil
            }
            entries[place].isTold = true
            return ClusterEvent(.trouble, name, sentence(entries[place], at: now))
        }
        if let event { report(event) }
    }

    private func mayTell(at now: NIODeadline) -> Bool {
        let now = Instant(nanoseconds: Int64(clamping: now.uptimeNanoseconds))
        return unvouched.withLock { $0.take(at: now) } != nil
    }

    /// The link stands.
    ///
    /// - Parameter isPlain: whether it does by the cluster key alone although this node has a certificate.
    func present(_ name: String, isPlain: Bool = false, at now: NIODeadline) {
        let wasTold = entries.withLock { entries in
            let place = Self.place(of: name, in: &entries, at: now)
            defer {
                entries[place] = Entry(
                    name: name, missingSince: nil, heardAt: now, reason: "", isPlain: isPlain)
            }
            return entries[place].isTold
        }
        if wasTold { report(ClusterEvent(.trouble, name, "the \(kind) to \(name) stands again")) }
    }

    /// What an operator should see, a sentence for each missing link.
    func warnings(at now: NIODeadline = .now()) -> [String] {
        entries.withLock { entries in
            entries.filter { entry in
                guard let since = entry.missingSince else { return false }
                return now - since >= Self.notable && now - entry.heardAt < Self.silence
            }.map { sentence($0, at: now) }.sorted()
        }
    }

    /// Missing links, as others hear of them.
    func troubles(_ kind: PathTrouble.Kind, at now: NIODeadline = .now()) -> [PathTrouble] {
        entries.withLock { entries in
            entries.filter { entry in
                guard let since = entry.missingSince else { return false }
                return now - since >= Self.notable && now - entry.heardAt < Self.silence
            }.map { PathTrouble(kind, detail: $0.reason, peers: [$0.name]) }.sorted()
        }
    }

    /// Links that stand by the cluster key alone although this node has a certificate, as others hear of them.
    func plainLinks(at now: NIODeadline = .now()) -> [PathTrouble] {
        let peers = entries.withLock { entries in
            entries.filter {
                $0.isPlain && $0.missingSince == nil && now - $0.heardAt < Self.silence
            }.map(\.name)
        }
        return peers.isEmpty ? [] : [PathTrouble(.plainLink, peers: peers.sorted())]
    }

    /// Every link to a peer that was heard in the last minute: `stands`, with what it lacks, or since when it does not and why.
    func conditions(at now: NIODeadline = .now()) -> [(peer: String, text: String)] {
        entries.withLock { entries in
            entries.filter { now - $0.heardAt < Self.memory }.map { entry in
                guard let since = entry.missingSince else {
                    return (entry.name, entry.isPlain ? "stands, by the cluster key alone" : "stands")
                }
                let seconds = (now - since).nanoseconds / 1_000_000_000
                return (
                    entry.name,
                    "missing since \(seconds) s" + (entry.reason.isEmpty ? "" : ": \(entry.reason)")
                )
            }
        }
    }

    private func sentence(_ entry: Entry, at now: NIODeadline) -> String {
        let seconds = entry.missingSince.map { (now - $0).nanoseconds / 1_000_000_000 } ?? 0
        let reason = entry.reason.isEmpty ? "nothing has answered yet" : entry.reason
        return "no \(kind) to \(entry.name) since \(seconds) s, although its heartbeats arrive: \(reason); "
            + consequence
    }

    private static func place(of name: String, in entries: inout [Entry], at now: NIODeadline) -> Int {
        if let place = entries.firstIndex(where: { $0.name == name }) { return place }
        if entries.count >= entryLimit,
            let oldest = entries.indices.min(by: { entries[$0].heardAt < entries[$1].heardAt })
        {
            entries.remove(at: oldest)
        }
        entries.append(Entry(name: name, missingSince: nil, heardAt: .distantPast, reason: ""))
        return entries.count - 1
    }
}
