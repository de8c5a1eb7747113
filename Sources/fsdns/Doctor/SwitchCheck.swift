import Cluster
import Config
import Daemon
import EventSocket
@preconcurrency import Glibc
import Primitives
import Switch

/// Whether the FreeSWITCH of this machine, as it runs now, is as `fsdns freeswitch config` asks for.
struct SwitchCheck {
    typealias Ask = (String) throws(SwitchClient.Failure) -> String

    var file: ClusterFile
    var node: String
    /// For the fixes.
    var path: String

    var section: SwitchSection { file.switchSection(of: node) }

    var findings: [Finding] {
        guard case .eventSocket(let access) = section.freeswitch else {
            return [.fine("switch", "no FreeSWITCH is to be watched on \(node)")]
        }
        let services = ServiceCheck(section: section, node: node, user: file.serviceUser, fix: fix)
        return nonlocalBind + running(access) + services.findings
    }

    /// Names the piece to copy.
    func fix(_ place: String) -> String {
        "copy the piece for \(place) from: fsdns freeswitch config --config \(path)"
    }

    // MARK: - The kernel

    private var nonlocalBind: [Finding] {
        guard case .kernel = file.addressMode else { return [] }
        return [(IPAddress.Family.v4, "ipv4"), (.v6, "ipv6")].compactMap { family, word in
            guard file.settings.addresses.contains(where: { $0.ip.family == family }) else { return nil }
            return Self.nonlocalBind(
                word, value: Local.tail("/proc/sys/net/\(word)/ip_nonlocal_bind").first, fix: fix)
        }
    }

    static func nonlocalBind(_ word: String, value: String?, fix: (String) -> String) -> Finding {
        let name = "net.\(word).ip_nonlocal_bind"
        if value == "1" { return .fine("switch", "\(name) is 1: profiles can wait for their address") }
        return .wrong(
            "switch",
            "\(name) is \(value ?? "not to be read"): a profile whose address is elsewhere does not start",
            fix: fix("/etc/sysctl.d/60-fsdns.conf") + ", then: sysctl --system")
    }

    // MARK: - The running switch

    private func running(_ access: SwitchAccess) -> [Finding] {
        let password: [UInt8]
        do throws(SecretFailure) {
            password = try readSecret(path: access.passwordFile, user: file.serviceUser)
        } catch {
            return [
                .wrong(
                    "switch", "cannot be asked: \(error)",
                    fix: "chmod 600 \(access.passwordFile), with its password inside")
            ]
        }
        do throws(SwitchClient.Failure) {
            let client = try SwitchClient(
                access.endpoint, password: String(decoding: password, as: UTF8.self))
            return try findings(access) { line throws(SwitchClient.Failure) in try client.api(line) }
        } catch .ended(_, .passwordRefused) {
            return [
                .wrong(
                    "switch",
                    "\(access.endpoint) refuses the password in \(access.passwordFile)",
                    fix:
                        "make that file and the param password of autoload_configs/event_socket.conf.xml the same; "
                        + "FreeSWITCH reads it anew with: reload mod_event_socket")
            ]
        } catch {
            return [
                .wrong(
                    "switch", "\(error)",
                    fix: "start FreeSWITCH with mod_event_socket; "
                        + fix("autoload_configs/event_socket.conf.xml, in <settings>"))
            ]
        }
    }

    /// - Parameter ask: gives a command to the switch.
    func findings(_ access: SwitchAccess, _ ask: Ask) throws(SwitchClient.Failure) -> [Finding] {
        var findings = [
            Finding.fine("switch", "\(access.endpoint) answers: \(Self.line(try ask("version")))")
        ]
        findings.append(identity(Self.line(try ask("switchname"))))
        var loaded: Set<String> = []
        for (module, place) in modules {
            let isThere = Self.line(try ask("module_exists \(module)")) == "true"
            if isThere { loaded.insert(module) }
            findings.append(Self.module(module, isThere: isThere, fix(place)))
        }
        let states = Self.profileStates(try ask("sofia xmlstatus"))
        let parameters = SwitchParameters.profiles(try ask(SwitchParameters.command("sofia.conf"))) ?? [:]
        for address in file.settings.addresses {
            findings += profile(
                address, access, state: states[address.name], parameters: parameters[address.name])
        }
        let settings = try ask(MediaPorts.command)
        findings += database(
            Self.line(try ask("global_getvar db_dir")), settings: settings,
            shown: try ask("show channels count"))
        findings += mediaPorts(settings)
        findings += DialplanCheck(contexts: contexts(parameters), fix: fix("dialplan/public.xml")).findings(
            try ask("xml_locate dialplan"))
        if section.limitService != nil, loaded.contains("mod_hiredis") {
            findings.append(limits(try ask("hiredis_raw default ping")))
        }
        if section.eventSocket != nil { findings.append(remote(try ask("hash_remote list"))) }
        findings.append(alias(try ask("show aliases")))
        return findings
    }

    private func identity(_ name: String) -> Finding {
        if name == node { return .fine("switch", "its switchname is \(node), as the node's") }
        return .wrong(
            "switch",
            "its switchname is \(name), but the node is \(node): its calls would be taken for another's",
            fix: fix("autoload_configs/switch.conf.xml, in <settings>"))
    }

    private var modules: [(name: String, place: String)] {
        var modules = [("mod_sofia", "sip_profiles/")]
        if section.eventSocket != nil {
            modules.append(("mod_hash", "autoload_configs/hash.conf.xml, in <remotes>"))
        }
        if section.limitService != nil {
            modules.append(("mod_hiredis", "autoload_configs/hiredis.conf.xml, in <profiles>"))
        }
        return modules
    }

    private static func module(_ name: String, isThere: Bool, _ fix: String) -> Finding {
        if isThere { return .fine("switch", "\(name) is loaded") }
        return .wrong(
            "switch", "\(name) is not loaded",
            fix: "put <load module=\"\(name)\"/> into autoload_configs/modules.conf.xml; \(fix)")
    }

    private func profile(
        _ address: ServiceAddress, _ access: SwitchAccess, state: String?, parameters: [String: String]?
    ) -> [Finding] {
        let subject = "profile \(address.name)"
        let fix = fix("sip_profiles/\(address.name).xml")
        guard let state else {
            return [.wrong(subject, "does not run: \(address.ip) could not be taken over here", fix: fix)]
        }
        var findings: [Finding] = [
            state.hasPrefix("RUNNING")
                ? .fine(subject, "is \(state)")
                : .wrong(subject, "is \(state)", fix: "sofia profile \(address.name) restart; \(fix)")
        ]
        // A configuration from elsewhere (mod_xml_curl) may not be told here.
        guard let parameters else { return findings }
        if let ip = parameters["sip-ip"], IPAddress(ip) != address.ip {
            findings.append(.wrong(subject, "listens at \(ip), not at \(address.ip)", fix: fix))
        }
        if let ip = parameters["ext-sip-ip"] ?? parameters["rtp-ip"], IPAddress(ip) != address.ip {
            findings.append(
                .notice(
                    subject, "its media or its contact is at \(ip): calls do not follow the address", fix: fix
                ))
        }
        if !SwitchParameters.isTrue(parameters["track-calls"]) {
            findings.append(
                .wrong(subject, "does not track its calls: none of them can be recovered", fix: fix))
        }
        let kept = Self.registrations(parameters["multiple-registrations"])
        if kept != access.registrations {
            findings.append(
                .wrong(
                    subject,
                    "keeps registrations as “\(kept.rawValue)”, but the cluster file says "
                        + "registrations=\"\(access.registrations.rawValue)\"", fix: fix))
        }
        return findings
    }

    /// sofia.c: config_sofia.
    private static func registrations(_ value: String?) -> SwitchAccess.Registrations {
        if value?.lowercased() == "contact" { return .contact }
        return SwitchParameters.isTrue(value) || value?.lowercased() == "call-id" ? .callID : .single
    }

    /// - Parameters:
    ///   - settings: what the switch says of switch.conf.
    ///   - shown: what it shows out of its database.
    private func database(_ directory: String, settings: String, shown: String) -> [Finding] {
        let subject = "core database"
        let path = CoreDatabase.path(in: directory)
        let problems = [
            LocalSwitch.databaseProblem(shown), CoreDatabase.elsewhere(path, answer: settings),
            CoreDatabase.problem(path: path),
        ].compactMap { $0 }
        var findings = problems.map {
            Finding.wrong(
                subject, $0,
                fix:
                    "as it says; fsdns's user has access to db_dir by an ACL (docs/freeswitch.md), and core-db-dsn and "
                    + "core-db-name are not in autoload_configs/switch.conf.xml")
        }
        if problems.isEmpty {
            findings.append(.fine(subject, "what a recovery writes can be written to \(path)"))
        }
        if let room = CoreDatabase.room(path: path) {
            findings.append(.notice(subject, room, fix: "a recovery of 100 calls writes some MiB there"))
        }
        return findings
    }

    private func mediaPorts(_ answer: String) -> [Finding] {
        let fix =
            fix("autoload_configs/switch.conf.xml, in <settings>, instead of the lines of the same names")
            + ", then restart FreeSWITCH"
        let problems = MediaPorts.problems(
            answer: answer, node: node, nodes: file.settings.nodes.map(\.name))
        guard let problems else { return [] }
        if problems.isEmpty {
            return [.fine("RTP ports", "are those of all machines, and none is given away twice")]
        }
        return problems.map { problem in
            problem.isBlocking
                ? .wrong("RTP ports", problem.description, fix: fix)
                : .notice("RTP ports", problem.description, fix: fix)
        }
    }

    /// Contexts that take new calls on our addresses; a profile without one has FreeSWITCH's `default`.
    private func contexts(_ parameters: [String: [String: String]]) -> [String] {
        let used = file.settings.addresses.compactMap { address in
            parameters[address.name].map { $0["context"] ?? "default" }
        }
        return Set(used).sorted()
    }

    /// mod_hiredis.c: raw_api.
    private func limits(_ text: String) -> Finding {
        let line = Self.line(text)
        if line.uppercased().contains("PONG") {
            return .fine("mod_hiredis", "reaches the limit service with the right password")
        }
        return .wrong(
            "mod_hiredis",
            "does not reach the limit service with its password: with a wrong one, calls that have a limit are refused (603); "
                + "while the node service is down, they all pass",
            fix: "start the node service; if it runs, the password is another: "
                + fix("autoload_configs/hiredis.conf.xml, in <profiles>"))
    }

    /// mod_hash.c: hash_remote list.
    private func remote(_ text: String) -> Finding {
        let place = "autoload_configs/hash.conf.xml, in <remotes>"
        let lines = text.split { $0.isNewline }.map { $0.split { $0.isWhitespace }.map(String.init) }
        guard let line = lines.first(where: { $0.first == "fsdns" }), line.count > 1 else {
            return .wrong("mod_hash", "has no remote “fsdns”: limits are not shared", fix: fix(place))
        }
        if line[1] == "Up" { return .fine("mod_hash", "its remote “fsdns” is Up") }
        return .wrong(
            "mod_hash", "its remote “fsdns” is \(line[1]): limits are not shared now",
            fix: "start the node service; if it runs, \(fix(place))")
    }

    private func alias(_ text: String) -> Finding {
        let lines = text.split { $0.isNewline }
        if lines.contains(where: {
            $0.hasPrefix("1,\(SwitchAlias.word),") || $0.hasPrefix("0,\(SwitchAlias.word),")
        }) {
            return .fine("console", "knows the word `\(SwitchAlias.word)`")
        }
        return .notice(
            "console", "does not know the word `\(SwitchAlias.word)`",
            fix: "fsdns freeswitch alias --config \(path)")
    }

    private static func line(_ text: String) -> String {
        text.split { $0.isNewline }.first.map { String($0.prefix(200)) } ?? ""
    }
}

extension SwitchCheck {
    /// The state of each profile, from `sofia xmlstatus`. Read as lines: its texts are not escaped (mod_sofia.c:
    /// cmd_xml_status).
    static func profileStates(_ text: String) -> [String: String] {
        var states: [String: String] = [:]
        var name: String?
        var isProfile = false
        for line in text.split(whereSeparator: \.isNewline) {
            if line == "<profile>" {
                isProfile = true
                name = nil
            } else if line == "</profile>" {
                isProfile = false
            } else if isProfile, let value = inner(line, "name") {
                name = value
            } else if isProfile, let value = inner(line, "state"), let name, states[name] == nil {
                states[name] = value
            }
        }
        return states
    }

    private static func inner(_ line: Substring, _ tag: String) -> String? {
        guard line.hasPrefix("<\(tag)>"), line.hasSuffix("</\(tag)>") else { return nil }
        return String(line.dropFirst(tag.count + 2).dropLast(tag.count + 3))
    }
}
