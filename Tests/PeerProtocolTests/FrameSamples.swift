import Calendar
import Cluster
import Consensus
import PeerProtocol
import Primitives

/// Seeded values of everything that travels in frames.
struct FrameSamples {
    var generator: SeededGenerator

    init(seed: UInt64) { generator = SeededGenerator(seed: seed) }

    mutating func number() -> UInt64 {
        UInt64.random(in: 0...UInt64.max, using: &generator) >> UInt64.random(in: 0...63, using: &generator)
    }

    mutating func number32() -> UInt32 { UInt32.random(in: 0...UInt32.max, using: &generator) }

    mutating func int(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &generator) }

    mutating func flag() -> Bool { Bool.random(using: &generator) }

    mutating func one<Value>(of values: [Value]) -> Value { values[int(0...(values.count - 1))] }

    mutating func name() -> String {
        let letters = Array("abcdefghijklmnopqrstuvwxyz0123456789-ä")
        let length = int(1...12)
        return String((0..<length).map { _ in one(of: letters) })
    }

    mutating func age() -> Duration { .microseconds(int(0...3_000_000)) }

    mutating func epoch() -> Epoch { Epoch(term: number(), index: number()) }

    mutating func member() -> MemberID { MemberID(name: name(), birth: number()) }

    mutating func holder() -> Holder { Holder(member: member(), incarnation: number()) }

    mutating func list<Value>(_ range: ClosedRange<Int>, _ make: (inout Self) -> Value) -> [Value] {
        (0..<int(range)).map { _ in make(&self) }
    }

    mutating func heartbeat(acknowledgements: ClosedRange<Int> = 0...12) -> Heartbeat {
        let held = list(0...5) { HeldAddress(address: $0.name(), epoch: $0.epoch()) }
        let acknowledged = list(acknowledgements) {
            Acknowledgement(holder: $0.holder(), sequence: $0.number(), age: $0.age())
        }
        var heartbeat = Heartbeat(
            clusterID: number(), sender: holder(), sequence: number(), kind: one(of: [.full, .witness]),
            role: one(of: Role.allCases), settingsVersion: number(), term: number(), commit: number(),
            leader: flag() ? member() : nil, fenceEpoch: epoch(),
            holding: held.sorted { $0.address < $1.address },
            leaseValid: flag(), keeperEmpty: flag(), leaving: flag(),
            load: load(),
            founding: number(), acknowledgements: acknowledged.sorted { $0.holder < $1.holder })
        if flag() {
            heartbeat.logTerm = number()
            heartbeat.machine = MachineID(host: number(), boot: number())
        }
        if flag() { heartbeat.wallClock = Int64(bitPattern: number()) }
        heartbeat.endpoints = list(0...3) {
            Endpoint(ip: $0.ip(), port: UInt16(truncatingIfNeeded: $0.number32()))
        }
        return heartbeat
    }
}

extension FrameSamples {
    mutating func identity() -> IdentityView {
        var view = IdentityView()
        view.isUnsure = flag()
        view.mark = DurableMark(term: number(), hasVoted: flag(), index: number())
        view.words = list(0...IdentityView.mostWords) { samples in
            var word = IdentityWord(to: samples.holder())
            word.agreedIncarnation = samples.number()
            word.owner = samples.flag() ? samples.holder() : nil
            word.other =
                samples.flag()
                ? IdentityWord.OtherLife(incarnation: samples.number(), age: samples.age()) : nil
            word.mark = DurableMark(
                term: samples.number(), hasVoted: samples.flag(), index: samples.number())
            word.matched = samples.number()
            return word
        }
        return view
    }

    mutating func service() -> ServiceView {
        ServiceView(
            blockers: list(0...5) {
                Blocker($0.one(of: Blocker.Kind.allCases), $0.flag() ? $0.name() : nil, $0.name())
            },
            sights: list(0...5) {
                Sight(
                    address: $0.name(), epoch: $0.epoch(), verdict: $0.one(of: Sight.Verdict.allCases),
                    isSure: $0.flag(), station: $0.flag() ? $0.number() >> 16 : nil)
            },
            stations: list(0...3) { Station(address: $0.name(), hardware: $0.number() >> 16) },
            reviving: list(0...3) { $0.name() })
    }

    mutating func load() -> SwitchReport {
        var load = SwitchReport(
            health: one(of: SwitchReport.Health.allCases), calls: number32(), registrations: number32())
        load.capacity = number32()
        load.channels = number32()
        load.isRefusing = flag()
        load.arePhonesTold = flag()
        load.addresses = list(0...3) {
            SwitchReport.AddressLoad(
                address: $0.name(), calls: $0.number32(), recoverable: $0.number32(),
                registrations: $0.number32(), isAnswering: $0.flag())
        }.sorted { $0.address < $1.address }
        return load
    }
}

// MARK: - Control values

extension FrameSamples {
    mutating func clusterTime() -> ClusterTime { ClusterTime(nanoseconds: Int64(number() >> 1)) }

    mutating func settings() -> ClusterSettings {
        ClusterSettings(
            cluster: name(), expect: int(1...9),
            addresses: list(0...4) {
                ServiceAddress(name: $0.name(), ip: $0.ip(), prefixLength: $0.int(8...32))
            },
            seats: list(0...3) { SeatRule(name: $0.name(), address: $0.name()) },
            dns: flag()
                ? DNSSettings(
                    zone: name(), ttl: .seconds(60), floor: 1,
                    servers: [.init(endpoint: Endpoint(ip: ip(), port: 53), keyName: name())],
                    services: ["sip"], seatNames: flag(), srv: [.init(service: "_sip._udp", port: 5060)])
                : nil,
            version: number())
    }

    mutating func ip() -> IPAddress {
        let count = flag() ? 4 : 16
        let bytes = (0..<count).map { _ in UInt8(truncatingIfNeeded: number32()) }
        guard let ip = IPAddress(bytes: bytes) else { preconditionFailure("\(count) bytes are an address") }
        return ip
    }

    mutating func state() -> ControlState {
        var state = ControlState(clusterID: number(), settings: settings())
        state.time = clusterTime()
        state.members = list(0...4) {
            Member(
                holder: $0.holder(), kind: .full,
                standing: $0.flag() ? .active : .fenced(.silence, $0.epoch()),
                maintenance: $0.flag()
                    ? Maintenance(reason: $0.name(), who: $0.name(), since: $0.clusterTime()) : nil)
        }
        state.slaves = list(0...3) { $0.name() }
        let grants = list(0...3) {
            Grant(
                address: $0.name(), holder: $0.holder(), epoch: $0.epoch(),
                conditions: $0.list(0...3) {
                    $0.flag() ? .inEffect($0.number()) : .released(by: $0.holder(), epoch: $0.epoch())
                },
                reason: $0.name())
        }
        state.grants = Dictionary(grants.map { ($0.address, $0) }) { first, _ in first }.values
            .sorted { $0.address < $1.address }
        state.drain = flag() ? drain() : nil
        state.takeovers = list(0...3) { $0.clusterTime() }
        return state
    }

    mutating func drain() -> Drain {
        var drain = Drain(
            seat: name(), from: holder(), to: holder(), oldAddress: name(), newAddress: name(),
            deadline: flag() ? clusterTime() : nil,
            onDeadline: one(of: Drain.OnDeadline.allCases), reason: name(), owner: name(),
            began: clusterTime())
        drain.phase = one(of: Drain.Phase.allCases)
        drain.phaseEpoch = epoch()
        drain.forgottenAt = flag() ? clusterTime() : nil
        return drain
    }

    mutating func command() -> StampedCommand {
        let commands: [ControlCommand] = [
            .admit(
                Admission(
                    holder: holder(), kind: .full, settingsVersion: number(),
                    machine: flag() ? MachineID(host: number(), boot: number()) : nil)),
            .fence(
                Fence(
                    holder: holder(), basis: .lapse,
                    grants: list(0...3) { Succession(address: $0.name(), to: $0.holder()) })),
            .grant(address: name(), to: holder(), reason: name(), isAutomatic: flag()),
            .move(Move(address: name(), from: holder(), to: holder(), reason: name())),
            .revoke(address: name(), from: holder(), reason: name()),
            .released(ReleaseNotice(address: name(), holder: holder(), epoch: epoch())),
            .drain(.begin(drain())), .drain(.advance(from: .raising, to: .publishing, served: .seconds(60))),
            .drain(.abort(reason: name())), .drain(.finish),
            .maintenance(node: name(), nil),
            .maintenance(node: name(), Maintenance(reason: name(), who: name(), since: clusterTime())),
            .configure(settings()), .playbook(playbookCommand()), .playbook(playbookCommand()),
            .ttl(flag() ? .seconds(5) : nil), .ttlServed, .forget(holder()),
            .revokeCertificates(node: name()),
            .recoverQuorum(lost: list(0...3) { $0.holder() }),
            .asked(
                AskedCommand(
                    who: name(), what: name(), why: name(), command: flag() ? .drain(.finish) : nil)),
        ]
        return StampedCommand(
            time: clusterTime(), command: one(of: commands),
            wall: flag() ? WallTime(seconds: Int64(number32())) : nil)
    }

    mutating func membership() -> Membership {
        Membership(voters: list(0...5) { $0.member() }, learners: list(0...2) { $0.member() })
    }

    mutating func entry() -> ControlEntry {
        let payloads: [ControlEntry.Payload] = [.empty, .command(command()), .membership(membership())]
        return ControlEntry(term: number(), index: number(), payload: one(of: payloads))
    }

    mutating func snapshot() -> ControlSnapshot {
        ControlSnapshot(
            epoch: epoch(), membership: membership(), membershipEpoch: epoch(), state: state())
    }
}

// MARK: - Peer frames

extension FrameSamples {
    mutating func consensus() -> ControlMessage {
        let bodies: [ControlMessage.Body] = [
            .preVoteRequest(lastLog: epoch()), .preVoteReply(granted: flag()),
            .voteRequest(lastLog: epoch(), transfer: flag()), .voteReply(granted: flag()),
            .append(previous: epoch(), entries: list(0...3) { $0.entry() }, commit: number()),
            .appendReply(.accepted(agreed: number(), durable: number())),
            .appendReply(.rejected(previous: number(), hint: epoch())),
            .snapshot(snapshot()), .snapshotReply(index: number()), .timeoutNow,
        ]
        return ControlMessage(term: number(), body: one(of: bodies))
    }

    mutating func frame() -> PeerFrame {
        let rider = Rider(
            effectiveThrough: number(),
            ages: list(0...3) { SilenceAge(fence: $0.epoch(), holder: $0.holder(), age: $0.age()) })
        let messages: [PeerMessage] = [
            .consensus(consensus(), rider), .consensus(consensus(), rider), .consensus(consensus(), rider),
            .admission(Admission(holder: holder(), kind: .witness, settingsVersion: number())),
            .released(ReleaseNotice(address: name(), holder: holder(), epoch: epoch())),
            .relinquish(Relinquishment(holder: holder(), reason: name(), leaving: flag())),
            .request(id: number(), request()), .response(id: number(), reply()), .refused(name()),
            .stepNoticed(stepNotice()),
        ]
        if int(0...9) == 0 {
            var hello = PeerHello(oldestVersion: 1, newestVersion: 3, cluster: name(), holder: holder())
            if flag() {
                hello.voucher = HeartbeatVoucher(
                    publicKey: (0..<HeartbeatVoucher.length).map { _ in
                        UInt8(truncatingIfNeeded: number32())
                    })
            }
            return .hello(hello)
        }
        return .message(one(of: messages))
    }

    mutating func request() -> OperatorRequest {
        let requests: [OperatorRequest] = [
            .status, .abortDrain(who: name()), .undrain(node: name(), who: name()),
            .forget(node: name(), who: name()), .revoke(node: name(), who: name()),
            .recoverQuorum(lost: [name(), name()], dryRun: true, who: name()),
            .switchover(seat: name(), to: flag() ? name() : nil, dryRun: flag(), who: name()), .zone,
            .zoneApply(adopt: flag(), who: name()),
            .drain(
                DrainRequest(
                    target: name(), deadline: flag() ? .seconds(int(0...86_400)) : nil,
                    onDeadline: .handover, reason: name(), dryRun: flag(), who: name())),
            .playbook(playbookRequest()),
        ]
        return one(of: requests)
    }

    mutating func reply() -> OperatorReply {
        let replies: [OperatorReply] = [
            .accepted(epoch(), [name(), name()]), .plan([name()]), .refused([name()]), .unavailable(name()),
        ]
        return one(of: replies)
    }

    /// The bytes with one to eight bits turned over.
    mutating func damaged(_ bytes: [UInt8]) -> [UInt8] {
        var bytes = bytes
        for _ in 0..<int(1...8) { bytes[int(0...(bytes.count - 1))] ^= 1 << UInt8(int(0...7)) }
        return bytes
    }
}
