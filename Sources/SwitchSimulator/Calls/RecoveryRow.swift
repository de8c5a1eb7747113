import EventSocket

/// One row of table `recovery` in `core.db`: an answered leg that another process can revive.
package struct RecoveryRow: Hashable, Sendable {
    /// Core-UUID of the process that owns the call.
    package var runtimeUUID: String
    package var technology: String
    package var profileName: String
    /// The switchname of the owner; not looked at when reviving.
    package var hostname: String
    package var uuid: String
    package var metadata: String
    /// The column is NULL: the real switch does not survive reviving it.
    package var isNull = false

    package init(
        runtimeUUID: String, technology: String = "sofia", profileName: String, hostname: String,
        uuid: String, metadata: String
    ) {
        self.runtimeUUID = runtimeUUID
        self.technology = technology
        self.profileName = profileName
        self.hostname = hostname
        self.uuid = uuid
        self.metadata = metadata
    }
}

/// What is read of a row's metadata, in the switch's own form or as the sidecar synthesises it.
struct RecoveredLeg: Hashable, Sendable {
    /// Why a row cannot be revived.
    struct Failure: Error, Hashable, CustomStringConvertible {
        enum Effect: Hashable, Sendable {
            /// Skipped, the row deleted.
            case skipped
            /// Skipped, and a dead session keeps the uuid.
            case dead
            /// Counted as recovered, and gone at once without a word to the peer.
            case vanished
            /// The process ends by a segmentation fault; rows stay.
            case crash
        }
        var effect: Effect
        var description: String
    }
    var direction: Leg.Direction
    var variables: Variables
    /// Channel flag 4 (CF_BRIDGE_ORIGINATOR).
    var isBridgeOriginator: Bool
    var caller: CallerProfile
    var originator: CallerProfile?
    var originatee: CallerProfile?
    var times = LegTimes()
    var extensionName: String
    var plan: [Application]

    init(parsing metadata: String) throws(Failure) {
        let cdr: SmallXML
        do { cdr = try SmallXML(parsing: metadata) } catch {
            throw Failure(effect: .skipped, description: "\(error)")
        }
        guard cdr.name == "cdr", let flow = cdr["callflow"], let profile = flow["caller_profile"] else {
            throw Failure(effect: .skipped, description: "not a cdr with a callflow and a caller_profile")
        }
        guard let list = cdr["variables"] else { throw Failure(effect: .dead, description: "no variables") }
        guard let data = cdr["channel_data"] else {
            throw Failure(effect: .vanished, description: "no channel_data")
        }
        guard let word = data.text("direction") else {
            throw Failure(effect: .crash, description: "channel_data without a direction")
        }
        direction = word == "outbound" ? .outbound : .inbound
        variables = Variables()
        for item in list.children { variables[item.name] = URLCoding.decode(item.text) }
        for needed in ["sip_contact_uri", "remote_media_ip"] where variables[needed] == nil {
            throw Failure(effect: .vanished, description: "variable \(needed) is missing")
        }
        let flags = (data.text("flags") ?? "").split(separator: ";").map(String.init)
        isBridgeOriginator = flags.contains("4=1")
        caller = CallerProfile(profile)
        caller.direction = direction
        caller.logicalDirection = direction
        originator = profile["originator"]?["originator_caller_profile"].map(CallerProfile.init)
        originatee = profile["originatee"]?["originatee_caller_profile"].map(CallerProfile.init)
        times = LegTimes()
        if let recorded = flow["times"] {
            func time(_ name: String) -> Int64 { recorded.text(name + "_time").flatMap(Int64.init) ?? 0 }
            times.created = time("created")
            times.profileCreated = time("profile_created")
            times.progress = time("progress")
            times.answered = time("answered")
        }
        let matched = flow["extension"]
        extensionName = matched?.attribute("name") ?? ""
        plan = (matched?.children ?? []).filter { $0.name == "application" }.map {
            Application(name: $0.attribute("app_name") ?? "", data: $0.attribute("app_data") ?? "")
        }
    }
}

extension CallerProfile {
    fileprivate init(_ xml: SmallXML) {
        func text(_ name: String) -> String { xml.text(name) ?? "" }
        self.init(
            username: text("username"), dialplan: text("dialplan"), callerName: text("caller_id_name"),
            callerNumber: text("caller_id_number"), calleeName: text("callee_id_name"),
            calleeNumber: text("callee_id_number"), networkAddress: text("network_addr"), ani: text("ani"),
            destination: text("destination_number"), uuid: text("uuid"), source: text("source"),
            context: text("context"), channelName: text("chan_name"))
    }
}
