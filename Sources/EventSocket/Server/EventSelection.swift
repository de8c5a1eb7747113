/// Which events one client has subscribed to (mod_event_socket.c: parse_command `event`, `nixevent`, `noevents`; event_handler).
struct EventSelection: Hashable, Sendable {
    enum Refusal: Error {
        case noKeywords, notAllowed, tooMany
    }
    private(set) var isListening = false
    private(set) var format = EventFormat.plain
    private var isAll = false
    private var names = [Bool](repeating: false, count: EventNames.all.count)
    private var subclasses: Set<String> = []

    /// Takes the words after `event`. Words before a refused one have their effect, as in FreeSWITCH.
    mutating func add(
        _ words: [Substring], allowed: AllowedEvents?, maximumSubclasses: Int
    ) throws(Refusal) {
        var hasKeyword = false
        var isCustom = false
        for (index, word) in words.enumerated() {
            if index == 0, let format = EventFormat(rawValue: word.lowercased()) {
                self.format = format
            } else if isCustom {
                guard allowed?.allows(subclass: word) ?? true else { throw .notAllowed }
                if !word.isEmpty { subclasses.insert(String(word)) }
                guard subclasses.count <= maximumSubclasses else { throw .tooMany }
            } else if let known = EventNames.word(word) {
                guard allowed?.allows(known) ?? true else { throw .notAllowed }
                hasKeyword = true
                switch known {
                case .all:
                    isAll = true
                    names = names.map { _ in true }
                case .name(let place):
                    names[place] = true
                    isCustom = place == 0
                }
            }
        }
        guard hasKeyword else { throw .noKeywords }
        isListening = true
    }

    /// Takes the words after `nixevent`.
    mutating func remove(_ words: [Substring]) throws(Refusal) {
        var hasKeyword = false
        var isCustom = false
        for word in words {
            if isCustom {
                subclasses.remove(String(word))
            } else if let known = EventNames.word(word) {
                hasKeyword = true
                switch known {
                case .name(0): isCustom = true
                case .all:
                    isAll = false
                    names = names.map { _ in false }
                case .name(let place):
                    if isAll { names = names.map { _ in true } }
                    isAll = false
                    names[place] = false
                }
            }
        }
        guard hasKeyword else { throw .noKeywords }
        isListening = true
    }

    /// Whether the client had been listening.
    mutating func removeAll() -> Bool {
        defer { self = EventSelection(format: format) }
        return isListening
    }

    init() {}
    private init(format: EventFormat) { self.format = format }

    func wants(_ event: SwitchEvent) -> Bool {
        guard isListening else { return false }
        if isAll { return true }
        guard case .name(let place) = EventNames.word(event.name), names[place] else { return false }
        guard place == 0, let subclass = event.subclass else { return true }
        return subclasses.contains(subclass)
    }
}

/// What a user's directory entry lets it subscribe to (`esl-allowed-events`).
struct AllowedEvents: Hashable, Sendable {
    private var isAll = false
    private var names: Set<Int> = []
    private var subclasses: Set<String> = []

    init(_ words: [String]) {
        var isCustom = false
        for word in words {
            if isCustom {
                subclasses.insert(word)
            } else {
                switch EventNames.word(word) {
                case .all: isAll = true
                case .name(let place):
                    names.insert(place)
                    isCustom = place == 0
                case nil: break
                }
            }
        }
    }

    func allows(_ word: EventNames.Word) -> Bool {
        guard !isAll, case .name(let place) = word else { return isAll }
        return names.contains(place)
    }

    func allows(subclass: Substring) -> Bool { isAll || subclasses.contains(String(subclass)) }
}
