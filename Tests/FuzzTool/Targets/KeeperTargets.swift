import CLinux
import Cluster
import KeeperProtocol
import Primitives

@testable import Keeper

/// What the keeper hears: its node service and the kernel.
extension FuzzTarget {
    static let keeper: [FuzzTarget] = [keeperDatagram, holdings, netlink, addressClaims]

    private static let addresses = ["192.0.2.7/24", "2001:db8::7/64"].compactMap { KeeperAddress($0) }

    private static func requests() -> [KeeperRequest] {
        let until = Instant(nanoseconds: 5_000_000_000)
        let configuration = KeeperConfiguration(mode: .kernel, nodeName: "fs1", managed: addresses)
        return (configuration?.requests ?? [])
            + addresses.flatMap {
                [
                    KeeperRequest.hold($0, until: until, token: 7), .release($0, token: 7), .announce($0),
                ]
            }
    }

    static let keeperDatagram = FuzzTarget(
        "keeper-datagram", "datagrams of the hold protocol, both ways", maximumLength: 512,
        seeds: {
            let at = Instant(nanoseconds: 9)
            let reports: [KeeperReport] = [
                .ready(holding: 1, armed: .realtime, version: 1),
                .held(addresses[0], token: 3, at: at, announcedAt: at),
                .held(addresses[1], token: 3, at: at, announcedAt: nil),
                .released(addresses[0], token: 3, at: at, cause: .expired),
                .failed(addresses[1], token: 3, errno: 22, text: "no interface has its network"),
                .contested(addresses[0], token: 3, hardware: 0x024C_0000_0007), .guarded(false),
            ]
            return requests().map(\.datagram) + reports.map(\.datagram)
        }
    ) { input in
        let bytes = input.rest()
        // Every datagram has one length: what the input lacks is zeros.
        let datagram = bytes + [UInt8](repeating: 0, count: max(0, KeeperLimits.datagramBytes - bytes.count))
        if let request = try? KeeperRequest(datagram: datagram) {
            expect((try? KeeperRequest(datagram: request.datagram)) == request, "\(request)")
        }
        if let report = try? KeeperReport(datagram: datagram) {
            expect((try? KeeperReport(datagram: report.datagram)) == report, "\(report)")
        }
        _ = KeeperAddress(String(decoding: bytes, as: UTF8.self))
    }

    static let holdings = FuzzTarget(
        "keeper-holdings", "the holds of a keeper: requests, a clock, and a kernel that may refuse anything",
        maximumLength: 2048,
        seeds: {
            [
                requests().flatMap { FuzzInput.message(0, Array($0.datagram.prefix(64))) },
                requests().flatMap {
                    FuzzInput.message(0, Array($0.datagram.prefix(64))) + FuzzInput.message(200, [])
                },
            ]
        }
    ) { input in
        var holdings = Holdings()
        var now = Instant(nanoseconds: 1_000_000_000)
        var waiting: [Holdings.Action] = []
        var hasStopped = false
        func take(_ event: Holdings.Event) {
            for action in holdings.handle(event, at: now) {
                if case .stop = action { hasStopped = true } else { waiting.append(action) }
            }
        }
        take(.configured(managed: addresses, present: [], armed: .realtime))
        while !hasStopped, let (kind, bytes) = input.message() {
            now = now + .nanoseconds(Int64(kind) * 3_000_000)
            let padding = [UInt8](repeating: 0, count: max(0, KeeperLimits.datagramBytes - bytes.count))
            if let request = try? KeeperRequest(datagram: bytes + padding) {
                if case .configure = request { continue }
                take(.requested(request))
            }
            switch kind % 16 {
            case 0...3:
                for action in waiting { if let event = answer(action, refuses: false) { take(event) } }
            case 4: for action in waiting { if let event = answer(action, refuses: true) { take(event) } }
            case 5: take(.vanished(addresses[0]))
            case 6: take(.linkReturned)
            case 9: take(.contested(addresses[0], hardware: 7))
            case 7: take(bytes.isEmpty ? .peerClosed : .deadlineReached)
            case 8: take(bytes.isEmpty ? .terminated : .deadlineReached)
            default: take(.deadlineReached)
            }
            if kind % 16 < 5 { waiting = [] }
            if waiting.count > 64 { waiting.removeFirst(32) }
        }
    }

    private static func answer(_ action: Holdings.Action, refuses: Bool) -> Holdings.Event? {
        switch action {
        case .add(let address):
            refuses
                ? .addFailed(address, errno: 1, text: "no") : .added(address, isNew: true)
        case .remove(let address):
            refuses ? .removeFailed(address, errno: 1, text: "no") : .removed(address)
        case .announce(let address): refuses ? .announceFailed(address) : .announced(address)
        case .refresh, .report, .stop: nil
        }
    }

    static let netlink = FuzzTarget(
        "netlink", "messages of the kernel: interfaces, addresses, routes and rules", maximumLength: 1024,
        seeds: { [news()] }
    ) { input in
        var table = InterfaceTable()
        var routes = RouteTable(wanted: addresses)
        for message in NetlinkMessage.messages(in: input.rest()[...]) {
            _ = table.apply(message)
            _ = routes.apply(message)
            _ = MuteRules.rule(message)
            for attribute in 0..<8 { _ = message.attribute(attribute, after: 12) }
        }
        for address in addresses {
            _ = table.interface(for: address, managed: addresses)
            _ = routes.hasRoute(to: address, by: 7)
        }
    }

    static let addressClaims = FuzzTarget(
        "address-claims", "ARP packets and neighbour advertisements of whoever is in the network",
        maximumLength: 256,
        seeds: {
            addresses.flatMap { address -> [[UInt8]] in
                let hardware: [UInt8] = [2, 0x4c, 0, 0, 0, 7]
                let question = AddressDefence.question(for: address, from: hardware)
                let frames = Announcement.frames(for: address, hardwareAddress: hardware)
                let kind: [UInt8] = [address.family == .v4 ? 0 : 1]
                return (frames + (question.map { [$0] } ?? [])).map { $0.payload + kind }
            }
        }
    ) { input in
        let family: KeeperAddress.Family = input.flag() ? .v6 : .v4
        let claim = AddressDefence.claim(
            in: input.rest(), of: family, sender: [2, 0x4c, 0, 0, 0, 9], among: addresses)
        if let claim {
            expect(claim.hardware.count == 6 && addresses.contains(claim.address), "\(claim)")
        }
    }

    /// As the kernel sends them: an interface, an address on it, a route and a policy rule.
    private static func news() -> [UInt8] {
        var link = NetlinkWriter(type: Int(RTM_NEWLINK), flags: 0, sequence: 0)
        for word in [UInt32(0), 7, UInt32(IFF_UP | IFF_RUNNING), 0] { link.append(word) }
        link.append(attribute: Int(IFLA_ADDRESS), [2, 0, 0, 0, 0, 7])
        var placement = NetlinkWriter(type: Int(RTM_NEWADDR), flags: 0, sequence: 0)
        placement.appendAddressHeader(addresses[0], interface: 7)
        placement.append(attribute: Int(IFA_LOCAL), addresses[0].bytes)
        var route = NetlinkWriter(type: Int(RTM_NEWROUTE), flags: 0, sequence: 0)
        route.append([UInt8(AF_INET), 24, 0, 0, 254, 2, 253, 1, 0, 0, 0, 0])
        route.append(attribute: Int(RTA_DST.rawValue), [192, 0, 2, 0])
        route.append(attribute: Int(RTA_OIF.rawValue), words: [7])
        var rule = NetlinkWriter(type: Int(RTM_NEWRULE), flags: 0, sequence: 0)
        rule.append([UInt8(AF_INET6), 0, 128, 0, 0, 0, 0, 7, 0, 0, 0, 0])
        rule.append(attribute: Int(FRA_PRIORITY), words: [MuteRules.priority])
        rule.append(attribute: Int(FRA_SRC), [UInt8](repeating: 0x20, count: 16))
        rule.append(attribute: Int(FRA_PROTOCOL), [MuteRules.protocolMark])
        return link.finish() + placement.finish() + route.finish() + rule.finish()
    }
}
