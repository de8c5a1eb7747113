import Glibc
import Testing

@testable import Daemon

@Suite("Commands of who may only look")
struct LeftCommandsTests {
    /// A program that says when it begins, and then takes its time.
    private func slow(_ directory: TemporaryDirectory) throws -> String {
        let script = "\(directory.path)/program"
        let file = try #require(fopen(script, "w"))
        fputs(
            "#!/bin/sh\necho \"$1\" >> \(directory.path)/begun\n[ \"$1\" = status ] && exit 0\nexec sleep 30\n",
            file)
        fclose(file)
        chmod(script, 0o700)
        return script
    }

    private func begun(_ directory: TemporaryDirectory) -> Int {
        guard let file = fopen("\(directory.path)/begun", "r") else { return 0 }
        defer { fclose(file) }
        var lines = 0
        while case let byte = fgetc(file), byte != EOF { if byte == 10 { lines += 1 } }
        return lines
    }

    @Test("they end with its connection, and those that wait are never begun") func left() throws {
        let directory = TemporaryDirectory()
        let site = try EventSocketSite(program: slow(directory))
        var gone: [RawClient]? = []
        for _ in 0..<20 {
            let looker = try RawClient(site.port)
            try looker.logIn(EventSocketSite.lookPassword)
            looker.say("api cluster limits\n\n")
            gone?.append(looker)
        }
        #expect(try eventually { begun(directory) == 1 })
        gone = nil
        #expect(try site.waits(forClients: 0))
        let looker = try RawClient(site.port)
        try looker.logIn(EventSocketSite.lookPassword)
        looker.say("api cluster calls\n\n")
        #expect(try eventually { begun(directory) >= 2 })
        #expect(begun(directory) == 2, "nothing of those that left was begun")
    }

    @Test("lists hold up no other question, and one client has few under way") func lists() throws {
        let directory = TemporaryDirectory()
        let site = try EventSocketSite(program: slow(directory))
        let lister = try RawClient(site.port)
        try lister.logIn(EventSocketSite.lookPassword)
        for number in 0..<4 {
            #expect(try lister.ask("bgapi cluster limits\nJob-UUID: \(number)").hasPrefix("+OK"))
        }
        #expect(
            try lister.ask("api cluster limits").hasPrefix("-ERR 4 commands of this client are under way"))
        let other = try RawClient(site.port)
        try other.logIn(EventSocketSite.lookPassword)
        #expect(try other.ask("api cluster status") == "+OK\n")
    }
}
