import Cluster
import Config
import Consensus
import NIOCore
import Replication
import Wire

/// Limits between the local switch, our limit service and the replicas.
///
/// The book lives on the limit service's thread when there is one, so that a check waits for nothing else; otherwise here.
final class LimitSharing {
    /// A node that is out keeps its usage until its calls are elsewhere, or for so long.
    private static let mourning: Duration = .seconds(15)

    private struct Leaving {
        var origin: LimitOrigin
        /// Addresses whose calls are to come to other nodes.
        var addresses: Set<String>
        var until: Instant
    }

    private let loop: any EventLoop
    private let replica: ReplicaService
    private let log: EventLog
    private let me: String
    private var service: LimitService?
    private var book: LimitBook
    private var members: [Holder] = []
    private var holders: [String: Holder] = [:]
    private var leaving: [Leaving] = []
    /// What our switch's mod_hash is told when it asks.
    private(set) var hashAnswer: [UInt8] = Array("-ERR no reply\n".utf8)

    init(
        me: String, listener: ListenerSettings?, password: String, rules: LimitRules, replica: ReplicaService,
        loop: any EventLoop, log: EventLog
    ) throws(ServiceFailure) {
        self.me = me
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
        }
    }

    // MARK: - The book, wherever it is

    private func update(_ change: @escaping @Sendable (inout LimitBook, LimitMoment) -> Void) {
        guard let service else {
            let now = LimitMoment(boot: BootClock.now(), wall: WallClock.seconds())
            change(&book, now)
            let changes = book.takeChanges()
            hashAnswer = book.hashAnswer(at: now)
            write(changes)
            return
        }
        let (loop, here) = (loop, NIOLoopBound(self, eventLoop: loop))
        service.update { book, now in
            change(&book, now)
            let answer = book.hashAnswer(at: now)
            loop.execute { here.value.hashAnswer = answer }
        }
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
        let gone = members.filter { !survey.members.contains($0) && $0.name != me }
        let now = BootClock.now()
        for holder in gone {
            let addresses = holders.filter { $0.value == holder }.keys
            leaving.append(
                Leaving(
                    origin: LimitOrigin(node: holder.name, life: holder.incarnation),
                    addresses: Set(addresses), until: now + (addresses.isEmpty ? .zero : Self.mourning)))
        }
        members = survey.members
        for placement in survey.placements {
            if let holder = placement.holder { holders[placement.address.name] = holder }
        }
        endMourning()
    }

    /// The calls of an address came to another switch, their usage with them.
    func recovered(_ address: String) {
        for at in leaving.indices { leaving[at].addresses.remove(address) }
        endMourning()
    }

    /// Forgets whose calls are elsewhere, or over.
    func endMourning() {
        let now = BootClock.now()
        let ended = leaving.filter { $0.addresses.isEmpty || $0.until <= now }
        leaving.removeAll { $0.addresses.isEmpty || $0.until <= now }
        for one in ended { update { book, _ in book.forget(one.origin) } }
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
