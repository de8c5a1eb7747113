import CLinux
@preconcurrency import Glibc
import KeeperProtocol

/// Where the keeper's decisions become real: addresses are added, announced and removed here.
///
/// Each method answers with the outcome event that `Holdings` waits for, and does not wait for the network.
protocol AddressPlace: AnyObject {
    /// Descriptors to poll for reading.
    var descriptors: [Int32] { get }
    /// From now on these are the only addresses that are added or removed.
    func manage(_ addresses: [KeeperAddress])
    /// Managed addresses that are on the machine now.
    func present() throws(SystemFailure) -> [KeeperAddress]
    func add(_ address: KeeperAddress) -> Holdings.Event
    func refresh(_ address: KeeperAddress)
    func remove(_ address: KeeperAddress) -> Holdings.Event
    func announce(_ address: KeeperAddress) -> Holdings.Event
    /// Called when the descriptor can be read.
    func read(_ descriptor: Int32) -> [Holdings.Event]
    /// Whether there is something to do that everything else goes before.
    var hasLeisureWork: Bool { get }
    /// Does a bounded part of it.
    func doLeisureWork()
    /// Does all of it, also what is to wait: nothing else comes any more.
    func finish()
}

/// Holds addresses on real interfaces by rtnetlink, with a kernel lifetime, announced by ARP and ICMPv6.
///
/// What is not held is mute: no socket on this machine sends from it (`MuteRules`, `ConnectionSweep`).
final class KernelAddresses: AddressPlace {
    private var managed: [KeeperAddress] = []
    private let control: NetlinkSocket
    private let monitor: NetlinkSocket
    private let packets: Int32
    private var table = InterfaceTable()
    /// Where each address was put.
    private var placed: [InterfaceTable.Placement] = []
    private var rules = MuteRules()
    private var sweep = ConnectionSweep()
    private let sweepAlarm: Alarm
    private let defence: AddressDefence
    private let defenceAlarm: Alarm

    /// Seconds (IFA_CACHEINFO counts in whole ones): the address goes by itself 1.0…1.5 s after the last
    /// refresh.
    static let lifetime: UInt32 = 1
    /// Nanoseconds (20 ms) after a removal: where one address goes another may come, and nothing is to be in
    /// its way.
    private static let sweepDelay: Int64 = 20_000_000
    /// Marks our addresses (IFA_PROTO, since Linux 5.18; older kernels ignore it): "f".
    static let protocolMark: UInt8 = 0x66

    init() throws(SystemFailure) {
        monitor = try NetlinkSocket(
            groups: UInt32(RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR) | MuteRules.newsGroup)
        control = try NetlinkSocket()
        sweepAlarm = try Alarm()
        defence = try AddressDefence()
        defenceAlarm = try Alarm()
        // Protocol 0: the socket only sends.
        packets = socket(
            AF_PACKET, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
        guard packets >= 0 else { throw SystemFailure("packet socket") }
        try refill()
    }

    deinit { close(packets) }

    var descriptors: [Int32] {
        [monitor.descriptor, sweepAlarm.descriptor, defenceAlarm.descriptor]
    }

    func manage(_ addresses: [KeeperAddress]) {
        managed = addresses
        rules.adopt(managed.filter { address in !placed.contains { $0.address == address } }, by: control)
    }

    func present() throws(SystemFailure) -> [KeeperAddress] {
        try refill()
        return managed.filter { wanted in table.placements.contains { $0.address.isSameHost(as: wanted) } }
    }

    func add(_ address: KeeperAddress) -> Holdings.Event {
        guard let interface = table.interface(for: address, managed: managed) else {
            return .addFailed(
                address, errno: EADDRNOTAVAIL,
                text: "no interface has an address of its own in a network with \(address)")
        }
        placed.removeAll { $0.address == address }
        placed.append(InterfaceTable.Placement(address: address, interface: interface.index))
        if placed.count == 1 { defenceAlarm.set(nanoseconds: AddressDefence.pause) }
        // What is left of an earlier hold is not looked for any more: it would cost the new one time.
        sweep.leaveOut(address)
        do {
            try putNew(address, on: interface.index)
            return .added(address, isNew: true)
        } catch  where error.errno == EEXIST {
            do {
                try put(address, on: interface.index, NLM_F_CREATE | NLM_F_REPLACE)
                return .added(address, isNew: false)
            } catch {
                return .addFailed(address, errno: error.errno, text: error.text)
            }
        } catch {
            return .addFailed(address, errno: error.errno, text: error.text)
        }
    }

    func refresh(_ address: KeeperAddress) {
        guard let placement = placed.first(where: { $0.address == address }) else { return }
        // A failed refresh is tried again well before the lifetime ends; if the address goes, the kernel
        // says so.
        try? put(address, on: placement.interface, NLM_F_CREATE | NLM_F_REPLACE)
    }

    func remove(_ address: KeeperAddress) -> Holdings.Event {
        let found = table.placements.filter { $0.address.isSameHost(as: address) }
        let known = placed.filter { $0.address == address }.map {
            InterfaceTable.Placement(address: address.host, interface: $0.interface)
        }.filter { !found.contains($0) }
        // Muted first: nothing leaves from it after it is gone, and routes that sockets remember from before
        // are looked up anew when it goes.
        let mute = managed.contains(address) ? rules.requestToMute(address) : nil
        var requests = mute.map { [$0] } ?? []
        requests += (found + known).prefix(NetlinkSocket.requestsAtOnce - 1).map(Self.requestToDelete)
        do throws(SystemFailure) {
            var answers = try control.request(together: requests)[...]
            if mute != nil { rules.noteMuted(address, answers.removeFirst()) }
            // Gone already, or its interface is.
            let harmless = [EADDRNOTAVAIL, ENODEV]
            for case let failure? in answers where !harmless.contains(failure.errno) { throw failure }
        } catch {
            return .removeFailed(address, errno: error.errno, text: error.text)
        }
        placed.removeAll { $0.address == address }
        sweep.add(address)
        sweepAlarm.set(nanoseconds: Self.sweepDelay)
        return .removed(address)
    }

    static func requestToDelete(_ placement: InterfaceTable.Placement) -> NetlinkRequest {
        NetlinkRequest(type: Int(RTM_DELADDR)) { writer in
            writer.appendAddressHeader(placement.address, interface: placement.interface)
            writer.append(attribute: Int(IFA_LOCAL), placement.address.bytes)
            writer.append(attribute: Int(IFA_ADDRESS), placement.address.bytes)
        }
    }

    func announce(_ address: KeeperAddress) -> Holdings.Event {
        guard let placement = placed.first(where: { $0.address == address }),
            let interface = table.interface(placement.interface)
        else { return .announceFailed(address) }
        guard interface.hasNeighbours else { return .announced(address) }
        let frames = Announcement.frames(for: address, hardwareAddress: interface.hardwareAddress)
        let sent = frames.count { send($0, on: interface.index) }
        return sent > 0 ? .announced(address) : .announceFailed(address)
    }

    func read(_ descriptor: Int32) -> [Holdings.Event] {
        if descriptor == sweepAlarm.descriptor {
            sweepAlarm.clear()
            sweep.start()
            return []
        }
        return descriptor == defenceAlarm.descriptor ? lookForOthers() : hearKernel()
    }

    /// Whoever else says that it has what is held here.
    private func lookForOthers() -> [Holdings.Event] {
        defenceAlarm.clear()
        guard !placed.isEmpty else { return [] }
        defenceAlarm.set(nanoseconds: AddressDefence.pause)
        let claims = defence.look(at: placed, in: table) { _ = self.send($0, on: $1) }
        return claims.map { claim in
            .contested(
                claim.address, hardware: claim.hardware.reduce(UInt64(0)) { $0 << 8 | UInt64($1) })
        }
    }

    private func hearKernel() -> [Holdings.Event] {
        let news: [NetlinkMessage]
        do {
            news = try monitor.news()
        } catch {
            // Some news was lost (ENOBUFS): look at everything again, and have every address looked after.
            try? refill()
            manage(managed)
            return placed.map { .vanished($0.address) } + [.linkReturned]
        }
        var events: [Holdings.Event] = []
        for message in news {
            rules.apply(message, by: control)
            switch table.apply(message) {
            case .removed(let gone):
                for placement in placed where placement.interface == gone.interface {
                    if placement.address.isSameHost(as: gone.address) {
                        events.append(.vanished(placement.address))
                    }
                }
            case .linkReturned(let index):
                if placed.contains(where: { $0.interface == index }) { events.append(.linkReturned) }
            case nil:
                break
            }
        }
        return events
    }

    var hasLeisureWork: Bool { sweep.isUnderWay }

    func doLeisureWork() { sweep.step() }

    func finish() {
        sweep.start()
        while sweep.isUnderWay { sweep.step() }
    }

    private func refill() throws(SystemFailure) {
        table = try InterfaceTable(dumpedBy: control)
    }

    /// Unmutes and adds it.
    private func putNew(_ address: KeeperAddress, on interface: Int32) throws(SystemFailure) {
        let add = Self.requestToPut(address, on: interface, NLM_F_CREATE | NLM_F_EXCL)
        guard let unmute = rules.requestToUnmute(address) else {
            return try control.request(add.type, flags: add.flags, add.fill)
        }
        let answers = try control.request(together: [unmute, add])
        try rules.noteUnmuted(address, answers[0])
        if let failure = answers[1] { throw failure }
    }

    private func put(
        _ address: KeeperAddress, on interface: Int32, _ flags: Int32
    ) throws(SystemFailure) {
        let request = Self.requestToPut(address, on: interface, flags)
        try control.request(request.type, flags: request.flags, request.fill)
    }

    private static func requestToPut(
        _ address: KeeperAddress, on interface: Int32, _ flags: Int32
    ) -> NetlinkRequest {
        NetlinkRequest(type: Int(RTM_NEWADDR), flags: flags) { writer in
            // As a host of its own, not as one more of the interface's network: otherwise, when the machine's own
            // address goes, ours would be the network's first, and when its own comes back (`netplan apply`, a new
            // DHCP lease) that would be second to ours and get no connected route.
            writer.appendAddressHeader(address.host, interface: interface)
            writer.append(attribute: Int(IFA_LOCAL), address.bytes)
            writer.append(attribute: Int(IFA_ADDRESS), address.bytes)
            // No duplicate detection: it would take a second. No prefix route: the interface's own address
            // has it.
            writer.append(attribute: Int(IFA_FLAGS), words: [UInt32(IFA_F_NODAD | IFA_F_NOPREFIXROUTE)])
            // struct ifa_cacheinfo: preferred, valid, and two stamps that the kernel ignores.
            writer.append(attribute: Int(IFA_CACHEINFO), words: [Self.lifetime, Self.lifetime, 0, 0])
            writer.append(attribute: Int(IFA_PROTO), [Self.protocolMark])
        }
    }

    private func send(_ frame: Announcement, on interface: Int32) -> Bool {
        var to = sockaddr_ll()
        to.sll_family = UInt16(AF_PACKET)
        to.sll_protocol = frame.etherType.bigEndian
        to.sll_ifindex = interface
        to.sll_halen = 6
        withUnsafeMutableBytes(of: &to.sll_addr) { $0.copyBytes(from: frame.destination) }
        let count = withUnsafePointer(to: &to) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                sendto(
                    packets, frame.payload, frame.payload.count, 0, $0,
                    socklen_t(MemoryLayout<sockaddr_ll>.size))
            }
        }
        return count == frame.payload.count
    }
}
