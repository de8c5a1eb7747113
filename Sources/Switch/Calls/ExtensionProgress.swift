import EventSocket
import Replication

/// How far a leg is in the applications of the extension it matched.
///
/// Events tell which application begins, not what comes after it: that is only in the switch's own recovery row, as it was
/// when the row was written. So the extension comes from the row, and the place in it from the events.
struct ExtensionProgress: Hashable, Sendable {
    typealias Application = RecoveryMetadata.Application

    /// The most applications of an extension that are kept, and of those that are remembered until a row is read.
    static let limit = 200
    /// The most bytes of what a leg has still to execute.
    static let byteLimit = 16 << 10

    /// `Caller-Profile-Index`: a transfer makes another caller profile, and with it another extension.
    private(set) var profileIndex = ""
    /// What began while the extension was not known, oldest first.
    private var begun: [Application] = []
    /// The whole extension, once a row told it.
    private var applications: [Application]?
    /// Of the newest of them that began; -1 before the first.
    private var at = -1
    /// Rows that told of another extension: they are written some tenths of a second after a transfer.
    private var misses = 0
    private static let patience = 5

    /// Whether a row may still tell the extension.
    var isWanted: Bool { applications == nil && misses < Self.patience }

    mutating func note(profileIndex: String) {
        if profileIndex != self.profileIndex { self = ExtensionProgress(profileIndex: profileIndex) }
    }

    private init(profileIndex: String) { self.profileIndex = profileIndex }
    init() {}

    /// An application begins: the next of the extension, or one that such an application runs by itself.
    mutating func began(_ application: Application) {
        if let applications {
            advance(application, in: applications)
        } else if begun.count < Self.limit {
            begun.append(application)
        }
    }

    private mutating func advance(_ application: Application, in applications: [Application]) {
        let next = at + 1
        if next < applications.count, applications[next].isRun(as: application) { at = next }
    }

    /// The switch's own row of the leg.
    mutating func note(_ row: RecoveryMetadata) {
        guard row.profileIndex == profileIndex, !row.applications.isEmpty,
            row.applications.count <= Self.limit
        else {
            misses += 1
            return
        }
        applications = row.applications
        at = -1
        for application in begun { advance(application, in: row.applications) }
        // The row marks the application that is next: FreeSWITCH moves on before it executes.
        let written = (row.nextApplication ?? row.applications.count) - 1
        if at < written {
            // What began before the row was written matches nothing from here on, and what began since does.
            at = written
            for application in begun { advance(application, in: row.applications) }
        }
        begun = []
    }

    /// What the leg is to execute when it is revived: the current application anew, then the rest.
    ///
    /// - Parameter current: what the events say it executes now, with its variables expanded.
    /// - Returns: nil when the current application is all that is known.
    func rest(current: Application, at place: CallerPlace) -> [Application]? {
        guard let applications else { return restart(current, place) }
        var index = at
        // Events may have been lost: a later application that is just this one is where the leg is.
        if index < 0 || !applications[index].isRun(as: current),
            let found = applications.indices.first(where: {
                $0 > index && applications[$0].isRun(as: current)
            })
        {
            index = found
        }
        guard index >= 0 else { return nil }
        // An application that runs others by itself (a script, `execute_extension`) begins anew as a whole.
        let first = applications[index].isRun(as: current) ? current : applications[index]
        let rest = [first] + applications[(index + 1)...]
        let bytes = rest.reduce(0) { $0 + $1.name.utf8.count + $1.data.utf8.count + 1 }
        return bytes > Self.byteLimit ? nil : rest
    }

    /// Applications that only collect digits: what is done with them comes after.
    private static let collectors: Set<String> = ["play_and_get_digits", "read", "play_and_detect_speech"]

    /// The extension is not known, or not yet. One that waits for digits is entered anew, since the digits alone would lead
    /// nowhere; of others the current application goes on.
    private func restart(_ current: Application, _ place: CallerPlace) -> [Application]? {
        let words = [place.number, place.dialplan, place.context]
        guard Self.collectors.contains(current.name.lowercased()),
            !words.contains(where: { $0.isEmpty || $0.contains(" ") })
        else { return nil }
        return [Application(name: "transfer", data: words.joined(separator: " "))]
    }
}

/// Where a caller is in the dialplan.
struct CallerPlace: Hashable, Sendable {
    var number: String
    var dialplan: String
    var context: String

    init(_ event: ChannelEvent) {
        number = event.caller("Destination-Number") ?? ""
        dialplan = event.caller("Dialplan") ?? ""
        context = event.caller("Context") ?? ""
    }
}

extension CallLeg {
    /// The words of `uuid_transfer` that enter the leg's extension anew; nil where what was dialled, which comes from phones, is
    /// no word for a command.
    package var entrance: String? {
        let words = ["Destination-Number", "Dialplan", "Context"].map { name in
            caller.first { $0.name == name }?.value ?? ""
        }
        let areWords = words.allSatisfy { word in
            !word.isEmpty && word.first != "-" && word.utf8.count <= 255 && word.utf8.allSatisfy(Self.isPlain)
        }
        return areWords ? words.joined(separator: " ") : nil
    }

    private static func isPlain(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: "+*#.-_@".utf8.contains(byte)
        }
    }
}

extension CallTracker.Entry {
    /// Follows the leg through its extension.
    mutating func noteApplication(_ event: ChannelEvent) {
        if event.variables.isEmpty { return }
        place = CallerPlace(event)
        progress.note(profileIndex: event.profileIndex)
        guard event.name == "CHANNEL_EXECUTE", let name = event["Application"] else { return }
        progress.began(.init(name: name, data: event["Application-Data"] ?? ""))
    }
}

extension RecoveryMetadata.Application {
    /// Whether it is this one that was begun. Data with variables are expanded by then, and so may be any.
    fileprivate func isRun(as begun: Self) -> Bool {
        name.lowercased() == begun.name.lowercased() && (data == begun.data || data.contains("$"))
    }
}

/// Variables of our own that bring a leg's applications to other nodes; they are not on the revived channel.
enum ApplicationVariables {
    private static let prefix = "fsdns_application_"

    static func isOne(_ name: String) -> Bool { name.hasPrefix(prefix) }

    static func fields(_ applications: [RecoveryMetadata.Application]) -> [CallLeg.Field] {
        applications.enumerated().map { .init("\(prefix)\($0)", "\($1.name) \($1.data)") }
    }

    /// What a leg alone is to execute; empty when nothing tells.
    static func read(_ leg: CallLeg) -> [RecoveryMetadata.Application] {
        let written = leg.variables.filter { isOne($0.name) }.compactMap {
            field -> (Int, RecoveryMetadata.Application)? in
            guard let number = Int(field.name.dropFirst(prefix.count)) else { return nil }
            let parts = field.value.split(separator: " ", maxSplits: 1, omittingEmptySubsequences: false)
            guard let name = parts.first, !name.isEmpty else { return nil }
            return (number, .init(name: String(name), data: parts.count > 1 ? String(parts[1]) : ""))
        }
        if !written.isEmpty { return written.sorted { $0.0 < $1.0 }.map(\.1) }
        guard let name = leg.variable("current_application"), !name.isEmpty else { return [] }
        return [.init(name: name, data: leg.variable("current_application_data") ?? "")]
    }
}
