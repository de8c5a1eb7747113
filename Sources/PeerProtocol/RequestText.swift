import Cluster
import Primitives

/// What operators and programs write in a request, field by field, as the node that is asked takes it.
///
/// Other nodes' requests are not judged by it: they come from earlier releases too, and a frame that is refused ends its link.
package enum RequestText {
    /// Of a reason, a name or a question, in bytes.
    package static let longest = 256
    private static let longestSummary = PlaybookLimits.reason
    private static let longestPath = 4096

    /// A text and the form it must have.
    private struct Field {
        enum Form {
            /// One line without anything hidden.
            case line
            /// What a program is given: lines and tabs, and nothing that steers a terminal.
            case lines
        }
        var name: String
        var text: String
        /// Of the playbook.
        var line: Int?
        var limit = RequestText.longest
        var form = Form.line
    }

    /// Why a request is not taken, as a sentence that never repeats the text; nil when it is.
    package static func obstacle(_ request: OperatorRequest) -> String? {
        for field in fields(of: request) {
            let size = field.text.utf8.count
            let name = field.name + (field.line.map { " in line \($0) of the playbook" } ?? "")
            if size > field.limit {
                return "the \(name) has \(size) bytes; \(field.limit) are the limit"
            }
            let isFit =
                switch field.form {
                case .line: VisibleText.isPlain(field.text)
                case .lines: field.text.unicodeScalars.allSatisfy { !isControl($0) }
                }
            if !isFit { return "the \(name) has control characters, or others that nobody sees" }
        }
        return nil
    }

    /// C0 save for line ends and tabs, DEL and C1.
    private static func isControl(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 9, 10, 13: false
        case ..<0x20, 0x7F..<0xA0: true
        default: false
        }
    }

    private static func fields(of request: OperatorRequest) -> [Field] {
        let who = request.who.map { [Field(name: "name of who asks", text: $0)] } ?? []
        switch request {
        case .status, .zone, .zoneApply, .abortDrain, .vacate, .unknown: return who
        case .drain(let drain):
            return who + [
                Field(name: "reason", text: drain.reason), Field(name: "target", text: drain.target),
            ]
        case .undrain(let node, _), .forget(let node, _), .revoke(let node, _):
            return who + [Field(name: "node", text: node)]
        case .recoverQuorum(let lost, _, _): return who + lost.map { Field(name: "node", text: $0) }
        case .switchover(let seat, let to, _, _):
            return who + [Field(name: "seat", text: seat), Field(name: "node", text: to ?? "")]
        case .playbook(let request): return who + fields(of: request)
        }
    }

    private static func fields(of request: PlaybookRequest) -> [Field] {
        switch request {
        case .run(let playbook, _, _, _), .schedule(let playbook, _):
            [
                Field(name: "name of the playbook", text: playbook.name),
                Field(name: "summary of the playbook", text: playbook.summary, limit: longestSummary),
            ] + playbook.steps.flatMap(fields)
        case .unschedule(let name, _): [Field(name: "name of the playbook", text: name)]
        case .cancel, .approve, .list, .history, .unknown: []
        }
    }

    private static func fields(of step: PlaybookStep) -> [Field] {
        var fields: [Field] =
            switch step.action {
            case .drain(let target, _, _, let reason):
                [Field(name: "target", text: target), Field(name: "reason", text: reason)]
            case .undrain(let node), .fail(let node): [Field(name: "node", text: node)]
            case .switchover(let seat, let to):
                [Field(name: "seat", text: seat), Field(name: "node", text: to ?? "")]
            case .approve(let question): [Field(name: "question", text: question)]
            case .run(let order), .notify(.command(let order)), .check(.command(let order), _):
                Self.fields(of: order)
            case .notify(.webhook(let url)), .check(.http(let url, _), _):
                [Field(name: "URL", text: url, limit: longestPath)]
            case .check(.callsBelow(_, let node), _): [Field(name: "node", text: node ?? "")]
            case .forEach(.named(let names), _, _, let steps):
                names.map { Field(name: "item", text: $0) } + steps.flatMap(Self.fields)
            case .forEach(_, _, _, let steps): steps.flatMap(Self.fields)
            case .check, .lowerTTL, .wait: []
            }
        if let undo = step.undo { fields += Self.fields(of: undo) }
        // Those of steps inside have their own line.
        return fields.map { field in
            var field = field
            field.line = field.line ?? step.line
            return field
        }
    }

    private static func fields(of order: CommandOrder) -> [Field] {
        [
            Field(name: "node", text: order.node),
            Field(name: "program", text: order.program, limit: longestPath),
        ]
            + order.arguments.map {
                Field(name: "argument", text: $0, limit: PlaybookLimits.writtenText, form: .lines)
            }
            + order.environment.flatMap { variable in
                [
                    Field(name: "variable", text: variable.name),
                    Field(
                        name: "value of \(VisibleText.of(variable.name, longest: 64))", text: variable.value,
                        limit: PlaybookLimits.writtenText, form: .lines),
                ]
            }
    }
}
