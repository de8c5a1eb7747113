import Glibc
import Testing

@testable import Daemon

@Suite("State directory")
struct StateDirectoryTests {
    private let directory = TemporaryDirectory()

    private func refusal(_ path: String) -> String? {
        do throws(ServiceFailure) {
            _ = try StateDirectory(path: path)
            return nil
        } catch {
            return error.description
        }
    }

    @Test("is made for its owner alone, and taken as long as nobody else may write it")
    func mode() {
        let path = "\(directory.path)/state"
        #expect(refusal(path) == nil)
        for (mode, isTaken) in [
            (0o750, true), (0o755, true), (0o770, false), (0o702, false), (0o1777, false),
        ] {
            #expect(chmod(path, mode_t(mode)) == 0)
            #expect((refusal(path) == nil) == isTaken)
        }
        #expect(refusal(path)?.contains("chmod go-w") == true)
    }

    @Test("of somebody else is refused", .enabled(if: geteuid() == 0))
    func owner() {
        let path = "\(directory.path)/state"
        #expect(mkdir(path, 0o700) == 0 && chown(path, 65_534, 65_534) == 0)
        #expect(refusal(path)?.contains("belongs to uid 65534") == true)
    }

    @Test("is a directory")
    func file() {
        let path = "\(directory.path)/state"
        close(open(path, O_CREAT | O_WRONLY, 0o600))
        #expect(refusal(path)?.contains("is no directory") == true)
    }
}
