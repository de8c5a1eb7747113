import Cluster
import Consensus

/// Heartbeats as bytes, before they are sealed.
///
/// A later version may add fields at the end: a reader takes what it knows and leaves the rest. Where not all
/// acknowledgements fit (clusters of more than about fifty nodes), each heartbeat carries as many as do, beginning
/// where its sequence says, so that every one travels at least in every few heartbeats: for the one it is meant for
/// that is as if a heartbeat in between were lost.
package enum HeartbeatCodec {
    package static let version: UInt8 = 1
    /// Even when the addresses held fill the datagram.
    private static let leastRoomForAcknowledgements = 512
    private static let roles: [Role] = [.starting, .master, .slave, .maintenance, .failed, .witness]
    private static let healths: [SwitchReport.Health] = [.unknown, .healthy, .unhealthy, .none]

    private enum Flag {
        static let leaseValid: UInt8 = 1
        static let keeperEmpty: UInt8 = 2
        static let leaving: UInt8 = 4
        static let hasLeader: UInt8 = 8
        static let witness: UInt8 = 16
        static let refusing: UInt8 = 1
        static let phonesTold: UInt8 = 2
    }

    /// - Parameter room: how long the result may be, in bytes, as far as acknowledgements can be left for later.
    package static func encode(_ heartbeat: Heartbeat, room: Int = FrameLimits.heartbeat) -> [UInt8] {
        var writer = FrameWriter()
        writer.write(byte: version)
        writer.write(fixed: heartbeat.clusterID)
        writer.write(heartbeat.sender)
        writer.write(heartbeat.sequence)
        writer.write(byte: flags(of: heartbeat))
        writer.write(byte: code(of: heartbeat.role, in: roles))
        writer.write(fixed: heartbeat.settingsVersion)
        writer.write(heartbeat.term)
        writer.write(heartbeat.commit)
        if let leader = heartbeat.leader { writer.write(leader) }
        writer.write(heartbeat.fenceEpoch)
        writer.write(byte: code(of: heartbeat.load.health, in: healths))
        writer.write(UInt64(heartbeat.load.calls))
        writer.write(UInt64(heartbeat.load.registrations))
        writer.write(fixed: heartbeat.founding)
        writer.write(count: heartbeat.holding.count)
        var previous = ""
        for held in heartbeat.holding {
            writer.write(name: held.address, after: previous)
            writer.write(held.epoch)
            previous = held.address
        }
        var end = FrameWriter()
        write(heartbeat.load, to: &end)
        writeSections(of: heartbeat, to: &end)
        let left = max(room - writer.bytes.count - end.bytes.count - 1, leastRoomForAcknowledgements)
        let (count, bytes) = acknowledgements(of: heartbeat, room: left)
        writer.write(count: count)
        writer.write(raw: bytes)
        writer.write(raw: end.bytes)
        return writer.bytes
    }

    package static func decode(_ bytes: [UInt8]) throws(FrameFailure) -> Heartbeat {
        var reader = FrameReader(bytes)
        let version = try reader.byte()
        guard version == Self.version else { throw .version(version) }
        let clusterID = try reader.fixed64()
        let sender = try reader.holder("sender")
        let sequence = try reader.number("sequence")
        let flags = try reader.byte()
        let role = try value(try reader.byte(), in: roles, "role")
        let settingsVersion = try reader.fixed64()
        let term = try reader.number("term")
        let commit = try reader.number("commit index")
        let leader = flags & Flag.hasLeader == 0 ? nil : try reader.member("leader")
        let fenceEpoch = try reader.epoch("fence epoch")
        var load = SwitchReport(
            health: try value(try reader.byte(), in: healths, "switch health"),
            calls: try reader.number32("calls"), registrations: try reader.number32("registrations"))
        let founding = try reader.fixed64()
        let holding = try held(&reader)
        let acknowledgements = try acknowledgements(&reader)
        try read(&reader, into: &load)
        var heartbeat = Heartbeat(
            clusterID: clusterID, sender: sender, sequence: sequence,
            kind: flags & Flag.witness == 0 ? .full : .witness, role: role, settingsVersion: settingsVersion,
            term: term, commit: commit, leader: leader, fenceEpoch: fenceEpoch, holding: holding,
            leaseValid: flags & Flag.leaseValid != 0, keeperEmpty: flags & Flag.keeperEmpty != 0,
            leaving: flags & Flag.leaving != 0, load: load, founding: founding,
            acknowledgements: acknowledgements)
        try readSections(&reader, into: &heartbeat)
        return heartbeat
    }

    // MARK: - Sections

    private static func writeSections(of heartbeat: Heartbeat, to writer: inout FrameWriter) {
        writer.write(section: HeartbeatSection.origin) { HeartbeatOrigin.write(heartbeat, to: &$0) }
        if let view = heartbeat.service {
            writer.write(section: HeartbeatSection.service) { HeartbeatService.write(view, to: &$0) }
        }
        if let view = heartbeat.identity {
            writer.write(section: HeartbeatSection.identity) { HeartbeatIdentity.write(view, to: &$0) }
        }
        if let word = heartbeat.zone {
            writer.write(section: HeartbeatSection.zone) { HeartbeatZone.write(word, to: &$0) }
        }
        if let paths = heartbeat.paths {
            writer.write(section: HeartbeatSection.paths) { HeartbeatPaths.write(paths, to: &$0) }
        }
        if let wallClock = heartbeat.wallClock {
            writer.write(section: HeartbeatSection.wallClock) {
                $0.write(fixed: UInt64(bitPattern: wallClock))
            }
        }
        writer.write(section: HeartbeatSection.release) { HeartbeatRelease.write(heartbeat, to: &$0) }
        writer.write(section: HeartbeatSection.endpoints) { $0.write(endpoints: heartbeat.endpoints) }
    }

    private static func readSections(
        _ reader: inout FrameReader, into heartbeat: inout Heartbeat
    ) throws(FrameFailure) {
        try reader.sections { (tag, content) throws(FrameFailure) in
            switch tag {
            case HeartbeatSection.endpoints: heartbeat.endpoints = try content.endpoints()
            case HeartbeatSection.service: heartbeat.service = try HeartbeatService.read(&content)
            case HeartbeatSection.identity: heartbeat.identity = try HeartbeatIdentity.read(&content)
            case HeartbeatSection.zone: heartbeat.zone = try HeartbeatZone.read(&content)
            case HeartbeatSection.paths: heartbeat.paths = try HeartbeatPaths.read(&content)
            case HeartbeatSection.wallClock:
                heartbeat.wallClock = Int64(bitPattern: try content.fixed64())
            case HeartbeatSection.release: try HeartbeatRelease.read(&content, into: &heartbeat)
            case HeartbeatSection.origin: try HeartbeatOrigin.read(&content, into: &heartbeat)
            default: break
            }
        }
    }

    // MARK: - Parts

    /// What is on each address.
    private static func write(_ load: SwitchReport, to writer: inout FrameWriter) {
        writer.write(UInt64(load.capacity))
        writer.write(UInt64(load.channels))
        writer.write(
            byte: (load.isRefusing ? Flag.refusing : 0) | (load.arePhonesTold ? Flag.phonesTold : 0))
        writer.write(count: load.addresses.count)
        var previous = ""
        for one in load.addresses {
            writer.write(name: one.address, after: previous)
            writer.write(UInt64(one.calls))
            writer.write(UInt64(one.recoverable))
            writer.write(UInt64(one.registrations))
            writer.write(byte: one.isAnswering ? 1 : 0)
            previous = one.address
        }
    }

    private static func read(_ reader: inout FrameReader, into load: inout SwitchReport) throws(FrameFailure)
    {
        load.capacity = try reader.number32("capacity")
        load.channels = try reader.number32("channels")
        let flags = try reader.byte()
        load.isRefusing = flags & Flag.refusing != 0
        load.arePhonesTold = flags & Flag.phonesTold != 0
        for _ in 0..<(try reader.count("loads", limit: ClusterLimits.addresses)) {
            let name = try reader.name("loaded address", after: load.addresses.last?.address ?? "")
            load.addresses.append(
                SwitchReport.AddressLoad(
                    address: name, calls: try reader.number32("calls of an address"),
                    recoverable: try reader.number32("recoverable calls"),
                    registrations: try reader.number32("registrations of an address"),
                    isAnswering: try reader.byte() != 0))
        }
    }

    private static func flags(of heartbeat: Heartbeat) -> UInt8 {
        var flags: UInt8 = 0
        if heartbeat.leaseValid { flags |= Flag.leaseValid }
        if heartbeat.keeperEmpty { flags |= Flag.keeperEmpty }
        if heartbeat.leaving { flags |= Flag.leaving }
        if heartbeat.leader != nil { flags |= Flag.hasLeader }
        if heartbeat.kind == .witness { flags |= Flag.witness }
        return flags
    }

    private static func code<Value: Equatable>(of value: Value, in table: [Value]) -> UInt8 {
        guard let place = table.firstIndex(of: value) else {
            preconditionFailure("\(value) has no place in the heartbeat's table")
        }
        return UInt8(place)
    }

    private static func value<Value>(
        _ code: UInt8, in table: [Value], _ field: String
    ) throws(FrameFailure) -> Value {
        guard Int(code) < table.count else { throw .malformed(field) }
        return table[Int(code)]
    }

    private static func held(_ reader: inout FrameReader) throws(FrameFailure) -> [HeldAddress] {
        let count = try reader.count("held addresses", limit: ClusterLimits.addresses)
        var holding: [HeldAddress] = []
        for _ in 0..<count {
            let name = try reader.name("held address", after: holding.last?.address ?? "")
            holding.append(HeldAddress(address: name, epoch: try reader.epoch("held address's epoch")))
        }
        return holding
    }

    /// As many as fit, in the order of the list, beginning with another one each time when not all do.
    private static func acknowledgements(of heartbeat: Heartbeat, room: Int) -> (Int, [UInt8]) {
        let all = heartbeat.acknowledgements
        let whole = encoded(all[...], room: .max)
        if whole.bytes.count <= room { return whole }
        // Windows of this many entries always fit, so one after the other they leave none out.
        let largest = all.map { encoded([$0], room: .max).bytes.count }.max() ?? 1
        let stride = UInt64(max(room / largest, 1))
        let first = Int((heartbeat.sequence &* stride) % UInt64(all.count))
        return encoded((all[first...] + all[..<first])[...], room: room)
    }

    private static func encoded(_ list: ArraySlice<Acknowledgement>, room: Int) -> (
        count: Int, bytes: [UInt8]
    ) {
        var writer = FrameWriter()
        var kept: [UInt8] = []
        var previous = ""
        var count = 0
        for one in list {
            writer.write(name: one.holder.name, after: previous)
            writer.write(fixed: one.holder.member.birth)
            writer.write(one.holder.incarnation >> 32)
            writer.write(fixed: UInt32(truncatingIfNeeded: one.holder.incarnation))
            writer.write(one.sequence)
            writer.write(age: one.age)
            if writer.bytes.count > room { return (count, kept) }
            if room != .max { kept = writer.bytes }
            previous = one.holder.name
            count += 1
        }
        return (count, writer.bytes)
    }

    private static func acknowledgements(
        _ reader: inout FrameReader
    ) throws(FrameFailure) -> [Acknowledgement] {
        let count = try reader.count("acknowledgements", limit: ClusterLimits.nodes)
        var list: [Acknowledgement] = []
        for _ in 0..<count {
            let name = try reader.name("acknowledged node", after: list.last?.holder.name ?? "")
            let member = MemberID(name: name, birth: try reader.fixed64())
            let starts = try reader.number32("acknowledged incarnation")
            let incarnation = UInt64(starts) << 32 | UInt64(try reader.fixed32())
            let sequence = try reader.number("acknowledged sequence")
            let holder = Holder(member: member, incarnation: incarnation)
            list.append(
                Acknowledgement(
                    holder: holder, sequence: sequence, age: try reader.age("acknowledgement's age")))
        }
        return list.sorted { $0.holder < $1.holder }
    }
}
