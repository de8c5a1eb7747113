/// What a server's refusal means, with the setting of the server or of ours to look at.
enum ZoneRefusal {
    /// Whether another update, of other records, might be allowed.
    ///
    /// Knot answers BADKEY also when the key is right and its rule does not allow the record.
    static func dependsOnRecords(_ reason: String) -> Bool {
        reason.contains("REFUSED") || reason.contains("BADKEY")
    }

    /// Whether the server said a code we have words for.
    static func isNamed(_ reason: String) -> Bool { codes.contains { reason.contains($0) } }

    private static let codes = [
        "BADKEY", "BADSIG", "BADTIME", "NOTAUTH", "NOTZONE", "NOTIMP", "SERVFAIL", "REFUSED",
    ]

    /// - Parameter reason: what the server said, beginning or containing the code.
    static func trouble(_ reason: String, _ server: DNSSettings.ServerSettings) -> ZoneTrouble {
        let key = keyText(server)
        let place = "\(server.endpoint)"
        let texts: [(code: String, text: String)] = [
            (
                "BADKEY",
                "does not know \(key), or (Knot) has no acl that allows our records with it: compare key name and "
                    + "algorithm on both sides"
            ),
            ("BADSIG", "knows the key by name, but has another secret than \(key)"),
            ("BADTIME", "refuses our signatures: the clocks differ too much; keep both by NTP"),
            (
                "NOTAUTH",
                "is not primary for the zone: updates go to the first <server>, which must be the zone's primary"
            ),
            ("NOTZONE", "says that a name lies outside its zone: <dns zone= must be the zone it has"),
            ("NOTIMP", "takes no updates at all, as NSD: name the zone's primary as first <server>"),
            (
                "SERVFAIL",
                "could not carry the update out; see its log: full disk, unwritable journal, a limit"
            ),
            (
                "REFUSED",
                "refuses every update with \(key): it is no primary, the zone is frozen, or it does not allow this key "
                    + "(BIND: update-policy; Knot: acl with action: update; PowerDNS: dnsupdate=yes and "
                    + "TSIG-ALLOW-DNSUPDATE)"
            ),
        ]
        guard let known = texts.first(where: { reason.contains($0.code) }) else {
            return ZoneTrouble(key: "update", text: "\(place) did not take the update: \(reason)")
        }
        return ZoneTrouble(key: "update \(known.code)", text: "\(place) \(known.text) (\(reason))")
    }

    static let partKey = "update part"

    /// All of an update was refused, and perhaps only a part would have been.
    static func part(_ reason: String, _ server: DNSSettings.ServerSettings) -> ZoneTrouble {
        ZoneTrouble(
            key: partKey,
            text:
                "\(server.endpoint) refuses an update (\(reason)); which of its records it is, is being found out"
        )
    }

    /// One record set is refused while others are not.
    static func grant(
        for set: ZoneQuestion, _ reason: String, _ server: DNSSettings.ServerSettings
    ) -> ZoneTrouble {
        let key = absolute(server.keyName ?? "KEY")
        return ZoneTrouble(
            key: "grant \(set.name) \(set.type)",
            text:
                "\(server.endpoint) would refuse to change \(set.name) \(set.type) with \(keyText(server)), but not "
                + "all else: grant it (BIND: grant \(key) name \(set.name). \(set.type); Knot: update-owner-name and update-type "
                + "of the acl) (\(reason))")
    }

    /// It carried out what its prerequisite forbade.
    static func careless(_ server: DNSSettings.ServerSettings) -> ZoneTrouble {
        ZoneTrouble(
            key: "careless",
            text:
                "\(server.endpoint) carries updates out although their prerequisite does not hold: nothing keeps a "
                + "deposed leader's late update from the zone; use another name server, and remove the SRV record of "
                + "nothing.invalid")
    }

    static func otherView(_ server: DNSSettings.ServerSettings, _ code: String) -> ZoneTrouble {
        ZoneTrouble(
            key: "other view",
            text:
                "\(server.endpoint) takes updates to another copy of the zone than it answers from (\(code)): a view "
                + "chosen by key or address, or a secondary that forwards updates")
    }

    private static func keyText(_ server: DNSSettings.ServerSettings) -> String {
        let file = server.secretFile.map { ", secret in \($0)" } ?? ""
        return "key \(server.keyName ?? "none") (\(server.algorithm)\(file))"
    }

    private static func absolute(_ name: String) -> String { name.hasSuffix(".") ? name : name + "." }
}
