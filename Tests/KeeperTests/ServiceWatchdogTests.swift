@preconcurrency import Glibc
import Testing

@testable import Keeper

/// What systemd hears of a unit that has a WatchdogSec.
@Suite struct ServiceWatchdogTests {
    private static func environment(_ socket: String?, _ others: [String: String]) -> (String) -> String? {
        { name in name == "NOTIFY_SOCKET" ? socket : others[name] }
    }

    private static let systemd = ["WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "\(getpid())"]

    /// A socket as systemd's; the caller closes it.
    private static func ear(at name: String) throws -> Int32 {
        let ear = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let isAbstract = name.hasPrefix("@")
        let bytes = isAbstract ? [0] + Array(name.utf8.dropFirst()) : Array(name.utf8)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        let length = socklen_t(2 + bytes.count + (isAbstract ? 0 : 1))
        let bound = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(ear, $0, length) }
        }
        try #require(bound == 0)
        return ear
    }

    @Test("it is told by the socket that it named, a file or none", arguments: ["/tmp/", "@"])
    func tells(place: String) throws {
        let name = "\(place)fsdns-watchdog-\(getpid())-told"
        let ear = try Self.ear(at: name)
        defer {
            close(ear)
            unlink(name)
        }
        let watchdog = try #require(ServiceWatchdog(environment: Self.environment(name, Self.systemd)))
        #expect(watchdog.interval == 1_000_000_000)
        watchdog.tell()
        var heard = [UInt8](repeating: 0, count: 64)
        let count = recv(ear, &heard, heard.count, Int32(MSG_DONTWAIT))
        #expect(String(decoding: heard.prefix(max(0, count)), as: UTF8.self) == "WATCHDOG=1")
    }

    @Test("where it did not ask, or asked another process, there is none") func none() throws {
        let name = "/tmp/fsdns-watchdog-\(getpid())-none"
        let ear = try Self.ear(at: name)
        defer {
            close(ear)
            unlink(name)
        }
        for variables in [
            [:], ["WATCHDOG_USEC": "0"], ["WATCHDOG_USEC": "x"], ["WATCHDOG_USEC": "9223372036854775807"],
            ["WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "1"],
        ] {
            #expect(ServiceWatchdog(environment: Self.environment(name, variables)) == nil, "\(variables)")
        }
        let long = "/" + String(repeating: "n", count: 200)
        for other in [nil, "", "elsewhere", "/nowhere/at/all", long] {
            #expect(ServiceWatchdog(environment: Self.environment(other, Self.systemd)) == nil)
        }
    }
}
