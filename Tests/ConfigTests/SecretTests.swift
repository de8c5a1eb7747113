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

    /// Root's in a test as root, where it can be given away.
    private func foreign(_ path: String) -> (user: UInt32, owner: UInt32) {
        guard geteuid() == 0 else { return (geteuid() + 1, geteuid()) }
        #expect(chown(path, 12_345, 0) == 0)
        return (0, 12_345)
    }

    @Test(
        "a secret of somebody else is refused, also by root who could read it, one of the service's user or root's is read"
    )
    func owner() throws {
        let path = scratch.write("key", "s3cret\n")
        if geteuid() == 0 { #expect(try readSecret(path: path, user: 54_321).count == 6) }
        let (user, owner) = foreign(path)
        #expect(throws: SecretFailure.self) { try readSecret(path: path, user: user) }
        #expect(try readSecret(path: path, user: owner).count == 6)
        let told = FileKeeping.findings(path, .secret, user: user)
        #expect(told.map(\.isFault) == [true])
        #expect(told.first?.reason.contains("belongs to uid \(owner), which is neither root nor") == true)
    }

    @Test("what a cluster file is refused and complained about for", arguments: [0o600, 0o644, 0o664, 0o666])
    func configuration(mode: mode_t) {
        let facts = { (owner: UInt32, group: UInt32) in
            FileKeeping.findings(
                LocalFile.Facts(mode: UInt32(mode), size: 1, owner: owner, group: group), .configuration,
                path: "c.xml", user: 998
            ).map(\.isFault)
        }
        // Root's group, and one of the owner's number, are nobody else's.
        let own = mode == 0o666 ? [true] : []
        for (owner, group) in [(0, 0), (998, 998), (998, 0)] as [(UInt32, UInt32)] {
            #expect(facts(owner, group) == own)
        }
        #expect(facts(0, 20) == (mode == 0o664 ? [false] : own))
        #expect(facts(1000, 1000) == own + [false], "somebody else's")
    }

    @Test("a file in a folder that others may write can be replaced by them, unless it is sticky")
    func folder() {
        let path = scratch.write("c.xml", "<cluster/>")
        func told() -> [String] { FileKeeping.findings(path, .configuration, user: geteuid()).map(\.reason) }
        #expect(told() == [])
        chmod(scratch.path, 0o777)
        #expect(
            told() == [
                "could be replaced by others, as its folder may be written by everybody: chmod go-w \(scratch.path)"
            ])
        chmod(scratch.path, 0o1777)
        #expect(told() == [])
        chmod(scratch.path, 0o700)
    }

    @Test(
        "files that are included are looked at like the one that includes them, each told where it is named")
    func included() throws {
        let part = scratch.write(
            "part.xml", "<freeswitch xmlns=\"urn:fsdns:cluster:1\" kind=\"none\"/>", mode: 0o666)
        let text = goodFile.replacing(
            "<freeswitch socket=\"127.0.0.1:8021\" password-file=\"event_socket.secret\"/>",
            with: "<xi:include xmlns:xi=\"http://www.w3.org/2001/XInclude\" href=\"part.xml\"/>")
        let file = try ClusterFile.load(path: scratch.write("c.xml", text))
        let found = file.keeping(user: geteuid())
        #expect(found.map(\.isFault) == [true])
        #expect(found.first?.problem.file == scratch.path + "/c.xml")
        #expect(found.first?.problem.message.hasPrefix("\(part) may be written by everybody") == true)
    }

    private static func judged(_ text: String, _ use: SecretFile.Use) -> Bool? {
        SecretStrength.finding(Array(text.utf8), for: use)?.isFault
    }

    @Test("what can be guessed is a fault, what is short a warning, what was drawn is neither")
    func strength() {
        for key in ["a", "fifteen letters", String(repeating: "a", count: 64), "abababababababababab"] {
            #expect(Self.judged(key, .clusterKey) == true, "\(key)")
        }
        for key in ["0123456789abcdef", "a secret of enough length", "MkkXZzE3ZTg1YzQ4ZGUyMmE5"] {
            #expect(Self.judged(key, .clusterKey) == nil, "\(key)")
        }
        for use in [SecretFile.Use.ownEventSocket, .ownEventSocketLook, .limitService] {
            for password in ["a", "abc", "aaaaaaaaaaaa", "two\nlines of it"] {
                #expect(Self.judged(password, use) == true, "\(password)")
            }
            for password in ["abcdefg", "ClueCon"] { #expect(Self.judged(password, use) == false) }
            #expect(Self.judged("laboratory", use) == nil)
        }
        // Which FreeSWITCH chose; a line end in it is a command of its own all the same.
        for password in ["a", "ClueCon"] { #expect(Self.judged(password, .eventSocket) == false) }
        #expect(Self.judged("a\nb", .eventSocket) == true)
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
