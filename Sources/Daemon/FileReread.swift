import Cluster
import Config
import Synchronization

/// Another look at the cluster file while the node runs: tells how it differs from the one in use, and changes nothing.
final class FileReread: Sendable {
    /// Differences that are told one by one; beyond them, their number.
    private static let told = 20
    private let path: String
    private let name: String
    private let running: ClusterFile
    private let log: EventLog
    private let journal: EventJournal

    init(path: String, name: String, running: ClusterFile, log: EventLog, journal: EventJournal) {
        self.path = path
        self.name = name
        self.running = running
        self.log = log
        self.journal = journal
    }

    func look() {
        for text in sentences {
            let event = ClusterEvent(.configuration, name, text)
            journal.add(event)
            log.event(event)
        }
    }

    /// What there is to tell; at least one sentence.
    private var sentences: [String] {
        let file: ClusterFile
        do throws(ConfigFailure) {
            file = try ClusterFile.load(path: path)
        } catch {
            return error.problems.prefix(Self.told).map { "the cluster file on disk is not valid: \($0)" }
        }
        let differences = file.differences(from: running)
        guard !differences.isEmpty else {
            return ["the cluster file on disk means the same as the one in use"]
        }
        var sentences = [
            "the cluster file on disk differs from the one in use (- in use, + on disk); "
                + "it is used after a restart of this node service"
        ]
        sentences += differences.prefix(Self.told)
        if differences.count > Self.told {
            sentences.append("and \(differences.count - Self.told) more differences")
        }
        return sentences
    }
}
