/// What a profile runs with, which may be something else than what sofia.conf says by now: `reloadxml` changes no profile that runs.
///
/// Read from `sofia xmlstatus profile NAME` (mod_sofia.c: cmd_xml_status).
package enum RunningProfile {
    private static let longest = 64 << 10

    package static func command(_ profile: String) -> String { "sofia xmlstatus profile \(profile)" }

    /// By the names that sofia.conf has for them; empty for one that does not run.
    package static func parameters(_ answer: String) -> [String: String] {
        guard answer.utf8.count <= longest, answer.contains("<profile-info>") else { return [:] }
        func value(_ element: String) -> String? {
            guard let start = answer.firstRange(of: "<\(element)>")?.upperBound,
                let end = answer[start...].firstRange(of: "</\(element)>")?.lowerBound
            else { return nil }
            return String(answer[start..<end])
        }
        func port(_ uri: String) -> String {
            "\(SofiaProfile(name: "", state: "", uri: uri).port)"
        }
        var parameters: [String: String] = [:]
        parameters["sip-port"] = value("url").map(port)
        let secure = value("tls-url")
        parameters["tls"] = secure == nil ? "false" : "true"
        parameters["tls-sip-port"] = secure.map(port)
        parameters["rtp-ip"] = value("rtp-ip")
        parameters["context"] = value("context")
        parameters["dialplan"] = value("dialplan")
        parameters["inbound-codec-prefs"] = value("inbound-codecs")
        return parameters
    }
}
