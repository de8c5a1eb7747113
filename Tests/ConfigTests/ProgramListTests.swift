@preconcurrency import Glibc
import Testing

@testable import Config

@Suite("Programs of playbooks") struct ProgramListTests {
    private let scratch = Scratch()

    private func refusal(_ program: String, _ list: ProgramList) -> String? {
        do throws(ProgramList.Refusal) {
            try list.check(program)
            return nil
        } catch {
            return error.description.replacing(scratch.path, with: "")
        }
    }

    private func list(_ text: String, mode: mode_t = 0o644) -> ProgramList {
        ProgramList(path: scratch.write("programs", text, mode: mode), owner: geteuid())
    }

    @Test("without a list nothing runs") func none() {
        #expect(refusal("/bin/true", ProgramList(path: nil))?.contains("run no programs here") == true)
        let missing = ProgramList(path: "\(scratch.path)/programs", owner: geteuid())
        #expect(refusal("/bin/true", missing)?.contains("cannot be read") == true)
    }

    @Test("what stands in it runs, and nothing that only looks like it") func listed() {
        let list = list("# for the upgrade\n/usr/bin/apt-get\n\n/bin/true\n")
        #expect(refusal("/bin/true", list) == nil)
        #expect(refusal("/usr/bin/apt-get", list) == nil)
        for program in [
            "/bin/false", "true", "/bin//true", "/bin/../bin/true", "/bin/true ", "# for the upgrade",
        ] {
            #expect(refusal(program, list) == "\(program) is not among the programs in /programs")
        }
    }

    @Test("a playbook sets only those variables of a program that the list names below it") func variables() {
        let list = list(
            "/bin/true\n# of apt\n/usr/bin/apt-get\nenvironment DEBIAN_FRONTEND  LANG\n\tenvironment APT\n"
        )
        func refusal(_ program: String, _ variables: [String]) -> String? {
            do throws(ProgramList.Refusal) {
                try list.check(program, variables: variables)
                return nil
            } catch {
                return error.description.replacing(scratch.path, with: "")
            }
        }
        #expect(refusal("/usr/bin/apt-get", ["DEBIAN_FRONTEND", "LANG", "APT"]) == nil)
        #expect(
            refusal("/usr/bin/apt-get", ["LANG", "LD_PRELOAD"])
                == "/programs does not let playbooks set LD_PRELOAD for /usr/bin/apt-get: that needs a line \"environment LD_PRELOAD\" below it"
        )
        for name in ["LANG", "BASH_ENV", "PATH", ""] {
            #expect(refusal("/bin/true", [name]) != nil)
        }
    }

    @Test("a line that means nothing makes nothing of the list be believed") func strange() {
        for (text, line) in [
            ("environment LOST\n/bin/true\n", 1), ("/bin/true\n /bin/false\n", 2),
            ("/bin/true\n\nbin/false\n", 3),
        ] {
            #expect(
                refusal("/bin/true", list(text))?.contains(
                    "is not believed: line \(line) is neither an absolute path from its first letter on")
                    == true)
        }
    }

    @Test("a list that others may write or replace, or that is somebody else's, is not believed")
    func foreign() {
        #expect(
            refusal("/bin/true", list("/bin/true\n", mode: 0o664))?.contains("others may write it") == true)
        let path = scratch.write("programs", "/bin/true\n", mode: 0o644)
        let other = ProgramList(path: path, owner: geteuid() + 1)
        #expect(refusal("/bin/true", other)?.contains("is not root's") == true)
        chmod(scratch.path, 0o777)
        let open = refusal("/bin/true", ProgramList(path: path, owner: geteuid()))
        #expect(open?.contains("others may write its folder") == true)
        chmod(scratch.path, 0o700)
        unlink(path)
        #expect(symlink("/etc/shells", path) == 0)
        #expect(refusal("/bin/sh", ProgramList(path: path, owner: geteuid())) != nil)
    }
}
