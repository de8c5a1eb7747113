@preconcurrency import Glibc
import KeeperProtocol
import Primitives
import TestSupport
import Testing

@testable import Keeper

extension KeeperRequest: CountedCases {
    package enum CaseName: String, CaseIterable { case configure, hold, release, announce }
    package var caseName: CaseName {
        switch self {
        case .configure: .configure
        case .hold: .hold
        case .release: .release
        case .announce: .announce
        }
    }
}

extension KeeperReport: CountedCases {
    package enum CaseName: String, CaseIterable { case ready, held, released, failed, contested, guarded }
    package var caseName: CaseName {
        switch self {
        case .ready: .ready
        case .held: .held
        case .released: .released
        case .failed: .failed
        case .contested: .contested
        case .guarded: .guarded
        }
    }
}

extension KeeperMode: CountedCases {
    package enum CaseName: String, CaseIterable { case kernel, loopback }
    package var caseName: CaseName {
        switch self {
        case .kernel: .kernel
        case .loopback: .loopback
        }
    }
}

extension ReleaseCause: CountedCases {
    package enum CaseName: String, CaseIterable { case asked, expired, peerGone, lost }
    package var caseName: CaseName {
        switch self {
        case .asked: .asked
        case .expired: .expired
        case .peerGone: .peerGone
        case .lost: .lost
        }
    }
}

/// What keeper and node service say to each other, and what a keeper leaves behind, as bytes that were recorded.
@Suite("Recorded bytes of the keeper")
struct HoldBytesTests {
    private static let v4 = KeeperAddress("192.0.2.7/24")!
    private static let v6 = KeeperAddress("2001:db8::7/64")!
    private static let at = Instant(nanoseconds: 0x0102_0304_0506_0708)
    private static let token: UInt64 = 0xF102_0304_0506_0708

    private static let requests: [(name: String, value: KeeperRequest)] = [
        (
            "configure-kernel",
            .configure(.init(mode: .kernel, nodeName: "fs1", managed: [v4, v6], isLast: true))
        ),
        (
            "configure-loopback",
            .configure(
                .init(mode: .loopback(probePort: 5070), nodeName: "knot-ø", managed: [], isLast: false))
        ), ("hold", .hold(v4, until: at, token: token)), ("release", .release(v6, token: token)),
        ("announce", .announce(v4)),
    ]

    private static let reports: [(name: String, value: KeeperReport)] =
        [ReleaseCause.asked, .expired, .peerGone, .lost].map { cause in
            ("released-\(cause.caseName.rawValue)", .released(v6, token: token, at: at, cause: cause))
        } + [
            (
                "ready",
                .ready(
                    holding: 258, armed: [.memoryLocked, .realtime, .kernelLifetime],
                    version: HoldCodec.version)
            ), ("held", .held(v4, token: token, at: at, announcedAt: Instant(nanoseconds: 5))),
            ("held-not-announced", .held(v4, token: token, at: at, announcedAt: nil)),
            ("failed", .failed(v4, token: token, errno: EPERM, text: "not permitted")),
            ("contested", .contested(v4, token: token, hardware: 0x0200_5E10_0001)),
            ("guarded", .guarded(true)), ("unguarded", .guarded(false)),
        ]

    /// The zeros that fill a datagram up are checked elsewhere.
    private static func withoutZeros(_ datagram: [UInt8]) -> [UInt8] {
        Array(datagram[...(datagram.lastIndex { $0 != 0 } ?? 0)])
    }

    private static func whole(_ bytes: [UInt8]) -> [UInt8] {
        bytes + [UInt8](repeating: 0, count: KeeperLimits.datagramBytes - bytes.count)
    }

    @Test("every request is the datagram that was recorded, and is read from it") func requests() throws {
        #expect(
            try Golden("request", as: .hex).faults(
                Self.requests, write: { Self.withoutZeros($0.datagram) },
                read: { try KeeperRequest(datagram: Self.whole($0)) }) == [])
    }

    @Test("every report is the datagram that was recorded, and is read from it") func reports() throws {
        #expect(
            try Golden("report", as: .hex).faults(
                Self.reports, write: { Self.withoutZeros($0.datagram) },
                read: { try KeeperReport(datagram: Self.whole($0)) }) == [])
    }

    @Test("no case, and no field, is without recorded bytes") func coverage() {
        let leaves: [any Any.Type] = [KeeperAddress.self, Instant.self, KeeperArms.self]
        let samples: [Any] = Self.requests.map(\.value) + Self.reports.map(\.value)
        #expect(Coverage(samples, leaves: leaves).gaps == [])
    }

    @Test("the ledger of holds is the numbers that were recorded") func ledger() throws {
        let ledger = try HoldLedger()
        ledger.manage([Self.v4, Self.v6])
        ledger.note { $0 == Self.v4 ? Self.at : nil }
        ledger.noteLook(at: Instant(nanoseconds: 77))
        var bytes = [UInt8](repeating: 0, count: 16_384)
        let count = pread(ledger.descriptor, &bytes, bytes.count, 0)
        #expect(count == (4 + 4 * 256) * 8)
        #expect(
            try Golden("ledger", as: .hex).faults([("two-addresses", Self.withoutZeros(bytes))]) == [])
        let guardian = try #require(HoldLedger(descriptor: ledger.descriptor))
        #expect(guardian.read() == [.init(address: Self.v4, until: Self.at)])
    }

    @Test("the addresses a keeper leaves in a file are the text that was recorded, and are read from it")
    func addresses() throws {
        let path = "/tmp/fsdns-addresses-\(getpid())-\(UInt64.random(in: 0 ... .max))"
        defer { unlink(path) }
        try ManagedRecord.write([Self.v4, Self.v6], to: path)
        var bytes = [UInt8](repeating: 0, count: 1024)
        let file = open(path, O_RDONLY | O_CLOEXEC)
        let count = Glibc.read(file, &bytes, bytes.count)
        close(file)
        let text = bytes.prefix(max(0, count)).dropLast()
        #expect(try Golden("addresses", as: .text).faults([("two", Array(text))]) == [])
        #expect(try ManagedRecord.read(path) == [Self.v4, Self.v6])
    }
}
