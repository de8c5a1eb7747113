import XML

/// The switch's configuration, as `xml_locate configuration configuration name FILE` tells it.
package enum SwitchParameters {
    private static let byteLimit = 16 << 20

    package static func command(_ file: String) -> String {
        "xml_locate configuration configuration name \(file)"
    }

    /// The `<settings>` of a file.
    ///
    /// - Returns: nil when the answer is no configuration: one from elsewhere (mod_xml_curl) is not told.
    package static func read(_ text: String) -> [String: String]? {
        configuration(text).map(settings)
    }

    /// The `<settings>` of each profile in sofia.conf, by the profile's name; nil as `read`.
    package static func profiles(_ text: String) -> [String: [String: String]]? {
        guard let root = configuration(text) else { return nil }
        var profiles: [String: [String: String]] = [:]
        for profile in root.child("profiles")?.children(named: "profile") ?? [] {
            if let name = profile.value("name") { profiles[name] = settings(profile) }
        }
        return profiles
    }

    /// switch_utils.h: switch_true.
    package static func isTrue(_ value: String?) -> Bool {
        guard let value = value?.lowercased() else { return false }
        return ["yes", "on", "true", "t", "enabled", "active", "allow"].contains(value)
            || (Int(value) ?? 0) != 0
    }

    private static func configuration(_ text: String) -> Element? {
        let root = XMLText.parse(Array(text.utf8), file: "configuration", byteLimit: byteLimit).root
        return root?.name == "configuration" ? root : nil
    }

    private static func settings(_ parent: Element) -> [String: String] {
        var parameters: [String: String] = [:]
        for settings in parent.children(named: "settings") {
            for parameter in settings.children(named: "param") {
                if let name = parameter.value("name"), let value = parameter.value("value") {
                    parameters[name] = value
                }
            }
        }
        return parameters
    }
}
