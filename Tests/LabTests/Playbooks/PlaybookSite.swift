import FoundationEssentials
import Lab

/// A formed cluster that runs playbooks, asked as an operator asks it.
struct PlaybookSite {
    let lab: Lab
    let cluster: RunningCluster

    /// The documented part of `fsdns playbook list --format json`.
    struct List: Decodable {
        struct Schedule: Decodable {
            var name: String
            var who: String
            var next: String?
        }
        struct Step: Decodable {
            var number: Int
            var title: String
            var node: String?
            var outcome: String
            var waitingFor: String?
            var undone: String?
            var output: String
        }
        struct Run: Decodable {
            var id: String
            var name: String
            var who: String
            var phase: String
            var steps: [Step]
        }
        var schedules: [Schedule]
        var run: Run?
    }

    /// The documented part of `fsdns playbook history --format json`.
    struct History: Decodable {
        struct Step: Decodable {
            var title: String
            var outcome: String
            var undone: String?
            var output: String
        }
        struct Run: Decodable {
            var name: String
            var who: String
            var due: String?
            var lastedMs: Int
            var outcome: String
            var reason: String?
            var steps: [Step]
        }
        var runs: [Run]
    }

    init(_ lab: Lab) throws {
        self.lab = lab
        cluster = try RunningCluster(lab)
    }

    init(_ lab: Lab, _ cluster: RunningCluster) {
        self.lab = lab
        self.cluster = cluster
    }

    /// A file that comes with fsdns.
    static func shipped(_ name: String) -> String {
        #filePath.split(separator: "/").dropLast(4).reduce(into: "") { $0 += "/" + $1 }
            + "/playbooks/\(name).xml"
    }

    /// Writes a playbook with these elements into the lab's folder; returns its path.
    func write(_ name: String, rollback: Bool = true, _ elements: String) throws -> String {
        let path = lab.directory + "/\(name).xml"
        let text = """
            <playbook xmlns="urn:fsdns:playbook:1" name="\(name)" summary="Of the laboratory."
                rollback="\(rollback ? "yes" : "no")">
            \(elements)
            </playbook>

            """
        try text.write(toFile: path, atomically: true, encoding: .utf8)
        return path
    }

    /// A script on a disk that every machine of the lab sees, and that playbooks may run there; returns its path.
    func script(_ name: String, _ lines: String) throws -> String {
        let path = lab.directory + "/\(name).sh"
        try "#!/bin/sh\n\(lines)\n".write(toFile: path, atomically: true, encoding: .utf8)
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: path)
        let folder = lab.hosts[0].clusterFile.split(separator: "/").dropLast().map { "/" + $0 }.joined()
        let list = folder + "/programs"
        let programs = try String(contentsOfFile: list, encoding: .utf8) + path + "\n"
        try programs.write(toFile: list, atomically: true, encoding: .utf8)
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: list)
        return path
    }

    func lines(of file: String) -> [String] {
        let text = (try? String(contentsOfFile: lab.directory + "/" + file, encoding: .utf8)) ?? ""
        return text.split(separator: "\n").map(String.init)
    }

    // MARK: Asking

    /// Hosts whose node service runs.
    var asked: [Host] { lab.hosts.filter { $0.machine.isPowered && $0.servicePid != nil } }

    func ask(_ arguments: [String], as who: String = "ann@ops", of host: Host? = nil, seconds: Double = 30)
        throws -> Launch.Output
    {
        guard let host = host ?? asked.first else { throw LabFailure("no node runs") }
        return try Launch.run(
            ["env", "FSDNS_OPERATOR=\(who)", Programs().fsdns, "playbook"] + arguments + [
                "--control", host.controlPath,
            ], seconds: seconds)
    }

    /// As `ask`; throws unless it exits 0.
    @discardableResult
    func tell(_ arguments: String..., seconds: Double = 30) throws -> String {
        let said = try ask(arguments, seconds: seconds)
        guard said.status == 0 else {
            throw LabFailure(
                "playbook \(arguments): status \(said.status): \(said.errors)\(said.output)\n\(lab.troubles())"
            )
        }
        return said.output
    }

    func list() throws -> List {
        try JSONDecoder().decode(List.self, from: Data(try tell("list", "--format", "json").utf8))
    }

    func history(of name: String) throws -> [History.Run] {
        let text = try tell("history", name, "--format", "json")
        return try JSONDecoder().decode(History.self, from: Data(text.utf8)).runs
    }

    // MARK: Waiting

    /// Waits until the run ended; nodes may be without a leader meanwhile.
    func waitForEnd(of name: String, atMost seconds: Double = 60) throws -> History.Run {
        var last: List.Run?
        do {
            try wait(for: "\(name) to end", atMost: seconds, every: 200) {
                guard let list = try? list() else { return false }
                last = list.run ?? last
                return list.run == nil
            }
        } catch {
            throw LabFailure("\(error): \(last.map { "\($0)" } ?? "it was never seen")\n\(lab.troubles())")
        }
        guard let run = try history(of: name).last else { throw LabFailure("\(name) left no trace") }
        return run
    }

    /// Waits until a step, counted from 1, is what `isSo` says.
    @discardableResult
    func untilStep(_ number: Int, atMost seconds: Double = 30, is isSo: (List.Step) -> Bool) throws
        -> List.Step
    {
        var last: List.Step?
        do {
            try wait(for: "step \(number)", atMost: seconds, every: 100) {
                guard let steps = try? list().run?.steps, steps.count >= number else { return false }
                last = steps[number - 1]
                return isSo(steps[number - 1])
            }
        } catch {
            throw LabFailure("\(error): \(last.map { "\($0)" } ?? "no such step")\n\(lab.troubles())")
        }
        guard let last else { throw LabFailure("no step \(number)") }
        return last
    }

    /// Waits until the run asks for an approval.
    func untilApproval() throws {
        guard let step = try list().run?.steps.first(where: { $0.title.hasPrefix("approval") }) else {
            throw LabFailure("nothing is to be approved")
        }
        try untilStep(step.number) { $0.outcome == "under way" }
    }
}
