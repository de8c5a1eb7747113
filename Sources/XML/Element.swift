/// One element of an XML text as a plain value, with the place it was written at.
package struct Element: Hashable, Sendable {
    package struct Attribute: Hashable, Sendable {
        /// As an element's name is written; an attribute without a prefix is in no namespace.
        package var name: String
        package var value: String

        package init(name: String, value: String) {
            self.name = name
            self.value = value
        }
    }

    /// A stretch of text that is not blank.
    package struct Text: Hashable, Sendable {
        package var value: String
        /// Where the element before it begins: a text itself only knows where it ends.
        package var near: Place
    }

    /// The local name, or `{namespace}name` when the element is not of the namespace that was asked for.
    package var name: String
    package var attributes: [Attribute]
    package var children: [Element]
    /// Blank text is left out; between two stretches stands a child or a comment.
    package var texts: [Text]
    package var place: Place

    package init(
        name: String, attributes: [Attribute] = [], children: [Element] = [], texts: [Text] = [],
        place: Place
    ) {
        self.name = name
        self.attributes = attributes
        self.children = children
        self.texts = texts
        self.place = place
    }

    /// For messages: `<seat>`.
    package var tag: String { "<\(name.hasPrefix("{}") ? String(name.dropFirst(2)) : name)>" }

    /// All text right inside this element, without that of its children.
    package var text: String { texts.count == 1 ? texts[0].value : texts.map(\.value).joined() }

    package func value(_ name: String) -> String? { attributes.first { $0.name == name }?.value }

    package func children(named name: String) -> [Element] { children.filter { $0.name == name } }

    package func child(_ name: String) -> Element? { children.first { $0.name == name } }
}

/// Where in the written files something stands.
package struct Place: Hashable, Sendable {
    package var file: String
    /// 1 is the first line; a start tag written over several lines counts as its last one.
    package var line: Int

    package init(file: String, line: Int) {
        self.file = file
        self.line = line
    }

    /// The place in words for a message about `other`, which mostly is in the same file.
    package func words(from other: Place) -> String {
        file == other.file ? "line \(line)" : "\(file):\(line)"
    }
}

/// What is wrong with an XML text, and where.
package struct XMLProblem: Error, Hashable, Sendable, CustomStringConvertible {
    package var message: String
    package var place: Place

    package init(_ message: String, at place: Place) {
        self.message = message
        self.place = place
    }

    package var description: String { "\(place.file):\(place.line): \(message)" }
}
