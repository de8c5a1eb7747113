import Cluster
import Config
import Consensus
import ControlProtocol
import EventSocket
import Glibc
import Logging
import NIOCore
import NIOPosix
import PeerProtocol
import Primitives
import Replication
import Switch
import SwitchSimulator
import Testing

@testable import Daemon

/// One machine without its heart: a stand-in FreeSWITCH and what its node shares; the test says how the cluster stands.
final class SharedSite {
    static let profile = "alpha"
    /// A second address, which the first site may have too.
    static let other = "beta"
    let me: Holder
    let directory = TemporaryDirectory()
    let place: Endpoint
    let reports = Mailbox<SwitchReport>()
    let journal: EventJournal
    private let endings = Mailbox<SwitchService.Ending>()
    private(set) var sharing: Sharing
    private let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    private var phone: SwitchService
    private let options: SwitchOptions
    private(set) var eventSocket: Endpoint

    /// - Parameters:
    ///   - number: of the machine; it has an address of its own on the loopback network.
    ///   - limitPassword: what the switch says to the limit service, where the right word is `right`; nil for no such service.
    init(
        _ name: String, number: Int, failedAfter: Duration = .seconds(20), password: String = "ClueCon",
        recoveryPatience: Duration = .seconds(60), rehearsal: Duration = .seconds(10),
        limitPassword: String? = nil,
        registrations: SwitchAccess.Registrations = .single,
        change: (inout SwitchSimulator.SwitchSettings) -> Void = { _ in }
    ) throws {
        me = Holder(member: MemberID(name: name, birth: UInt64(number)), incarnation: UInt64(number) << 32)
        journal = EventJournal(node: name)
        let own = try #require(IPAddress("127.83.7.\(number)"))
        // A port of this process's own, so that two runs do not meet.
        place = Endpoint(ip: own, port: 20_000 + UInt16(getpid() % 20_000))
        let limits = Endpoint(ip: own, port: place.port + 100)
        var settings = SwitchSettings(
            switchname: name, databaseDirectory: directory.path,
            profiles: [
                SwitchSettings.Profile(
                    name: Self.profile, ip: "127.83.7.200", port: place.port + UInt16(number), isStandby: true
                ),
                SwitchSettings.Profile(
                    name: Self.other, ip: "127.83.7.201", port: place.port + UInt16(number), isStandby: true),
            ])
        if let limitPassword {
            settings.limitService = .init(
                endpoint: SIPEndpoint(ip: "\(own)", port: limits.port), password: limitPassword)
        }
        // Both stand on one machine, with ports of their own at one address.
        for place in settings.profiles.indices { settings.profiles[place].told["sip-port"] = "5060" }
        change(&settings)
        options = SwitchOptions(settings: settings, eventSocket: SIPEndpoint(ip: "\(own)", port: 0))
        let endings = endings
        phone = SwitchService(options, log: Self.quiet(name)) { endings.put($0) }
        let port = try phone.start().port
        eventSocket = Endpoint(ip: own, port: port)
        let reports = reports
        var parts = Sharing.Parts(
            loop: group.next(), me: me,
            key: ClusterKey(cluster: "pbx", secret: Array("a secret of enough length".utf8)),
            section: SwitchSection(
                freeswitch: .eventSocket(
                    SwitchAccess(
                        endpoint: eventSocket, passwordFile: "", failedAfter: failedAfter,
                        registrations: registrations))),
            passwords: Sharing.Passwords(freeswitch: password), limitRules: LimitRules(),
            program: "fsdns", controlPath: directory.path + "/control", nodes: ["fs1", "fs2"],
            log: EventLog.silent, journal: journal,
            historyPath: directory.path + "/recoveries.jsonl", report: { reports.put($0) })
        parts.recoveryPatience = recoveryPatience
        parts.rehearsalInterval = rehearsal
        if limitPassword != nil {
            parts.section.limitService = ListenerSettings(endpoint: limits, passwordFile: "")
            parts.passwords.limitService = "right"
        }
        sharing = try Sharing(parts)
        sharing.listen(at: [place])
        sharing.start()
    }

    deinit {
        sharing.stop()
        phone.stop()
        try? group.syncShutdownGracefully()
    }

    func meet(_ other: SharedSite) {
        for (one, another) in [(self, other), (other, self)] {
            one.sharing.heard(
                PeerSighting(
                    holder: another.me, ways: [PeerWay(remote: another.place, local: one.place)],
                    isTold: true))
        }
    }

    /// The address is with that holder, by the decision of that number.
    ///
    /// - Parameter isParting: it is about to go elsewhere by plan.
    func told(
        _ holder: Holder?, epoch: Index, members: [Holder], ip: String = "127.83.7.200",
        isParting: Bool = false, duty: DrainDuty? = nil
    ) throws {
        let address = ServiceAddress(name: Self.profile, ip: try #require(IPAddress(ip)), prefixLength: 8)
        var survey = Survey(
            placements: [
                Placement(
                    address: address, holder: holder, epoch: Epoch(term: 1, index: epoch),
                    isHere: holder == me)
            ], members: members, heard: members.map(\.name), expected: members.count, hasLease: true,
            seats: ["master1"])
        if isParting { survey.partings = [Self.profile] }
        survey.duty = duty
        sharing.surveyed(survey)
    }

    /// Each of the two addresses is with its holder, or with nobody.
    func told(alpha: Holder?, beta: Holder?, epoch: Index, members: [Holder]) throws {
        let placements = try [(Self.profile, "127.83.7.200", alpha), (Self.other, "127.83.7.201", beta)].map {
            Placement(
                address: ServiceAddress(name: $0, ip: try #require(IPAddress($1)), prefixLength: 8),
                holder: $2,
                epoch: $2 == nil ? .zero : Epoch(term: 1, index: epoch), isHere: $2 == me)
        }
        sharing.surveyed(
            Survey(
                placements: placements, members: members, heard: members.map(\.name), expected: members.count,
                hasLease: true, seats: ["master1", "master2"]))
    }

    /// What the switch prints; the command line's own client is not at hand here.
    func api(_ line: String) throws -> String {
        let answers = Mailbox<String>()
        ask(line) { answers.put($0) }
        return try #require(answers.next())
    }

    /// For a command that is answered much later.
    func begin(_ line: String) { ask(line) { _ in } }

    /// The switch's phones register; only its events tell, its own tables are none the wiser.
    func registered(
        _ users: Range<Int>, at profile: String = SharedSite.profile, host: String = "192.0.2.7"
    ) throws {
        try fire("sofia::register", users, profile, host)
    }

    func unregistered(
        _ users: Range<Int>, at profile: String = SharedSite.profile, host: String = "192.0.2.7"
    ) throws {
        try fire("sofia::unregister", users, profile, host)
    }

    private func fire(
        _ subclass: String, _ users: Range<Int>, _ profile: String = SharedSite.profile,
        _ host: String = "192.0.2.7"
    ) throws {
        let events = users.map { user in
            var headers = Headers()
            for (name, value) in [
                ("Event-Name", "CUSTOM"), ("Event-Subclass", subclass), ("profile-name", profile),
                ("from-user", "\(user)"), ("from-host", "h"), ("contact", "<sip:\(user)%40x@\(host)>"),
                ("call-id", "c\(user)"), ("expires", "3600"), ("status", "Registered(UDP)"),
            ] { headers.append(name, value) }
            return SwitchEvent(headers: headers)
        }
        try send(events)
    }

    private func send(_ events: [SwitchEvent]) throws {
        let done = Mailbox<Bool>()
        converse { link, end in
            for (place, event) in events.enumerated() {
                link.command(.sendevent(event)) { reply in
                    guard place == events.count - 1 else { return }
                    done.put((try? reply.get().isOK) == true)
                    end()
                }
            }
        }
        #expect(done.next { $0 } == true)
    }

    /// The switch has these of its own, from another time: neither this node nor another knows of them.
    func remembered(_ users: Range<Int>, host: String = "192.0.2.66") throws {
        try send(
            users.map { user in
                RegistrationInjection.register(
                    Registration(
                        profile: Self.profile, user: "\(user)", host: "h",
                        contact: "<sip:\(user)@\(host)>", callID: "old\(user)",
                        expires: Instant.now() + .seconds(3600)),
                    at: Instant.now(), origin: .init(address: "127.0.0.1", switchname: me.name),
                    lateMargin: .seconds(60))
            }.compactMap { $0 })
        let seen = try eventually {
            try users.allSatisfy { try api("sofia_contact alpha/\($0)@h").contains(host) }
        }
        try #require(seen)
    }

    /// How many registrations the switch lists.
    func listed() throws -> Int {
        let text = try api("sofia status profile \(Self.profile) reg")
        return text.split(separator: "\n").filter { $0.hasPrefix("Call-ID:") }.count
    }

    private func ask(_ line: String, _ tell: @escaping @Sendable (String) -> Void) {
        converse { link, end in
            link.api(line) { result in
                tell((try? result.get().text) ?? "no answer")
                end()
            }
        }
    }

    private func converse(_ say: @escaping @Sendable (SwitchLink, _ end: @escaping () -> Void) -> Void) {
        let (loop, eventSocket) = (group.next(), eventSocket)
        loop.execute {
            let link = SwitchLink(
                loop: loop, endpoint: eventSocket, password: "ClueCon", subscription: .init(),
                log: EventLog.silent)
            link.owner = SwitchLink.Owner(
                up: { _ in
                    say(link) {
                        link.owner = nil
                        link.stop()
                    }
                }, down: { _ in }, event: { _ in })
            link.start()
        }
    }

    func lines(_ kind: SharedKind) throws -> [SharedPart] {
        let answer = Mailbox<[SharedPart]>()
        sharing.lines(kind) { answer.put($0) }
        return try #require(answer.next())
    }

    func calls() throws -> [CallLine] {
        try lines(.calls).flatMap { if case .calls(let lines) = $0 { lines } else { [CallLine]() } }
    }

    func recoveries() throws -> [RecoveryLine] {
        try lines(.recoveries).flatMap {
            if case .recoveries(let lines) = $0 { lines } else { [RecoveryLine]() }
        }
    }

    func registrations() throws -> [RegistrationLine] {
        try lines(.registrations).flatMap {
            if case .registrations(let lines) = $0 { lines } else { [RegistrationLine]() }
        }
    }

    /// The switch is gone, and stays away.
    func stopSwitch() { phone.stop() }

    /// The switch ends by itself, and its port with it.
    func awaitEnd() throws {
        _ = try #require(endings.next())
        phone.stop()
    }

    /// The switch is gone without a word and comes back as another process with the same files.
    func crashSwitch() throws {
        ask("simulator crash") { _ in }
        try awaitEnd()
        var options = options
        options.eventSocket = SIPEndpoint(ip: "\(eventSocket.ip)", port: eventSocket.port)
        // Another process has another Core-UUID.
        options.seed += 1
        // The port is the system's to give away meanwhile: whoever got it for a moment lets it go again.
        let isBack = try eventually(within: 20) {
            phone = SwitchService(options, log: Self.quiet(me.name))
            return (try? phone.start()) != nil
        }
        try #require(isBack)
    }

    private static func quiet(_ name: String) -> Logger {
        Logger(label: name) { _ in SwiftLogNoOpLogHandler() }
    }
}

/// Waits for a truth that another thread brings about.
func eventually(within seconds: Double = 30, _ isTrue: () throws -> Bool) throws -> Bool {
    let clock = ContinuousClock()
    let end = clock.now + .seconds(seconds)
    while clock.now < end {
        if try isTrue() { return true }
        // Each question goes to another thread and back; this only keeps it from being asked without a pause.
        usleep(20_000)
    }
    return false
}
