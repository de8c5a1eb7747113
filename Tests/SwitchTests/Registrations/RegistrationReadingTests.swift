import EventSocket
import Primitives
import Replication
import Switch
import Testing

private let now = Instant.zero + .seconds(1000)

/// Events and listings of registrations.
@Suite struct RegistrationReadingTests {
    @Test("a phone behind a proxy, and one with an escaped user, are told to other switches exactly")
    func escapes()
        throws
    {
        let told = try Recordings.events("events_registration_escaped_json.raw").compactMap {
            try RegistrationEvent($0, at: now)
        }
        let contacts = told.map { told in
            guard case .registered(let registration) = told else { return "" }
            let injection = RegistrationInjection.register(
                registration, at: now, origin: .init(address: "127.0.0.1", switchname: "fs1"),
                lateMargin: .seconds(60))
            return injection?["orig-contact"] ?? ""
        }
        #expect(
            contacts == [
                #""" <sip:2001@10.92.0.1:5070;fs_path=%3Csip%3A10.92.0.1%3A5070%3Blr%3E>"#,
                #""" <sip:33%40x%23@10.92.0.1:5071>"#,
            ])
    }

    @Test("recorded events tell four registrations, a withdrawal and an expiry, in either format")
    func recorded() throws {
        for file in ["events_registration_plain.raw", "events_registration_json.raw"] {
            let told = try Recordings.events(file).compactMap { try RegistrationEvent($0, at: now) }
            let users = told.map { told in
                switch told {
                case .registered(let registration): "+\(registration.user)"
                case .unregistered(let name): "-\(name.user)"
                case .expired(let name): "×\(name.user)"
                }
            }
            #expect(users == ["+1001", "+1001", "+1002", "+1003", "-1001", "×1002"])
            #expect(
                told[0]
                    == .registered(
                        Registration(
                            profile: "svcA", user: "1001", host: "lab.test",
                            contact: "\"\" <sip:1001@10.77.0.100:5070;transport=udp>", callID: "reg-1001",
                            status: "Registered(UDP)", presenceHosts: "n/a", rpid: "unknown", toUser: "1001",
                            toHost: "lab.test", networkIP: "10.77.0.100", networkPort: "60580",
                            username: "unknown", realm: "lab.test", userAgent: "lab-phone/1.0",
                            mwiAccount: "1001@lab.test", expires: now + .seconds(120))))
            #expect(
                told[5]
                    == .expired(
                        RegistrationName(
                            profile: "svcA", user: "1002", host: "lab.test",
                            contact: "\"\" <sip:1002@10.77.0.100:5072>", callID: "reg-1002")))
        }
    }

    @Test("what an event lacks is named") func incomplete() throws {
        var event = try #require(try Recordings.events("events_registration_plain.raw").first)
        event.headers["from-user"] = nil
        #expect(throws: SwitchFailure.missing("from-user", in: "sofia::register")) {
            try RegistrationEvent(event, at: now)
        }
        event.headers["from-user"] = "1001"
        event.headers["expires"] = "soon"
        #expect(throws: SwitchFailure.malformed("expires", value: "soon", in: "sofia::register")) {
            try RegistrationEvent(event, at: now)
        }
        event.headers["expires"] = "0"
        #expect(
            try RegistrationEvent(event, at: now)
                == .unregistered(.init(registration("1001", callID: "reg-1001"))))
        #expect(try RegistrationEvent(SwitchEvent(headers: Headers()), at: now) == nil)
    }

    private func registration(_ user: String, callID: String) -> Registration {
        Registration(
            profile: "svcA", user: user, host: "lab.test",
            contact: "\"\" <sip:\(user)@10.77.0.100:5070;transport=udp>", callID: callID, expires: now)
    }

    @Test("a listing tells everything an event does") func listing() throws {
        let listing = try RegistrationListing(
            reading: Recordings.bytes("api_sofia_xmlstatus_reg.xml"), profile: "svcA", at: now,
            lateMargin: .zero)
        #expect(listing.problems == [])
        #expect(listing.registrations.map(\.user) == ["1001", "1002", "1003"])
        #expect(
            listing.registrations[0]
                == Registration(
                    profile: "svcA", user: "1001", host: "lab.test",
                    contact: "\"\" <sip:1001@10.77.0.100:5070;transport=udp>", callID: "reg-1001",
                    status: "Registered(UDP)", presenceHosts: "n/a", rpid: "unknown", toUser: "1001",
                    toHost: "lab.test", networkIP: "10.77.0.100", networkPort: "39898", username: "unknown",
                    realm: "lab.test", userAgent: "lab-phone/1.0", mwiAccount: "1001@lab.test",
                    expires: now + .seconds(119)))
    }

    @Test("the late margin is taken off the listed seconds") func margin() throws {
        let listing = try RegistrationListing(
            reading: Recordings.bytes("api_sofia_xmlstatus_reg.xml"), profile: "svcA", at: now,
            lateMargin: .seconds(60))
        #expect(
            listing.registrations.map { $0.expires - now } == [.seconds(59), .seconds(-58), .seconds(-1)])
    }

    @Test("an answer that is not whole is no listing, and not an empty one either") func partial() throws {
        let whole = try Recordings.bytes("api_sofia_xmlstatus_reg.xml")
        for length in [0, 20, 60, 200, 1000, whole.count - 20] {
            #expect(throws: SwitchFailure.self) {
                try RegistrationListing(
                    reading: Array(whole.prefix(length)), profile: "svcA", at: now, lateMargin: .zero)
            }
        }
        #expect(throws: SwitchFailure.self) {
            try RegistrationListing(
                reading: Array("Invalid Profile!\n".utf8), profile: "svcA", at: now, lateMargin: .zero)
        }
        let empty = "<?xml version=\"1.0\"?><profile><registrations></registrations></profile>"
        let listing = try RegistrationListing(
            reading: Array(empty.utf8), profile: "svcA", at: now, lateMargin: .zero)
        #expect(listing.registrations == [] && listing.problems == [])
    }

    @Test("a damaged registration does not hide the others") func damaged() throws {
        let whole = try Recordings.text("api_sofia_xmlstatus_reg.xml")
        func read(_ text: String) throws -> RegistrationListing {
            try RegistrationListing(reading: Array(text.utf8), profile: "svcA", at: now, lateMargin: .zero)
        }
        let bad = try read(
            whole.replacing("<agent>lab-phone/1.0</agent>", with: "<agent>&x</agent>", maxReplacements: 1))
        #expect(bad.registrations.map(\.user) == ["1002", "1003"])
        #expect(bad.problems == ["a registration cannot be read: it is not well-formed XML"])
        let lost = try read(whole.replacing("expsecs(119)", with: "expsecs(?)"))
        #expect(lost.registrations.map(\.user) == ["1002", "1003"])
        #expect(lost.problems.count == 1)
        let nameless = try read(whole.replacing("<user>1001@lab.test", with: "<user>nobody"))
        #expect(nameless.problems == ["a registration has user “nobody”, which means nothing"])
    }

    @Test(
        "markup in a Call-ID is a part of it: it makes nobody else's registration, ends none and hides none",
        arguments: [
            "x</call-id><user>1003@lab.test</user><contact>sip:192.0.2.66</contact><call-id>y",
            "x</call-id></registration><registration><call-id>y", "x</registration>", "x<!--", "--><y",
            "x<![CDATA[", "</registrations></profile>", "<registration/>", "x&y<z", "<",
        ])
    func markup(_ callID: String) throws {
        let whole = try Recordings.text("api_sofia_xmlstatus_reg.xml")
        let honest = try RegistrationListing(
            reading: Array(whole.utf8), profile: "svcA", at: now, lateMargin: .zero)
        let listing = try RegistrationListing(
            reading: Array(
                whole.replacing("<call-id>reg-1001</call-id>", with: "<call-id>\(callID)</call-id>").utf8),
            profile: "svcA", at: now, lateMargin: .zero)
        var expected = honest
        expected.registrations[0].callID = callID
        #expect(listing == expected)
    }

    @Test("a registration with a field twice is none") func twice() throws {
        let whole = try Recordings.text("api_sofia_xmlstatus_reg.xml")
        let listing = try RegistrationListing(
            reading: Array(
                whole.replacing(
                    "<user>1001@lab.test", with: "<user>1003@lab.test</user>\n<user>1001@lab.test"
                ).utf8),
            profile: "svcA", at: now, lateMargin: .zero)
        #expect(listing.registrations.map(\.user) == ["1002", "1003"] && listing.problems.count == 1)
    }

    @Test("a name in UTF-8 or in the declared Latin-1 is read as it was meant") func encodings() throws {
        let text = try Recordings.text("api_sofia_xmlstatus_reg.xml").replacing("lab-phone", with: "Fön")
        let utf8 = try RegistrationListing(
            reading: Array(text.utf8), profile: "svcA", at: now, lateMargin: .zero)
        let latin = text.unicodeScalars.map { UInt8($0.value) }
        #expect(
            try RegistrationListing(reading: latin, profile: "svcA", at: now, lateMargin: .zero) == utf8)
        #expect(utf8.registrations[0].userAgent == "Fön/1.0")
    }

    @Test("ten thousand registrations are read in groups, all of them") func many() throws {
        let item = """
            <registration>
            <call-id>c%</call-id>
            <user>u%@h</user>
            <contact>&lt;sip:u%@192.0.2.1&gt;</contact>
            <status>Registered(UDP)(unknown) exp(2026-11-21 10:04:36) expsecs(60)</status>
            </registration>
            """
        let items = (0..<10_000).map { item.replacing("%", with: "\($0)") }.joined(separator: "\n")
        let listing = try RegistrationListing(
            reading: Array("<profile><registrations>\(items)</registrations></profile>".utf8),
            profile: "svcA", at: now, lateMargin: .zero)
        #expect(listing.registrations.map(\.user) == (0..<10_000).map { "u\($0)" })
    }

    @Test("the transport is told by the status, else by the contact") func transports() {
        func transport(_ status: String, _ contact: String = "<sip:a@b>") -> String {
            Registration(
                profile: "p", user: "u", host: "h", contact: contact, callID: "c", status: status,
                expires: now
            ).transport
        }
        #expect(transport("Registered(UDP-NAT)") == "UDP")
        #expect(transport("Registered(TLS)") == "TLS")
        #expect(transport("Registered(WSS-NAT)") == "WSS")
        #expect(transport("Registered", "<sip:a@b;transport=TCP;x>") == "TCP")
        #expect(transport("Registered(unknown)", "<sip:a@b>") == "UDP")
        let tcp = Registration(
            profile: "p", user: "u", host: "h", contact: "", callID: "c", status: "Registered(TCP)",
            expires: now)
        #expect(!tcp.isReachableElsewhere)
    }

    @Test("keys are equal exactly when the switch keeps one row for both") func keys() {
        let a = registration("1001", callID: "a")
        var b = a
        b.callID = "b"
        var c = a
        c.contact = "<sip:1001@192.0.2.9>"
        func same(_ x: Registration, _ y: Registration, _ mode: RegistrationMode) -> Bool {
            RegistrationKey(x, mode: mode) == RegistrationKey(y, mode: mode)
        }
        #expect(same(a, b, .single) && same(a, c, .single))
        #expect(!same(a, b, .callID) && same(a, c, .callID))
        #expect(same(a, b, .contact) && !same(a, c, .contact))
        // They are the keys of the replicated records.
        for mode in RegistrationMode.allCases {
            #expect(RegistrationKey(a, mode: mode).bytes == (try? Record(a, identity: mode.identity))?.key)
        }
        #expect(RegistrationMode(parameter: "true") == .callID)
        #expect(RegistrationMode(parameter: nil) == .single)
        #expect(RegistrationMode(parameter: "contact") == .contact)
        #expect(RegistrationMode(parameter: "perhaps") == nil)
    }
}
