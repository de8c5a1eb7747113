import Cluster
import ControlProtocol
import FoundationEssentials
@preconcurrency import Glibc
import Keeper
import Primitives

/// Asks one node over its control socket; the node finds the leader.
struct ControlClient: Hashable, Sendable {
    var path: String
    /// Longer than a node looks for a leader, so that its own words arrive.
    var patience: Duration = .seconds(10)

    /// One question, one answer; a refusal and a missing leader are thrown with their exit codes.
    func ask(_ request: OperatorRequest) throws(CommandFailure) -> OperatorReply {
        switch try answer(to: .ask(request)) {
        case .reply(.refused(let reasons)): throw .refused(reasons)
        case .reply(.unavailable(let why)): throw .noAnswer("\(why); try again, or see: fsdns status")
        case .reply(let reply): return reply
        default: throw .noAnswer(strange)
        }
    }

    func status() throws(CommandFailure) -> StatusReport {
        guard case .status(let report) = try ask(.status) else { throw .noAnswer(strange) }
        return report
    }

    func zone() throws(CommandFailure) -> ZoneReport {
        guard case .zone(let report) = try ask(.zone) else { throw .noAnswer(strange) }
        return report
    }

    func rings() throws(CommandFailure) -> RingsReport {
        guard case .rings(let report) = try answer(to: .rings) else { throw .noAnswer(strange) }
        return report
    }

    /// Hands over each remembered event after `after`, and with `follow` every later one until the node hangs up.
    func events(follow: Bool, after: UInt64, each: (EventLine) -> Void) throws(CommandFailure) {
        do throws(LineSocket.Failure) {
            var socket = try LineSocket(path: path, patience: patience)
            try socket.send(line: Self.encode(ControlRequest(.events(follow: follow, after: after))))
            while true {
                let line = try socket.nextLine(patience: follow ? nil : patience)
                switch Self.decode(line) {
                case .event(let event): each(event)
                case .end: return
                case .failure(let why): throw LineSocket.Failure.said(why)
                default: throw LineSocket.Failure.said(strange)
                }
            }
        } catch {
            throw failure(error)
        }
    }

    /// Everything of one kind that the node knows.
    func shared(_ kind: SharedKind) throws(CommandFailure) -> [SharedPart] {
        do throws(LineSocket.Failure) {
            var socket = try LineSocket(path: path, patience: patience)
            try socket.send(line: Self.encode(ControlRequest(.shared(kind))))
            var parts: [SharedPart] = []
            while true {
                switch Self.decode(try socket.nextLine(patience: patience)) {
                case .shared(let part): parts.append(part)
                case .end: return parts
                case .failure(let why): throw LineSocket.Failure.said(why)
                default: throw LineSocket.Failure.said(strange)
                }
            }
        } catch {
            throw failure(error)
        }
    }

    /// An answer that is none of ours.
    var strange: String {
        "the node at \(path) answered with something this fsdns \(FSDNS.version) does not understand; "
            + "are the versions too different?"
    }

    private func answer(to body: ControlRequest.Body) throws(CommandFailure) -> ControlResponse {
        do throws(LineSocket.Failure) {
            var socket = try LineSocket(path: path, patience: patience)
            let until = (Instant.now() + patience).nanoseconds
            try socket.send(line: Self.encode(ControlRequest(body, until: until)))
            let line = try socket.nextLine(patience: patience)
            guard let response = Self.decode(line) else { throw LineSocket.Failure.said(strange) }
            if case .failure(let why) = response { throw LineSocket.Failure.said(why) }
            return response
        } catch {
            throw failure(error)
        }
    }

    /// A sentence that says what to do.
    private func failure(_ failure: LineSocket.Failure) -> CommandFailure {
        let hint = "is `fsdns node` running here? Name its socket with --control PATH or FSDNS_CONTROL"
        switch failure {
        case .pathTooLong: return .invalid(["the socket's path is too long (107 bytes at most): \(path)"])
        case .system(ENOENT): return .noAnswer("no node answers: there is no socket \(path); \(hint)")
        case .system(ECONNREFUSED): return .noAnswer("no node answers at \(path), nobody listens; \(hint)")
        case .system(EACCES):
            return .noAnswer(
                "no node answers: this user may not open \(path); ask as the node's user or root")
        case .system(let number):
            return .noAnswer("no node answers at \(path): \(String(cString: strerror(number))); \(hint)")
        case .timeout:
            return .noAnswer(
                "the node at \(path) did not answer within \(OperatorDuration.text(patience)); "
                    + "is it stopped or overloaded? Try another node")
        case .closed: return .noAnswer("the node at \(path) hung up before it answered; see its log")
        case .lineTooLong: return .noAnswer(strange)
        case .said(let why): return .noAnswer(why)
        }
    }

    private static func encode(_ request: ControlRequest) -> [UInt8] {
        // Our own values: every one of them has a JSON form.
        guard let data = try? JSONEncoder().encode(request) else {
            preconditionFailure("a control request has no JSON form: \(request)")
        }
        return Array(data)
    }

    private static func decode(_ line: [UInt8]) -> ControlResponse? {
        try? JSONDecoder().decode(ControlResponse.self, from: Data(line))
    }
}
