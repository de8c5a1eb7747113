import ArgumentParser
import Cluster
import Config
import Daemon
@preconcurrency import Glibc

struct ConfigCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "config", abstract: "Check a cluster file, or show what it means.",
        subcommands: [ConfigCheckCommand.self, ConfigShowCommand.self])

    /// - Throws: exit 2 with every error of the file at once.
    static func load(_ path: String) throws(CommandFailure) -> ClusterFile {
        do throws(ConfigFailure) {
            return try ClusterFile.load(path: path)
        } catch {
            throw .invalid(error.problems.map(\.description))
        }
    }
}

struct ConfigCheckCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Print every error (exit 2) and warning of a cluster file as file:line: message.")

    @Argument(help: "The cluster file.")
    var file: String

    mutating func run() throws {
        let cluster = try ConfigCommand.load(file)
        for warning in cluster.warnings {
            Output.error("\(warning.file):\(warning.line): warning: \(warning.message)")
        }
        let settings = cluster.settings
        let certificates = Self.certificates(cluster)
        for warning in certificates.warnings { Output.error("\(file): warning: \(warning)") }
        let faults = Self.keyFaults(settings.dns?.servers ?? []) + certificates.faults
        if !faults.isEmpty { throw CommandFailure.invalid(faults) }
        Output.line(
            "\(file): valid; cluster \(settings.cluster), \(settings.seats.count) seats, "
                + "\(settings.addresses.count) addresses, version \(ConfigText.version(settings))")
    }
}

extension ConfigCheckCommand {
    /// What a node would refuse at its start; files that are not on this machine, or not for this user, are not judged.
    static func keyFaults(_ servers: [DNSSettings.ServerSettings]) -> [String] {
        servers.compactMap { server in
            guard let path = server.secretFile, access(path, R_OK) == 0 else { return nil }
            do throws(ServiceFailure) {
                _ = try ZoneKey.server(server)
                return nil
            } catch {
                return error.description
            }
        }
    }
}

extension ConfigCheckCommand {
    /// As for the keys: only files that are here and for this user are judged, whichever node's they are.
    static func certificates(_ cluster: ClusterFile) -> (faults: [String], warnings: [String]) {
        guard let files = cluster.certificates, access(files.certificateFile, R_OK) == 0,
            access(files.authorityFile, R_OK) == 0
        else { return ([], []) }
        let judgement = LinkCertificates.judgement(of: files, cluster: cluster.settings.cluster, node: nil)
        return (judgement.fault.map { [$0] } ?? [], judgement.warnings)
    }
}

struct ConfigShowCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Print what a cluster file means: timings, addresses, seats, zone.")

    @Argument(help: "The cluster file.")
    var file: String

    mutating func run() throws {
        let cluster = try ConfigCommand.load(file)
        Output.lines(ConfigText(paint: .standard, width: Output.size?.columns).lines(cluster))
    }
}
