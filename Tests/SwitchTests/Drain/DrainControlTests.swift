import EventSocket
import Primitives
import Replication
import Switch
import Testing

/// What a drain does with the switch of its machine.
@Suite struct DrainControlTests {
    private let refusing = DrainControl.Duty(address: "alpha", refusesCalls: true)
    private let moving = DrainControl.Duty(address: "alpha", movesRegistrations: true)
    private let hangingUp = DrainControl.Duty(address: "alpha", refusesCalls: true, hangsUp: true)

    private func connected(drainsOutbound: Bool = false) -> PretendDrain {
        var drain = PretendDrain(drainsOutbound: drainsOutbound)
        drain.connect()
        drain.settle()
        return drain
    }

    private func phones(_ count: Int, _ agent: String = "snomD785") -> [Registration] {
        (0..<count).map { user in
            var phone = Registration(
                profile: "alpha", user: "\(user)", host: "h", contact: "<sip:\(user)@192.0.2.7>",
                callID: "c\(user)", expires: .zero + .seconds(3600))
            phone.userAgent = agent
            return phone
        }
    }

    // MARK: - New calls

    @Test("a switch that refuses calls is told of once the switch has said so") func refuses() {
        var drain = connected()
        drain.want(refusing)
        #expect(!drain.control.isRefusing)
        drain.settle()
        #expect(drain.isDrained && drain.control.isRefusing && !drain.isOutboundPaused)
        drain.want(nil)
        #expect(!drain.control.isRefusing)
        drain.settle()
        #expect(!drain.isDrained)
        #expect(drain.notices == ["new calls are answered with 503", "new calls are taken again"])
        #expect(drain.warnings == [])
    }

    @Test("its own calls are paused where the cluster file says so, marked before, unmarked afterwards")
    func outbound() {
        var drain = connected(drainsOutbound: true)
        drain.want(refusing)
        while drain.answer() { #expect(!drain.isOutboundPaused || drain.isMarked) }
        #expect(drain.isMarked && drain.isOutboundPaused && drain.control.isRefusing)
        drain.want(nil)
        while drain.answer() { #expect(!drain.isOutboundPaused || drain.isMarked) }
        #expect(!drain.isDrained && !drain.isMarked && !drain.isOutboundPaused)
    }

    @Test("a pause of somebody else is no drain's to end") func foreignPause() {
        var drain = connected(drainsOutbound: true)
        drain.isOutboundPaused = true
        drain.want(refusing)
        drain.settle()
        #expect(drain.control.isRefusing && !drain.isMarked)
        drain.want(nil)
        drain.settle()
        #expect(!drain.isDrained && drain.isOutboundPaused)
    }

    @Test("while calls are revived its own calls go on, and are paused once they are back") func reviving() {
        var drain = connected(drainsOutbound: true)
        drain.view.isReviving = true
        drain.want(refusing)
        drain.pass(.seconds(5))
        #expect(drain.isDrained && !drain.isOutboundPaused && !drain.control.isRefusing)
        drain.view.isReviving = false
        drain.pass(.seconds(1))
        #expect(drain.isOutboundPaused && drain.control.isRefusing)
    }

    @Test("a drain that is called off while the switch is being told ends where it began", arguments: 0..<6)
    func calledOff(answers: Int) {
        var drain = connected(drainsOutbound: true)
        drain.want(refusing)
        for _ in 0..<answers { _ = drain.answer() }
        drain.want(nil)
        drain.pass(.seconds(2))
        #expect(!drain.isDrained && !drain.isMarked && !drain.isOutboundPaused)
        #expect(!drain.control.isRefusing)
    }

    @Test("a drain that is called off while calls are revived is ended at once, not with the next attempt")
    func calledOffWhileReviving() {
        var drain = connected(drainsOutbound: true)
        drain.view.isReviving = true
        drain.want(refusing)
        _ = drain.answer()
        drain.want(nil)
        drain.settle()
        #expect(!drain.isDrained)
    }

    @Test("a connection that ends after any answer leaves nothing undone", arguments: 0..<6, [true, false])
    func cut(answers: Int, isWanted: Bool) {
        var drain = connected(drainsOutbound: true)
        drain.want(isWanted ? nil : refusing)
        drain.pass(.seconds(2))
        drain.want(isWanted ? refusing : nil)
        for _ in 0..<answers { _ = drain.answer() }
        drain.disconnect()
        #expect(!drain.control.isRefusing && drain.control.nextDeadline == nil)
        drain.connect()
        drain.settle()
        #expect(drain.isDrained == isWanted && drain.control.isRefusing == isWanted)
        // Its own mark tells a later life whose the pause is.
        #expect(drain.isOutboundPaused == isWanted && drain.isMarked == isWanted)
    }

    @Test("a switch that was started anew is told again") func restarted() {
        var drain = connected(drainsOutbound: true)
        drain.want(refusing)
        drain.settle()
        drain.restart()
        #expect(!drain.control.isRefusing)
        drain.settle()
        #expect(drain.isDrained && drain.isOutboundPaused && drain.control.isRefusing)
    }

    @Test("what an earlier life of the node began is ended when no drain wants it") func leftover() {
        var drain = PretendDrain()
        drain.variables = ["fsdns_drain", "fsdns_drain_outbound"]
        drain.isOutboundPaused = true
        drain.connect()
        drain.settle()
        #expect(drain.variables == [] && !drain.isOutboundPaused)
    }

    @Test("what an earlier life began and a drain wants still is taken over without a word") func adopted() {
        var drain = PretendDrain()
        drain.variables = ["fsdns_drain"]
        drain.want(refusing)
        drain.connect()
        drain.settle()
        #expect(drain.control.isRefusing && drain.notices == [])
    }

    @Test("calls that are refused without a drain are taken again within ten seconds") func unwanted() {
        var drain = connected()
        drain.pass(.seconds(2))
        let before = drain.lines.count
        drain.pass(.seconds(60))
        // It is asked seldom: one question each time.
        #expect((5...7).contains(drain.lines.count - before))
        drain.variables = ["fsdns_drain"]
        drain.pass(.seconds(10))
        #expect(!drain.isDrained)
    }

    @Test("a switch that refuses the command is told of, and told again within a second") func refused() {
        var drain = connected()
        drain.failure = .success(APIResponse("-ERR no\n"))
        drain.want(refusing)
        drain.settle()
        drain.pass(.seconds(3))
        #expect(!drain.control.isRefusing)
        #expect((3...5).contains(drain.warnings.count))
        drain.failure = nil
        drain.pass(.seconds(1))
        #expect(drain.control.isRefusing)
    }

    @Test("an answer to an earlier question is none to the present one") func late() {
        var drain = connected()
        drain.want(refusing)
        drain.disconnect()
        drain.connect()
        for number in 0...2 { drain.give(.answered(number, .success(APIResponse("+OK")))) }
        #expect(!drain.control.isRefusing)
        drain.settle()
        #expect(drain.control.isRefusing && drain.isDrained)
    }

    @Test(
        "whatever happens, after calm the switch refuses calls exactly if that is wanted", arguments: 1...40)
    func converges(seed: UInt64) {
        var chance = SeededGenerator(seed: seed)
        var drain = PretendDrain(drainsOutbound: seed.isMultiple(of: 2))
        for _ in 0..<200 {
            switch Int.random(in: 0..<9, using: &chance) {
            case 0: drain.want(refusing)
            case 1: drain.want(nil)
            case 2: drain.disconnect()
            case 3: if !drain.isUp { drain.connect() }
            case 4: if drain.isUp { drain.restart() }
            case 5: drain.view.isReviving.toggle()
            case 6: drain.failure = drain.failure == nil ? .failure(.refused("no")) : nil
            case 7:
                drain.now += .milliseconds(Int.random(in: 0..<1500, using: &chance))
                drain.give(.tick)
            default: _ = drain.answer()
            }
        }
        let isWanted = Bool.random(using: &chance)
        drain.failure = nil
        drain.view.isReviving = false
        drain.want(isWanted ? refusing : nil)
        if !drain.isUp { drain.connect() }
        drain.pass(.seconds(11))
        #expect(drain.isDrained == isWanted && drain.control.isRefusing == isWanted)
        #expect(drain.isOutboundPaused == (isWanted && seed.isMultiple(of: 2)))
        #expect(drain.isMarked == drain.isOutboundPaused)
    }

    // MARK: - Phones

    @Test("phones are told so many a second, and that all are is told") func phonesTold() {
        var drain = connected()
        drain.view.phones = phones(20) + phones(3, "Linphone")
        drain.want(moving)
        drain.pass(.seconds(1))
        #expect((9...12).contains(drain.prompts.count) && !drain.control.arePhonesTold)
        drain.pass(.seconds(2))
        #expect(drain.prompts.count == 20 && drain.control.arePhonesTold)
        drain.want(refusing)
        #expect(!drain.control.arePhonesTold)
        #expect(
            drain.notices.prefix(2) == [
                "23 phones are registered; 20 understand a word of ours",
                "20 phones were told to register again; 3 come by themselves",
            ])
    }

    @Test("none is told while the switch that shall take them is not well, or this one is away") func held() {
        var drain = connected()
        drain.view.phones = phones(5)
        var duty = moving
        duty.isReceiverUnwell = true
        drain.want(duty)
        drain.pass(.seconds(5))
        #expect(drain.prompts.isEmpty)
        drain.disconnect()
        drain.want(moving)
        drain.pass(.seconds(5))
        #expect(drain.prompts.isEmpty)
        drain.connect()
        drain.pass(.seconds(2))
        #expect(drain.prompts.count == 5 && drain.control.arePhonesTold)
    }

    @Test("a phone that has gone by itself is not told, and another address's phones are their own")
    func ownPhones() {
        var drain = connected()
        drain.view.phones = phones(5)
        drain.want(moving)
        drain.view.phones = Array(drain.view.phones.prefix(1))
        drain.pass(.seconds(2))
        #expect(drain.prompts.count <= 2)
        let before = drain.prompts.count
        drain.want(DrainControl.Duty(address: "beta", movesRegistrations: true))
        drain.pass(.seconds(1))
        #expect(drain.prompts.count == before + 1 && drain.control.arePhonesTold)
    }

    // MARK: - The end of calls

    @Test("calls are hung up every three seconds as long as there are any") func hangUps() {
        var drain = connected()
        drain.view.calls = 3
        drain.want(hangingUp)
        drain.pass(.milliseconds(6500))
        let order = "hupall NORMAL_CLEARING sofia_profile_name alpha"
        #expect(drain.lines.count { $0 == order } == 3)
        #expect(drain.notices.contains("3 calls are hung up: the deadline is over"))
        drain.view.calls = 0
        drain.pass(.seconds(10))
        #expect(drain.lines.count { $0 == order } == 3)
        drain.want(refusing)
        drain.view.calls = 1
        drain.want(hangingUp)
        // A new deadline does not wait for the former one's interval.
        #expect(drain.lines.count { $0 == order } == 4)
    }
}
