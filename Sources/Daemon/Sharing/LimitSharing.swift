import Cluster
import Config
import ControlProtocol
import Limits
import NIOCore
import Primitives
import Replication

/// Limits between the local switch, our limit service and the replicas.
///
/// The book lives on the limit service's thread when there is one, so that a check waits for nothing else; otherwise here.
final class LimitSharing {
    private let loop: any EventLoop
    private let replica: ReplicaService
    private let log: EventLog
    private let me: String
    private var service: LimitService?
    private var book: LimitBook
    private var departed: DepartedUsage
    /// A switch tries again with each call, and whoever reaches the service may guess.
    private var wrongPasswords = EventPause()
    /// When the switch was asked because of a wrong password.
    private var askedFor = Instant.zero
    private static let askPause: Duration = .seconds(2)
    /// Told to operators.
    var trouble: ((String) -> Void)?
    /// Somebody gave a wrong password: it may be our switch.
    var refused: (() -> Void)?
    static let moduleCheck = "module_exists mod_hiredis"
    /// By the profile that `fsdns freeswitch config` prints.
    static let ping = "hiredis_raw default ping"
    static let unreached =
        "FreeSWITCH is refused by the limit service: `limit hiredis` calls get 603 (password? fsdns doctor)"
    /// What our switch's mod_hash is told when it asks.
    private(set) var hashAnswer: [UInt8] = Array("-ERR no reply\n".utf8)
    /// That there is little room for more keys, or none.
    private(set) var shortage: Blocker?
    /// It is another one.
    var shortageChanged: (() -> Void)?

    init(
        me: String, listener: ListenerSettings?, password: String, rules: LimitRules, replica: ReplicaService,
        loop: any EventLoop, log: EventLog
    ) throws(ServiceFailure) {
        self.me = me
        departed = DepartedUsage(me: me)
        self.loop = loop
        self.replica = replica
        self.log = log
        book = LimitBook(me: me, policies: LimitPolicies(rules), seed: .random(in: .min ... .max))
        guard let listener else { return }
        var settings = LimitService.Settings()
        settings.endpoint = listener.endpoint
        settings.password = Array(password.utf8)
        let here = NIOLoopBound(self, eventLoop: loop)
        service = try LimitService(settings: settings, book: book, log: log) { changes in
            loop.execute { here.value.write(changes) }
        } refused: { from in
            loop.execute { here.value.refusedPassword(from) }
        }
    }

    private func refusedPassword(_ from: String) {
        let now = Instant.now()
        if now - askedFor >= Self.askPause {
            askedFor = now
            refused?()
        }
        guard let untold = wrongPasswords.take(at: now) else { return }
        let others = untold == 0 ? "" : " (and \(untold) more since it was told last)"
        trouble?(
            "the limit service refuses the password \(from) gives: calls with `limit hiredis` are refused there (603); see "
                + "autoload_configs/hiredis.conf.xml and: fsdns doctor\(others)")
    }

    // MARK: - The book, wherever it is

    private func update(_ change: @escaping @Sendable (inout LimitBook, LimitMoment) -> Void) {
        guard let service else {
            let now = LimitMoment(boot: Instant.now(), wall: WallClock.seconds())
            change(&book, now)
            let changes = book.takeChanges()
            hashAnswer = book.hashAnswer(at: now)
            filled(book.fullness(at: now))
            write(changes)
            return
        }
        let (loop, here) = (loop, NIOLoopBound(self, eventLoop: loop))
        service.update { book, now in
            change(&book, now)
            let answer = book.hashAnswer(at: now)
            let fullness = book.fullness(at: now)
            loop.execute {
                here.value.hashAnswer = answer
                here.value.filled(fullness)
            }
        }
    }

    private func filled(_ fullness: Double) {
        let former = shortage
        shortage =
            fullness >= 1
            ? Blocker(
                .limits, nil,
                "there is no room for another limit or rate: calls with a new one are refused (603); see: fsdns limits"
            )
            : fullness >= 0.9
                ? Blocker(
                    .room, nil, "nine tenths of the room for limits and rates are taken; see: fsdns limits")
                : nil
        if shortage != former { shortageChanged?() }
    }

    private func write(_ changes: [LimitChange]) {
        replica.write(
            .node(me),
            changes.map { change in
                switch change.kind {
                case .put:
                    .put(
                        Record(
                            kind: .limitUsage, key: change.key, expires: change.expires,
                            payload: change.payload))
                case .remove: .remove(.limitUsage, key: change.key)
                }
            })
    }

    /// Everything of our own, for a stream that begins anew.
    func writeAll() {
        guard let service else {
            write(book.ownRecords())
            return
        }
        let (loop, here) = (loop, NIOLoopBound(self, eventLoop: loop))
        service.update { book, _ in
            let records = book.ownRecords()
            loop.execute { here.value.write(records) }
        }
    }

    // MARK: - The cluster

    func surveyed(_ survey: Survey) {
        let reach = LimitReach(
            reachable: survey.heard, nodes: max(1, survey.members.count),
            isSplit: !survey.hasLease || survey.heard.count < survey.members.count)
        update { book, _ in book.setReach(reach) }
        departed.surveyed(survey, at: Instant.now()) { hasCalls($0) }
        endMourning()
    }

    /// Whether our copy knows of calls on an address, or does not know all.
    private func hasCalls(_ address: String) -> Bool {
        let stream = StreamID.address(address)
        guard replica.status(of: stream).map({ $0.isOwned || $0.isComplete }) == true else { return true }
        var isThere = false
        replica.forEach(in: stream) { isThere = isThere || $0.kind == .callLeg }
        return isThere
    }

    /// The calls of an address came to another switch, their usage with them.
    func recovered(_ address: String) {
        departed.recovered(address)
        endMourning()
    }

    /// Forgets whose calls are elsewhere, or over.
    func endMourning() {
        for origin in departed.takeEnded(at: Instant.now()) { update { book, _ in book.forget(origin) } }
    }

    /// Another node's records.
    func changed(_ node: String, life: UInt64, _ changes: Changes) {
        let origin = LimitOrigin(node: node, life: life)
        var told: [LimitChange] = []
        for change in changes {
            switch change {
            case .put(let record) where record.kind == .limitUsage:
                told.append(.put(record.key, record.payload, expires: record.expires))
            case .removed(.limitUsage, let key), .expired(.limitUsage, let key): told.append(.remove(key))
            case .put, .removed, .expired: break
            }
        }
        guard !told.isEmpty else { return }
        let (changes, log) = (told, log)
        update { book, now in
            for change in changes {
                do throws(LimitRefusal) {
                    try book.apply(change, of: origin, at: now)
                } catch {
                    log.warning("limit", error.subject, error.reason)
                }
            }
        }
    }

    /// A node's records are told anew from here on.
    func reset(_ node: String, life: UInt64) {
        let (origin, log) = (LimitOrigin(node: node, life: life), log)
        update { book, _ in
            do throws(LimitRefusal) { try book.reset(origin) } catch {
                log.warning("limit", error.subject, error.reason)
            }
        }
    }

    // MARK: - The switch

    /// What `hash_dump limit` of our own switch says, believed as far as our own calls account for it.
    func observe(_ dump: [UInt8], allowances: [String: LimitAllowance]) {
        let log = log
        update { book, now in
            let (_, faults) = book.observe(dump: dump, allowances: allowances, at: now)
            for fault in faults.prefix(3) { log.warning("limit", "hash_dump", fault) }
        }
    }

    func switchRestarted() { update { book, _ in book.switchRestarted() } }

    /// A revived leg goes on counting here: the switch itself does not know that it does.
    func adopt(_ leg: CallLeg) {
        let keys = LimitKey.held(byVariables: leg.variables)
        guard !keys.isEmpty else { return }
        let (uuid, log) = (leg.uuid, log)
        update { book, now in
            do throws(LimitRefusal) { try book.adopt(uuid, keys, at: now) } catch {
                log.warning("limit", error.subject, error.reason)
            }
        }
    }

    func ended(_ uuid: String) { update { book, _ in _ = book.releaseAdopted(uuid) } }

    // MARK: - For people

    func lines(_ tell: @escaping @Sendable ([LimitUseLine]) -> Void) {
        update { book, now in tell(book.report(at: now).map(LimitUseLine.init)) }
    }

    /// What would have to be corrected, compared with the legs that are up in our switch.
    func audit(_ legs: [CallLeg], _ tell: @escaping @Sendable ([LimitCorrectionLine]) -> Void) {
        let holders = legs.map { LimitHolder(uuid: $0.uuid, keys: LimitKey.held(byVariables: $0.variables)) }
        let node = me
        update { book, _ in
            tell(
                book.audit(live: holders, backends: [.hash, .hiredis]).map {
                    LimitCorrectionLine(node: node, text: $0.reason)
                })
        }
    }

    func stop() { service?.stop() }
}

extension LimitPolicies {
    init(_ rules: LimitRules) {
        self.init(
            rules: rules.rules.map { Rule($0.pattern, LimitPolicy($0.whenSplit)) },
            otherwise: LimitPolicy(rules.otherwise))
    }
}

extension LimitPolicy {
    init(_ whenSplit: LimitRules.WhenSplit) {
        switch whenSplit {
        case .open: self = .open
        case .closed: self = .closed
        case .share: self = .share
        }
    }
}

extension LimitUseLine {
    init(_ line: LimitLine) {
        let isRate = line.endsIn != nil
        self.init(
            kind: line.key.backend == .hash ? "hash" : isRate ? "rate" : "total", key: line.key.name,
            total: Int(clamping: line.total),
            nodes: line.shares.map { Share(node: $0.node, count: Int(clamping: $0.total)) })
    }
}
