import Cluster
import Config
import ControlProtocol
import Primitives

// The calls of the demonstration: brought up on one machine, found again on another.

extension DemoStory {
    static let callCount = 40
    /// Beside this program.
    static var standIn: String {
        let program = Local.program
        guard let slash = program.lastIndex(of: "/") else { return "fsdns-switch" }
        return program[..<slash] + "/fsdns-switch"
    }

    static func switchName(_ node: String) -> String { "\(node)-switch" }

    /// - Returns: how many calls the cluster knows of.
    mutating func bringUpCalls(
        on node: String, _ seat: StatusReport.SeatLine
    ) throws(DemoFailure) -> Int {
        let profile = DemoSite.profiles.first { site.address($0.1) == seat.address }?.0 ?? ""
        do throws(SwitchClient.Failure) {
            guard let endpoint = Endpoint(site.eventSocket(node)) else {
                throw .unreachable(Endpoint(ip: IPAddress("127.0.0.1")!, port: 0), "no address")
            }
            let password: String
            do throws(SecretFailure) {
                password = String(decoding: try readSecret(path: site.passwordFile), as: UTF8.self)
            } catch {
                throw .unreachable(endpoint, error.description)
            }
            let client = try SwitchClient(endpoint, password: password)
            _ = try client.api("simulator load bridged \(Self.callCount) \(profile)")
        } catch {
            throw DemoFailure("no calls can be brought up on \(node): \(error)")
        }
        let client = client
        var known: [CallLine] = []
        try waitFor("\(Self.callCount) recoverable calls on \(node)", within: .seconds(20)) {
            known = try client.shared(.calls).flatMap { part in
                if case .calls(let lines) = part { lines } else { [CallLine]() }
            }
            return known.count { $0.isRecoverable } == Self.callCount
        }
        say("\(known.count) calls are up on \(seat.name), and every other node knows how to revive them:")
        say("fsdns calls")
        let width = Output.size.map { max(20, $0.columns - 4) }
        let lines = CallsText(paint: narrator.paint, width: width).lines(known)
        for line in lines.prefix(4) + ["…"] + lines.suffix(1) { Output.line("    \(line)") }
        return known.count
    }

    mutating func showRecovery(of calls: Int, on node: String) throws(DemoFailure) {
        let client = client
        var found: [RecoveryLine] = []
        try waitFor("the calls to be revived on \(node)", within: .seconds(30)) {
            found = try client.shared(.recoveries).flatMap { part in
                if case .recoveries(let lines) = part { lines } else { [RecoveryLine]() }
            }
            return !found.isEmpty
        }
        say("fsdns history")
        for line in HistoryText(paint: narrator.paint, width: nil).lines(found) { Output.line("    \(line)") }
        let recovered = found.reduce(0) { $0 + $1.recovered }
        guard recovered == calls * 2 else {
            throw DemoFailure("\(calls * 2) legs were up, and \(recovered) came back")
        }
        facts.append(("calls revived on \(node)", "\(calls) of \(calls)"))
    }
}
