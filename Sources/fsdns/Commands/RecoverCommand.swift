import ArgumentParser
import Cluster

struct RecoverQuorumCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "recover-quorum", abstract: "Go on without a majority that is lost for good. Dangerous.",
        discussion: """
            When more than half of the machines that vote, or their state directories, are gone and will never come back, \
            nothing can be decided any more. This gives them up: the machines that are left decide without them. If one \
            that is given up still runs somewhere, two machines hold one address: switch them off first.

            Refused while a majority, or anybody named as lost, was heard within 10 s. All machines that are left must \
            be heard. Started again, whoever was given up sets its state aside and joins as a new node.

            Without --confirm it only says what would happen.
            """)

    @Option(help: "The machines that are lost for good, with commas between them.")
    var lost: String

    @Option(help: "The cluster's name: yes, these machines are switched off or destroyed.")
    var confirm: String?

    @OptionGroup var control: ControlOptions

    private var names: [String] { NameList(lost)?.names ?? [] }

    mutating func validate() throws {
        if names.isEmpty {
            throw ValidationError("--lost must be a list of different machines, such as fs1,fs2")
        }
    }

    mutating func run() throws {
        let client = control.client
        let cluster = try client.status().cluster
        if let confirm, confirm != cluster {
            throw CommandFailure.refused(["this cluster is \(cluster), not \(confirm); nothing was changed"])
        }
        let request = OperatorRequest.recoverQuorum(lost: names, dryRun: confirm == nil, who: Operator.name)
        let reply = try client.ask(request)
        if try Answer.show(reply, client: client) == nil {
            Output.line(
                "Switch \(names.joined(separator: ", ")) off, then repeat it with --confirm \(cluster).")
        }
    }
}
