// The kinds of what operators ask and are answered, as they stand in JSON.

extension OperatorRequest {
    enum Kind: String, CaseIterable {
        case status = "status"
        case drain = "drain"
        case abortDrain = "abortDrain"
        case undrain = "undrain"
        case switchover = "switchover"
        case zone = "zone"
        case zoneApply = "zoneApply"
        case playbook = "playbook"
        case forget = "forget"
        case revoke = "revoke"
        case recoverQuorum = "recoverQuorum"
        case vacate = "vacate"
    }

    /// What is asked for that this release does not know; nil when it knows it.
    package var unknownKind: String? {
        switch self {
        case .unknown(let kind): kind
        case .playbook(.unknown(let kind)): "playbook \(kind)"
        default: nil
        }
    }
}

extension OperatorRequest: Codable {
    package init(from decoder: any Decoder) throws {
        let read = try KindReader<Kind>(decoder)
        switch read.kind {
        case .status: self = .status
        case .drain: self = .drain(try read())
        case .abortDrain: self = .abortDrain(who: try read("who"))
        case .undrain: self = .undrain(node: try read("node"), who: try read("who"))
        case .switchover:
            self = .switchover(
                seat: try read("seat"), to: try read.optional("to"), dryRun: try read("dryRun"),
                who: try read("who"))
        case .zone: self = .zone
        case .zoneApply: self = .zoneApply(adopt: try read("adopt"), who: try read("who"))
        case .playbook: self = .playbook(try read())
        case .forget: self = .forget(node: try read("node"), who: try read("who"))
        case .revoke: self = .revoke(node: try read("node"), who: try read("who"))
        case .recoverQuorum:
            self = .recoverQuorum(
                lost: try read("lost"), dryRun: try read("dryRun"), who: try read("who"))
        case .vacate: self = .vacate(who: try read("who"))
        case nil: self = .unknown(read.name)
        }
    }

    package func encode(to encoder: any Encoder) throws {
        func writer(_ kind: Kind) -> KindWriter { KindWriter(encoder, kind.rawValue) }
        var write: KindWriter
        switch self {
        case .status: _ = writer(.status)
        case .drain(let request):
            write = writer(.drain)
            try write(request)
        case .abortDrain(let who):
            write = writer(.abortDrain)
            try write("who", who)
        case .undrain(let node, let who):
            write = writer(.undrain)
            try write("node", node)
            try write("who", who)
        case .switchover(let seat, let to, let dryRun, let who):
            write = writer(.switchover)
            try write("seat", seat)
            try write("to", to)
            try write("dryRun", dryRun)
            try write("who", who)
        case .zone: _ = writer(.zone)
        case .zoneApply(let adopt, let who):
            write = writer(.zoneApply)
            try write("adopt", adopt)
            try write("who", who)
        case .playbook(let request):
            write = writer(.playbook)
            try write(request)
        case .forget(let node, let who):
            write = writer(.forget)
            try write("node", node)
            try write("who", who)
        case .revoke(let node, let who):
            write = writer(.revoke)
            try write("node", node)
            try write("who", who)
        case .recoverQuorum(let lost, let dryRun, let who):
            write = writer(.recoverQuorum)
            try write("lost", lost)
            try write("dryRun", dryRun)
            try write("who", who)
        case .vacate(let who):
            write = writer(.vacate)
            try write("who", who)
        case .unknown(let kind): _ = KindWriter(encoder, kind)
        }
    }
}

// MARK: - Playbooks

extension PlaybookRequest {
    enum Kind: String, CaseIterable {
        case run = "run"
        case schedule = "schedule"
        case unschedule = "unschedule"
        case cancel = "cancel"
        case approve = "approve"
        case list = "list"
        case history = "history"
    }
}

extension PlaybookRequest: Codable {
    package init(from decoder: any Decoder) throws {
        let read = try KindReader<Kind>(decoder)
        switch read.kind {
        case .run:
            self = .run(
                try read(), who: try read("who"), dryRun: try read("dryRun"),
                ignoresWindow: try read("ignoresWindow"))
        case .schedule: self = .schedule(try read(), who: try read("who"))
        case .unschedule: self = .unschedule(name: try read("name"), who: try read("who"))
        case .cancel: self = .cancel(who: try read("who"))
        case .approve: self = .approve(who: try read("who"))
        case .list: self = .list
        case .history: self = .history
        case nil: self = .unknown(read.name)
        }
    }

    package func encode(to encoder: any Encoder) throws {
        func writer(_ kind: Kind) -> KindWriter { KindWriter(encoder, kind.rawValue) }
        var write: KindWriter
        switch self {
        case .run(let playbook, let who, let dryRun, let ignoresWindow):
            write = writer(.run)
            try write(playbook)
            try write("who", who)
            try write("dryRun", dryRun)
            try write("ignoresWindow", ignoresWindow)
        case .schedule(let playbook, let who):
            write = writer(.schedule)
            try write(playbook)
            try write("who", who)
        case .unschedule(let name, let who):
            write = writer(.unschedule)
            try write("name", name)
            try write("who", who)
        case .cancel(let who):
            write = writer(.cancel)
            try write("who", who)
        case .approve(let who):
            write = writer(.approve)
            try write("who", who)
        case .list: _ = writer(.list)
        case .history: _ = writer(.history)
        case .unknown(let kind): _ = KindWriter(encoder, kind)
        }
    }
}

// MARK: - Answers

extension OperatorReply {
    enum Kind: String, CaseIterable {
        case status = "status"
        case accepted = "accepted"
        case plan = "plan"
        case refused = "refused"
        case zone = "zone"
        case unavailable = "unavailable"
        case playbooks = "playbooks"
    }
}

extension OperatorReply: Codable {
    package init(from decoder: any Decoder) throws {
        let read = try KindReader<Kind>(decoder)
        switch read.kind {
        case .status: self = .status(try read())
        case .accepted: self = .accepted(try read(), try read("_1"))
        case .plan: self = .plan(try read())
        case .refused: self = .refused(try read())
        case .zone: self = .zone(try read())
        case .unavailable: self = .unavailable(try read())
        case .playbooks: self = .playbooks(try read())
        case nil:
            self = .unavailable(
                "the leader's answer (“\(read.name)”) is of a later release than this node's; it may have been done: "
                    + "look, then ask on a machine that has the later release")
        }
    }

    package func encode(to encoder: any Encoder) throws {
        func writer(_ kind: Kind) -> KindWriter { KindWriter(encoder, kind.rawValue) }
        var write: KindWriter
        switch self {
        case .status(let report):
            write = writer(.status)
            try write(report)
        case .accepted(let epoch, let lines):
            write = writer(.accepted)
            try write(epoch)
            try write("_1", lines)
        case .plan(let lines):
            write = writer(.plan)
            try write(lines)
        case .refused(let reasons):
            write = writer(.refused)
            try write(reasons)
        case .zone(let report):
            write = writer(.zone)
            try write(report)
        case .unavailable(let reason):
            write = writer(.unavailable)
            try write(reason)
        case .playbooks(let report):
            write = writer(.playbooks)
            try write(report)
        }
    }
}
