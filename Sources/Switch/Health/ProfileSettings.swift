/// What a FreeSWITCH is configured to do for callers at one address: every machine that may take the address must do the same.
///
/// Each node tells its own to all others, and holds its own against those of the node that has the address.
package struct ProfileSettings: Hashable, Sendable, Codable {
    /// `sip-port`.
    package var port: String
    package var hasTLS: Bool
    /// `tls-sip-port`; nil without TLS, and from nodes of releases that did not tell it.
    package var securePort: String?
    package var context: String
    package var dialplan: String
    /// `inbound-codec-prefs` or `codec-prefs`; empty without.
    package var codecs: String
    /// The switch's range of RTP ports, `16384-32766`; empty when it is not told.
    package var mediaPorts: String
    /// Of phones that are registered there, as far as that switch's directory knows them; sorted.
    package var domains: [String]

    package static let mostDomains = 16
    /// Longer values are cut: they only have to differ.
    private static let longestValue = 200

    /// - Parameter parameters: of the profile in sofia.conf.
    package init(_ parameters: [String: String], mediaPorts: String, domains: [String]) {
        func value(_ name: String, _ missing: String) -> String {
            String((parameters[name] ?? missing).prefix(Self.longestValue))
        }
        port = value("sip-port", "5060")
        hasTLS = SwitchParameters.isTrue(parameters["tls"])
        securePort = hasTLS ? value("tls-sip-port", "5061") : nil
        context = value("context", "default")
        dialplan = value("dialplan", "XML")
        codecs = value("inbound-codec-prefs", parameters["codec-prefs"] ?? "")
        self.mediaPorts = mediaPorts
        self.domains = Array(domains.sorted().prefix(Self.mostDomains))
    }

    package enum Difference: Hashable, Sendable {
        case port(here: String, there: String)
        case noTLS
        case securePort(here: String, there: String)
        case unknownDomain(String)
        case mediaPorts(here: String, there: String)
        case other(String, here: String, there: String)

        /// Whether callers would be lost; otherwise they are served in another way.
        package var isHarmful: Bool {
            if case .other = self { false } else { true }
        }

        /// - Parameter node: has the address.
        package func text(profile: String, node: String) -> String {
            switch self {
            case .port(let here, let there):
                "profile \(profile) has SIP port \(here.prefix(24)), at \(node) it has \(there.prefix(24))"
            case .securePort(let here, let there):
                "profile \(profile) has TLS port \(here.prefix(24)), at \(node) it has \(there.prefix(24))"
            case .noTLS: "profile \(profile) has no TLS, at \(node) it has: its TLS phones would be lost"
            case .unknownDomain(let domain):
                "FreeSWITCH does not know the domain \(domain.prefix(40)) of phones at \(node)"
            case .mediaPorts(let here, let there):
                "RTP ports are \(here.prefix(24)), at \(node) \(there.prefix(24)): new calls would get none later"
            case .other(let name, let here, let there):
                "profile \(profile) has \(name) \(here.prefix(24)), at \(node) it has \(there.prefix(24))"
            }
        }
    }

    /// - Parameters:
    ///   - other: of the node that has the address.
    ///   - unknown: domains that this switch's directory does not know.
    package func differences(from other: ProfileSettings, unknown: Set<String>) -> [Difference] {
        var found: [Difference] = []
        if port != other.port { found.append(.port(here: port, there: other.port)) }
        if other.hasTLS, !hasTLS { found.append(.noTLS) }
        if let here = securePort, let there = other.securePort, here != there {
            found.append(.securePort(here: here, there: there))
        }
        found += other.domains.filter(unknown.contains).map(Difference.unknownDomain)
        if mediaPorts != other.mediaPorts, !mediaPorts.isEmpty, !other.mediaPorts.isEmpty {
            found.append(.mediaPorts(here: mediaPorts, there: other.mediaPorts))
        }
        for (name, here, there) in [
            ("context", context, other.context), ("dialplan", dialplan, other.dialplan),
            ("codecs", codecs, other.codecs),
        ] where here != there {
            found.append(
                .other(name, here: here.isEmpty ? "none" : here, there: there.isEmpty ? "none" : there))
        }
        return found
    }
}
