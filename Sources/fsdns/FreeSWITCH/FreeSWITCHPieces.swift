import Cluster
import Config
import Daemon

/// The pieces of a stock FreeSWITCH's configuration that a cluster file asks for, ready to be copied.
struct FreeSWITCHPieces {
    struct Piece: Hashable {
        /// Where it belongs, below FreeSWITCH's `conf` unless absolute.
        var place: String
        var why: String
        var lines: [String]
    }

    var file: ClusterFile
    var node: String

    var lines: [String] {
        pieces.flatMap { piece in
            let mark = piece.place.hasSuffix(".conf") ? "#" : ""
            let head =
                mark.isEmpty
                ? ["<!-- \(piece.place) -->", "<!-- \(piece.why) -->"]
                : ["# \(piece.place)", "# \(piece.why)"]
            return head + piece.lines + [""]
        }
    }

    var pieces: [Piece] {
        [nonlocalBind] + modules + [switchName] + mediaPorts + [domain] + eventSocket
            + file.settings.addresses.map(profile) + [drain, phones, directory] + hashRemote + hiredis
    }

    private var section: SwitchSection { file.switchSection(of: node) }

    private var nonlocalBind: Piece {
        let families = Set(file.settings.addresses.map(\.ip.family))
        var lines: [String] = []
        if families.contains(.v4) { lines.append("net.ipv4.ip_nonlocal_bind = 1") }
        if families.contains(.v6) { lines.append("net.ipv6.ip_nonlocal_bind = 1") }
        return Piece(
            place: "/etc/sysctl.d/60-fsdns.conf",
            why: "Profiles are bound and waiting before their address arrives. Load it with: sysctl --system",
            lines: lines)
    }

    private var switchName: Piece {
        Piece(
            place: "autoload_configs/switch.conf.xml, in <settings>",
            why: "The name this switch has in events and in its recovery table: that of the node.",
            lines: [#"<param name="switchname" value="\#(node)"/>"#])
    }

    private var mediaPorts: [Piece] {
        let ports = MediaPorts.shared
        return [
            Piece(
                place:
                    "autoload_configs/switch.conf.xml, in <settings>, instead of the lines of the same names",
                why:
                    "A revived call keeps the RTP port it had on the other machine: none is given away that is in use, and "
                    + "the range is the same on all machines, or FreeSWITCH loses its ports when such calls end.",
                lines: [
                    #"<param name="\#(MediaPorts.start)" value="\#(ports.first)"/>"#,
                    #"<param name="\#(MediaPorts.end)" value="\#(ports.last)"/>"#,
                    #"<param name="\#(MediaPorts.robustness)" value="true"/>"#,
                ])
        ]
    }

    private var modules: [Piece] {
        var names: [String] = []
        if section.eventSocket != nil { names.append("mod_hash") }
        if section.limitService != nil { names.append("mod_hiredis") }
        if names.isEmpty { return [] }
        return [
            Piece(
                place: "autoload_configs/modules.conf.xml, in <modules>",
                why: "They count limits. Leave out what is there; stock FreeSWITCH loads mod_hash only.",
                lines: names.map { #"<load module="\#($0)"/>"# })
        ]
    }

    private var domain: Piece {
        Piece(
            place: "vars.xml, instead of the line that sets domain",
            why:
                "Registrations are known by user and domain. Stock FreeSWITCH takes the machine's own address as the "
                + "domain; it must be the same name on every machine.",
            lines: [#"<X-PRE-PROCESS cmd="set" data="domain=THE DOMAIN OF YOUR PHONES"/>"#])
    }

    private var eventSocket: [Piece] {
        guard case .eventSocket(let access) = section.freeswitch else { return [] }
        return [
            Piece(
                place: "autoload_configs/event_socket.conf.xml, in <settings>",
                why: "fsdns speaks to FreeSWITCH here. These stand instead of the lines of the same names.",
                lines: [
                    #"<param name="listen-ip" value="\#(access.endpoint.ip)"/>"#,
                    #"<param name="listen-port" value="\#(access.endpoint.port)"/>"#,
                    #"<param name="password" value="THE TEXT OF \#(access.passwordFile)"/>"#,
                ])
        ]
    }

    private func profile(_ address: ServiceAddress) -> Piece {
        var settings = [
            ("sip-ip", "\(address.ip)"), ("rtp-ip", "\(address.ip)"), ("sip-port", "\(sipPort)"),
            ("track-calls", "true"), ("profile-standby", "true"), ("dialplan", "XML"), ("context", "public"),
            // Without a timer a leg that receives nothing sees its end up to 5 s late (switch_rtp.c: rtp_common_read).
            ("rtp-timer-name", "soft"), ("force-register-domain", "$${domain}"),
            ("force-register-db-domain", "$${domain}"),
        ]
        if case .eventSocket(let access) = section.freeswitch {
            switch access.registrations {
            case .single: break
            case .callID: settings.append(("multiple-registrations", "true"))
            case .contact: settings.append(("multiple-registrations", "contact"))
            }
        }
        return Piece(
            place: "sip_profiles/\(address.name).xml",
            why:
                "One profile for each service and maintenance address, the same on every machine; add your own "
                + "parameters. It waits (503) until the address comes and fsdns lets it go on.",
            lines: [#"<profile name="\#(address.name)">"#, "  <settings>"]
                + settings.map { #"    <param name="\#($0.0)" value="\#($0.1)"/>"# }
                + ["  </settings>", "</profile>"])
    }

    private var sipPort: UInt16 {
        file.settings.dns?.srv.first { $0.service.hasPrefix("_sip._udp") }?.port ?? 5060
    }

    private var drain: Piece {
        Piece(
            place: "dialplan/public.xml, the first extension of each context that takes new calls",
            why:
                "While an address is drained its new calls are refused, so that clients go to another; phones stay "
                + "registered.",
            lines: [
                #"<extension name="fsdns-drain">"#,
                ##"  <condition field="${fsdns_drain}" expression="^true$">"##,
                #"    <action application="respond" data="503 Draining"/>"#,
                "  </condition>",
                "</extension>",
            ])
    }

    /// Devices of one user that are called at once.
    private static let devices = 6

    private var phones: Piece {
        let contacts = "${sofia_contact(*/${destination_number}@$${domain})}"
        // Each condition takes one more contact; a user with fewer of them fails there, and is called all the same.
        let others = (1..<Self.devices).flatMap { number in
            [
                ##"  <condition field="\##(contacts)" expression="^([^,]+,){\##(number)}sofia/[^/]+/([^,]+)" break="never">"##,
                ##"    <action application="set" data="fsdns_phones=${fsdns_phones},sofia/${sofia_profile_name}/$2"/>"##,
                "  </condition>",
            ]
        }
        return Piece(
            place: "dialplan/default.xml, before Local_Extension, which takes the same numbers",
            why:
                "A phone is called from whichever machine has the call: its contact is known on all of them, but only "
                + "the profiles of the addresses that are there may call. Fit the first condition to your numbers. Up to "
                + "\(Self.devices) phones of one user ring at once.",
            lines: [
                #"<extension name="fsdns-phone">"#,
                ##"  <condition field="destination_number" expression="^(10[01][0-9])$"/>"##,
                ##"  <condition field="\##(contacts)" expression="^sofia/[^/]+/([^,]+)">"##,
                ##"    <action application="set" data="fsdns_phones=sofia/${sofia_profile_name}/$1"/>"##,
                "  </condition>",
            ] + others + [
                ##"  <condition field="destination_number" expression="^">"##,
                ##"    <action application="bridge" data="${fsdns_phones}"/>"##,
                "  </condition>",
                "</extension>",
            ])
    }

    private var directory: Piece {
        Piece(
            place: "directory/default.xml, instead of the param dial-string",
            why:
                "So that user/… (ring groups, voicemail, queues, originate) calls by a profile whose address is there. The "
                + "node service keeps fsdns_profile: the first of the addresses that are on this machine.",
            lines: [
                #"<param name="dial-string" value="{^^:sip_invite_domain=${dialed_domain}:presence_id=${dialed_user}@"#
                    + #"${dialed_domain}}${regex(${sofia_contact(*/${dialed_user}@${dialed_domain})}"#
                    + #"|^sofia/[^/]+/([^,]+)|sofia/${global_getvar(fsdns_profile)}/%1)}"/>"#
            ])
    }

    private var hashRemote: [Piece] {
        guard let listener = section.eventSocket else { return [] }
        // Whoever reads FreeSWITCH's configuration reads this password.
        let password =
            listener.lookPasswordFile
            ?? "ITS look-password-file: event-socket IN THE CLUSTER FILE HAS NONE YET"
        return [
            Piece(
                place: "autoload_configs/hash.conf.xml, in <remotes>",
                why: "`limit hash REALM ID MAX` counts in the whole cluster. Rates are not shared this way.",
                lines: [
                    #"<remote name="fsdns" host="\#(listener.endpoint.ip)" port="\#(listener.endpoint.port)""#,
                    #"        username="" password="THE TEXT OF \#(password)" interval="250"/>"#,
                ])
        ]
    }

    private var hiredis: [Piece] {
        guard let service = section.limitService else { return [] }
        return [
            Piece(
                place: "autoload_configs/hiredis.conf.xml, in <profiles>",
                why:
                    "`limit hiredis default ID MAX/INTERVAL !CALL_REJECTED` counts totals and rates in the whole cluster. "
                    + "It stands instead of the example `default` that stock FreeSWITCH has.",
                lines: [
                    #"<profile name="default">"#,
                    "  <connections>",
                    #"    <connection name="primary">"#,
                    #"      <param name="hostname" value="\#(service.endpoint.ip)"/>"#,
                    #"      <param name="port" value="\#(service.endpoint.port)"/>"#,
                    #"      <param name="password" value="THE TEXT OF \#(service.passwordFile)"/>"#,
                    #"      <param name="timeout-ms" value="500"/>"#,
                    #"      <param name="max-connections" value="3"/>"#,
                    "    </connection>",
                    "  </connections>",
                    "  <params>",
                    #"    <param name="ignore-connect-fail" value="true"/>"#,
                    "  </params>",
                    "</profile>",
                ])
        ]
    }
}
