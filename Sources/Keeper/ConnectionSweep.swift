import CLinux
@preconcurrency import Glibc
import KeeperProtocol

/// Ends the TCP connections of addresses that were let go, by the kernel's SOCK_DESTROY, as `ss -K` does.
///
/// What waits in their send queues would otherwise leave if the address came back: the end of a call that
/// lives on elsewhere. The peer hears nothing, since the address is gone (IPv4) or mute (IPv6); listening
/// sockets stay. A table of connections takes a while to look through, so this is done bit by bit, when
/// nothing else is to be done.
struct ConnectionSweep {
    private var addresses: [KeeperAddress] = []
    private var pass: Pass?
    private var sockets: (dump: NetlinkSocket, destroy: NetlinkSocket)?
    private var isImpossible = false

    /// One look through the connections of one family. An IPv4 address is also in IPv6 sockets (mapped).
    private struct Pass {
        let family: Int32
        let number: UInt32
        let round: Int
        var destroyed = 0
    }

    /// A connection that goes while the kernel lists them makes it leave others out: look again, so often.
    private static let rounds = 8
    /// Bytes of a dump's datagram: some 40 connections in each step.
    private static let bytesAtOnce = 8192
    /// struct inet_diag_sockid
    private static let identityBytes = 48

    // tcp_states.h: all but TIME_WAIT (6), CLOSE (7) and LISTEN (10), which send nothing of their own.
    private static let states: UInt32 = [1, 2, 3, 4, 5, 8, 9, 11, 12].reduce(0) { $0 | 1 << $1 }

    /// Whether there is something for `step` to do.
    private(set) var isUnderWay = false

    mutating func start() { isUnderWay = !addresses.isEmpty }

    /// To be looked for from the next start on.
    mutating func add(_ address: KeeperAddress) {
        guard !isImpossible, !addresses.contains(address) else { return }
        addresses.append(address)
    }

    /// Its connections are left alone from now on.
    mutating func leaveOut(_ address: KeeperAddress) {
        if addresses.first == address { pass = nil }
        addresses.removeAll { $0 == address }
        if addresses.isEmpty { isUnderWay = false }
    }

    /// Ends some connections of the first address.
    mutating func step() {
        guard let address = addresses.first else { return }
        do throws(SystemFailure) {
            let (dump, destroy) = try open()
            guard var pass else {
                let family = address.family == .v4 ? AF_INET : AF_INET6
                self.pass = try Self.start(address, family: family, round: 1, dump)
                return
            }
            let (found, isLast) = try dump.continueDump(pass.number)
            for connection in found where try Self.end(connection, destroy) { pass.destroyed += 1 }
            self.pass = pass
            guard isLast else { return }
            self.pass = nil
            if pass.destroyed > 0, pass.round < Self.rounds {
                self.pass = try Self.start(address, family: pass.family, round: pass.round + 1, dump)
            } else if address.family == .v4, pass.family == AF_INET {
                self.pass = try Self.start(address, family: AF_INET6, round: 1, dump)
            } else {
                leaveOut(address)
            }
        } catch {
            giveUp(error)
        }
    }

    /// Without this everything else works: said once, and not tried again.
    private mutating func giveUp(_ failure: SystemFailure) {
        isImpossible = true
        isUnderWay = false
        addresses = []
        pass = nil
        sockets = nil
        KeeperLoop.complain("TCP connections of an address that was let go cannot be ended: \(failure.text)")
    }

    private mutating func open() throws(SystemFailure) -> (dump: NetlinkSocket, destroy: NetlinkSocket) {
        if let sockets { return sockets }
        let fresh = (
            dump: try NetlinkSocket(NETLINK_SOCK_DIAG, atOnce: Self.bytesAtOnce),
            destroy: try NetlinkSocket(NETLINK_SOCK_DIAG)
        )
        sockets = fresh
        return fresh
    }

    // MARK: Messages

    private static func start(
        _ address: KeeperAddress, family: Int32, round: Int, _ socket: NetlinkSocket
    ) throws(SystemFailure) -> Pass {
        let number = try socket.startDump(Int(SOCK_DIAG_BY_FAMILY)) { writer in
            writer.appendConnectionHeader(family: family, states: states)
            writer.append([UInt8](repeating: 0, count: identityBytes))
            writer.append(attribute: Int(INET_DIAG_REQ_BYTECODE), filter(address))
        }
        return Pass(family: family, number: number, round: round)
    }

    /// Whether it ended; false when it was gone already.
    private static func end(
        _ connection: NetlinkMessage, _ socket: NetlinkSocket
    ) throws(SystemFailure) -> Bool {
        // struct inet_diag_msg: family, state, timer, retransmissions, then struct inet_diag_sockid.
        guard let family: UInt8 = connection.field(at: 0), connection.payload.count >= 4 + identityBytes
        else { return false }
        let identity = Array(connection.payload[4..<4 + identityBytes])
        do {
            try socket.request(Int(SOCK_DESTROY), flags: 0) { writer in
                writer.appendConnectionHeader(family: Int32(family), states: states)
                writer.append(identity)
            }
            return true
        } catch  where error.errno == ENOENT {
            return false
        }
    }

    /// Which connections the kernel is to list, in the bytes of linux/inet_diag.h: those with this source.
    private static func filter(_ address: KeeperAddress) -> [UInt8] {
        // struct inet_diag_hostcond: family, prefix length, 2 unused, port (-1: any), then the address. The
        // kernel also compares IPv4 with the mapped addresses of IPv6 sockets.
        let family = UInt8(address.family == .v4 ? AF_INET : AF_INET6)
        let length = UInt8(4 + 8 + address.family.length)
        // struct inet_diag_bc_op: code, bytes to go on if it is so, 16 bits to go on if not: past the end.
        let code = UInt8(INET_DIAG_BC_S_COND)
        let words = [UInt8(address.family.length * 8), 0, 0, 0xff, 0xff, 0xff, 0xff]
        let otherwise = withUnsafeBytes(of: UInt16(length) + 4) { Array($0) }
        return [code, length] + otherwise + [family] + words + address.bytes
    }
}

extension NetlinkWriter {
    /// struct inet_diag_req_v2 up to its id.
    fileprivate mutating func appendConnectionHeader(family: Int32, states: UInt32) {
        for byte in [UInt8(family), UInt8(IPPROTO_TCP), 0, 0] { append(byte) }
        append(states)
    }
}
