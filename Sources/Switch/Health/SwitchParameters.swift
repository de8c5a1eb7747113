import XML

/// The `<settings>` of one of the switch's configuration files, as `xml_locate configuration configuration name FILE` tells them.
package enum SwitchParameters {
    private static let byteLimit = 16 << 20

    package static func command(_ file: String) -> String {
        "xml_locate configuration configuration name \(file)"
    }

    /// - Returns: nil when the answer is no configuration: one from elsewhere (mod_xml_curl) is not told.
    package static func read(_ text: String) -> [String: String]? {
        let root = XMLText.parse(Array(text.utf8), file: "configuration", byteLimit: byteLimit).root
        guard let root, root.name == "configuration" else { return nil }
        var parameters: [String: String] = [:]
        for settings in root.children(named: "settings") {
            for parameter in settings.children(named: "param") {
                if let name = parameter.value("name"), let value = parameter.value("value") {
                    parameters[name] = value
                }
            }
        }
        return parameters
    }
}
