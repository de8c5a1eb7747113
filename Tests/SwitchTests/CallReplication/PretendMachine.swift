import EventSocket
import Primitives
import Replication
import Switch

/// The streams of addresses as every machine has them: there is no delay between their copies.
final class PretendStreams: CallReplicationView {
    private(set) var streams: [String: [String: CallLeg]] = [:]
    /// Who may write.
    var writers: [String: String] = [:]

    func legs(of address: String) -> [CallLeg] {
        (streams[address] ?? [:]).values.sorted { $0.uuid < $1.uuid }
    }
    var wallMilliseconds: Int64 { 1_800_000_000_000 }

    func put(_ leg: CallLeg) { streams[leg.profile, default: [:]][leg.uuid] = leg }

    func write(_ address: String, _ writes: [Write], by node: String) {
        guard writers[address] == node else { return }
        for write in writes {
            switch write {
            case .put(let record): if let leg = try? record.callLeg() { put(leg) }
            case .remove(_, let key): streams[address]?[String(decoding: key, as: UTF8.self)] = nil
            }
        }
    }
}

/// One machine: the value that decides about calls, and a switch with a recovery table that does what it is told.
struct PretendMachine {
    let name: String
    let streams: PretendStreams
    var calls: CallReplication
    var now = Instant.zero + .seconds(1000)
    var core: String
    private(set) var isUp = false
    /// Channels of the switch by uuid: which address they are on.
    private(set) var channels: [String: String] = [:]
    /// What nobody has answered, and who had it called.
    private var ringing: [String: String] = [:]
    /// Channels that are marked as those of waiting callers, for which address.
    private(set) var marks: [String: String] = [:]
    var parkAnswer = "+OK\n"
    private(set) var rows: [RecoveryRow] = []
    /// Profiles that take no new calls.
    var standby: Set<String> = ["svcA", "svcB"]
    /// The switch says nothing of use.
    var isBlind = false
    /// The switch loses what it should revive.
    var dropsRows = false
    var tableFailure: String?
    /// What was asked and ordered, but for questions.
    private(set) var log: [String] = []
    private(set) var announcements: [String] = []
    private(set) var summaries: [RecoverySummary] = []
    /// Addresses of which calls were to be revived although another machine had them.
    private(set) var misplaced: [String] = []
    /// Legs that were to be revived although the switch had them.
    private(set) var doubled: [String] = []
    private(set) var settled: [String] = []
    private var pending: [CallReplication.Effect] = []
    private var lives = 1
    private var sequence = 1

    init(_ name: String, _ streams: PretendStreams) {
        self.name = name
        self.streams = streams
        core = "\(name)-1"
        calls = CallReplication(settings: .init(node: name, patience: .seconds(60)))
    }

    // MARK: - What happens to it

    mutating func connect(hasTable: Bool = true) {
        isUp = true
        give(.up(coreUUID: core, switchname: name, hasTable: hasTable))
    }

    mutating func disconnect() {
        isUp = false
        while let index = pending.firstIndex(where: { if case .ask = $0 { true } else { false } }) {
            guard case .ask(let number, _, _) = pending.remove(at: index) else { break }
            give(.answered(number, .failure(.disconnected(.notice("")))))
        }
        give(.down)
    }

    mutating func restart() {
        if isUp { disconnect() }
        lives += 1
        core = "\(name)-\(lives)"
        channels = [:]
        standby = ["svcA", "svcB"]
        connect()
    }

    /// Where the addresses are from now on; the agreement tells every machine of it.
    mutating func told(_ holders: [String: String], epoch: UInt64, partings: [String] = []) {
        give(
            .cluster(
                PlacementSnapshot(
                    placements: ["svcA", "svcB"].map { address in
                        AddressPlacement(
                            name: address, ip: Self.ip, holder: holders[address],
                            epoch: Epoch(term: 1, index: epoch), isHere: holders[address] == name)
                    }, heard: ["fs1", "fs2"], partings: partings)))
    }

    private static let ip = IPAddress("10.77.0.50")!

    /// A call that is answered.
    mutating func call(_ uuid: String, on address: String = "svcA") {
        channels[uuid] = address
        tell("CHANNEL_ANSWER", uuid)
    }

    /// A call nobody has answered.
    mutating func ring(_ uuid: String, on address: String = "svcA", for caller: String? = nil) {
        channels[uuid] = address
        ringing[uuid] = caller ?? ""
        tell("CHANNEL_CREATE", uuid)
    }

    /// The channel has another uuid from now on.
    mutating func rename(_ old: String, to new: String) {
        channels[new] = channels.removeValue(forKey: old)
        marks[new] = marks.removeValue(forKey: old)
        tell("CHANNEL_UUID", new, [.init("Old-Unique-ID", old)])
    }

    mutating func hangUp(_ uuid: String) {
        guard channels[uuid] != nil else { return }
        tell("CHANNEL_HANGUP_COMPLETE", uuid)
        tell("CHANNEL_DESTROY", uuid)
        channels[uuid] = nil
        ringing[uuid] = nil
        marks[uuid] = nil
    }

    mutating func give(_ input: CallReplication.Input) {
        for effect in calls.handle(input, seeing: streams, at: now) {
            switch effect {
            case .ask(let number, let line, let isBackground):
                if isBackground || line.hasPrefix("uuid_park") || line.hasPrefix("uuid_transfer") {
                    log.append(line)
                }
                pending.append(.ask(number: number, line, isBackground: isBackground))
            case .command(let line, _):
                log.append(line)
                if isUp { _ = carryOut(line) }
            case .stage(let stage):
                if !stage.rows.isEmpty, streams.writers[stage.profile] != name {
                    misplaced.append(stage.profile)
                }
                doubled += stage.rows.map(\.uuid).filter { channels[$0] != nil }
                log.append((["stage"] + stage.rows.map(\.uuid)).joined(separator: " "))
                pending.append(effect)
            case .readRows: pending.append(effect)
            case .write(let address, let writes): streams.write(address, writes, by: name)
            case .finished(let summary, _): summaries.append(summary)
            case .tell(_, _, let text, _): announcements.append(text)
            case .settled(let address): settled.append(address)
            default: break
            }
        }
    }

    // MARK: - The switch answers

    var isAnswered: Bool { pending.isEmpty }

    mutating func answer() {
        guard !pending.isEmpty else { return }
        switch pending.removeFirst() {
        case .ask(let number, let line, _):
            if !isUp { return give(.answered(number, .failure(.notReady))) }
            give(.answered(number, .success(APIResponse(isBlind ? "-ERR no\n" : carryOut(line)))))
        case .stage(let stage):
            if tableFailure == nil {
                rows.removeAll { $0.profileName == stage.profile && $0.runtimeUUID != stage.runtime }
                rows += stage.rows
            }
            give(.staged(stage.number, failure: tableFailure))
        case .readRows(let number, _, _): give(.rows(number, [], failure: "not of this switch"))
        default: break
        }
    }

    /// The newest stage is answered only by what is returned: an answer of failure.
    mutating func postponeStage() -> CallReplication.Input? {
        guard case .stage(let stage)? = pending.last else { return nil }
        pending.removeLast()
        return .staged(stage.number, failure: "too late")
    }

    mutating func settle() { while !pending.isEmpty { answer() } }

    /// Lets time pass, with every question answered at once.
    mutating func pass(_ time: Duration) {
        let end = now + time
        settle()
        while let due = calls.nextDeadline, due <= end {
            now = max(now, due)
            give(.tick)
            settle()
        }
        now = end
    }

    private mutating func carryOut(_ line: String) -> String {
        let words = line.split(separator: " ").map(String.init)
        switch words[0] {
        case "fsctl": return "false\n"
        case "global_getvar": return APIResponse.noReply
        case "uuid_getvar": return "123073903"
        case "uuid_kill": hangUp(words[1])
        case "uuid_park": return parkAnswer
        case "uuid_setvar" where words[2] == WaitingMark.variable:
            marks[words[1]] = words.count > 3 ? words[3] : nil
        case "uuid_dump": return channels[words[1]].map { _ in dump(words[1]) } ?? "-ERR No such channel!\n"
        case "hupall": for uuid in on(words[3]) { hangUp(uuid) }
        case "show":
            let rows = channels.keys.sorted().map { "{\"uuid\":\"\($0)\",\"state\":\"CS_EXECUTE\"}" }
            return "{\"row_count\":\(rows.count),\"rows\":[\(rows.joined(separator: ","))]}"
        case "sofia" where words[1] == "status":
            let rule = "=====\n"
            return rule
                + ["svcA", "svcB"].map { "\($0)\tprofile\tsip:x@10.77.0.50:5060\tRUNNING (0)\n" }.joined()
                + rule
        case "sofia" where words[1] == "global": standby = []
        case "sofia":
            standby.remove(words[2])
            recover(words[2])
        default: break
        }
        return "+OK\n"
    }

    private mutating func recover(_ address: String) {
        let found = rows.filter { $0.profileName == address && $0.runtimeUUID != core }
        rows.removeAll { $0.profileName == address && $0.runtimeUUID != core }
        if dropsRows { return }
        for row in found where channels[row.uuid] == nil {
            channels[row.uuid] = address
            tell("CHANNEL_ANSWER", row.uuid)
        }
    }

    func on(_ address: String) -> [String] {
        channels.filter { $0.value == address }.map(\.key).sorted()
    }

    private mutating func tell(_ name: String, _ uuid: String, _ more: [Headers.Field] = []) {
        sequence += 1
        if isUp { give(.event(SwitchEvent(headers: Headers(headers(name, uuid) + more)))) }
    }

    private mutating func dump(_ uuid: String) -> String {
        sequence += 1
        return headers("CHANNEL_DATA", uuid).map { "\($0.name): \($0.value)\n" }.joined()
    }

    private func headers(_ name: String, _ uuid: String) -> [Headers.Field] {
        var headers = common(name, uuid)
        if let caller = ringing[uuid], !caller.isEmpty {
            headers += [.init("Other-Type", "originator"), .init("Other-Leg-Unique-ID", caller)]
        }
        if let address = marks[uuid] { headers.append(.init("variable_\(WaitingMark.variable)", address)) }
        return headers
    }

    private func common(_ name: String, _ uuid: String) -> [Headers.Field] {
        [
            .init("Event-Name", name), .init("Core-UUID", core), .init("Unique-ID", uuid),
            .init("Event-Sequence", "\(sequence)"), .init("Call-Direction", "inbound"),
            .init("Answer-State", ringing[uuid] != nil ? "ringing" : "answered"),
            .init("Channel-Call-State", "ACTIVE"),
            .init("variable_recovery_profile_name", channels[uuid] ?? ""),
            .init("variable_sip_full_to", "x;tag=1"), .init("variable_current_application", "park"),
            .init("variable_local_media_ip", "10.77.0.50"),
            .init("variable_sip_cseq", "123073903"), .init("Caller-Destination-Number", "500"),
            .init("Caller-Dialplan", "XML"), .init("Caller-Context", "default"),
        ]
    }
}
