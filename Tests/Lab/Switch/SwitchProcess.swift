import Foundation
@preconcurrency import Glibc

/// The stand-in FreeSWITCH of one machine: a profile for each address, all of them waiting.
package final class SwitchProcess {
    package static let port: UInt16 = 8021
    package static let password = "ClueCon"
    /// For what our own services on the machine ask.
    package static let ownPassword = "laboratory"

    /// A leg as `show channels as json` has it.
    package struct Channel: Decodable, Hashable, Sendable {
        package var uuid: String
        /// `sofia/PROFILE/USER@HOST`.
        package var name: String
        package var callstate: String

        package var profile: String {
            let words = name.split(separator: "/")
            return words.count > 1 ? String(words[1]) : ""
        }
    }

    private let machine: Machine
    private let program: String
    private let folder: String
    private let plan: ClusterPlan
    private var session: SwitchSession?
    package private(set) var pid: pid_t?

    /// `folder` has the passwords' files.
    init(on machine: Machine, program: String, folder: String, plan: ClusterPlan) {
        self.machine = machine
        self.program = program
        self.folder = folder
        self.plan = plan
    }

    /// What `global_getvar db_dir` answers.
    package var databaseDirectory: String { machine.directory + "/db" }
    package var databasePath: String { databaseDirectory + "/core.db" }
    package var log: String { machine.text(of: "switch.log") }

    // MARK: Its process

    /// Starts it, without waiting until it is ready.
    package func launch() throws {
        guard pid == nil else { throw LabFailure("the switch of \(machine.name) runs already") }
        try FileManager.default.createDirectory(
            atPath: databaseDirectory, withIntermediateDirectories: true)
        let profiles = zip(["alpha", "beta", "gamma", "delta"], plan.addresses).flatMap {
            ["--profile", "name=\($0),ip=\($1),standby"]
        }
        pid = try machine.start(
            [program] + profiles + [
                "--db-dir", databaseDirectory, "--switchname", machine.name,
                "--event-socket", "127.0.0.1:\(Self.port)", "--password-file", folder + "/switch.secret",
                "--hash-remote",
                "name=fsdns,host=127.0.0.1,port=8121,interval=250,password=\(Self.ownPassword)",
                // Late answers let calls pass uncounted; on a busy machine half a second is soon over.
                "--hiredis", "host=127.0.0.1,port=6380,password=\(Self.ownPassword),timeout=5000",
            ] + plan.switchArguments, outputFile: "switch.out", errorsFile: "switch.log")
    }

    /// Starts it and waits for its event socket.
    package func start() throws {
        let lives = readyLines
        try launch()
        try wait(for: "the switch of \(machine.name) to be ready", atMost: 20) { readyLines > lives }
    }

    private var readyLines: Int {
        machine.text(of: "switch.out").split(separator: "\n").count { $0.hasPrefix("ready ") }
    }

    /// As a crash: its rows stay.
    @discardableResult
    package func kill() throws -> BootTime {
        guard let pid else { throw LabFailure("no switch runs on \(machine.name)") }
        let moment = BootTime.now
        Glibc.kill(pid, SIGKILL)
        _ = machine.exitStatus(of: pid)
        forget()
        return moment
    }

    /// The machine lost its power.
    func lostPower() {
        if let pid { _ = machine.exitStatus(of: pid) }
        forget()
    }

    private func forget() {
        pid = nil
        session = nil
    }

    // MARK: What it says

    /// The answer to a command at its event socket.
    @discardableResult
    package func api(_ line: String, seconds: Double = 10) throws -> String {
        let open = try session ?? SwitchSession(on: machine, port: Self.port, password: Self.password)
        session = open
        do {
            return try open.api(line, seconds: seconds)
        } catch {
            session = nil
            throw error
        }
    }

    package func channels() throws -> [Channel] {
        struct Listing: Decodable { var rows: [Channel]? }
        let text = try api("show channels as json")
        do {
            return try JSONDecoder().decode(Listing.self, from: Data(text.utf8)).rows ?? []
        } catch {
            throw LabFailure("channels of \(machine.name) cannot be read: \(error)")
        }
    }

    package func channelCount() throws -> Int {
        let text = try api("show channels count")
        guard let count = text.split(whereSeparator: { !$0.isNumber }).first.flatMap({ Int($0) }) else {
            throw LabFailure("\(machine.name) counts its channels as: \(text)")
        }
        return count
    }

    /// What the dialplan would call to reach a registered user.
    package func contact(of user: String, on profile: String) throws -> String {
        try api("sofia_contact \(profile)/\(user)").trimmingCharacters(in: .whitespacesAndNewlines)
    }
}
