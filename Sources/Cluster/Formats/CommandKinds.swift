import Calendar
import Primitives

// The kinds of commands: their names in the log, the format each came with, and what stands in it.

extension ControlCommand {
    enum Kind: String, CaseIterable {
        case admit = "admit"
        case fence = "fence"
        case grant = "grant"
        case move = "move"
        case revoke = "revoke"
        case released = "released"
        case drain = "drain"
        case maintenance = "maintenance"
        case configure = "configure"
        case playbook = "playbook"
        case ttl = "ttl"
        case ttlServed = "ttlServed"
        case asked = "asked"
        case forget = "forget"
        case revokeCertificates = "revokeCertificates"
        case recoverQuorum = "recoverQuorum"
        case raiseFormat = "raiseFormat"
    }

    /// The oldest format that has this command, with all that it carries.
    package var format: Int {
        switch self {
        case .admit, .fence, .grant, .move, .revoke, .released, .maintenance, .configure, .ttl, .ttlServed,
            .forget, .revokeCertificates, .recoverQuorum:
            1
        case .raiseFormat: 2
        case .drain(let command): command.format
        case .playbook(let command): command.format
        case .asked(let asked): asked.command?.format ?? 1
        case .unknown: .max
        }
    }

    /// The kind, in it or in what it carries, that this release does not know; nil when it knows all of it.
    package var unknownKind: String? {
        switch self {
        case .unknown(let kind): kind
        case .drain(.unknown(let kind)): "drain \(kind)"
        case .playbook(.unknown(let kind)): "playbook \(kind)"
        case .asked(let asked): asked.command?.unknownKind
        default: nil
        }
    }
}

extension Applied {
    /// What a command does that only a later release knows; the same on every node that does not know it.
    static func unknown(_ kind: String) -> Applied {
        .refused("this release does not know the command “\(kind)”; nothing was changed by it")
    }
}

extension ControlCommand: Codable {
    package init(from decoder: any Decoder) throws {
        let read = try KindReader<Kind>(decoder)
        switch read.kind {
        case .admit: self = .admit(try read())
        case .fence: self = .fence(try read())
        case .grant:
            self = .grant(
                address: try read("address"), to: try read("to"), reason: try read("reason"),
                isAutomatic: try read("isAutomatic"))
        case .move: self = .move(try read())
        case .revoke:
            self = .revoke(
                address: try read("address"), from: try read("from"), reason: try read("reason"))
        case .released: self = .released(try read())
        case .drain: self = .drain(try read())
        case .maintenance: self = .maintenance(node: try read("node"), try read.optional("_1"))
        case .configure: self = .configure(try read())
        case .playbook: self = .playbook(try read())
        case .ttl: self = .ttl(try read.optional())
        case .ttlServed: self = .ttlServed
        case .asked: self = .asked(try read())
        case .forget: self = .forget(try read())
        case .revokeCertificates: self = .revokeCertificates(node: try read("node"))
        case .recoverQuorum: self = .recoverQuorum(lost: try read("lost"))
        case .raiseFormat: self = .raiseFormat(to: try read("to"))
        case nil: self = .unknown(read.name)
        }
    }

    package func encode(to encoder: any Encoder) throws {
        func writer(_ kind: Kind) -> KindWriter { KindWriter(encoder, kind.rawValue) }
        var write: KindWriter
        switch self {
        case .admit(let admission):
            write = writer(.admit)
            try write(admission)
        case .fence(let fence):
            write = writer(.fence)
            try write(fence)
        case .grant(let address, let to, let reason, let isAutomatic):
            write = writer(.grant)
            try write("address", address)
            try write("to", to)
            try write("reason", reason)
            try write("isAutomatic", isAutomatic)
        case .move(let move):
            write = writer(.move)
            try write(move)
        case .revoke(let address, let from, let reason):
            write = writer(.revoke)
            try write("address", address)
            try write("from", from)
            try write("reason", reason)
        case .released(let notice):
            write = writer(.released)
            try write(notice)
        case .drain(let command):
            write = writer(.drain)
            try write(command)
        case .maintenance(let node, let maintenance):
            write = writer(.maintenance)
            try write("node", node)
            try write("_1", maintenance)
        case .configure(let settings):
            write = writer(.configure)
            try write(settings)
        case .playbook(let command):
            write = writer(.playbook)
            try write(command)
        case .ttl(let ttl):
            write = writer(.ttl)
            try write(ttl)
        case .ttlServed: _ = writer(.ttlServed)
        case .asked(let asked):
            write = writer(.asked)
            try write(asked)
        case .forget(let holder):
            write = writer(.forget)
            try write(holder)
        case .revokeCertificates(let node):
            write = writer(.revokeCertificates)
            try write("node", node)
        case .recoverQuorum(let lost):
            write = writer(.recoverQuorum)
            try write("lost", lost)
        case .raiseFormat(let next):
            write = writer(.raiseFormat)
            try write("to", next)
        // Its bytes are written as they came (`StampedCommand.written`).
        case .unknown(let kind): _ = KindWriter(encoder, kind)
        }
    }
}

// MARK: - Drains

extension DrainCommand {
    enum Kind: String, CaseIterable {
        case begin = "begin"
        case advance = "advance"
        case abort = "abort"
        case finish = "finish"
    }

    /// The oldest format that has this command.
    var format: Int {
        switch self {
        case .begin, .advance, .abort, .finish: 1
        case .unknown: .max
        }
    }
}

extension DrainCommand: Codable {
    package init(from decoder: any Decoder) throws {
        let read = try KindReader<Kind>(decoder)
        switch read.kind {
        case .begin: self = .begin(try read())
        case .advance:
            self = .advance(from: try read("from"), to: try read("to"), served: try read.optional("served"))
        case .abort: self = .abort(reason: try read("reason"))
        case .finish: self = .finish
        case nil: self = .unknown(read.name)
        }
    }

    package func encode(to encoder: any Encoder) throws {
        func writer(_ kind: Kind) -> KindWriter { KindWriter(encoder, kind.rawValue) }
        var write: KindWriter
        switch self {
        case .begin(let drain):
            write = writer(.begin)
            try write(drain)
        case .advance(let from, let to, let served):
            write = writer(.advance)
            try write("from", from)
            try write("to", to)
            try write("served", served)
        case .abort(let reason):
            write = writer(.abort)
            try write("reason", reason)
        case .finish: _ = writer(.finish)
        case .unknown(let kind): _ = KindWriter(encoder, kind)
        }
    }
}
