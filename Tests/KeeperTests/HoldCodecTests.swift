@preconcurrency import Glibc
import Keeper
import KeeperProtocol
import Primitives
import Testing

@Suite struct HoldCodecTests {
    private static let v4 = KeeperAddress("192.0.2.7/24")!
    private static let v6 = KeeperAddress("2001:db8::7/64")!
    private static let requests: [KeeperRequest] = [
        .configure(
            .init(
                mode: .loopback(probePort: 65_535), nodeName: "knot-ø",
                managed: [KeeperAddress](repeating: v6, count: KeeperLimits.addressesPerPart),
                isLast: false)),
        .configure(
            .init(
                mode: .kernel, nodeName: String(repeating: "n", count: 63), managed: [], isLast: true)),
        .hold(v4, until: Instant(nanoseconds: .max), token: .max),
        .hold(v6, until: Instant(nanoseconds: -1), token: 0),
        .release(v6, token: 1 << 63), .announce(v4),
    ]
    private static let reports: [KeeperReport] = [
        .ready(holding: 256, armed: [.memoryLocked, .kernelLifetime], version: 1),
        .held(v4, token: 7, at: Instant(nanoseconds: 5), announcedAt: Instant(nanoseconds: 6)),
        .held(v6, token: 7, at: Instant(nanoseconds: .min), announcedAt: nil),
        .released(v6, token: 8, at: Instant(nanoseconds: 9), cause: .lost),
        .failed(v4, token: 9, errno: -1, text: String(repeating: "é", count: 100)),
        .failed(v4, token: 9, errno: EPERM, text: ""),
        .contested(v6, token: 3, hardware: 0xFFFF_FFFF_FFFF),
        .guarded(true), .guarded(false),
    ]

    @Test("every request comes back as it went", arguments: requests)
    func requestRoundTrip(_ request: KeeperRequest) throws {
        #expect(request.datagram.count == KeeperLimits.datagramBytes)
        #expect(try KeeperRequest(datagram: request.datagram) == request)
        #expect(throws: HoldProtocolError.kind(request.datagram[3])) {
            try KeeperReport(datagram: request.datagram)
        }
    }

    @Test("every report comes back as it went", arguments: reports)
    func reportRoundTrip(_ report: KeeperReport) throws {
        #expect(report.datagram.count == KeeperLimits.datagramBytes)
        #expect(try KeeperReport(datagram: report.datagram) == report)
        #expect(throws: HoldProtocolError.kind(report.datagram[3])) {
            try KeeperRequest(datagram: report.datagram)
        }
    }

    @Test("a hardware address has 48 bits") func longHardware() {
        var datagram = KeeperReport.contested(Self.v4, token: 3, hardware: 1).datagram
        datagram[4 + 18 + 8 + 1] = 1
        #expect(throws: HoldProtocolError.field("hardware address")) {
            try KeeperReport(datagram: datagram)
        }
    }

    @Test("a failure text is cut at 200 bytes, between characters")
    func longText() throws {
        let long = KeeperReport.failed(
            Self.v4, token: 1, errno: 5, text: "a" + String(repeating: "é", count: 200))
        let cut = KeeperReport.failed(
            Self.v4, token: 1, errno: 5, text: "a" + String(repeating: "é", count: 99))
        #expect(try KeeperReport(datagram: long.datagram) == cut)
    }

    @Test("a datagram of any other size is refused")
    func truncation() {
        for datagram in Self.requests.map(\.datagram) + Self.reports.map(\.datagram) {
            let notRefused = (Array(0..<datagram.count) + [datagram.count + 1]).filter { size in
                let cut = Array((datagram + [0]).prefix(size))
                return refusal(of: cut, KeeperRequest.init(datagram:)) != .size(size)
                    || refusal(of: cut, KeeperReport.init(datagram:)) != .size(size)
            }
            #expect(notRefused == [])
        }
    }

    private func refusal<Value>(
        of datagram: [UInt8], _ decode: ([UInt8]) throws(HoldProtocolError) -> Value
    ) -> HoldProtocolError? {
        do throws(HoldProtocolError) { _ = try decode(datagram) } catch { return error }
        return nil
    }

    @Test("a wrong magic, version, family, prefix length or flag is named")
    func wrongFields() {
        func failure(at position: Int, _ byte: UInt8, in request: KeeperRequest) -> HoldProtocolError? {
            var datagram = request.datagram
            datagram[position] = byte
            do throws(HoldProtocolError) { _ = try KeeperRequest(datagram: datagram) } catch { return error }
            return nil
        }
        #expect(failure(at: 0, 0, in: .announce(Self.v4)) == .magic)
        #expect(failure(at: 2, 2, in: .announce(Self.v4)) == .version(2))
        #expect(failure(at: 3, 99, in: .announce(Self.v4)) == .kind(99))
        #expect(failure(at: 4, 5, in: .announce(Self.v4)) == .field("address family"))
        #expect(failure(at: 5, 33, in: .announce(Self.v4)) == .field("prefix length"))
        #expect(failure(at: 4, 9, in: Self.requests[1]) == .field("mode"))
        #expect(failure(at: 7, 2, in: Self.requests[1]) == .field("last part"))
        #expect(failure(at: 8, 64, in: Self.requests[1]) == .field("node name"))
        #expect(failure(at: 9, 0xff, in: Self.requests[1]) == .field("node name"))
        #expect(failure(at: 72, 23, in: Self.requests[1]) == .field("address count"))
    }

    @Test("256 addresses travel in parts, and one more is refused")
    func parts() throws {
        let many = (0...256).compactMap {
            KeeperAddress(family: .v4, bytes: [10, 0, UInt8($0 >> 8), UInt8($0 & 255)], prefixLength: 16)
        }
        #expect(KeeperConfiguration(mode: .kernel, nodeName: "n", managed: many) == nil)
        let configuration = try #require(
            KeeperConfiguration(mode: .kernel, nodeName: "n", managed: many.dropLast().reversed()))
        var received: [KeeperAddress] = []
        var isLast: [Bool] = []
        for request in configuration.requests {
            guard case .configure(let part) = request else { continue }
            received += part.managed
            isLast.append(part.isLast)
        }
        #expect(received == many.dropLast())
        #expect(isLast == [Bool](repeating: false, count: 11) + [true])
    }

    @Test("the announcement of an IPv6 address carries a right checksum; ARP goes in both forms")
    func announcements() throws {
        let hardware: [UInt8] = [2, 0, 0, 0, 0, 9]
        let advertisement = try #require(Announcement.frames(for: Self.v6, hardwareAddress: hardware).first)
        let packet = advertisement.payload
        #expect(packet[7] == 255)
        let pseudoHeader = packet[8..<40] + [0, 0, 0, 32, 0, 0, 0, 58]
        #expect(Announcement.checksum(Array(pseudoHeader + packet[40...])) == 0)
        let arp = Announcement.frames(for: Self.v4, hardwareAddress: hardware)
        #expect(arp.map { $0.payload[7] } == [1, 2])
        for frame in arp {
            #expect(frame.payload.count == 28)
            #expect(
                Array(frame.payload[14..<18]) == Self.v4.bytes && Array(frame.payload[24...]) == Self.v4.bytes
            )
        }
        #expect(Announcement.frames(for: Self.v4, hardwareAddress: []) == [])
    }
}
