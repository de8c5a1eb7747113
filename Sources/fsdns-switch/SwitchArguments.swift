import ArgumentParser
@preconcurrency import Glibc
import SwitchSimulator

/// `key=value,key=value,word`: what most options take.
private struct KeyedArgument {
    private var values: [String: String] = [:]

    /// Nil when a key is unknown, doubled or empty.
    init?(_ argument: String, known: Set<String>) {
        for piece in argument.split(separator: ",", omittingEmptySubsequences: false) {
            let parts = piece.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let key = String(parts[0])
            guard known.contains(key), values[key] == nil else { return nil }
            values[key] = parts.count > 1 ? String(parts[1]) : ""
        }
    }

    subscript(key: String) -> String? { values[key] }

    func text(_ key: String) -> String? { values[key].flatMap { $0.isEmpty ? nil : $0 } }

    /// `fallback` when absent; nil when it is no such number.
    func number(_ key: String, _ range: ClosedRange<Int>, else fallback: Int? = nil) -> Int? {
        guard let text = values[key] else { return fallback }
        guard let number = Int(text), range.contains(number) else { return nil }
        return number
    }
}

private func isAddress(_ text: String) -> Bool {
    var v4 = in_addr()
    var v6 = in6_addr()
    return inet_pton(AF_INET, text, &v4) == 1 || inet_pton(AF_INET6, text, &v6) == 1
}

/// A numeric address and a port, IPv6 in brackets.
struct EndpointArgument: ExpressibleByArgument, CustomStringConvertible {
    var endpoint: SIPEndpoint

    init(host: String, port: UInt16) { endpoint = SIPEndpoint(ip: host, port: port) }

    init?(argument: String) {
        guard let colon = argument.lastIndex(of: ":"),
            let port = UInt16(argument[argument.index(after: colon)...])
        else { return nil }
        var host = argument[..<colon]
        if host.hasPrefix("["), host.hasSuffix("]") { host = host.dropFirst().dropLast() }
        guard isAddress(String(host)) else { return nil }
        endpoint = SIPEndpoint(ip: String(host), port: port)
    }

    var description: String { endpoint.description }
    var defaultValueDescription: String { description }
}

struct ProfileArgument: ExpressibleByArgument {
    var profile: SwitchSettings.Profile

    init?(argument: String) {
        let known: Set = ["name", "ip", "port", "told-port", "standby", "untracked", "registrations"]
        guard let keys = KeyedArgument(argument, known: known), let name = keys.text("name"),
            let ip = keys.text("ip"), isAddress(ip), let port = keys.number("port", 1...65_535, else: 5060),
            !name.contains(where: { " /'\"".contains($0) })
        else { return nil }
        guard
            let kind = SwitchSettings.Profile.Registrations(rawValue: keys["registrations"] ?? "single")
        else { return nil }
        profile = SwitchSettings.Profile(
            name: name, ip: ip, port: UInt16(port), tracksCalls: keys["untracked"] == nil,
            isStandby: keys["standby"] != nil, registrations: kind)
        if keys["told-port"] != nil {
            guard let told = keys.number("told-port", 1...65_535, else: 5060) else { return nil }
            profile.told["sip-port"] = "\(told)"
        }
    }
}

struct LimitArgument: ExpressibleByArgument {
    var rule: LimitRule

    init?(argument: String) {
        let known: Set = ["prefix", "backend", "realm", "id", "max", "interval"]
        guard let keys = KeyedArgument(argument, known: known), let prefix = keys.text("prefix"),
            let backend = LimitRule.Backend(rawValue: keys["backend"] ?? "hash"),
            let id = keys.text("id"), !id.contains("/"), let max = keys.number("max", 0...1_000_000),
            let realm = keys.text("realm") ?? (backend == .hiredis ? "default" : nil), !realm.contains("/")
        else { return nil }
        var interval: Int?
        if keys["interval"] != nil {
            guard let seconds = keys.number("interval", 1...86_400) else { return nil }
            interval = seconds
        }
        rule = LimitRule(
            prefix: prefix, backend: backend, realm: realm, id: id, max: max, interval: interval)
    }
}

struct HashRemoteArgument: ExpressibleByArgument {
    var remote: SwitchSettings.HashRemote

    init?(argument: String) {
        let known: Set = ["name", "host", "port", "interval", "username", "password"]
        guard let keys = KeyedArgument(argument, known: known), let name = keys.text("name"),
            let host = keys.text("host"), isAddress(host), let port = keys.number("port", 1...65_535),
            let interval = keys.number("interval", 1...3_600_000, else: 250)
        else { return nil }
        remote = SwitchSettings.HashRemote(
            name: name, endpoint: SIPEndpoint(ip: host, port: UInt16(port)),
            username: keys["username"] ?? "", password: keys["password"] ?? "ClueCon",
            interval: .milliseconds(interval))
    }
}

struct LimitServiceArgument: ExpressibleByArgument {
    var service: SwitchSettings.LimitService

    init?(argument: String) {
        guard let keys = KeyedArgument(argument, known: ["host", "port", "password", "timeout"]),
            let host = keys.text("host"), isAddress(host), let port = keys.number("port", 1...65_535),
            let timeout = keys.number("timeout", 1...60_000, else: 500)
        else { return nil }
        service = SwitchSettings.LimitService(
            endpoint: SIPEndpoint(ip: host, port: UInt16(port)), password: keys.text("password"))
        service.timeout = .milliseconds(timeout)
    }
}

/// A password in a file.
enum PasswordFile {
    /// The first line, without its end.
    static func read(_ path: String) throws -> String {
        guard let file = fopen(path, "re") else {
            throw ValidationError("\(path): \(String(cString: strerror(errno)))")
        }
        defer { fclose(file) }
        var line = [CChar](repeating: 0, count: 1024)
        guard fgets(&line, Int32(line.count), file) != nil else {
            throw ValidationError("\(path) has no password in it.")
        }
        let bytes = line.prefix { $0 != 0 && $0 != 10 && $0 != 13 }.map { UInt8(bitPattern: $0) }
        guard !bytes.isEmpty else { throw ValidationError("\(path) has no password in its first line.") }
        return String(decoding: bytes, as: UTF8.self)
    }
}
