import ArgumentParser
import Daemon

struct NodeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "node", abstract: "Run the node service in the foreground; logs go to standard error.",
        discussion: "SIGTERM gives up its seat first and then ends.")

    @Option(help: "The cluster file, the same on every node.")
    var config: String

    @Option(help: "Which node of the file this is (default: FSDNS_NODE, else the host name).")
    var name: String?

    @Option(help: "Where the node keeps its state.")
    var stateDir = "/var/lib/fsdns"

    @Option(
        name: .customLong("control"),
        help: ArgumentHelp(
            "Where the node's UNIX socket is made (default: FSDNS_CONTROL, else \(ControlOptions.defaultPath)).",
            valueName: "path"))
    var control: String?

    @Option(
        help: "The keeper's program, to be started by this node (default: fsdns-keeper beside this program).")
    var keeper: String?

    @Option(
        help: ArgumentHelp(
            "The socket of a keeper that is a service of its own, instead (default: FSDNS_KEEPER_SOCKET).",
            valueName: "path"))
    var keeperSocket: String?

    mutating func validate() throws {
        if keeper != nil, keeperSocket != nil {
            throw ValidationError("--keeper and --keeper-socket exclude each other")
        }
    }

    mutating func run() throws {
        let options = NodeOptions(
            configPath: config, name: name, stateDir: stateDir,
            controlPath: control ?? Environment.value("FSDNS_CONTROL") ?? ControlOptions.defaultPath,
            keeperPath: keeper, keeperSocket: keeperSocket, givesUpPrivileges: true)
        let status = NodeService.run(options: options)
        if status != 0 { throw ExitCode(status) }
    }
}
