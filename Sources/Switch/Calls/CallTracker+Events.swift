import EventSocket
import Primitives
import Replication

extension CallTracker {
    /// Takes in one event, or a `uuid_dump`; what is not about a channel changes nothing.
    package mutating func handle(_ event: SwitchEvent, at now: Instant) {
        guard let event = ChannelEvent(event) else { return }
        if let runtime = event.runtime, runtime != self.runtime {
            began(runtime: runtime, switchname: event["FreeSWITCH-Switchname"] ?? "", at: now)
        }
        if event.name == "CHANNEL_UUID", let old = event["Old-Unique-ID"] {
            rename(old, to: event.uuid, sequence: event.sequence, at: now)
        }
        if event.name == "CHANNEL_UNBRIDGE" { unbridge(event) }
        if event.isEnd { return remove(event.uuid, sequence: event.sequence, at: now) }
        if let gone = departed[event.uuid] {
            // Late, or a channel that began anew under its old name.
            if event.sequence <= gone.sequence { return }
            departed[event.uuid] = nil
        }
        guard var entry = entry(for: event, at: now) else { return }
        // An older event than the newest tells nothing about now.
        if event.sequence != 0, event.sequence <= entry.sequence, entry.isKnown { return }
        entry.sequence = event.sequence
        entry.heard = now
        entry.isKnown = true
        take(event, into: &entry, at: now)
        entries[event.uuid] = entry
        touch(event.uuid)
        if event.name == "CHANNEL_BRIDGE" { bridge(event, at: now) }
        noteLook(event.uuid, at: now)
    }

    private mutating func entry(for event: ChannelEvent, at now: Instant) -> Entry? {
        if let entry = entries[event.uuid] { return entry }
        if entries.count >= legLimit {
            refused += 1
            return nil
        }
        return Entry(leg: bare(event.uuid, event.direction ?? .inbound), heard: now, started: now)
    }

    func bare(_ uuid: String, _ direction: CallLeg.Direction) -> CallLeg {
        CallLeg(
            uuid: uuid, runtime: runtime ?? "", switchname: switchname, profile: "", direction: direction,
            phase: .ringing)
    }

    private mutating func take(_ event: ChannelEvent, into entry: inout Entry, at now: Instant) {
        if let direction = event.direction { entry.leg.direction = direction }
        let profile = event.profile
        if !profile.isEmpty { entry.leg.profile = profile }
        if event.isAnswered {
            entry.leg.phase = event.isHeld ? .held : .answered
            if entry.answered == nil {
                entry.answered = event.age(of: "Channel-Answered-Time").map { now - $0 } ?? now
            }
        }
        if let age = event.age(of: "Channel-Created-Time") { entry.started = now - age }
        if !event.caller.isEmpty { entry.leg.caller = event.caller }
        if event["Other-Type"] == "originator", let caller = event["Other-Leg-Unique-ID"] {
            entry.caller = caller
        } else if let caller = event.variable("ent_originate_aleg_uuid") {
            // `bridge a:_:b` (switch_ivr_originate.c: switch_ivr_enterprise_originate).
            entry.caller = caller
        }
        if let attempt = entry.noteLimit(event) { attempts.note(attempt, at: now) }
        entry.noteApplication(event)
        if event.variables.isEmpty { return }
        let others = bytes - entry.size
        entry.isTooLarge = event.size > settings.legBytes || others + event.size > settings.allBytes
        entry.size = entry.isTooLarge ? 0 : event.size
        bytes = others + entry.size
        // What would not be replicated is not kept either.
        entry.leg.variables = entry.isTooLarge ? [] : event.variables + entry.limitVariables(beside: event)
        entry.writeApplications()
        takePartner(event, into: &entry)
    }

    /// A bond is there before the bridge, and may be left over after it: events of bridges have the say, and
    /// a dump, which is the state of one moment.
    private func takePartner(_ event: ChannelEvent, into entry: inout Entry) {
        if event.name == "CHANNEL_UNBRIDGE" { return }
        var bond = event["Bridged-To"] ?? event.variable("signal_bond")
        if let other = bond, departed[other] != nil { bond = nil }
        if event.isDump {
            entry.isBridged = bond != nil
        } else if bond == nil, entry.isBridged {
            return
        }
        if entry.leg.partner != bond {
            entry.leg.partner = bond
            entry.leg.flags = nil
        }
        switch event["Other-Type"] {
        case _ where bond == nil: entry.leg.isOriginator = false
        case "originatee": entry.leg.isOriginator = true
        case "originator": entry.leg.isOriginator = false
        default: break
        }
    }

    private mutating func bridge(_ event: ChannelEvent, at now: Instant) {
        let a = event["Bridge-A-Unique-ID"] ?? event.uuid
        guard
            let b = event["Bridge-B-Unique-ID"] ?? event["Other-Leg-Unique-ID"]
                ?? event.variable("signal_bond"),
            a != b
        else { return }
        join(a, to: b, isOriginator: true)
        join(b, to: a, isOriginator: false)
    }

    private mutating func join(_ uuid: String, to partner: String, isOriginator: Bool) {
        guard var entry = entries[uuid] else { return }
        if let old = entry.leg.partner, old != partner, entries[old]?.leg.partner == uuid { separate(old) }
        if entry.leg.partner != partner { entry.leg.flags = nil }
        entry.leg.partner = partner
        entry.leg.isOriginator = isOriginator
        entry.isBridged = true
        entries[uuid] = entry
        touch(uuid)
    }

    private mutating func unbridge(_ event: ChannelEvent) {
        let a = event["Bridge-A-Unique-ID"] ?? event.uuid
        let b = event["Bridge-B-Unique-ID"] ?? event["Other-Leg-Unique-ID"]
        for (uuid, other) in [(a, b), (b, Optional(a))] {
            guard let uuid, let entry = entries[uuid], entry.leg.partner == other else { continue }
            // An older event than the bridge that is known now.
            if event.sequence != 0, event.sequence < entry.sequence, uuid == event.uuid { continue }
            separate(uuid)
        }
    }

    private mutating func rename(_ old: String, to new: String, sequence: UInt64, at now: Instant) {
        guard old != new, let entry = entries[old], entries[new] == nil else { return }
        var leg = entry.leg
        leg.uuid = new
        entries[new] = entry
        entries[new]?.leg = leg
        if let partner = leg.partner, entries[partner]?.leg.partner == old {
            entries[partner]?.leg.partner = new
            touch(partner)
        }
        for uuid in entries.keys where entries[uuid]?.caller == old { entries[uuid]?.caller = new }
        entries[old] = nil
        departed[old] = (sequence, now)
        touch(old)
        touch(new)
    }
}

// MARK: - Listings and rows

extension CallTracker {
    /// A listing has been asked for: what happens from now on is newer than it.
    package mutating func beginListing(at now: Instant) { listingBegan = now }

    /// The listing that was asked for.
    ///
    /// - Returns: channels whose `uuid_dump` must be asked for, as no event told of them since; hand the dumps to
    ///   `handle`, and say `gone` for those that are no more.
    package mutating func finishListing(_ listing: ChannelListing, at now: Instant) -> [String] {
        guard let began = listingBegan else { return [] }
        listingBegan = nil
        let settled = began - settings.lag
        var wanted: [String] = []
        var listed: Set<String> = []
        for channel in listing.channels {
            listed.insert(channel.uuid)
            if let gone = departed[channel.uuid], gone.at >= settled { continue }
            if let entry = entries[channel.uuid] {
                if entry.heard < began || !entry.isKnown { wanted.append(channel.uuid) }
                continue
            }
            if entries.count >= legLimit {
                refused += 1
                continue
            }
            var leg = bare(channel.uuid, CallLeg.Direction(rawValue: channel.direction) ?? .inbound)
            leg.profile = channel.profile ?? ""
            entries[channel.uuid] = Entry(leg: leg, heard: settled - .nanoseconds(1), started: now)
            wanted.append(channel.uuid)
        }
        let lost = entries.filter { $0.value.heard < settled && !listed.contains($0.key) }
        for uuid in lost.keys.sorted() { remove(uuid, sequence: lost[uuid]?.sequence ?? 0, at: now) }
        return wanted
    }

    /// `uuid_dump` says that there is no such channel.
    package mutating func gone(_ uuid: String, at now: Instant) {
        remove(uuid, sequence: entries[uuid]?.sequence ?? 0, at: now)
    }

    /// Takes in rows of the switch's own recovery table; rows of earlier lives of it are left alone.
    ///
    /// - Parameter areAll: whether these are all rows there are, so that a leg without one is not tracked.
    package mutating func noteRows(_ rows: [RecoveryRow], areAll: Bool, at now: Instant) {
        if areAll {
            for uuid in entries.keys { entries[uuid]?.hasRow = false }
            rowsRead = now
        }
        for row in rows where row.technology == "sofia" && row.runtimeUUID == runtime {
            guard var entry = entries[row.uuid] else { continue }
            entry.hasRow = true
            if let flags = row.flags, entry.leg.flags != flags, entry.leg.phase != .ringing {
                entry.leg.flags = flags
                touch(row.uuid)
            }
            entries[row.uuid] = entry
        }
    }
}
