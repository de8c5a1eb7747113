import Cluster
import EventSocket
import Primitives
import Replication
import Switch

/// What FreeSWITCH answers and tells, as those read it who keep calls and registrations.
extension FuzzTarget {
    static let freeswitch: [FuzzTarget] = [
        registrations, channels, channelDump, callEvents, registrationEvents, recoveryRow, statuses,
    ]

    static let registrations = FuzzTarget(
        "registration-listing", "the answer to “sofia xmlstatus profile NAME reg”", maximumLength: 4096,
        seeds: {
            let whole = Recordings.answers("api_sofia_xmlstatus_reg.xml")
            return [whole, Array(whole.prefix(900))]
        }
    ) { input in
        let listing = try? RegistrationListing(
            reading: input.rest(), profile: "svcA", at: .zero, lateMargin: .seconds(60))
        guard let listing else { return }
        var book = RegistrationBook(profile: "svcA", settings: .init(mode: .single))
        book.beginListing(at: .zero)
        book.finishListing(ListedRegistrations(listing, mode: .single))
        while book.isComparing { _ = book.compare(atMost: 3, at: .zero) }
        for registration in listing.registrations { _ = try? Record(registration).registration() }
        _ = book.sweep(at: .zero + .seconds(100_000))
    }

    static let channels = FuzzTarget(
        "channel-listing", "the answer to “show channels as json”", maximumLength: 4096,
        seeds: { [Recordings.answers("api_show_channels.json"), Array("{\"row_count\":0}\n".utf8)] }
    ) { input in
        guard let listing = try? ChannelListing(reading: input.rest()) else { return }
        var tracker = CallTracker()
        tracker.beginListing(at: .zero)
        for uuid in tracker.finishListing(listing, at: .zero + .seconds(1)) {
            tracker.gone(uuid, at: .zero + .seconds(2))
        }
        for channel in listing.channels { _ = channel.profile }
    }

    private static func dumps() -> [[UInt8]] {
        Recordings.answers("api_uuid_dump.txt", to: "uuid_dump").compactMap { answer in
            let text = String(decoding: answer, as: UTF8.self)
            guard let end = text.lastIndex(where: { !$0.isNewline }) else { return nil }
            let plain = Array((text[...end] + "\n\n").utf8)
            return (try? EventCodec.decode(plain, as: .plain)).map { EventCodec.encode($0, as: .json) }
        }
    }

    static let channelDump = FuzzTarget(
        "channel-dump", "the answer to “uuid_dump UUID json”, and the rows made of such a leg",
        maximumLength: 12_288, seeds: { dumps() }
    ) { input in
        guard var event = (try? ChannelDump.read(input.rest())) ?? nil else { return }
        event.headers["Event-Name"] = "CHANNEL_DATA"
        var tracker = CallTracker()
        tracker.handle(event, at: .zero + .seconds(1))
        look(at: &tracker)
    }

    private static let sequence = RequestSequence(milliseconds: 1_796_000_000_000, epoch: .zero)

    /// Everything that is asked of a tracker, and that rows made of its legs can be read again.
    private static func look(at tracker: inout CallTracker) {
        let now = Instant.zero + .seconds(100)
        _ = tracker.counts
        _ = tracker.hashAllowances(at: now)
        _ = tracker.wanted(limit: 10, at: now)
        _ = tracker.takeChanges()
        let legs = tracker.legs
        for leg in legs {
            _ = tracker.verdict(on: leg.uuid, serviceAddress: "192.0.2.1")
            _ = tracker.times(of: leg.uuid)
            _ = leg.limits
            _ = tracker.hopeless(on: leg.profile, serviceAddress: "192.0.2.1")
            let call = RecoverableCall(legs: [leg])
            _ = (call.priority, call.answered)
            for row in call.rows(for: "slave", sequence: sequence) {
                expect((try? RecoveryMetadata(reading: row)) != nil, "a row of ours cannot be read: \(row)")
            }
            if let record = try? Record(leg) {
                expect((try? record.callLeg()) != nil, "a record of ours cannot be read")
            }
        }
        if (1...2).contains(legs.count) {
            _ = RecoverableCall(legs: legs).rows(for: "slave", sequence: sequence)
        }
    }

    static let callEvents = FuzzTarget(
        "call-events", "a stream of events about calls, as the tracker of calls and the pulse read them",
        maximumLength: 16_384, seeds: { Recordings.frames().filter { $0.count < 12_288 } }
    ) { input in
        var tracker = CallTracker()
        var pulse = Pulse(token: "x")
        var now = Instant.zero + .seconds(1)
        pulse.connected(at: now)
        tracker.began(runtime: "r", switchname: "s", at: now)
        var decoder = FrameDecoder()
        while let piece = input.piece() {
            now += .milliseconds(input.choice(256) * 20)
            _ = pulse.tick(at: now)
            decoder.append(piece)
            while let frame = (try? decoder.next()) ?? nil {
                guard case .event(let event)? = try? ServerMessage(frame) else { continue }
                tracker.handle(event, at: now)
                _ = pulse.handle(event, at: now)
            }
        }
        _ = (pulse.nextDeadline, tracker.endedLastMinute(at: now), tracker.oldestAnswer)
        look(at: &tracker)
    }

    static let registrationEvents = FuzzTarget(
        "registration-events", "a stream of events about registrations, as the books read them",
        maximumLength: 8192,
        seeds: { Recordings.frames(of: ["events_registration_plain.raw", "events_registration_json.raw"]) }
    ) { input in
        var books = RegistrationMode.allCases.map {
            RegistrationBook(profile: "svcA", settings: .init(mode: $0))
        }
        var decoder = FrameDecoder()
        var now = Instant.zero + .seconds(1)
        while let piece = input.piece() {
            now += .milliseconds(input.choice(256) * 100)
            decoder.append(piece)
            while let frame = (try? decoder.next()) ?? nil {
                guard case .event(let event)? = try? ServerMessage(frame) else { continue }
                for index in books.indices { _ = try? books[index].handle(event, at: now) }
            }
        }
        for index in books.indices {
            for registration in books[index].registrations {
                _ = (try? Record(registration))?.fault
                _ = books[index].key(of: registration)
                _ = RegistrationPrompt(userAgent: registration.userAgent).event(for: registration)
                _ = (registration.transport, registration.isReachableElsewhere)
            }
            _ = books[index].nextDeadline
            _ = books[index].sweep(at: now + .seconds(10_000))
        }
    }

    static let recoveryRow = FuzzTarget(
        "recovery-row", "a row of FreeSWITCH's recovery table, and the rows made of its leg",
        maximumLength: 12_288,
        seeds: {
            ["aleg", "bleg", "park"].map {
                Recordings.file("Tests/SwitchSimulatorTests/Fixtures/recovery_metadata_\($0).xml")
            }
        }
    ) { input in
        let row = RecoveryRow(
            runtimeUUID: "r", profileName: "svcA", hostname: "master1",
            uuid: "cbc0db67-98e0-428b-b2f8-785ae6308b4e", metadata: input.text())
        _ = row.flags.map { ChannelFlags($0).text }
        guard let metadata = try? RecoveryMetadata(reading: row) else { return }
        _ = metadata.leg.limits
        for made in RecoverableCall(legs: [metadata.leg]).rows(for: "slave", sequence: sequence) {
            expect((try? RecoveryMetadata(reading: made)) != nil, "a row of ours cannot be read: \(made)")
        }
    }

    static let statuses = FuzzTarget(
        "switch-status", "the answers to “sofia status”, “fsctl …” and “xml_locate …”", maximumLength: 4096,
        seeds: {
            Recordings.answers("api_misc.txt", to: "").filter { $0.count < 4096 }
                + [
                    Array("true\n".utf8),
                    Array(
                        "<configuration><settings><param name=\"a\" value=\"b\"/></settings></configuration>"
                            .utf8),
                ]
        }
    ) { input in
        let bytes = input.rest()
        for profile in (try? SofiaProfile.list(reading: bytes)) ?? [] {
            _ = (profile.port, profile.isRunning)
        }
        _ = try? LocalSwitch.isTrue(bytes, of: "fsctl pause_check")
        _ = SwitchParameters.read(String(decoding: bytes, as: UTF8.self))
    }
}
