import EventSocket
import Testing

/// One client among others: no more of the server's time than its turn.
@Suite struct ServerTurnTests {
    @Test("Many commands at once are carried out some at a time, so that others have their turn") func turns()
    {
        var configuration = ServerConfiguration(password: "secret")
        configuration.commandsPerTurn = 8
        var session = ServerSession(configuration: configuration, seed: 1)
        _ = session.handle(.accepted)
        let commands = "auth secret\n\n" + String(repeating: "noevents\n\n", count: 20)
        var outputs = session.handle(.received(Array(commands.utf8)))
        var turns = 0
        while session.wantsTurn, turns < 10 {
            #expect(!session.wantsInput, "nothing more is read meanwhile")
            let more = session.handle(.turn)
            #expect(more.count <= 8)
            outputs += more
            turns += 1
        }
        #expect(turns == 2)
        #expect(session.wantsInput)
        let replies = outputs.count { if case .send = $0 { true } else { false } }
        #expect(replies == 21)
    }

    @Test("Who gives no password is sent away after a few commands") func endlessStranger() {
        var configuration = ServerConfiguration(password: "secret")
        configuration.maximumCommandsBeforePassword = 16
        var session = ServerSession(configuration: configuration, seed: 1)
        _ = session.handle(.accepted)
        var outputs: [ServerSession.Output] = []
        for _ in 0..<16 { outputs += session.handle(.received(Array("noevents\n\n".utf8))) }
        #expect(!session.isClosed)
        outputs = session.handle(.received(Array("noevents\n\n".utf8)))
        #expect(outputs.last == .close)
        #expect(session.isClosed)
    }
}
