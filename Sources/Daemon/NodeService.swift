import Cluster
import Config
import Consensus
import ControlProtocol
@preconcurrency import Glibc
import Keeper
import NIOCore
import NIOPosix
import PeerProtocol
import Primitives
import Synchronization

/// One node service: reads the cluster file, wakes the doers, and lets the heart beat until it is told to stop.
package enum NodeService {
    /// Runs in the foreground until SIGTERM, SIGINT or a fatal trouble; a second signal ends it at once.
    ///
    /// - Returns: the exit code: 0 after a graceful end, 2 for an invalid cluster file, 1 for anything else, the
    ///   reason on standard error.
    package static func run(options: NodeOptions) -> Int32 {
        SignalWatch.block()
        do throws(ServiceFailure) {
            return try serve(options)
        } catch {
            complain(error.description)
            return error.exitCode
        }
    }

    private static func serve(_ options: NodeOptions) throws(ServiceFailure) -> Int32 {
        let setting = try NodeSetting(options)
        // Before the first other thread, which would keep what this one gives up.
        let (spawner, warnings) = try divide(setting, options)
        let log = EventLog()
        defer { log.flush() }
        for problem in setting.file.warnings {
            log.warning("configuration", "\(problem)", "is probably not meant")
        }
        let files = FileWatch(setting.file, node: setting.name, weaknesses: setting.weaknesses)
        for warning in files.warnings() { log.warning("files", setting.name, warning, atOnce: 20) }
        let trust = try LinkTrust(
            setting.key, files: setting.file.certificates, node: setting.name, log: log)
        let directory = try StateDirectory(path: options.stateDir)
        let (stateFile, start) = try Self.start(setting.name, directory, log)
        let inbox = try Inbox()
        // One for decisions and operators, one for what nodes share.
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 2)
        let (deciding, sharing) = (group.next(), group.next())
        // What lives on a loop outlives it: connections that close ask it until the end.
        var shared: Sharing?
        defer {
            try? group.syncShutdownGracefully()
            withExtendedLifetime(shared) {}
        }
        if let reason = stateFile.reserveRoom() {
            log.warning("storage", directory.path, "no room could be set aside for the state: \(reason)")
        }
        let storage = Storage(file: stateFile, directory: directory.path, answer: { inbox.put($0) })
        let journal = EventJournal(node: setting.name)
        shared = try share(setting, start, directory, options, inbox, journal, log, trust, on: sharing)
        let audit = AuditFile(path: directory.auditFile, log: log)
        let control = Self.control(setting, options, inbox, journal, audit, shared, log)
        let signer = trust.hasCertificates ? HeartbeatSigner() : nil
        let links = try PeerLinks(
            loop: deciding, key: setting.key, me: start.me, log: log, trust: trust, voucher: signer?.voucher,
            report: { inbox.put(.noticed($0)) }, vouch: { inbox.put(.vouched($0)) },
            deliver: { inbox.offer(.received($0.relayed(by: $1.name), from: $1)) })
        let zone =
            setting.zoneServers.isEmpty
            ? nil : ZoneUpdater(servers: setting.zoneServers, answer: { inbox.put($0) })
        try control.start(on: deciding)
        defer { control.stop() }
        let doers = NodeLoop.Doers(
            storage: storage, links: links, zone: zone, control: control, sharing: shared,
            hand: hand(of: setting, shared, inbox, on: deciding),
            calendar: CalendarWatch(
                loop: deciding, tell: { inbox.offer(.calendar($0)) },
                trouble: { log.warning("calendar", setting.name, $0) }),
            audit: audit, journal: journal, files: files, log: log)
        doers.calendar.start()
        let reread = FileReread(
            path: options.configPath, name: setting.name, running: setting.file, log: log, journal: journal)
        watch(trust, links, shared, inbox, on: sharing)
        SignalWatch.start(inbox, reread: { for look in [reread.look, trust.look, files.look] { look() } })
        files.start(on: sharing)
        shared?.start()
        log.notice(
            "ready", setting.name,
            "node \(start.me) of cluster \(setting.file.settings.cluster) answers at \(options.controlPath)")
        let reason = try beat(setting, start, signer, inbox, doers, spawner, warnings)
        links.stop()
        doers.hand.stop()
        shared?.stop()
        audit.finish()
        storage.finish()
        return try code(of: reason, setting.name, stateFile, directory, log)
    }

    /// What the process ends with.
    private static func code(
        of reason: StopReason, _ name: String, _ stateFile: StateFile, _ directory: StateDirectory,
        _ log: EventLog
    ) throws(ServiceFailure) -> Int32 {
        switch reason {
        case .shutdown:
            log.notice("stopped", name, "left the cluster empty-handed")
            return 0
        case .fatal(let text): throw ServiceFailure(text)
        case .startAnew(let text):
            try? stateFile.close()
            let place = try directory.setAside(because: text)
            throw ServiceFailure(
                "\(text); it was moved to \(place), and the next start joins as a new member")
        }
    }

    /// Certificates are read again when they change, and links made anew where that ends them.
    private static func watch(
        _ trust: LinkTrust, _ links: PeerLinks, _ shared: Sharing?, _ inbox: Inbox, on loop: any EventLoop
    ) {
        trust.observe { [weak links, weak shared] stale in
            if stale == .all { inbox.put(.authorityRemoved) }
            links?.prove(stale)
            shared?.prove(stale)
        }
        trust.start(on: loop)
    }

    /// What operators ask goes to the node, what they look at to those who keep it.
    private static func control(
        _ setting: NodeSetting, _ options: NodeOptions, _ inbox: Inbox, _ journal: EventJournal,
        _ audit: AuditFile, _ shared: Sharing?, _ log: EventLog
    ) -> ControlSocket {
        let lines: @Sendable (SharedKind, @escaping @Sendable ([SharedPart]) -> Void) -> Void = {
            [shared] kind, tell in
            if kind == .deeds {
                return audit.verify { lines, fault in
                    let parts = SharedPart.parts(lines, SharedPart.deeds)
                    tell(parts + (fault.map { [.deedsFault($0)] } ?? []))
                }
            }
            if let shared { shared.lines(kind, tell) } else { tell([]) }
        }
        return ControlSocket(
            path: options.controlPath, node: setting.name, journal: journal,
            asked: ControlSocket.Asked(
                ask: { inbox.put(.operatorAsked(id: $0, $1)) }, rings: { inbox.put(.ringsWanted($0)) },
                noted: { change, who, caller in
                    let process = "process \(caller.pid) of user \(caller.uid)"
                    log.notice("asked", setting.name, "\(change), by \(who), \(process)")
                },
                shared: lines))
    }

    /// Leaves this machine's privileges to a process that only starts keepers, and gives them all up here. A keeper that
    /// is a service of its own needs nobody to start it.
    private static func divide(
        _ setting: NodeSetting, _ options: NodeOptions
    ) throws(ServiceFailure) -> (KeeperSpawner?, warnings: [String]) {
        var spawner: KeeperSpawner?
        if case .program(let path) = setting.keeper {
            do throws(SystemFailure) {
                spawner = try KeeperSpawner(path: path)
            } catch {
                throw ServiceFailure("no keeper can be started: \(error.text)")
            }
        }
        guard options.givesUpPrivileges else { return (spawner, []) }
        KeeperPrivileges.hideMemory()
        // This thread becomes the node's own; those it makes have an ordinary turn.
        _ = RealTime.takeTurn()
        return (spawner, KeeperPrivileges.giveUpEverything(realtimePriority: RealTime.highest))
    }

    /// What is shared with other nodes; nil on a witness, which carries no calls.
    private static func share(
        _ setting: NodeSetting, _ start: Start, _ directory: StateDirectory, _ options: NodeOptions,
        _ inbox: Inbox, _ journal: EventJournal, _ log: EventLog, _ trust: LinkTrust, on loop: any EventLoop
    ) throws(ServiceFailure) -> Sharing? {
        guard setting.kind == .full else { return nil }
        return try Sharing(
            Sharing.Parts(
                loop: loop, me: start.me, key: setting.key, trust: trust, section: setting.section,
                passwords: setting.passwords, limitRules: setting.file.limitRules,
                program: NodeSetting.program ?? "fsdns", controlPath: options.controlPath,
                nodes: setting.file.settings.nodes.map(\.name), log: log,
                journal: journal, asking: setting.asking, historyPath: directory.historyFile,
                report: { inbox.put(.switchReported($0)) }, tell: { inbox.put(.noticed($0)) }))
    }

    private static func hand(
        of setting: NodeSetting, _ shared: Sharing?, _ inbox: Inbox, on loop: any EventLoop
    ) -> PlaybookHand {
        var registrations: (@Sendable (@escaping @Sendable (CheckResult) -> Void) -> Void)?
        if let shared { registrations = { shared.registrationsConverged($0) } }
        return PlaybookHand(
            node: setting.name, programs: ProgramList(path: setting.file.programsFile), loop: loop,
            registrations: registrations, answer: { inbox.put($0) })
    }

    /// Who this start of the node is, and what it remembers.
    private struct Start: Sendable {
        var me: Holder
        var restored: Raft<StampedCommand, ControlState>.Restored
        /// Where it runs, and where its state was used before.
        var machine: MachineID
        var formerMachine: MachineID
        /// Why it came without its former state.
        var anew: String?

        /// Of the configurations it remembers, agreed or about to be.
        var agreedAddresses: [ServiceAddress] {
            let later = restored.entries.flatMap { entry -> [ServiceAddress] in
                guard case .command(let stamped) = entry.payload,
                    case .configure(let settings) = stamped.command
                else { return [] }
                return settings.addresses
            }
            let all = (restored.snapshot?.state.settings.addresses ?? []) + later
            return all.enumerated().filter { at, one in !all[..<at].contains { $0.name == one.name } }.map(
                \.element)
        }
    }

    private static func start(
        _ name: String, _ directory: StateDirectory, _ log: EventLog
    ) throws(ServiceFailure) -> (StateFile, Start) {
        let (machine, cards) = (MachineIdentity.read(), MachineIdentity.cards())
        if let reason = StateOwner.read(directory.stateFile)?
            .foreignness(to: name, on: machine, cards: cards)
        {
            let place = try directory.setAside(because: reason)
            log.warning("anew", name, "\(reason); the former state is in \(place)")
        }
        let file = try StateFile(path: directory.stateFile, node: name, birth: { .random(in: 1 ... .max) })
        let contents = try file.contents()
        let count = contents.incarnation >> 32 + 1
        let incarnation = count << 32 | UInt64(UInt32.random(in: .min ... .max))
        do {
            // Before anything is said under it: a start that is not remembered would be repeated.
            try file.recordStart(incarnation, on: machine, cards: cards)
        } catch {
            throw ServiceFailure(file.explain(error))
        }
        let me = Holder(member: MemberID(name: name, birth: contents.birth), incarnation: incarnation)
        let start = Start(
            me: me, restored: contents.restored, machine: machine, formerMachine: contents.machine,
            anew: contents.restored == .init() ? directory.anew : nil)
        return (file, start)
    }

    /// Runs the heart on this thread, which got its turn while the process still had the right to one.
    private static func beat(
        _ setting: NodeSetting, _ start: Start, _ signer: HeartbeatSigner?, _ inbox: Inbox,
        _ doers: NodeLoop.Doers, _ spawner: KeeperSpawner?, _ warnings: [String]
    ) throws(ServiceFailure) -> StopReason {
        let ending = Ending()
        let work = {
            do throws(ServiceFailure) {
                let keeper = try KeeperGuard(
                    setting.keeper, spawner: spawner, file: setting.file, agreed: start.agreedAddresses,
                    node: setting.name, log: doers.log)
                let heartbeats = Heartbeats(
                    plans: HeartbeatPort.Plan.all(of: setting.file, node: setting.name), me: setting.name,
                    timing: setting.file.settings.timing, key: setting.key,
                    bindings: setting.file.nodeBindings, signer: signer, trust: doers.links.trust,
                    log: doers.log)
                heartbeats.tend(at: Instant.now())
                if let taken = heartbeats.takenAddress {
                    throw ServiceFailure(
                        "another process on this machine uses \(taken) already; is this node running twice?")
                }
                let node = Node(
                    name: setting.name, birth: start.me.member.birth, incarnation: start.me.incarnation,
                    kind: setting.kind, settings: setting.file.settings, restored: start.restored,
                    seed: .random(in: .min ... .max), machine: start.machine,
                    formerMachine: start.formerMachine, anew: start.anew, at: Instant.now())
                let loop = NodeLoop(
                    node: node, inbox: inbox, heartbeats: heartbeats, keeper: keeper,
                    network: setting.watchesNetwork
                        ? NetworkWatch(
                            setting.file.settings.addresses
                                + start.agreedAddresses.filter { agreed in
                                    !setting.file.settings.addresses.contains { $0.name == agreed.name }
                                }, interval: setting.file.settings.timing.interval,
                            at: Instant.now(), log: doers.log)
                        : nil,
                    doers: doers, isSwitchWatched: setting.isSwitchWatched, warnings: warnings)
                ending.put(.success(loop.run()))
            } catch {
                ending.put(.failure(error))
            }
        }
        work()
        return try ending.taken.get()
    }

    private final class Ending: Sendable {
        private let result = Mutex<Result<StopReason, ServiceFailure>>(
            .failure(ServiceFailure("the heart stopped without a word")))
        func put(_ value: Result<StopReason, ServiceFailure>) { result.withLock { $0 = value } }
        var taken: Result<StopReason, ServiceFailure> { result.withLock { $0 } }
    }

    private static func complain(_ text: String) {
        LineWriter(to: STDERR_FILENO).write("fsdns: \(text)")
    }
}
