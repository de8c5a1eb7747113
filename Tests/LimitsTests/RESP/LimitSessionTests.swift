import Limits
import Primitives
import Testing

@Suite("Limit session")
struct LimitSessionTests {
    @Test("counting goes as mod_hiredis expects")
    func counting() {
        var client = RESPClient()
        #expect(client.call("incr", "a") == ":1\r\n")
        #expect(client.call("INCR", "a") == ":2\r\n")
        #expect(client.call("DeCr", "a") == ":1\r\n")
        #expect(client.call("get", "a") == "$1\r\n1\r\n")
        #expect(client.call("get", "b") == "$-1\r\n")
        #expect(client.call("expire", "a", "5") == ":1\r\n")
        #expect(client.call("expire", "b", "5") == ":0\r\n")
        client.now.boot += .seconds(5)
        #expect(client.call("get", "a") == "$-1\r\n")
    }

    @Test("the script of delete-when-zero decrements and deletes, however it is laid out")
    func script() {
        let scripts = [
            "local left = redis.call(\"decr\", KEYS[1]); if left <= 0 then redis.call(\"del\", KEYS[1]) end; return left;",
            "local count = redis.call('DECR', KEYS[1]) -- one less\nif count<=0 then\n redis.call('DEL', KEYS[1])\nend\nreturn count\n",
        ]
        for script in scripts {
            var client = RESPClient()
            _ = client.call("incr", "a")
            _ = client.call("incr", "a")
            #expect(client.call("eval", script, "1", "a") == ":1\r\n")
            #expect(client.call("eval", script, "1", "a") == ":0\r\n")
            #expect(client.call("get", "a") == "$-1\r\n")
            #expect(client.call("eval", script, "1", "a") == ":0\r\n")
        }
    }

    @Test(
        "any other script is refused, and nothing is counted",
        arguments: [
            "return 1", "",
            "local v=redis.call('decr',KEYS[2]) if v<=0 then redis.call('del',KEYS[1]) end return v",
            "local v=redis.call('decr',KEYS[1]) if v<=1 then redis.call('del',KEYS[1]) end return v",
            "local v=redis.call('incr',KEYS[1]) if v<=0 then redis.call('del',KEYS[1]) end return v",
            "local v=redis.call('decr',KEYS[1]) if v<=0 then redis.call('del',KEYS[1]) end return v return v",
            "local v=redis.call('decr',KEYS[1]) if w<=0 then redis.call('del',KEYS[1]) end return v",
            "local 'v",
            String(repeating: "x ", count: 600), "\u{FFFD}",
        ])
    func otherScripts(script: String) {
        var client = RESPClient()
        _ = client.call("incr", "a")
        #expect(client.call("eval", script, "1", "a").hasPrefix("-ERR only mod_hiredis's script"))
        #expect(client.call("get", "a") == "$1\r\n1\r\n")
    }

    @Test("who gives no password is sent away after a few commands") func endlessStranger() {
        var client = RESPClient(password: "sesame")
        for _ in 0..<LimitSession.strangersCommandLimit {
            #expect(client.call("ping").hasPrefix("-NOAUTH"))
            #expect(client.next == .more)
        }
        #expect(client.call("ping").hasPrefix("-NOAUTH"))
        #expect(client.next == .close)
    }

    @Test("commands of one segment are answered in their order")
    func pipelining() {
        var client = RESPClient()
        let commands = (1...100).map { _ in RESPClient.command(["incr", "a"]) }.reduce([], +)
        #expect(
            String(decoding: client.send(commands), as: UTF8.self) == (1...100).map { ":\($0)\r\n" }.joined())
        #expect(client.shared.commands == 100)
    }

    @Test(
        "what redis-cli, redis-benchmark and hiredis ask is answered",
        arguments: [
            ("PING", "+PONG\r\n"), ("ping hello", "$5\r\nhello\r\n"), ("ECHO x", "$1\r\nx\r\n"),
            ("SELECT 0", "+OK\r\n"), ("SELECT 1", "-ERR DB index is out of range\r\n"), ("COMMAND", "*0\r\n"),
            ("COMMAND DOCS", "*0\r\n"), ("CLIENT SETINFO LIB-NAME x", "+OK\r\n"),
            ("CLIENT SETNAME x", "+OK\r\n"),
            ("client id", ":7\r\n"), ("CLIENT GETNAME", "$-1\r\n"),
            ("CONFIG GET save", "*2\r\n$4\r\nsave\r\n$0\r\n\r\n"),
            ("CONFIG GET appendonly", "*2\r\n$10\r\nappendonly\r\n$2\r\nno\r\n"), ("CONFIG GET x", "*0\r\n"),
            ("HELLO 3", "-NOPROTO unsupported protocol version\r\n"), ("QUIT", "+OK\r\n"),
        ])
    func questions(command: String, reply: String) {
        var client = RESPClient()
        #expect(client.send(command + "\r\n") == reply)
        #expect((client.next == .close) == (command == "QUIT"))
    }

    @Test("HELLO and INFO say what this is")
    func identity() {
        var client = RESPClient()
        let hello = client.send("HELLO 2 SETNAME x\r\n")
        #expect(hello.hasPrefix("*14\r\n$6\r\nserver\r\n$5\r\nfsdns\r\n"))
        #expect(hello.contains("$5\r\nproto\r\n:2\r\n"))
        #expect(client.send("INFO server\r\n").contains("redis_version:"))
    }

    @Test(
        "what is not served is refused in redis's words",
        arguments: [
            ("incr", "-ERR wrong number of arguments for 'incr' command\r\n"),
            ("incr a b", "-ERR wrong number of arguments for 'incr' command\r\n"),
            ("expire a", "-ERR wrong number of arguments for 'expire' command\r\n"),
            ("expire a x", "-ERR value is not an integer or out of range\r\n"),
            ("expire a 9223372036854775807", "-ERR invalid expire time in 'expire' command\r\n"),
            ("expire a 1 NX", "-ERR Unsupported option NX\r\n"),
            ("set a 1", "-ERR unknown command 'set', with args beginning with: 'a' '1' \r\n"),
            ("flushall", "-ERR unknown command 'flushall', with args beginning with: \r\n"),
            ("KEYS *", "-ERR keys is not served: this is the fsdns limit service\r\n"),
            ("evalsha a 1 b", "-ERR evalsha is not served: this is the fsdns limit service\r\n"),
            ("SCRIPT LOAD x", "-ERR script is not served: this is the fsdns limit service\r\n"),
            ("config set save x", "-ERR only CONFIG GET is served\r\n"),
            (
                "auth x",
                "-ERR AUTH <password> called without any password configured for the default user. "
                    + "Are you sure your configuration is correct?\r\n"
            ),
        ])
    func refusals(command: String, reply: String) {
        var client = RESPClient()
        #expect(client.send(command + "\r\n") == reply)
        #expect(client.next == .more)
    }

    @Test("an unfit key is refused with the reason, and the connection goes on")
    func unfitKeys() {
        var client = RESPClient()
        #expect(client.call("incr", "") == "-ERR the key is empty\r\n")
        #expect(client.call("incr", "a\u{1}") == "-ERR the key has control characters\r\n")
        let long = String(repeating: "x", count: 256)
        #expect(client.call("incr", long) == "-ERR the key is longer than 255 bytes\r\n")
        let bytes = Array("*2\r\n$4\r\nincr\r\n$2\r\n".utf8) + [0xFF, 0xFE, 13, 10]
        #expect(String(decoding: client.send(bytes), as: UTF8.self) == "-ERR the key is not UTF-8\r\n")
        #expect(client.shared.refusedKeys == 4)
        #expect(client.call("incr", "a") == ":1\r\n")
    }

    @Test("what is no RESP is told so, after the replies to what was, and hung up on")
    func protocolError() {
        var client = RESPClient()
        #expect(
            client.send("incr a\r\n*1\r\n!\r\n") == ":1\r\n-ERR Protocol error: expected '$', got '!'\r\n")
        #expect(client.next == .close)
    }

    // MARK: - Passwords

    @Test("nothing is served before the password, and all after it")
    func authentication() {
        var client = RESPClient(password: "s3cret")
        for command in ["incr a", "get a", "ping", "info", "keys *", "nonsense"] {
            #expect(client.send(command + "\r\n") == "-NOAUTH Authentication required.\r\n")
        }
        #expect(client.send("hello\r\n").hasPrefix("-NOAUTH HELLO must be called"))
        #expect(client.call("AUTH", "s3cret") == "+OK\r\n")
        #expect(client.call("incr", "a") == ":1\r\n")
        var other = RESPClient(password: "s3cret")
        #expect(other.call("auth", "default", "s3cret") == "+OK\r\n")
        var third = RESPClient(password: "s3cret")
        #expect(third.send("HELLO 2 AUTH default s3cret\r\n").hasPrefix("*14\r\n"))
        #expect(third.session.isAuthenticated)
    }

    @Test(
        "a wrong password waits for its answer, and what follows it waits too",
        arguments: [
            "AUTH wrong", "AUTH s3cre", "AUTH s3cretX", "AUTH admin s3cret", "AUTH s3crets3cret",
            "HELLO 2 AUTH default x",
        ])
    func wrongPassword(command: String) {
        var client = RESPClient(password: "s3cret")
        #expect(client.send("\(command)\r\nAUTH s3cret\r\nincr a\r\n") == "")
        #expect(client.next == .wait(PasswordGuard.firstDelay))
        #expect(
            client.resume()
                == "-WRONGPASS invalid username-password pair or user is disabled.\r\n+OK\r\n:1\r\n")
    }

    @Test("each wrong password waits longer, up to a bound; time forgives; a few close the connection")
    func backOff() {
        var passwords = PasswordGuard(password: Array("s3cret".utf8))
        let wrong = Array("wrong".utf8)
        var now = Instant(nanoseconds: 1_000_000_000_000)
        var delays: [Duration] = []
        for _ in 1...12 { delays.append(wrong.withUnsafeBytes { passwords.check($0, at: now) } ?? .zero) }
        #expect(delays.first == PasswordGuard.firstDelay)
        #expect(delays == delays.sorted())
        #expect(delays.last == PasswordGuard.longestDelay)
        now += PasswordGuard.forgiveness * 20
        #expect(wrong.withUnsafeBytes { passwords.check($0, at: now) } == PasswordGuard.firstDelay)
        #expect(passwords.refused == 13)

        var client = RESPClient(password: "s3cret")
        for attempt in 1...PasswordGuard.attempts {
            _ = client.send("AUTH x\r\n")
            _ = client.resume()
            #expect((client.next == .close) == (attempt == PasswordGuard.attempts))
        }
    }

    @Test("an empty password is never right")
    func emptyPassword() {
        var client = RESPClient(password: "s3cret")
        #expect(client.call("AUTH", "") == "")
        #expect(client.next == .wait(PasswordGuard.firstDelay))
    }
}
