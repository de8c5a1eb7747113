import EventSocket
import Primitives
import Replication
import XML

/// All registrations of one profile, read from `sofia xmlstatus profile NAME reg`.
package struct RegistrationListing: Hashable, Sendable {
    package var profile: String
    package var registrations: [Registration]
    /// What could not be read, at most `problemLimit` of them; then absence from the list proves nothing.
    package var problems: [String]

    package static let problemLimit = 20
    /// The longest answer that is read.
    package static let byteLimit = FrameLimits.longestAnswer
    /// Registrations parsed at a time: a tree takes ten times the room of its text.
    private static let group = 64

    package init(profile: String, registrations: [Registration] = [], problems: [String] = []) {
        self.profile = profile
        self.registrations = registrations
        self.problems = problems
    }

    /// - Parameters:
    ///   - bytes: the body of the answer.
    ///   - now: when it came; it tells seconds from then.
    ///   - lateMargin: `sip-expires-late-margin` of the profile, which the listed seconds include.
    /// - Throws: when this is no such answer or only a part of one. An empty list is told by an empty list
    ///   only: it would take every registration away.
    package init(
        reading bytes: [UInt8], profile: String, at now: Instant, lateMargin: Duration
    ) throws(SwitchFailure) {
        let name = "sofia xmlstatus profile \(profile) reg"
        if bytes.count > Self.byteLimit { throw .tooLarge(name, limit: Self.byteLimit) }
        var scan = ByteScan(bytes)
        guard scan.skip(past: "<profile>"), scan.skip(past: "<registrations>") else {
            let start = String(decoding: bytes.prefix(60), as: UTF8.self)
            throw .unreadable(name, reason: "it begins with “\(start)”")
        }
        self.init(profile: profile)
        let reader = Reader(profile: profile, now: now, lateMargin: lateMargin)
        var items: [Range<Int>] = []
        while let item = scan.element("<registration>", "</registration>") {
            items.append(item)
            if items.count == Self.group {
                read(items, of: bytes, with: reader)
                items = []
            }
        }
        read(items, of: bytes, with: reader)
        guard scan.skip(past: "</registrations>"), scan.skip(past: "</profile>") else {
            throw .unreadable(name, reason: "it ends too early")
        }
    }

    private mutating func read(_ items: [Range<Int>], of bytes: [UInt8], with reader: Reader) {
        if items.isEmpty { return }
        if let elements = Self.elements(items.flatMap { Self.literal(bytes[$0]) }),
            elements.count == items.count
        {
            for element in elements { add(reader.registration(element)) }
            return
        }
        // One damaged registration must not hide the others.
        for item in items {
            if let element = Self.elements(Self.literal(bytes[item]))?.first {
                add(reader.registration(element))
            } else {
                add(.failure(.unreadable("a registration", reason: "it is not well-formed XML")))
            }
        }
    }

    private mutating func add(_ result: Result<Registration, SwitchFailure>) {
        switch result {
        case .success(let registration): registrations.append(registration)
        case .failure(let failure):
            if problems.count < Self.problemLimit { problems.append(failure.description) }
        }
    }

    /// A registration with what stands in each field taken as it is.
    ///
    /// FreeSWITCH writes Call-IDs and users as phones sent them (sofia.c: show_reg_callback_xml), and a Call-ID may have
    /// `</call-id><user>` in it (RFC 3261: `word`): the registration would be another user's. It writes a line for each field, and
    /// has no blanks in these.
    private static func literal(_ item: ArraySlice<UInt8>) -> [UInt8] {
        let (left, right) = (UInt8(ascii: "<"), UInt8(ascii: ">"))
        var text: [UInt8] = []
        text.reserveCapacity(item.count)
        for line in item.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false) {
            if line.count(where: { $0 == left }) > 2, let open = line.firstIndex(of: right),
                let close = line.lastIndex(of: left), open < close
            {
                text += line[...open]
                for byte in line[(open + 1)..<close] {
                    switch byte {
                    case left: text += "&lt;".utf8
                    case UInt8(ascii: "&"): text += "&amp;".utf8
                    default: text.append(byte)
                    }
                }
                text += line[close...]
            } else {
                text += line
            }
            text.append(UInt8(ascii: "\n"))
        }
        return text
    }

    /// The answer declares ISO-8859-1, whatever phones sent: mostly it is UTF-8.
    private static func elements(_ bytes: [UInt8]) -> [Element]? {
        let text = String(validating: bytes, as: UTF8.self).map { Array($0.utf8) }
        let utf8 = text ?? bytes.flatMap { Array(String(UnicodeScalar($0)).utf8) }
        let (root, problems) = XMLText.parse(
            Array("<r>".utf8) + utf8 + Array("</r>".utf8), file: "xmlstatus", byteLimit: byteLimit)
        return problems.isEmpty ? root?.children : nil
    }
}

/// Makes a registration of its element.
private struct Reader {
    var profile: String
    var now: Instant
    var lateMargin: Duration

    func registration(_ element: Element) -> Result<Registration, SwitchFailure> {
        func text(_ name: String) -> String { element.child(name)?.text ?? "" }
        guard Set(element.children.map(\.name)).count == element.children.count else {
            return .failure(.unreadable("a registration", reason: "it has a field twice"))
        }
        let account = text("user")
        guard let at = account.lastIndex(of: "@"), at != account.startIndex else {
            return .failure(.malformed("user", value: account, in: "a registration"))
        }
        let user = String(account[..<at])
        let host = String(account[account.index(after: at)...])
        guard let (status, rpid, seconds) = Self.status(text("status")) else {
            return .failure(.malformed("status", value: text("status"), in: "the registration of \(account)"))
        }
        let mwi = text("mwi-account")
        return .success(
            Registration(
                profile: profile, user: user, host: host, contact: text("contact"), callID: text("call-id"),
                status: status, presenceHosts: "n/a", rpid: rpid, toUser: user, toHost: host,
                networkIP: text("network-ip"), networkPort: text("network-port"),
                username: text("sip-auth-user"), realm: text("sip-auth-realm"), userAgent: text("agent"),
                mwiAccount: mwi.isEmpty ? account : mwi, expires: now + .seconds(seconds) - lateMargin))
    }

    /// Takes `Registered(UDP)(unknown) exp(2026-11-21 10:04:36) expsecs(119)` apart.
    private static func status(_ text: String) -> (status: String, rpid: String, seconds: Int64)? {
        guard let end = text.range(of: " exp("), let left = text.range(of: " expsecs("),
            let close = text[left.upperBound...].firstIndex(of: ")"),
            let seconds = Int64(text[left.upperBound..<close]), seconds.magnitude <= UInt64(UInt32.max)
        else { return nil }
        let head = text[..<end.lowerBound]
        guard head.hasSuffix(")"), let open = head.lastIndex(of: "("), open != head.startIndex else {
            return (String(head), "unknown", seconds)
        }
        return (String(head[..<open]), String(head[head.index(after: open)...].dropLast()), seconds)
    }
}

extension String {
    /// The first place of a text: the standard library's own search, without Foundation.
    fileprivate func range(of text: String) -> Range<String.Index>? { firstRange(of: text) }
}
