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
    /// As sofia.conf has them; nil while the switch does not tell.
    private var profiles: [String: [String: String]]?
    /// Of phones that registered here, and when one did last.
    private var domains: [String: Instant] = [:]
    /// What the switch's directory said of domains.
    private var known: [String: Bool] = [:]
    private var others: [String: [String: ProfileSettings]] = [:]
    private var holders: [String: String] = [:]
    private var addresses: [String] = []
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
        let former = addresses
        addresses = survey.placements.map(\.address.name)
        holders = holders.filter { addresses.contains($0.key) }
        // Of an address that nobody holds at this moment, whoever held it last is what its callers know.
        for placement in survey.placements {
            if let holder = placement.holder { holders[placement.address.name] = holder.name }
        }
        if addresses != former { write() }
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
        if isNew { askForDomains() }
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
            askForDomains()
            changed?()
        }
    }

    // MARK: - The switch

    func up() {
        life += 1
        isUp = true
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
        ask(MediaPorts.command) { [weak self] in self?.readMediaPorts($0) }
        ask(SwitchParameters.command("sofia.conf")) { [weak self] answer in
            self?.profiles = SwitchParameters.profiles(answer)
            self?.write()
        }
        askForDomains()
    }

    private func ask(_ line: String, _ then: @escaping (String) -> Void) {
        let life = life
        // A directory from elsewhere (mod_xml_curl) may take its time.
        link.bgapi(line) { [weak self] result in
            guard let self, life == self.life, case .success(let answer) = result else { return }
            then(answer.text)
        }
    }

    private func readMediaPorts(_ answer: String) {
        let problems = MediaPorts.problems(answer: answer, node: me, nodes: nodes) ?? []
        for problem in problems where problem.isBlocking && !mediaProblems.contains(problem) {
            trouble?(
                "the switch's settings would harm revived calls: \(problem); see: fsdns freeswitch config")
        }
        mediaProblems = problems
        mediaPorts = MediaPorts.range(answer: answer) ?? ""
        write()
    }

    /// Those of phones here, which are told to others, and those of phones elsewhere, which may come here.
    private func askForDomains() {
        guard isUp else { return }
        let now = Instant.now()
        domains = domains.filter { now - $0.value < Self.domainLifetime }
        let elsewhere = others.values.flatMap(\.values).flatMap(\.domains).filter(Self.isPlain)
        let wanted = Set(domains.keys).union(elsewhere.sorted().prefix(Self.mostDomains))
        known = known.filter { wanted.contains($0.key) }
        for domain in wanted.sorted() {
            ask("domain_exists \(domain)") { [weak self] answer in
                guard let self else { return }
                let said = answer.trimmed
                let knows = said == "true" ? true : said == "false" ? false : nil
                guard known[domain] != knows else { return }
                known[domain] = knows
                write()
            }
        }
    }

    // MARK: - What is told

    /// Everything of our own, also for a stream that begins anew.
    func write() {
        changed?()
        if profiles == nil { return }
        let own = addresses.compactMap { name in settings(name).map { (name, $0) } }
        replica.write(
            .node(me),
            own.map { name, settings in
                .put(Record(kind: Self.kind, key: Array(name.utf8), payload: ControlJSON.encode(settings)))
            })
    }

    private func settings(_ name: String) -> ProfileSettings? {
        guard let parameters = profiles?[name] else { return nil }
        return ProfileSettings(
            parameters, mediaPorts: mediaPorts, domains: domains.keys.filter { known[$0] == true })
    }

    var blockers: [Blocker] {
        var found = mediaProblems.filter(\.isBlocking).map { Blocker(.media, nil, "\($0)") }
        for name in addresses {
            if let parameters = profiles?[name], !SwitchParameters.isTrue(parameters["track-calls"]) {
                found.append(
                    Blocker(
                        .settings, name,
                        "profile \(name) has no track-calls: none of its calls could be brought back"))
            }
            guard let holder = holders[name], holder != me, let other = others[holder]?[name],
                let own = settings(name)
            else { continue }
            let unknown = Set(known.filter { !$0.value }.keys)
            for difference in own.differences(from: other, unknown: unknown) {
                found.append(
                    Blocker(
                        difference.isHarmful ? .settings : .difference, name,
                        difference.text(profile: name, node: holder)))
            }
        }
        return found
    }
}
