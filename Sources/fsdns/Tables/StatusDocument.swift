import Cluster
import FoundationEssentials

/// `fsdns status --format json`: the report under the promised keys, with every absent value an explicit null.
struct StatusDocument: Encodable {
    /// A value whose absence is written as `null` and never left out.
    struct Nullable<Value: Encodable>: Encodable {
        var value: Value?

        init(_ value: Value?) { self.value = value }

        func encode(to encoder: any Encoder) throws {
            var container = encoder.singleValueContainer()
            if let value { try container.encode(value) } else { try container.encodeNil() }
        }
    }

    struct Node: Encodable {
        var name: String
        var role: Role
        var position: Nullable<Int>
        var seat: Nullable<String>
        var addresses: [String]
        var lease: String
        var freeswitch: SwitchReport.Health
        var calls: Int
        var registrations: Int
        var lastHeardMs: Nullable<Int>
        var voter: Bool
        var incarnation: String
        var configurationDiffers: Bool
        var note: Nullable<String>
        var ready: Nullable<Bool>
        var blockers: [String]
        /// Who hears it, where the node that answers does not.
        var heardBy: [StatusReport.HearingLine]
        /// Left out where the node does not tell: from an earlier release, or unheard.
        var release: String?
        var newestFormat: Int?
    }

    struct Seat: Encodable {
        var name: String
        var address: String
        var addressName: String
        var holder: Nullable<String>
        var state: StatusReport.SeatLine.State
        var published: Bool
        /// False where no server could be read by the node that answers.
        var publicationKnown: Bool
        var epoch: Nullable<String>
        /// Why nobody is served there, or nobody can take it.
        var trouble: Nullable<String>
        var seen: [Seen]
        /// By whose words the state is known, where `unheardBy`, whose view it is, does not hear the holder.
        var heardBy: [String]
        var unheardBy: Nullable<String>
        /// False where that node cannot know it: `uncovered` is then no claim.
        var stateKnown: Bool
    }

    /// What a node that asks the address by SIP sees.
    struct Seen: Encodable {
        var node: String
        var verdict: StatusReport.SightLine.Verdict
        var station: Nullable<String>
    }

    struct Maintenance: Encodable {
        var addresses: [String]
        var drain: Nullable<Move>
    }

    struct Move: Encodable {
        var seat: String
        var from: String
        var to: String
        var phase: Drain.Phase
        var oldAddress: String
        var newAddress: String
        var callsLeft: Int
        var registrationsLeft: Int
        var deadline: Nullable<String>
        var onDeadline: Drain.OnDeadline
        var owner: String
        var reason: String
        var waitingFor: Nullable<String>
        /// How long after the drain's end its node comes back by itself.
        var returnAfterSeconds: Nullable<Int>
    }

    struct DNS: Encodable {
        struct Server: Encodable {
            var address: String
            var serial: Nullable<UInt32>
            var converged: Bool
            var problem: Nullable<String>
        }
        var zone: String
        var converged: Bool
        var epoch: Nullable<String>
        var servers: [Server]
        var problem: Nullable<String>
        var ttl: Nullable<Int>
    }

    struct Playbook: Encodable {
        var name: String
        /// From 1.
        var step: Int
        var steps: Int
        var title: String
        var phase: String
        var waitingFor: Nullable<String>
        var who: String
    }

    var cluster: String
    var node: String
    var leader: Nullable<String>
    var term: UInt64
    var epoch: String
    var quorum: StatusReport.Quorum
    var nodes: [Node]
    var seats: [Seat]
    var maintenance: Maintenance
    var dns: Nullable<DNS>
    var warnings: [String]
    var forming: Nullable<String>
    var playbook: Nullable<Playbook>
    var paths: [StatusReport.PathLine]
    /// Left out before there is a cluster, and by a node that does not tell.
    var format: Int?

    /// `now` is the wall time deadlines are counted from.
    init(_ report: StatusReport, now: Date) {
        cluster = report.cluster
        node = report.node
        leader = .init(report.leader)
        term = report.term
        epoch = report.epoch
        quorum = report.quorum
        nodes = report.nodes.map(Node.init)
        seats = report.seats.map(Seat.init)
        maintenance = Maintenance(
            addresses: report.maintenance.addresses,
            drain: .init(report.maintenance.drain.map { Move($0, now: now) }))
        dns = .init(report.dns.map(DNS.init))
        warnings = report.warnings
        forming = .init(report.forming)
        paths = report.paths ?? []
        format = report.format
        playbook = .init(
            report.playbook.map { line in
                Playbook(
                    name: line.name, step: line.step, steps: line.of, title: line.title, phase: line.phase,
                    waitingFor: .init(line.waitingFor), who: line.who)
            })
    }
}

extension StatusDocument.Node {
    init(_ line: StatusReport.NodeLine) {
        name = line.name
        role = line.role
        position = .init(line.position)
        seat = .init(line.seat)
        addresses = line.addresses
        lease = line.lease
        freeswitch = line.freeswitch
        calls = line.calls
        registrations = line.registrations
        lastHeardMs = .init(line.lastHeardMs)
        voter = line.voter
        incarnation = line.incarnation
        configurationDiffers = line.configurationDiffers
        note = .init(line.note)
        ready = .init(line.ready)
        blockers = line.blockers ?? []
        heardBy = line.heardBy ?? []
        release = line.release
        newestFormat = line.newestFormat
    }
}

extension StatusDocument.Seat {
    init(_ line: StatusReport.SeatLine) {
        name = line.name
        address = line.address
        addressName = line.addressName
        holder = .init(line.holder)
        state = line.state
        published = line.published
        publicationKnown = line.isPublicationKnown ?? true
        epoch = .init(line.epoch)
        trouble = .init(line.trouble)
        seen = (line.seen ?? []).map {
            StatusDocument.Seen(node: $0.node, verdict: $0.verdict, station: .init($0.station))
        }
        heardBy = line.heardBy ?? []
        unheardBy = .init(line.unheardBy)
        stateKnown = line.isStateKnown ?? true
    }
}

extension StatusDocument.Move {
    init(_ line: StatusReport.DrainLine, now: Date) {
        seat = line.seat
        from = line.from
        to = line.to
        phase = line.phase
        oldAddress = line.oldAddress
        newAddress = line.newAddress
        callsLeft = line.callsLeft
        registrationsLeft = line.registrationsLeft
        deadline = .init(
            line.deadlineSeconds.map { now.addingTimeInterval(Double($0)).formatted(.iso8601) })
        onDeadline = line.onDeadline
        owner = line.owner
        reason = line.reason
        waitingFor = .init(line.waitingFor)
        returnAfterSeconds = .init(line.returnAfterSeconds)
    }
}

extension StatusDocument.DNS {
    init(_ line: StatusReport.DNSLine) {
        zone = line.zone
        converged = line.converged
        epoch = .init(line.epoch)
        servers = line.servers.map {
            Server(
                address: $0.address, serial: .init($0.serial), converged: $0.converged,
                problem: .init($0.problem))
        }
        problem = .init(line.problem)
        ttl = .init(line.ttl)
    }
}
