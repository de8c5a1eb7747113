import EventSocket
import Primitives
import Switch
import Testing

private func at(_ milliseconds: Int) -> Instant { .zero + .seconds(50) + .milliseconds(milliseconds) }

/// Health, as events prove it.
@Suite struct PulseTests {
    /// A pulse whose events come back after `delay`, up to `end`.
    private func run(_ pulse: inout Pulse, from start: Int, to end: Int, delay: Int?) -> [String] {
        var told: [String] = []
        var echoes: [(Int, SwitchEvent)] = []
        for time in start...end {
            while let first = echoes.first, first.0 <= time {
                echoes.removeFirst()
                #expect(pulse.handle(first.1, at: at(time)) == true)
            }
            if let deadline = pulse.nextDeadline, deadline <= at(time), let event = pulse.tick(at: at(time)),
                let delay
            {
                echoes.append((time + delay, event))
            }
            let word = "\(pulse.verdict.isHealthy)"
            if told.last?.hasSuffix(word) != true { told.append("\(time) \(word)") }
        }
        return told
    }

    @Test("it is healthy once three pulses came back, and while they do") func healthy() {
        var pulse = Pulse(token: "me")
        #expect(pulse.verdict == .unhealthy(.disconnected) && pulse.nextDeadline == nil)
        pulse.connected(at: at(0))
        #expect(run(&pulse, from: 0, to: 2000, delay: 20) == ["0 false", "220 true"])
        #expect(pulse.roundTrip == .milliseconds(20))
    }

    @Test(
        "a stuck event thread is noticed by its deadline, and proved well again by five seconds without a late return"
    )
    func stuck() {
        var pulse = Pulse(token: "me")
        pulse.connected(at: at(0))
        _ = run(&pulse, from: 0, to: 1000, delay: 5)
        // The pulse of 1000 is back at the latest; those from 1100 are not.
        let told = run(&pulse, from: 1001, to: 3000, delay: nil)
        #expect(told.count == 2 && told[0] == "1001 true")
        let time = Int(told[1].split(separator: " ")[0])!
        #expect((1500...1600).contains(time))
        #expect("\(pulse.verdict)".contains("has not come back"))
        #expect(run(&pulse, from: 3001, to: 7900, delay: 5) == ["3001 false"])
        #expect(run(&pulse, from: 7901, to: 9000, delay: 5).last?.hasSuffix("true") == true)
    }

    @Test("while calls are revived it may be late, and is not late afterwards for what was out then")
    func reviving() {
        var pulse = Pulse(token: "me")
        pulse.connected(at: at(0))
        _ = run(&pulse, from: 0, to: 1000, delay: 5)
        pulse.revives(true, at: at(1000))
        #expect(run(&pulse, from: 1001, to: 3000, delay: nil) == ["1001 true"])
        pulse.revives(false, at: at(3000))
        #expect(run(&pulse, from: 3001, to: 5000, delay: 5) == ["3001 true"])
        pulse.revives(true, at: at(5000))
        let told = run(&pulse, from: 5001, to: 9000, delay: nil)
        #expect(told.count == 2 && told[1].hasSuffix("false"), "stuck is stuck")
    }

    @Test("time in which this process was held up itself is no silence of the switch") func heldUp() throws {
        var pulse = Pulse(token: "me")
        pulse.connected(at: at(0))
        _ = run(&pulse, from: 0, to: 1000, delay: 5)
        let sent = pulse.tick(at: at(1100))
        let event = try #require(sent)
        // The answer lies unread for four seconds, in which nothing of ours ran.
        _ = pulse.tick(at: at(5100))
        #expect(pulse.verdict == .healthy)
        #expect(pulse.handle(event, at: at(5101)) == true)
        #expect(pulse.verdict == .healthy)
        #expect(run(&pulse, from: 5102, to: 8000, delay: 5) == ["5102 true"])
        // Held up again and again, it still notices a switch that is stuck.
        var time = 8000
        while time < 16_000, pulse.verdict.isHealthy {
            time += 300
            _ = pulse.tick(at: at(time))
        }
        #expect(!pulse.verdict.isHealthy)
    }

    @Test("a switch that is always slower than the deadline never counts as healthy") func slow() {
        var pulse = Pulse(token: "me")
        pulse.connected(at: at(0))
        #expect(run(&pulse, from: 0, to: 5000, delay: 600) == ["0 false"])
    }

    @Test("late answers that keep coming prove life: a busy switch is not given up") func busy() {
        var pulse = Pulse(token: "me")
        pulse.connected(at: at(0))
        _ = run(&pulse, from: 0, to: 1000, delay: 5)
        // Its events take longer and longer, at last longer than the deadline, and come back.
        #expect(run(&pulse, from: 1001, to: 3000, delay: 300) == ["1001 true"])
        #expect(run(&pulse, from: 3001, to: 6000, delay: 700) == ["3001 true"])
        // Then nothing comes back: that is a hang, and it is noticed within two deadlines of the last return.
        let told = run(&pulse, from: 6001, to: 9000, delay: nil)
        #expect(told.count == 2 && told[1].hasSuffix("false"))
    }

    @Test("a switch that lags without end is given up, though its answers keep coming") func lagging() {
        var pulse = Pulse(token: "me")
        pulse.connected(at: at(0))
        _ = run(&pulse, from: 0, to: 1000, delay: 5)
        #expect(run(&pulse, from: 1001, to: 9000, delay: 2600).last?.hasSuffix("false") == true)
    }

    @Test("a closed socket and a refused command count at once") func immediate() {
        var pulse = Pulse(token: "me")
        pulse.connected(at: at(0))
        _ = run(&pulse, from: 0, to: 1000, delay: 5)
        #expect(pulse.verdict.isHealthy)
        pulse.refused("-ERR no")
        #expect(pulse.verdict == .unhealthy(.refused("-ERR no")))
        _ = run(&pulse, from: 1001, to: 2000, delay: 5)
        #expect(pulse.verdict.isHealthy)
        pulse.disconnected()
        #expect(pulse.verdict == .unhealthy(.disconnected))
        #expect(pulse.tick(at: at(2001)) == nil)
        // An echo that is still under way proves nothing of the next connection.
        pulse.connected(at: at(2002))
        #expect(pulse.verdict == .unhealthy(.unproven))
    }

    @Test("pulses of other processes are none of ours") func foreign() throws {
        var mine = Pulse(token: "me")
        var other = Pulse(token: "you")
        mine.connected(at: at(0))
        other.connected(at: at(0))
        let sent = other.tick(at: at(0))
        let event = try #require(sent)
        #expect(mine.handle(event, at: at(1)) == false)
        #expect(other.handle(event, at: at(1)) == true)
        // The same echo a second time tells nothing.
        #expect(other.handle(event, at: at(600)) == true)
        #expect(other.roundTrip == .milliseconds(1))
        #expect(
            try Command.sendevent(event).encoded().starts(
                with: "sendevent CUSTOM\nEvent-Subclass: fsdns::pulse\n".utf8))
    }

    @Test("it does not make up for time it slept, nor heap a stuck switch with events") func bounded() {
        var pulse = Pulse(token: "me")
        pulse.connected(at: at(0))
        #expect(pulse.tick(at: at(0)) != nil)
        #expect(pulse.tick(at: at(5000)) != nil)
        #expect(pulse.tick(at: at(5001)) == nil)
        var sent = 0
        for time in 5002...200_000 where pulse.tick(at: at(time)) != nil { sent += 1 }
        #expect(sent < 64 + 200)
        // After all that time one return is enough to begin the proof.
        #expect(run(&pulse, from: 200_001, to: 207_500, delay: 5).last?.hasSuffix("true") == true)
    }
}
