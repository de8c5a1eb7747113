import Primitives
import Replication
import Switch
import Testing

/// Registrations go from the switch that has them into all others, and the newest one wins.
@Suite struct RegistrationSyncTests {
    private func phone(
        _ user: String, at address: String, _ sites: PretendSites, place: String = "192.0.2.7"
    ) -> Registration {
        Registration(
            profile: address, user: user, host: "h", contact: "<sip:\(user)@\(place)>",
            callID: "\(user) \(place)", status: "Registered(UDP)", expires: sites.now + .seconds(600))
    }

    private func pair(_ mode: RegistrationMode = .single) -> PretendSites {
        let sites = PretendSites(mode: mode)
        sites.pass(.seconds(1))
        sites.give("alpha", to: 0)
        sites.give("beta", to: 1)
        sites.pass(.seconds(10))
        return sites
    }

    @Test(
        "a phone that registers where its address is is known to the other switch, and gone there when it is gone here"
    )
    func known() {
        let sites = pair()
        let phone = phone("1001", at: "alpha", sites)
        sites.sites[0].register(phone)
        sites.pass(.seconds(1))
        #expect(sites.sites[0].sync.count(at: "alpha") == 1 && sites.sites[0].sync.isHere(phone, at: "alpha"))
        #expect(sites.sites[1].contacts(of: "1001", at: "alpha") == [phone.contact])
        sites.sites[0].unregister(phone)
        sites.pass(.seconds(1))
        #expect(sites.sites[0].sync.count == 0)
        #expect(sites.sites[1].contacts(of: "1001", at: "alpha") == [])
    }

    @Test(
        "a switch that is started anew is told of everything that others hold, and one that is reached again of what it missed"
    )
    func restarted() {
        let sites = pair()
        sites.sites[0].register(phone("1001", at: "alpha", sites))
        sites.pass(.seconds(1))
        sites.sites[1].restart(isEmpty: true)
        #expect(!sites.sites[1].sync.isIdle)
        sites.pass(.seconds(5))
        #expect(sites.sites[1].contacts(of: "1001", at: "alpha").count == 1 && sites.sites[1].sync.isIdle)
        sites.sites[1].disconnect()
        sites.sites[0].register(phone("1002", at: "alpha", sites))
        sites.pass(.seconds(1))
        #expect(sites.sites[1].contacts(of: "1002", at: "alpha") == [])
        let before = sites.sites[1].injections
        sites.sites[1].connect(isRestarted: false)
        sites.pass(.seconds(5))
        #expect(sites.sites[1].contacts(of: "1002", at: "alpha").count == 1)
        #expect(sites.sites[1].injections == before + 1)
    }

    @Test("a profile that begins is told of everything again") func profile() {
        let sites = pair()
        sites.sites[0].register(phone("1001", at: "alpha", sites))
        sites.pass(.seconds(1))
        sites.sites[1].give(.profiles(["beta"]))
        sites.sites[0].register(phone("1002", at: "alpha", sites))
        sites.pass(.seconds(1))
        #expect(sites.sites[1].contacts(of: "1002", at: "alpha") == [])
        sites.sites[1].give(.profiles(["alpha", "beta"]))
        sites.pass(.seconds(5))
        #expect(sites.sites[1].contacts(of: "1002", at: "alpha").count == 1)
    }

    @Test("an address that goes over takes its registrations along, and its new holder writes on")
    func moves() {
        let sites = pair()
        for user in 0..<300 { sites.sites[0].register(phone("\(user)", at: "alpha", sites)) }
        sites.pass(.seconds(5))
        sites.give("alpha", to: 1)
        sites.pass(.seconds(10))
        #expect(sites.sites[1].sync.count(at: "alpha") == 300 && sites.sites[0].sync.count == 0)
        sites.sites[1].register(phone("1", at: "alpha", sites, place: "192.0.2.99"))
        sites.sites[1].unregister(phone("2", at: "alpha", sites))
        sites.pass(.seconds(2))
        #expect(sites.sites[0].contacts(of: "1", at: "alpha") == ["<sip:1@192.0.2.99>"])
        #expect(sites.sites[0].contacts(of: "2", at: "alpha") == [])
        #expect(sites.sites[1].sync.count(at: "alpha") == 299)
    }

    @Test(
        "a phone that comes to another address is out at the former one, in every switch",
        arguments: RegistrationMode.allCases)
    func newest(mode: RegistrationMode) {
        let sites = pair(mode)
        let old = phone("1001", at: "alpha", sites)
        sites.sites[0].register(old)
        sites.pass(.seconds(2))
        var new = old
        new.profile = "beta"
        new.expires = sites.now + .seconds(600)
        sites.sites[1].register(new)
        sites.pass(.seconds(2))
        for site in sites.sites {
            #expect(site.contacts(of: "1001", at: "alpha") == [], "\(site.name)")
            #expect(site.contacts(of: "1001", at: "beta") == [new.contact], "\(site.name)")
        }
        #expect(sites.sites[0].sync.count(at: "alpha") == 0)
    }

    @Test("where nobody holds the former address, the word itself counts: for whoever takes it later, too")
    func unheld() {
        let sites = pair()
        let old = phone("1001", at: "alpha", sites)
        sites.sites[0].register(old)
        sites.pass(.seconds(2))
        sites.give("alpha", to: nil)
        sites.pass(.seconds(2))
        var new = old
        new.profile = "beta"
        sites.sites[1].register(new)
        sites.pass(.seconds(5))
        #expect(sites.sites[0].contacts(of: "1001", at: "alpha") == [])
        #expect(sites.sites[1].contacts(of: "1001", at: "alpha") == [])
        sites.give("alpha", to: 0)
        sites.pass(.seconds(10))
        #expect(sites.sites[0].sync.count(at: "alpha") == 0)
        #expect(sites.sites[1].contacts(of: "1001", at: "beta") == [new.contact])
    }

    @Test("what a switch has from another time is corrected by what the holder has") func corrected() {
        let sites = pair()
        let known = phone("1001", at: "alpha", sites)
        sites.sites[0].register(known)
        sites.pass(.seconds(2))
        sites.sites[1].disconnect()
        // It was started anew with what its disk has.
        sites.sites[1].remember(phone("1001", at: "alpha", sites, place: "192.0.2.66"))
        sites.sites[1].remember(phone("1002", at: "alpha", sites, place: "192.0.2.66"))
        sites.sites[1].connect(isRestarted: true)
        sites.pass(.seconds(20))
        #expect(sites.sites[1].contacts(of: "1001", at: "alpha") == [known.contact])
        #expect(sites.sites[1].contacts(of: "1002", at: "alpha") == [])
        #expect(sites.sites[1].notices.contains { $0.hasSuffix("from another time were corrected") })
    }

    @Test(
        "whatever happens, after calm every switch has each phone where it registered last", arguments: 1...30
    )
    func converges(seed: UInt64) {
        var chance = SeededGenerator(seed: seed)
        let sites = pair()
        var newest: [String: Registration] = [:]
        for step in 0..<120 {
            let site = sites.sites[Int.random(in: 0..<2, using: &chance)]
            let address = PretendSites.addresses[Int.random(in: 0..<2, using: &chance)]
            switch Int.random(in: 0..<10, using: &chance) {
            case 0: site.restart(isEmpty: false)
            case 1: if site.isUp { site.disconnect() } else { site.connect(isRestarted: false) }
            case 2: sites.give(address, to: Int.random(in: 0..<2, using: &chance))
            case 3...6:
                guard let holder = sites.holders[address], sites.sites[holder].isUp else { continue }
                let user = "\(Int.random(in: 0..<8, using: &chance))"
                let phone = phone(user, at: address, sites, place: "192.0.2.\(step)")
                sites.sites[holder].register(phone)
                newest[user] = phone
            default: sites.pass(.milliseconds(Int.random(in: 1..<3000, using: &chance)))
            }
            // An address that is given away takes along what was written: copies are in step first.
            sites.pass(.milliseconds(500))
        }
        for site in sites.sites where !site.isUp { site.connect(isRestarted: false) }
        sites.pass(.seconds(60))
        for site in sites.sites {
            for (user, phone) in newest.sorted(by: { $0.key < $1.key }) {
                for address in PretendSites.addresses {
                    #expect(
                        site.contacts(of: user, at: address)
                            == (phone.profile == address ? [phone.contact] : []),
                        "\(user) at \(address) in \(site.name)")
                }
            }
        }
    }
}
