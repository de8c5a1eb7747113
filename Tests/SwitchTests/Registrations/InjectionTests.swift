import EventSocket
import Primitives
import Replication
import Switch
import Testing

private let start = Instant.zero + .seconds(1000)
private let origin = RegistrationInjection.Origin(address: "10.77.0.11", switchname: "fsA")

/// Replicated registrations on their way into another switch.
@Suite struct InjectionTests {
    private func registration(
        _ user: String, callID: String = "c1", seconds: Int = 120, contact: String = "<sip:a@192.0.2.7>"
    ) -> Registration {
        Registration(
            profile: "svcA", user: user, host: "lab.test", contact: contact, callID: callID,
            expires: start + .seconds(seconds))
    }

    private func queue(_ change: (inout InjectionQueue.Settings) -> Void = { _ in }) -> InjectionQueue {
        var settings = InjectionQueue.Settings(origin: origin)
        change(&settings)
        return InjectionQueue(settings: settings)
    }

    /// `+user call-id` and `-user call-id` of what is sent.
    private func words(_ injections: [InjectionQueue.Injection]) -> [String] {
        injections.flatMap(\.events).map { event in
            let sign = event["orig-event-subclass"] == "sofia::register" ? "+" : "-"
            return "\(sign)\(event["orig-from-user"] ?? "") \(event["orig-call-id"] ?? "")"
        }
    }

    @Test("what is sent is what a real switch was seen to take, byte for byte") func bytes() throws {
        let said = try Recordings.said("esl_inject_registration.txt").filter { $0.hasPrefix("sendevent") }
        let full = Registration(
            profile: "svcA", user: "1001", host: "lab.test",
            contact: "\"\" <sip:1001@10.77.0.100:5070;transport=udp>", callID: "reg-1001",
            status: "Registered(UDP)", presenceHosts: "n/a", rpid: "unknown", toUser: "1001",
            toHost: "lab.test", networkIP: "10.77.0.100", networkPort: "5080", username: "unknown",
            realm: "lab.test", userAgent: "lab-phone/1.0", mwiAccount: "1001@lab.test",
            expires: start + .seconds(120))
        let event = try #require(
            RegistrationInjection.register(full, at: start, origin: origin, lateMargin: .zero))
        #expect(String(decoding: try Command.sendevent(event).encoded(), as: UTF8.self) == said[0])
        let removal = RegistrationInjection.unregister(RegistrationName(full))
        #expect(String(decoding: try Command.sendevent(removal).encoded(), as: UTF8.self) == said[2])
    }

    @Test("the receiver is told what is left and the margin, never more, and nothing that is over")
    func time() {
        func expires(after time: Duration, margin: Duration) -> String? {
            RegistrationInjection.register(
                registration("1"), at: start + time, origin: origin, lateMargin: margin)?["orig-expires"]
        }
        #expect(expires(after: .milliseconds(1500), margin: .zero) == "118")
        #expect(expires(after: .seconds(100), margin: .seconds(60)) == "80")
        #expect(expires(after: .seconds(120), margin: .seconds(60)) == nil)
        #expect(expires(after: .seconds(500), margin: .seconds(60)) == nil)
    }

    @Test("a value cannot begin a header of its own") func lineBreaks() throws {
        let evil = registration("1", contact: "<sip:a@b>\norig-profile-name: other\r\n")
        let event = try #require(
            RegistrationInjection.register(evil, at: start, origin: origin, lateMargin: .zero))
        #expect(event["orig-contact"] == "<sip:a@b>orig-profile-name: other")
        #expect(throws: Never.self) { try Command.sendevent(event).encoded() }
        // Unset fields have the words FreeSWITCH itself would have.
        #expect(event["orig-mwi-account"] == "1@lab.test")
        #expect(event["orig-presence-hosts"] == "n/a")
    }

    @Test("no more go than the pace and the answers allow") func pace() {
        var queue = queue {
            $0.perSecond = 100
            $0.outstanding = 5
        }
        for user in 0..<20 { #expect(queue.offer(.present(registration("\(user)")), mode: .single) == true) }
        let first = queue.next(at: start)
        #expect(first.count == 5 && queue.nextDeadline == nil)
        for one in first { queue.finished(one.ticket) }
        // The burst is used up: one every ten milliseconds.
        #expect(queue.next(at: start + .milliseconds(1)).count == 1)
        #expect(queue.nextDeadline == start + .milliseconds(10))
        #expect(queue.next(at: start + .milliseconds(25)).count == 2)
        #expect(queue.backlog == (waiting: 12, underWay: 3))
    }

    @Test("of one registration only the newest state goes, and only one is under way") func coalescing() {
        var queue = queue()
        _ = queue.offer(.present(registration("1", callID: "a")), mode: .single)
        let sent = queue.next(at: start)
        #expect(words(sent) == ["+1 a"])
        _ = queue.offer(.absent(RegistrationName(registration("1", callID: "a"))), mode: .single)
        #expect(words(queue.next(at: start)) == [])
        #expect(queue.nextDeadline == nil)
        _ = queue.offer(.present(registration("1", callID: "b")), mode: .single)
        _ = queue.offer(.present(registration("2")), mode: .single)
        #expect(queue.nextDeadline != nil)
        #expect(words(queue.next(at: start)) == ["+2 c1"])
        queue.finished(sent[0].ticket)
        #expect(words(queue.next(at: start)) == ["+1 b"])
        #expect(queue.statistics.coalesced == 1)
    }

    @Test("by contact, the row under the old Call-ID is taken out first") func supersedes() {
        var queue = queue()
        func send(_ wish: InjectionQueue.Wish) -> [String] {
            _ = queue.offer(wish, mode: .contact)
            let sent = queue.next(at: start)
            for one in sent { queue.finished(one.ticket) }
            return words(sent)
        }
        #expect(send(.present(registration("1", callID: "a"))) == ["+1 a"])
        #expect(send(.present(registration("1", callID: "a", seconds: 200))) == ["+1 a"])
        #expect(send(.present(registration("1", callID: "b"))) == ["-1 a", "+1 b"])
        // The end may be told under a Call-ID that was never put in.
        #expect(send(.absent(RegistrationName(registration("1", callID: "x")))) == ["-1 b", "-1 x"])
        #expect(send(.present(registration("1", callID: "c"))) == ["+1 c"])
    }

    @Test("a lost connection loses nothing, and sends no old state after a newer one") func disconnect() {
        var queue = queue { $0.outstanding = 2 }
        for user in ["1", "2", "3"] { _ = queue.offer(.present(registration(user)), mode: .single) }
        let sent = queue.next(at: start)
        #expect(words(sent) == ["+1 c1", "+2 c1"])
        _ = queue.offer(.absent(RegistrationName(registration("2"))), mode: .single)
        queue.disconnected()
        let again = queue.next(at: start + .seconds(1))
        #expect(words(again) == ["+1 c1", "+3 c1"])
        for one in sent + again { queue.finished(one.ticket) }
        #expect(words(queue.next(at: start + .seconds(1))) == ["-2 c1"])
    }

    @Test("a restarted switch is told of everything again") func restart() {
        var queue = queue()
        #expect(queue.wantsEverything)
        queue.beginPass()
        _ = queue.offer(.present(registration("1")), mode: .single)
        #expect(!queue.wantsEverything)
        for one in queue.next(at: start) { queue.finished(one.ticket) }
        #expect(!queue.isIdle)
        queue.endPass()
        #expect(queue.isIdle)
        queue.restarted()
        #expect(queue.wantsEverything && !queue.isIdle)
    }

    @Test("a pass has room for a little more than is under way, so that changes do not wait behind it")
    func passing() {
        var queue = queue { $0.outstanding = 2 }
        queue.beginPass()
        var offered = 0
        while queue.hasRoomForPass {
            _ = queue.offer(.present(registration("\(offered)")), mode: .single)
            offered += 1
        }
        #expect(offered == 4)
        #expect(queue.next(at: start).count == 2 && queue.hasRoomForPass)
    }

    @Test("what the switch's own phone has told it since is not put over it") func withdrawn() {
        var queue = queue()
        func key(_ user: String) -> RegistrationKey { RegistrationKey(registration(user), mode: .single) }
        _ = queue.offer(.present(registration("1", callID: "a")), mode: .single)
        let sent = queue.next(at: start)
        for user in ["1", "2", "3"] { _ = queue.offer(.present(registration(user)), mode: .single) }
        queue.withdraw(key("1"), of: "svcA")
        queue.withdraw(key("2"), of: "svcA")
        queue.withdraw(key("3"), of: "another")
        #expect(words(queue.next(at: start)) == ["+3 c1"])
        queue.finished(sent[0].ticket)
        #expect(queue.next(at: start).isEmpty && queue.nextDeadline == nil)
        #expect(queue.statistics.withdrawn == 2)
        // Once its address is elsewhere again, it is told as anything else.
        _ = queue.offer(.present(registration("2", callID: "b")), mode: .single)
        #expect(words(queue.next(at: start)) == ["+2 b"])
    }

    @Test("what expired while it waited is not sent") func expiry() {
        var queue = queue()
        _ = queue.offer(.present(registration("1", seconds: 5)), mode: .single)
        _ = queue.offer(.present(registration("2", seconds: 50)), mode: .single)
        #expect(words(queue.next(at: start + .seconds(6))) == ["+2 c1"])
        #expect(queue.statistics.expired == 1 && queue.nextDeadline == nil)
    }

    @Test("a full queue refuses; what finds no room is made up for by another pass") func capacity() {
        var queue = queue { $0.capacity = 2 }
        queue.beginPass()
        #expect(queue.offer(.present(registration("1")), mode: .single) == true)
        #expect(queue.offer(.present(registration("2")), mode: .single) == true)
        #expect(queue.offer(.present(registration("2", callID: "c2")), mode: .single) == true)
        #expect(!queue.wantsEverything)
        #expect(queue.offer(.present(registration("3")), mode: .single) == false)
        queue.endPass()
        #expect(queue.wantsEverything)
    }

    @Test("a refused one is tried again, not for ever") func refusal() {
        var queue = queue { $0.attempts = 3 }
        _ = queue.offer(.present(registration("1")), mode: .single)
        var tries = 0
        while let one = queue.next(at: start + .seconds(1)).first {
            tries += 1
            queue.finished(one.ticket, refusal: "-ERR no")
        }
        #expect(tries == 3 && queue.statistics.refused == 1)
    }

    @Test(
        "under any order of changes and losses the switch ends with what was wished last", arguments: 0..<40)
    func convergence(seed: UInt64) {
        var chance = SeededGenerator(seed: seed)
        var queue = queue {
            $0.perSecond = 200
            $0.outstanding = 4
        }
        let mode = RegistrationMode.allCases[Int(seed) % 3]
        var wished: [String: Registration] = [:]
        // The receiver's rows: by user on a single-registration profile, by Call-ID otherwise.
        var rows: [String: String] = [:]
        var now = start
        var answers: [UInt64] = []
        func take(_ event: SwitchEvent) {
            let user = event["orig-from-user"] ?? ""
            let row = mode == .single ? user : event["orig-call-id"] ?? ""
            rows[row] = event["orig-event-subclass"] == "sofia::register" ? user : nil
        }
        for round in 0..<600 {
            now += .milliseconds(Int64.random(in: 1...40, using: &chance))
            if round < 400 {
                let user = "u\(Int.random(in: 0..<6, using: &chance))"
                // By Call-ID a phone keeps its own; by contact it may come back with another.
                let callID =
                    mode == .callID ? "\(user)-c" : "\(user)-\(Int.random(in: 0..<4, using: &chance))"
                let registration = registration(user, callID: callID, seconds: 100_000)
                if Int.random(in: 0..<3, using: &chance) > 0 {
                    wished[user] = registration
                    #expect(queue.offer(.present(registration), mode: mode) == true)
                } else {
                    let name = RegistrationName(wished[user] ?? registration)
                    wished[user] = nil
                    #expect(queue.offer(.absent(name), mode: mode) == true)
                }
                if Int.random(in: 0..<30, using: &chance) == 0 {
                    queue.disconnected()
                    answers = []
                }
            }
            for injection in queue.next(at: now) {
                // Some are lost on the way: with the connection, so before the answer.
                injection.events.forEach(take)
                answers.append(injection.ticket)
            }
            while let ticket = answers.first, Bool.random(using: &chance) || round > 400 {
                queue.finished(ticket)
                answers.removeFirst()
            }
        }
        queue.beginPass()
        queue.endPass()
        #expect(queue.isIdle)
        #expect(rows.values.sorted() == wished.keys.sorted())
        if mode == .contact {
            #expect(rows.keys.sorted() == wished.values.map(\.callID).sorted())
        }
    }
}
