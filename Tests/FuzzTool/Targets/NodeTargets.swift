import Consensus
import PeerProtocol
import Primitives

@testable import Cluster

/// The node that decides, told anything its peers and operators can say in frames that are well formed.
extension FuzzTarget {
    private enum Kind {
        static let heartbeat: UInt8 = 0
        static let frame: UInt8 = 1
        static let request: UInt8 = 2
        static let time: UInt8 = 3
        static let written: UInt8 = 4
        static let count: UInt8 = 5
    }

    private static let holders = (1...3).map { number in
        Holder(member: MemberID(name: "fs\(number)", birth: UInt64(number)), incarnation: 1)
    }

    static let node = FuzzTarget(
        "node", "a node's decisions on heartbeats, peer messages, operators' requests, times and slow disks",
        maximumLength: 8192,
        seeds: {
            samples(60) { samples in
                var bytes: [UInt8] = []
                for _ in 0..<4 {
                    var heartbeat = samples.heartbeat(acknowledgements: 0...2)
                    heartbeat.sender = samples.one(of: Array(holders[1...]))
                    heartbeat.clusterID = 7
                    bytes += FuzzInput.message(Kind.heartbeat, HeartbeatCodec.encode(heartbeat))
                    bytes += FuzzInput.message(Kind.time, [UInt8(samples.int(0...255))])
                    bytes += FuzzInput.message(Kind.frame, PeerFrameCodec.encode(samples.frame()))
                    bytes += FuzzInput.message(Kind.written, [])
                    let request = ControlJSON.encode(samples.request())
                    if samples.flag() { bytes += FuzzInput.message(Kind.request, request) }
                }
                return bytes
            }
        }
    ) { input in
        var machine = Machine()
        while let (kind, bytes) = input.message() {
            switch kind % Kind.count {
            case Kind.heartbeat:
                if let heartbeat = try? HeartbeatCodec.decode(bytes) { machine.take(.heard(heartbeat)) }
            case Kind.frame:
                let sender = holders[bytes.count % 2 + 1].member
                if let message = try? PeerFrameCodec.decode(bytes) {
                    machine.take(.received(message, from: sender))
                }
            case Kind.request:
                guard
                    let request = try? ControlJSON.decode(OperatorRequest.self, bytes, field: "request"),
                    let plausible = try? RequestCheck.plausible(request)
                else { continue }
                machine.take(.operatorAsked(id: 1, plausible))
            case Kind.time: machine.letPass(.milliseconds(Int(bytes.first ?? 0) * 4))
            default: machine.write()
            }
        }
    }

    /// A node of three that agreed on one address, with a disk and a clock.
    private struct Machine {
        private var node: Node
        private var now = Instant(nanoseconds: 1_000_000_000)
        private var unwritten: [UInt64] = []

        private static let settings = ClusterSettings(
            cluster: "pbx", expect: 3,
            addresses: [IPAddress("192.0.2.11")].compactMap { $0 }.map {
                ServiceAddress(name: "alpha", ip: $0, prefixLength: 24)
            }, seats: [SeatRule(name: "master1", address: "alpha")], version: 1)

        static let state: ControlState = {
            var state = ControlState(clusterID: 7, settings: settings)
            state.members = holders.map { Member(holder: $0, kind: .full, standing: .active) }
            state.grants = [
                Grant(
                    address: "alpha", holder: holders[0], epoch: Epoch(term: 1, index: 1), conditions: [],
                    reason: "start")
            ]
            return state
        }()

        init() {
            node = Node(
                name: "fs1", birth: 1, incarnation: 1, kind: .full, settings: Self.settings,
                restored: .founding(Membership(voters: holders.map(\.member)), state: Self.state), seed: 1,
                at: now)
            take(.switchReported(SwitchReport(health: .healthy)))
            take(.keeperReady)
        }

        mutating func take(_ event: Event) {
            for case .store(let request) in node.handle(event, at: now) { unwritten.append(request.sequence) }
        }

        mutating func letPass(_ time: Duration) {
            now += time
            take(.tick)
        }

        mutating func write() {
            let written = unwritten
            unwritten = []
            for sequence in written { take(.stored(sequence: sequence)) }
        }
    }
}

/// What was agreed, applied: a trap here would come back at every start, on every node.
extension FuzzTarget {
    static let agreedState = FuzzTarget(
        "agreed-state", "a state from a file or a leader, and agreed commands one after the other",
        maximumLength: 12_288,
        seeds: {
            samples(60) { samples in
                var bytes = FuzzInput.message(0, StorageCodec.encode(samples.snapshot()))
                for _ in 0..<samples.int(1...5) {
                    bytes += FuzzInput.message(1, StorageCodec.encode(samples.entry()))
                }
                return bytes
            }
        }
    ) { input in
        var state = Machine.state
        var index: UInt64 = 100
        while let (kind, bytes) = input.message() {
            if kind & 1 == 0 {
                if let snapshot = try? StorageCodec.decodeSnapshot(bytes) { state = snapshot.state }
            } else if let entry = try? StorageCodec.decodeEntry(bytes),
                case .command(let command) = entry.payload
            {
                index += 1
                let applied = state.apply(command, at: Epoch(term: 1, index: index))
                for event in applied.events { _ = ControlJSON.encode(event) }
            }
        }
        _ = (state.formerTTLEnd, state.maintenanceAddresses, state.members.map { state.role(of: $0) })
    }
}
