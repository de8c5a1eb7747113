import Cluster
import FoundationEssentials
import NIOCore
import PeerProtocol
import Primitives
import Replication
import Switch

/// Whether this machine's FreeSWITCH is configured as the one that has an address, told before the address comes here.
///
/// Each node writes its profiles' settings into its own stream and holds them against those of the holders.
final class SettingsWatch {
    static let kind = RecordKind(rawValue: 18)
    private static let interval: TimeAmount = .seconds(30)
    /// Phones register again sooner than that.
    private static let domainLifetime: Duration = .seconds(7200)
    private static let mostDomains = 64

    private let me: String
    private let nodes: [String]
    private let link: SwitchLink
    private let loop: any EventLoop
    private let replica: ReplicaService
    /// Something a report tells is different now.
    var changed: (() -> Void)?
    /// For operators.
    var trouble: ((String) -> Void)?

    /// Settings of the switch that would harm revived calls; empty while they are not known.
    private var mediaProblems: [MediaPorts.Problem] = []
    private var mediaPorts = ""
    /// Of the switch's core database, as far as is known; and that its settings name another.
    var databasePath: String?
    private var databaseProblem: String?
    /// The first answer of this process that told them: it goes on with what it began with, whatever switch.conf says later.
    private var mediaAnswer: (runtime: String, answer: String)?
    /// Switch.conf says something else by now.
    private var isMediaChanged = false
    private var runtime = ""
    /// What each profile runs with, as far as it tells: sofia.conf may have been changed since.
    private var running: [String: [String: String]] = [:]
    /// As sofia.conf has them; nil while the switch does not tell.
    private var profiles: [String: [String: String]]?
    /// Answers that were read: a configuration may be large, and seldom changes.
    private var read: [String: String] = [:]
    /// Of phones that registered here, and when one did last.
    private var domains: [String: Instant] = [:]
    /// What the switch's directory said of domains.
    private var known: [String: Bool] = [:]
    /// Domains the directory is to be asked about, one after another: it may be far away (mod_xml_curl).
    private var waiting: [String] = []
    private var isAskingDomain = false
    /// What our stream says of us.
    private var written: [String: ProfileSettings] = [:]
    /// What keeps this switch from serving callers as others do; nothing while it is not reached, which is said alone.
    var blockers: [Blocker] { isUp ? judged : [] }
    private var judged: [Blocker] = []
    private var others: [String: [String: ProfileSettings]] = [:]
    private var holders: [String: String] = [:]
    private var addresses: [String] = []
    private var places: [String: IPAddress] = [:]
    /// Of the process that is asked; answers of an earlier one are dropped.
    private var life = 0
    private var isUp = false
    private var isStopped = false

    init(me: String, nodes: [String], link: SwitchLink, replica: ReplicaService) {
        self.me = me
        self.nodes = nodes
        self.link = link
        self.replica = replica
        loop = link.loop
    }

    // MARK: - What is known

    func surveyed(_ survey: Survey) {
        let former = (addresses, holders)
        addresses = survey.placements.map(\.address.name)
        places = [:]
        for placement in survey.placements { places[placement.address.name] = placement.address.ip }
        holders = holders.filter { addresses.contains($0.key) }
        // Of an address that nobody holds at this moment, whoever held it last is what its callers know.
        for placement in survey.placements {
            if let holder = placement.holder { holders[placement.address.name] = holder.name }
        }
        if addresses != former.0 {
            ask()
            settingsChanged()
        } else if holders != former.1 {
            judge()
        }
    }

    /// A phone registered at an address that is held here.
    func registered(at domain: String) {
        guard Self.isPlain(domain) else { return }
        let isNew = domains[domain] == nil
        if isNew, domains.count >= Self.mostDomains,
            let oldest = domains.min(by: { ($0.value, $0.key) < ($1.value, $1.key) })
        {
            domains[oldest.key] = nil
        }
        domains[domain] = Instant.now()
        if isNew { askForDomains([domain]) }
    }

    /// It goes into a command, and comes from phones.
    static func isPlain(_ domain: String) -> Bool {
        !domain.isEmpty && domain.utf8.count <= 255
            && domain.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "-"),
                    UInt8(ascii: "_"), UInt8(ascii: ":"), UInt8(ascii: "["), UInt8(ascii: "]"):
                    true
                default: false
                }
            }
    }

    /// What another node wrote into its stream.
    func changed(_ node: String, _ changes: Changes) {
        let former = others[node]
        for change in changes {
            switch change {
            case .put(let record) where record.kind == Self.kind:
                guard
                    let read = try? JSONDecoder().decode(ProfileSettings.self, from: Data(record.payload))
                else { continue }
                others[node, default: [:]][String(decoding: record.key, as: UTF8.self)] = read
            case .removed(Self.kind, let key), .expired(Self.kind, let key):
                others[node]?[String(decoding: key, as: UTF8.self)] = nil
            case .put, .removed, .expired: continue
            }
        }
        guard others[node] != former else { return }
        askForDomains(domainsElsewhere.filter { known[$0] == nil })
        judge()
    }

    // MARK: - The switch

    func up(runtime: String) {
        life += 1
        self.runtime = runtime
        isUp = true
        waiting = []
        isAskingDomain = false
        ask()
        if life == 1 { repeatAsking() }
    }

    func down() { isUp = false }

    func stop() { isStopped = true }

    private func repeatAsking() {
        loop.assumeIsolated().scheduleTask(in: Self.interval) { [weak self] in
            guard let self, !isStopped else { return }
            ask()
            repeatAsking()
        }
    }

    /// The switch read its configuration again.
    func ask() {
        guard isUp else { return }
        askOnce(MediaPorts.command) { $0.readSwitchSettings($1) }
        askOnce(SwitchParameters.command("sofia.conf")) { $0.profiles = SwitchParameters.profiles($1) }
        for name in addresses {
            askOnce(RunningProfile.command(name)) { $0.running[name] = RunningProfile.parameters($1) }
        }
        let now = Instant.now()
        domains = domains.filter { now - $0.value < Self.domainLifetime }
        let wanted = Set(domains.keys).union(domainsElsewhere)
        known = known.filter { wanted.contains($0.key) }
        askForDomains(wanted.sorted())
    }

    /// - Parameter then: takes an answer that is another than the last.
    private func askOnce(_ line: String, _ then: @escaping (SettingsWatch, String) -> Void) {
        ask(line) { [weak self] answer in
            guard let self, let answer, read.updateValue(answer, forKey: line) != answer else { return }
            then(self, answer)
            settingsChanged()
        }
    }

    /// - Parameter then: gets nil when the switch did not answer; is not called when the switch is gone.
    private func ask(_ line: String, _ then: @escaping (String?) -> Void) {
        let life = life
        link.bgapi(line) { [weak self] result in
            guard let self, life == self.life else { return }
            switch result {
            case .success(let answer): then(answer.text)
            case .failure(.disconnected): break
            case .failure: then(nil)
            }
        }
    }

    private func readSwitchSettings(_ answer: String) {
        if mediaAnswer?.runtime != runtime { mediaAnswer = (runtime, answer) }
        let begun = mediaAnswer?.answer ?? answer
        isMediaChanged = MediaPorts.isOther(begun, answer)
        let problems = MediaPorts.problems(answer: begun, node: me, nodes: nodes) ?? []
        for problem in problems where problem.isBlocking && !mediaProblems.contains(problem) {
            trouble?(
                "the switch's settings would harm revived calls: \(problem); see: fsdns freeswitch config")
        }
        mediaProblems = problems
        mediaPorts = MediaPorts.range(answer: begun) ?? ""
        let former = databaseProblem
        databaseProblem = databasePath.flatMap { CoreDatabase.elsewhere($0, answer: answer) }
        if let databaseProblem, databaseProblem != former {
            trouble?("calls cannot be recovered here: \(databaseProblem)")
        }
    }

    /// Of phones elsewhere, which may come here.
    private var domainsElsewhere: [String] {
        let told = Set(others.values.flatMap(\.values).flatMap(\.domains)).filter(Self.isPlain)
        return Array(told.sorted().prefix(Self.mostDomains))
    }

    private func askForDomains(_ wanted: [String]) {
        guard isUp else { return }
        waiting += wanted.filter { !waiting.contains($0) }
        askForNextDomain()
    }

    private func askForNextDomain() {
        guard !isAskingDomain, !waiting.isEmpty else { return }
        isAskingDomain = true
        let domain = waiting.removeFirst()
        ask("domain_exists \(domain)") { [weak self] answer in
            guard let self else { return }
            isAskingDomain = false
            let said = answer?.trimmed
            let knows = said == "true" ? true : said == "false" ? false : nil
            if known[domain] != knows {
                known[domain] = knows
                settingsChanged()
            }
            askForNextDomain()
        }
    }

    // MARK: - What is told

    private func settingsChanged() {
        let own = ownSettings
        let gone = written.keys.filter { own[$0] == nil }.sorted()
        let new = own.filter { written[$0.key] != $0.value }
        written = own
        replica.write(.node(me), gone.map { .remove(Self.kind, key: Array($0.utf8)) } + Self.writes(new))
        judge()
    }

    /// Everything of our own, for a stream that begins anew.
    func writeAll() { replica.write(.node(me), Self.writes(written)) }

    private static func writes(_ settings: [String: ProfileSettings]) -> [Write] {
        settings.sorted { $0.key < $1.key }.map { name, settings in
            .put(Record(kind: kind, key: Array(name.utf8), payload: ControlJSON.encode(settings)))
        }
    }

    /// Of each address; none while the switch does not tell.
    private var ownSettings: [String: ProfileSettings] {
        var own: [String: ProfileSettings] = [:]
        for name in addresses {
            // Before it is known what runs, a file would tell other settings for a moment.
            guard let parameters = profiles?[name], let running = running[name] else { continue }
            own[name] = ProfileSettings(
                parameters.merging(running) { $1 }, mediaPorts: mediaPorts,
                domains: domains.keys.filter { known[$0] == true })
        }
        return own
    }

    /// Looked at when something changed, as it is told with each event of a call.
    private func judge() {
        let former = judged
        judged = mediaProblems.filter(\.isBlocking).map { Blocker(.media, nil, "\($0)") }
        if let databaseProblem { judged.append(Blocker(.database, nil, databaseProblem)) }
        if isMediaChanged {
            judged.append(
                Blocker(
                    .difference, nil,
                    "RTP ports in switch.conf.xml were changed: restart FreeSWITCH, then they count"))
        }
        let unknown = Set(known.filter { !$0.value }.keys)
        for name in addresses {
            if let parameters = profiles?[name], !SwitchParameters.isTrue(parameters["track-calls"]) {
                judged.append(
                    Blocker(
                        .settings, name,
                        "profile \(name) has no track-calls: none of its calls could be brought back"))
            }
            if let media = running[name]?["rtp-ip"], let ip = IPAddress(media), let place = places[name],
                ip != place
            {
                judged.append(
                    Blocker(
                        .difference, name,
                        "profile \(name) has its media at \(ip), not at \(place): its calls do not follow the address"
                    ))
            }
            guard let holder = holders[name], holder != me, let other = others[holder]?[name],
                let own = written[name]
            else { continue }
            for difference in own.differences(from: other, unknown: unknown) {
                judged.append(
                    Blocker(
                        difference.isHarmful ? .settings : .difference, name,
                        difference.text(profile: name, node: holder)))
            }
        }
        if judged != former { changed?() }
    }
}
