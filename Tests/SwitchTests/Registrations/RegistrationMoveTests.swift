import EventSocket
import Primitives
import Replication
import Switch
import Testing

@Suite("Phones of a drained address are told to come again")
struct RegistrationMoveTests {
    private let start = Instant(nanoseconds: 1_000_000_000)

    private func phone(_ user: String, _ agent: String) -> Registration {
        var registration = Registration(
            profile: "beta", user: user, host: "lab.test",
            contact: "\"\" <sip:\(user)@192.0.2.7:5070;transport=udp>", callID: "c-\(user)",
            expires: start + .seconds(600))
        registration.userAgent = agent
        return registration
    }

    @Test(
        "each kind of phone gets the word that makes it look without a restart, and the others none",
        arguments: [
            ("snomD785/10.1.127.10", "check-sync;reboot=false"),
            ("Yealink SIP-T54W 96.86", "check-sync;reboot=false"),
            ("PolycomVVX-VVX_450-UA/5.9", "check-sync"), ("Grandstream GXP2170 1.0", "check-sync"),
            ("Cisco/SPA504G-7.6.2", "resync"), ("Cisco-CP7960G/8.0", nil), ("Linphone/4.0", nil), ("", nil),
        ] as [(String, String?)])
    func words(_ agent: String, _ word: String?) {
        let event = RegistrationPrompt(userAgent: agent).event(for: phone("1001", agent))
        #expect(event?["event-string"] == word)
        guard word != nil else { return }
        #expect(event?.name == "NOTIFY")
        #expect(event?["profile"] == "beta")
        #expect(event?["contact-uri"] == "<sip:1001@192.0.2.7:5070;transport=udp>")
        #expect(event?["to-uri"] == "sip:1001@lab.test")
    }

    @Test("so many a second and each once, however seldom anybody looks")
    func pace() {
        let phones = (0..<50).map { phone("\(1000 + $0)", "snomD785") } + [phone("2000", "Linphone")]
        var move = RegistrationMove(phones, perSecond: 20, at: start)
        #expect(move.silent == 1)
        var now = start
        var told: [String] = []
        while let due = move.nextDeadline {
            now = max(now + .milliseconds(7), due)
            let events = move.due(isBusy: false, isStillHere: { _ in true }, at: now)
            #expect(events.count <= 1)
            told += events.compactMap { $0["to-uri"] }
        }
        #expect(Set(told).count == 50)
        #expect(told.count == 50)
        #expect(now - start >= .milliseconds(49 * 50))
        #expect(move.isDone)
    }

    @Test("none while the receiver is not well, and no crowd afterwards")
    func busy() {
        var move = RegistrationMove((0..<10).map { phone("\($0)", "snomD785") }, perSecond: 10, at: start)
        #expect(move.due(isBusy: true, isStillHere: { _ in true }, at: start).isEmpty)
        let later = start + .seconds(30)
        let events = move.due(isBusy: false, isStillHere: { _ in true }, at: later)
        #expect((1...2).contains(events.count))
        #expect(move.left == 10 - events.count)
    }

    @Test("a phone that has gone elsewhere by itself is told nothing")
    func gone() {
        var move = RegistrationMove(
            [phone("1", "snomD785"), phone("2", "snomD785")], perSecond: 1, at: start)
        let events = move.due(isBusy: false, isStillHere: { $0.user == "2" }, at: start)
        #expect(events.compactMap { $0["to-uri"] } == ["sip:2@lab.test"])
        #expect(move.isDone || move.left == 1)
    }
}
