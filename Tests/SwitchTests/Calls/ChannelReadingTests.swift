import EventSocket
import Switch
import Testing

/// Listings and dumps of channels.
@Suite struct ChannelReadingTests {
    @Test("a recorded listing has its three legs") func listing() throws {
        let listing = try ChannelListing(reading: Recordings.bytes("api_show_channels.json"))
        #expect(listing.channels.map(\.uuid) == [Recordings.bridged, Recordings.callee, Recordings.parked])
        #expect(
            listing.channels[1]
                == ListedChannel(
                    uuid: Recordings.callee, direction: "outbound", name: "sofia/svcA/uas@10.77.0.100:5070",
                    state: "CS_EXCHANGE_MEDIA", callState: "ACTIVE"))
        #expect(listing.channels[2].application == "park")
        #expect(listing.channels[0].profile == "svcA")
        #expect(ListedChannel(uuid: "u", name: "loopback/9664-a").profile == nil)
    }

    @Test("no channels, escapes and numbers are read") func forms() throws {
        func uuids(_ text: String) throws -> [String] {
            try ChannelListing(reading: Array(text.utf8)).channels.map(\.uuid)
        }
        #expect(try uuids("{\"row_count\": 0}") == [])
        #expect(try uuids("{\"row_count\":0,\"rows\":[]}\n") == [])
        #expect(
            try uuids(#"{"row_count":1,"rows":[{"uuid":"a\"\u00e9\ud83d\ude00\/","n":1,"x":null}]}"#) == [
                "a\"é😀/"
            ])
    }

    @Test("half a listing, or one that is not what it says, is refused in words") func refused() throws {
        func refusal(_ text: String) -> String? {
            do throws(SwitchFailure) {
                _ = try ChannelListing(reading: Array(text.utf8))
                return nil
            } catch {
                return error.description
            }
        }
        #expect(refusal("-ERR no reply\n") == "show channels as json cannot be read: expected “{” at byte 0")
        #expect(
            refusal("{\"row_count\":2,\"rows\":[{\"uuid\":\"a\"}]}")
                == "show channels as json cannot be read: it tells of 2 rows and has 1")
        #expect(
            refusal("{\"row_count\":1,\"rows\":[{\"direction\":\"inbound\"}]}")
                == "show channels as json has no uuid")
        #expect(refusal("{\"row_count\":1,\"rows\":[{\"uuid\":[\"a\"]}]}") != nil)
        #expect(
            refusal("{\"row_count\":0}{}")
                == "show channels as json cannot be read: something follows its end")
        let whole = try Recordings.text("api_show_channels.json")
        for length in stride(from: 0, to: whole.utf8.count - 2, by: 97) {
            #expect(refusal(String(whole.prefix(length))) != nil)
        }
    }

    @Test("recorded dumps are events of their channels") func dumps() throws {
        let dumps = try Recordings.dumps()
        #expect(dumps.map(\.channel) == [Recordings.bridged, Recordings.callee, Recordings.parked])
        #expect(dumps.map(\.name) == ["CHANNEL_DATA", "CHANNEL_DATA", "CHANNEL_DATA"])
        #expect(
            dumps[0]["variable_sip_full_from"] == "\"caller\" <sip:1000@10.77.0.100:5080>;tag=28668SIPpTag001"
        )
    }

    @Test("a channel that is gone has no dump, and nonsense is no dump") func noDump() throws {
        #expect(try ChannelDump.read(Array("-ERR No such channel!\n".utf8)) == nil)
        #expect(throws: SwitchFailure.missing("Unique-ID", in: "uuid_dump")) {
            try ChannelDump.read(Array(#"{"Event-Name":"CHANNEL_DATA"}"#.utf8))
        }
        #expect(throws: SwitchFailure.self) { try ChannelDump.read([]) }
        #expect(throws: SwitchFailure.self) { try ChannelDump.read(Array("no colon at all".utf8)) }
    }

    @Test("what is percent-encoded in a contact or a user is so in the leg, and in the row made of it")
    func escapes()
        throws
    {
        let contact = "a%40b@192.0.2.9:5070;fs_path=%3Csip%3A10.91.0.100%3A5070%3Blr%3E"
        var event = try #require(try Recordings.dumps().last)
        event.headers["variable_sip_contact_uri"] = contact
        let dump = try #require(
            try ChannelDump.read(EventCodec.encode(event, as: .json)))
        #expect(ChannelDump.command("u") == "uuid_dump u json")
        let leg = try #require(RecoveryRowTests.legs(of: [dump]).first)
        #expect(leg.variable("sip_contact_uri") == contact)
        let row = try #require(RecoverableCall(legs: [leg]).rows(for: "slave", sequence: .some).first)
        #expect(row.metadata.contains("a%2540b%40192.0.2.9%3A5070%3Bfs_path%3D%253Csip%253A"))
        #expect(try RecoveryMetadata(reading: row).leg.variable("sip_contact_uri") == contact)
        // The form without a format loses it.
        let plain = try EventCodec.decode(EventCodec.encode(event, as: .plain), as: .plain)
        #expect(plain["variable_sip_contact_uri"] != contact)
    }

    @Test("sofia status tells the profiles and their states") func profiles() throws {
        let status = try #require(
            try Recordings.answers("api_misc.txt").first { $0.command == "sofia status" })
        let profiles = try SofiaProfile.list(reading: status.answer)
        #expect(
            profiles
                == [SofiaProfile(name: "svcA", state: "RUNNING (3)", uri: "sip:mod_sofia@10.77.0.50:5060")])
        #expect(profiles[0].port == 5060)
        #expect(
            SofiaProfile(name: "a", state: "", uri: "sip:mod_sofia@[2001:db8::5]:5080;transport=tls").port
                == 5080)
        #expect(SofiaProfile(name: "a", state: "", uri: "sip:mod_sofia@[2001:db8::5]").port == 5060)
        #expect(profiles[0].isRunning)
        #expect(!SofiaProfile(name: "svcB", state: "DOWN").isRunning)
        #expect(throws: SwitchFailure.self) {
            try SofiaProfile.list(reading: Array(status.answer.prefix(200)))
        }
        #expect(try LocalSwitch.isTrue(Array("false".utf8), of: "fsctl pause_check inbound") == false)
        #expect(try LocalSwitch.isTrue(Array("true\n".utf8), of: "fsctl pause_check inbound"))
        #expect(throws: SwitchFailure.malformed("answer", value: "-ERR", in: "fsctl pause_check inbound")) {
            try LocalSwitch.isTrue(Array("-ERR\n".utf8), of: "fsctl pause_check inbound")
        }
    }
}
