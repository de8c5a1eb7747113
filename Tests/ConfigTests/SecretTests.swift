@preconcurrency import Glibc
import Testing

@testable import Config

@Suite struct SecretTests {
    private let scratch = Scratch()

    private func reason(_ path: String) -> String {
        do throws(SecretFailure) {
            return "read: " + String(decoding: try readSecret(path: path), as: UTF8.self)
        } catch {
            return error.description.replacing(scratch.path, with: "DIR")
        }
    }

    @Test("a secret of its owner's alone is read, without the line end", arguments: [0o600, 0o400, 0o700])
    func read(mode: mode_t) {
        #expect(reason(scratch.write("key", "s3cret\n", mode: mode)) == "read: s3cret")
    }

    @Test(
        "a secret that others could read is refused, with the cure",
        arguments: [0o640, 0o604, 0o660, 0o610, 0o644])
    func open(mode: mode_t) {
        let octal = String(mode, radix: 8)
        #expect(
            reason(scratch.write("key", "s3cret\n", mode: mode))
                == "secret file DIR/key is open to its group or to others (mode \(octal)); "
                + "mend it with: chmod 600 DIR/key")
    }

    @Test("a secret that is missing, empty, huge or no file is refused") func unusable() {
        #expect(
            reason(scratch.path + "/none") == "secret file DIR/none cannot be read: No such file or directory"
        )
        #expect(reason(scratch.write("empty", "\r\n\n")) == "secret file DIR/empty is empty")
        let most = [UInt8](repeating: 65, count: 4096)
        #expect(reason(scratch.write("most", most)).count == 4096 + 6)
        #expect(
            reason(scratch.write("huge", most + [65])) == "secret file DIR/huge is larger than 4096 bytes")
        #expect(reason("/dev/zero") == "secret file /dev/zero is not a regular file")
        mkfifo(scratch.path + "/pipe", 0o600)
        #expect(reason(scratch.path + "/pipe") == "secret file DIR/pipe is not a regular file")
    }
}
