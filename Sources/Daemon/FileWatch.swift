import Config
@preconcurrency import Glibc
import NIOCore
import Synchronization

/// What a node says of the files it was made from: secrets that could be better ones, and files that others may write. These
/// are looked at again while it runs, so that what was mended is told no more. May be used from any thread.
final class FileWatch: Sendable {
    private static let interval: TimeAmount = .seconds(60)
    private let file: ClusterFile
    private let secrets: [SecretFile]
    private let weaknesses: [String]
    private let user: UInt32
    private let exposed: Mutex<[String]>
    private let queue = WorkQueue("files")

    /// - Parameter weaknesses: of what stands in them, as it was read.
    init(_ file: ClusterFile, node: String, weaknesses: [String], user: UInt32 = geteuid()) {
        self.file = file
        secrets = file.secretFiles(of: node)
        self.weaknesses = weaknesses
        self.user = user
        exposed = Mutex([])
        reread()
    }

    /// A sentence each, with the place in the cluster file.
    func warnings() -> [String] { weaknesses + exposed.withLock(\.self) }

    func start(on loop: any EventLoop) {
        loop.scheduleRepeatedTask(initialDelay: Self.interval, delay: Self.interval) { [weak self] task in
            guard let self else { return task.cancel() }
            look()
        }
    }

    /// Looks again; returns at once.
    func look() { queue.async { [weak self] in self?.reread() } }

    /// As `look`, on this thread.
    func reread() {
        let check = SecretCheck(file: file, user: user)
        let found = file.keeping(user: user) + secrets.flatMap(check.keeping)
        let trusted = file.certificates.map { certificates in
            FileKeeping.findings(certificates.authorityFile, .trusted, user: user).map {
                file.places.problem(
                    certificates.authorityFile, "\(certificates.authorityFile) \($0.reason)")
            }
        }
        let problems = Set(found.map(\.problem) + (trusted ?? []))
        exposed.withLock { $0 = problems.sorted().map(\.description) }
    }
}
