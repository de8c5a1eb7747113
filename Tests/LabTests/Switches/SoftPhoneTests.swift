import Lab
import Testing

extension LabSuites {
    @Suite(
        "Phones of another make",
        .enabled(if: LabSite.expects(SoftPhone.program), "needs baresip: script/bootstrap --test"))
    struct SoftPhoneTests {
        @Test(
            "baresip is called from another machine, keeps its call through a power loss, and is called after it"
        )
        func baresip() throws {
            let site = try SwitchCluster(nodes: 4)
            defer { site.close() }
            let alice = try SoftPhone("alice", number: 0, at: site.ip("alpha"), on: site.lab.client)
            let bob = try SoftPhone("bob", number: 1, at: site.ip("beta"), on: site.lab.client)
            try waitUntilKnown([(alice, "alpha"), (bob, "beta")], site)

            // Alice registered at another machine than the one that calls her.
            try connect(bob, alice, through: "beta", site)
            try part(bob, alice, site)

            // Both in a call on a machine that dies: the next one tells both where it goes on, and they stay in it.
            try connect(bob, alice, through: "alpha", site)
            for host in site.whole {
                try wait(for: "\(host.name) to know the call as recoverable", atMost: 10, every: 100) {
                    try host.calls().contains { $0.isRevivable && $0.legs.count == 2 }
                }
            }
            let lost = try site.host(of: "alpha")
            let moment = try lost.cutPower()
            let new = try site.waitForMove(of: "alpha", from: lost, missing: 1)
            try wait(for: "both legs on \(new.name)", atMost: 10, every: 20) {
                try new.freeswitch.channels().count { $0.profile == "alpha" } == 2
            }
            print(
                "baresip: both legs on \(new.name) \(Int(BootTime.now.milliseconds(since: moment))) ms after the loss"
            )
            try site.checkHistory("alpha", by: new, legs: 2)
            for phone in [alice, bob] { #expect(phone.count("CALL_CLOSED") == 1, "\(phone.events())") }
            // It is a call still: who hangs up is heard by the other, by way of the new machine.
            try part(alice, bob, site)

            // Her registration came along.
            try connect(bob, alice, through: "alpha", site)
            try part(bob, alice, site)
            try connect(alice, bob, through: "alpha", site)
            try part(alice, bob, site)
            try site.cluster.checkNoOverlap()
        }

        @Test("baresip registers again at the machine that took over, by itself")
        func registersAgain() throws {
            let site = try SwitchCluster(nodes: 4)
            defer { site.close() }
            let alice = try SoftPhone(
                "alice", number: 0, at: site.ip("alpha"), on: site.lab.client, interval: 10)
            try waitUntilKnown([(alice, "alpha")], site)
            let lost = try site.host(of: "alpha")
            try lost.cutPower()
            let new = try site.waitForMove(of: "alpha", from: lost, missing: 1)
            // Only phones that came themselves are in this list (those of other machines are known to `sofia`).
            try wait(for: "alice to register at \(new.name)", atMost: 20, every: 100) {
                try new.freeswitch.api("show registrations").contains("alice,")
            }
            try waitUntilKnown([(alice, "alpha")], site)
        }

        /// Every node knows the phones by their address, and every switch how to call them.
        private func waitUntilKnown(_ phones: [(phone: SoftPhone, address: String)], _ site: SwitchCluster)
            throws
        {
            for (phone, address) in phones {
                let owner = try site.host(of: address).name
                let user = "\(phone.user)@\(site.ip(address))"
                for host in site.whole {
                    try wait(for: "\(host.name) to know \(phone.user)", atMost: 10, every: 50) {
                        let line = try host.registrations().first { $0.user == user }
                        let contact = try host.freeswitch.contact(of: user, on: address)
                        return line?.node == owner && line?.survivesTakeover == true
                            && contact.hasPrefix("sofia/\(address)/sip:\(phone.user)")
                    }
                }
            }
        }

        /// One phone calls the other at an address; both are in the call then, and both legs on its machine.
        private func connect(
            _ caller: SoftPhone, _ called: SoftPhone, through address: String, _ site: SwitchCluster
        ) throws {
            let before = [caller, called].map { $0.count("CALL_ESTABLISHED") }
            try caller.dial("\(called.user)@\(site.ip(address))")
            do {
                try wait(for: "\(caller.user) and \(called.user) to talk", atMost: 10, every: 20) {
                    zip([caller, called], before).allSatisfy { $0.count("CALL_ESTABLISHED") == $1 + 1 }
                }
            } catch {
                throw LabFailure(
                    "\(error)\n\(caller.events())\n\(called.events())\n\(caller.log.suffix(1000))")
            }
            let host = try site.host(of: address)
            let channels = try host.freeswitch.channels()
            #expect(channels.count == 2 && channels.allSatisfy { $0.profile == address }, "\(channels)")
        }

        /// One phone hangs up; the other hears of it, and no switch has a leg of it any more.
        private func part(_ first: SoftPhone, _ other: SoftPhone, _ site: SwitchCluster) throws {
            let before = other.count("CALL_CLOSED")
            try first.hangUp()
            do {
                try wait(for: "\(other.user) to hear the end", atMost: 5, every: 20) {
                    other.count("CALL_CLOSED") == before + 1
                }
                try wait(for: "the switches to be empty", atMost: 10, every: 50) {
                    try site.whole.allSatisfy { try $0.freeswitch.channelCount() == 0 }
                }
            } catch {
                throw LabFailure("\(error)\n\(other.events())\n\(other.log.suffix(1000))")
            }
        }
    }
}
