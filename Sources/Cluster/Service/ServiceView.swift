import Primitives

/// What one node knows about callers being served: why it could not take an address itself, and whom it reaches.
///
/// It rides in every heartbeat, so that whoever leads knows of each spare before it is needed, and of each holder what
/// others see.
package struct ServiceView: Hashable, Sendable {
    package var blockers: [Blocker]
    package var sights: [Sight]
    /// Hardware addresses behind which the node holds service addresses, sorted by address.
    package var stations: [Station]
    /// Addresses held there whose calls are being revived: callers may have to wait meanwhile. Sorted.
    package var reviving: [String]

    package init(
        blockers: [Blocker] = [], sights: [Sight] = [], stations: [Station] = [], reviving: [String] = []
    ) {
        self.blockers = blockers
        self.sights = sights
        self.stations = stations
        self.reviving = reviving
    }

    /// What a heartbeat carries at most.
    package static let mostBlockers = 12
    package static let mostSights = 16
    package static let mostStations = 16
    /// Of a sentence, with what is to be done at its end.
    package static let longestText = 240
    /// In bytes: earlier releases read no more.
    private static let longestBytes = 400

    /// As a heartbeat carries it: the gravest blockers first.
    package var abridged: ServiceView {
        var view = self
        view.blockers.sort { a, b in
            a.kind.readiness == b.kind.readiness ? a < b : a.kind.readiness > b.kind.readiness
        }
        view.blockers = view.blockers.prefix(Self.mostBlockers).map { blocker in
            var blocker = blocker
            guard blocker.text.count > Self.longestText || blocker.text.utf8.count > Self.longestBytes else {
                return blocker
            }
            blocker.text = String(blocker.text.prefix(Self.longestText - 1))
            while blocker.text.utf8.count > Self.longestBytes - 3 { blocker.text.removeLast() }
            blocker.text += "…"
            return blocker
        }
        view.sights = Array(view.sights.prefix(Self.mostSights))
        view.stations = Array(view.stations.prefix(Self.mostStations))
        view.reviving = Array(view.reviving.prefix(Self.mostStations))
        return view
    }

    /// How well the node could serve callers at an address, by its own words, and what is gravest.
    func readiness(for address: String) -> (readiness: Readiness, blocker: Blocker?) {
        let found = blockers.filter { $0.concerns(address) && $0.kind.readiness > .ready }
        guard let gravest = found.max(by: { $0.kind.readiness < $1.kind.readiness }) else {
            return (.ready, nil)
        }
        return (gravest.kind.readiness, gravest)
    }

    /// Whether its own way into the address's network is in order: only then its word about others counts.
    func canJudge(_ address: String) -> Bool {
        !blockers.contains { $0.kind.isOfNetwork && $0.concerns(address) }
    }

    func sight(of address: String, epoch: Epoch) -> Sight? {
        sights.first { $0.address == address && $0.epoch == epoch }
    }
}

/// How well a node could serve callers at an address; the first is best.
package enum Readiness: Int, Hashable, Comparable, Sendable {
    case ready
    /// It would take new calls, and lose those that are up.
    case degraded
    /// Not to be relied on now: it came back a moment ago, or its network looks wrong.
    case unsettled
    /// Nobody would be served.
    case unserving
    /// It could not even hold the address.
    case unable

    package static func < (a: Readiness, b: Readiness) -> Bool { a.rawValue < b.rawValue }
}

/// One thing that keeps a node from serving callers, or from bringing their calls back.
package struct Blocker: Hashable, Comparable, Sendable {
    /// The raw values are those of the heartbeat.
    package enum Kind: UInt8, Hashable, Sendable, CaseIterable {
        /// The switch's settings of RTP ports would harm calls that are revived.
        case media = 0
        /// The copy of the address's calls and registrations is not in step with its writer.
        case replica = 1
        /// Rows cannot be written to the switch's core database: no call comes back.
        case database = 2
        /// The network was in trouble a moment ago.
        case unsettled = 3
        /// No carrier, or no route.
        case link = 4
        /// The switch does not run the profile.
        case profile = 5
        /// The profile runs and does not take calls.
        case unanswered = 6
        /// The keeper could not hold the address.
        case keeper = 7
        /// No interface has an address of its own in the network.
        case interface = 8
        /// Nobody is heard in the network, though others should be.
        case alone = 9
        /// The switch is not reached, or its events do not come back. Whether the node is chosen is decided by its health;
        /// this only says why that is bad.
        case health = 10
        /// Decisions cannot be written.
        case disk = 11
        /// Something will be missed when it is needed (room on the disk, another keeper); until then the node is as ready as any.
        case room = 12
        /// The default route by the address's interface is gone: callers of other networks get no answer.
        case gateway = 13
        /// The switch gives the limit service a wrong password, or does not reach it: its limited calls are refused.
        case limits = 14
        /// The switch is configured in another way than where the address is, and callers would be lost.
        case settings = 15
        /// Another configuration than where the address is: callers are served, in another way.
        case difference = 16
        /// Calls that came with the address wait to be brought back, and cannot be: their callers hear nothing.
        case waiting = 17

        package var readiness: Readiness {
            switch self {
            case .room, .difference: .ready
            case .media, .replica, .database, .health, .disk, .limits, .settings: .degraded
            case .unsettled, .alone: .unsettled
            case .link, .profile, .unanswered, .keeper, .gateway, .waiting: .unserving
            case .interface: .unable
            }
        }

        var isOfNetwork: Bool {
            switch self {
            case .unsettled, .link, .interface, .alone: true
            case .media, .replica, .database, .profile, .unanswered, .keeper, .health, .disk, .room, .gateway,
                .limits, .settings, .difference, .waiting:
                false
            }
        }
    }
    package var kind: Kind
    /// Name of the address it is about; nil for all of them.
    package var address: String?
    /// Why, as part of a sentence that begins with the node's name and a colon.
    package var text: String

    package init(_ kind: Kind, _ address: String?, _ text: String) {
        self.kind = kind
        self.address = address
        self.text = text
    }

    package static func < (a: Blocker, b: Blocker) -> Bool {
        (a.address ?? "", a.kind.rawValue, a.text) < (b.address ?? "", b.kind.rawValue, b.text)
    }

    func concerns(_ address: String) -> Bool { self.address == nil || self.address == address }
}

/// What a node sees of an address that another one holds, asked over the network by SIP OPTIONS.
package struct Sight: Hashable, Sendable {
    /// The raw values are those of the heartbeat.
    package enum Verdict: UInt8, Hashable, Sendable, CaseIterable {
        case served = 1
        /// Nothing came back for as long as the cluster file allows.
        case silent = 2
        /// It answered 5xx for that long.
        case refused = 3
    }
    package var address: String
    /// Of the grant under which it was asked.
    package var epoch: Epoch
    package var verdict: Verdict
    /// Whether others are heard in the address's network: then silence is not the asker's own.
    package var isSure: Bool
    /// Hardware address that answers for it in the asker's network; nil when that is not known.
    package var station: UInt64?

    package init(
        address: String, epoch: Epoch, verdict: Verdict, isSure: Bool = false, station: UInt64? = nil
    ) {
        self.address = address
        self.epoch = epoch
        self.verdict = verdict
        self.isSure = isSure
        self.station = station
    }
}

/// The hardware address behind which a service address is held.
package struct Station: Hashable, Sendable {
    package var address: String
    /// The 48 bits of an Ethernet address.
    package var hardware: UInt64

    package init(address: String, hardware: UInt64) {
        self.address = address
        self.hardware = hardware
    }

    /// `02:42:0a:00:00:0b`
    package static func text(_ hardware: UInt64) -> String {
        (0..<6).map { place in
            let byte = UInt8(truncatingIfNeeded: hardware >> UInt64(40 - 8 * place))
            let digits = Array("0123456789abcdef")
            return "\(digits[Int(byte >> 4)])\(digits[Int(byte & 15)])"
        }.joined(separator: ":")
    }
}
