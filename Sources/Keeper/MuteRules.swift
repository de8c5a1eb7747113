import CLinux
@preconcurrency import Glibc
import KeeperProtocol

/// Keeps sockets that are bound to an address which is not held here from sending from it: for each one a
/// policy rule, `from ADDRESS iif lo unreachable`.
///
/// For IPv6 only. Linux sends IPv4 from an address of the machine alone (net/ipv4/route.c,
/// `ip_route_output_key_hash_rcu`), whatever a socket is bound to; IPv6 sockets go on sending from an
/// address that was removed, so that a switch which lost its address could still hang up its old calls, and
/// one that is stuck could disturb those that live on elsewhere. `iif lo` means what is sent by this
/// machine; what it forwards is none of our business.
struct MuteRules {
    /// Before the rules an operator is likely to have: the first that matches counts. The kernel's own rule
    /// for what stays on the machine has 0.
    static let priority: UInt32 = 5
    /// FRA_PROTOCOL, by which the rules of a dead predecessor are known (linux/rtnetlink.h: free for use).
    static let protocolMark: UInt8 = 0x66
    /// In which the kernel tells of IPv6 rules.
    static let newsGroup: UInt32 = 1 << (UInt32(RTNLGRP_IPV6_RULE.rawValue) - 1)

    /// The addresses that have a rule.
    private(set) var muted: [KeeperAddress] = []
    /// How often a rule was put back that another program had removed.
    private var restorations = 0
    private var hasComplained = false

    /// A program that removes them again and again wins in the end.
    private static let mostRestorations = 64
    /// struct fib_rule_hdr
    private static let headerBytes = 12

    // MARK: One address

    /// nil when nothing is to be done.
    func requestToMute(_ address: KeeperAddress) -> NetlinkRequest? {
        muted.contains(address) ? nil : Self.muting(address)
    }

    /// Whoever knows nothing of other rules; nil for IPv4.
    static func muting(_ address: KeeperAddress) -> NetlinkRequest? {
        guard address.family == .v6 else { return nil }
        return request(Int(RTM_NEWRULE), NLM_F_CREATE | NLM_F_EXCL, address.bytes, priority)
    }

    /// nil for IPv4. Also of an address that is not known to be mute: a guard may have made it so.
    func requestToUnmute(_ address: KeeperAddress) -> NetlinkRequest? {
        guard address.family == .v6 else { return nil }
        return Self.request(Int(RTM_DELRULE), 0, address.bytes, Self.priority)
    }

    /// Without a rule everything works but this: said once, and tried again when the address goes again.
    mutating func noteMuted(_ address: KeeperAddress, _ failure: SystemFailure?) {
        if let failure, failure.errno != EEXIST {
            complain("\(address) is not muted while it is not held", failure)
        } else if !muted.contains(address) {
            muted.append(address)
        }
    }

    /// Throws when it is mute still.
    mutating func noteUnmuted(_ address: KeeperAddress, _ failure: SystemFailure?) throws(SystemFailure) {
        if let failure, failure.errno != ENOENT { throw failure }
        muted.removeAll { $0 == address }
    }

    // MARK: All of them

    /// Sees to it that exactly these addresses are mute, whatever a predecessor left or somebody removed.
    mutating func adopt(_ addresses: [KeeperAddress], by socket: NetlinkSocket) {
        muted = []
        let wanted = addresses.filter { $0.family == .v6 }
        do throws(SystemFailure) {
            let found = try socket.dump(Int(RTM_GETRULE)) { writer in
                writer.append(UInt8(AF_INET6))
                for _ in 1..<Self.headerBytes { writer.append(UInt8(0)) }
            }.compactMap(Self.rule)
            var surplus: [NetlinkRequest] = []
            for rule in found {
                let address = wanted.first { $0.bytes == rule.source }
                if let address, rule.priority == Self.priority, !muted.contains(address) {
                    muted.append(address)
                } else {
                    surplus.append(Self.request(Int(RTM_DELRULE), 0, rule.source, rule.priority))
                }
            }
            for start in stride(from: 0, to: surplus.count, by: NetlinkSocket.requestsAtOnce) {
                let some = surplus[start...].prefix(NetlinkSocket.requestsAtOnce)
                for case let failure? in try socket.request(together: Array(some))
                where failure.errno != ENOENT {
                    throw failure
                }
            }
        } catch {
            if !wanted.isEmpty { complain("the policy rules cannot be put in order", error) }
        }
        for address in wanted { mute(address, by: socket) }
    }

    /// Puts a rule back that another program removed: network managers remove those that they do not know.
    mutating func apply(_ message: NetlinkMessage, by socket: NetlinkSocket) {
        guard message.type == Int(RTM_DELRULE), let gone = Self.rule(message),
            let address = muted.first(where: { $0.bytes == gone.source })
        else { return }
        guard restorations < Self.mostRestorations else { return }
        muted.removeAll { $0 == address }
        // It is there still when this was news of an own removal, read late.
        if mute(address, by: socket) { restorations += 1 }
    }

    /// Whether there was no rule.
    @discardableResult
    private mutating func mute(_ address: KeeperAddress, by socket: NetlinkSocket) -> Bool {
        guard let request = requestToMute(address) else { return false }
        do throws(SystemFailure) {
            try socket.request(request.type, flags: request.flags, request.fill)
            noteMuted(address, nil)
            return true
        } catch {
            noteMuted(address, error)
            return error.errno != EEXIST
        }
    }

    private mutating func complain(_ what: String, _ failure: SystemFailure) {
        guard !hasComplained else { return }
        hasComplained = true
        KeeperLoop.complain("\(what): \(failure.text); sockets bound to it may still send from it")
    }

    // MARK: Messages

    struct Rule: Equatable {
        let source: [UInt8]
        let priority: UInt32
    }

    /// An IPv6 rule of ours; nil for any other message.
    static func rule(_ message: NetlinkMessage) -> Rule? {
        guard message.field(at: 0) == UInt8(AF_INET6),
            message.attribute(Int(FRA_PROTOCOL), after: headerBytes) == [protocolMark],
            let source = message.attribute(Int(FRA_SRC), after: headerBytes), source.count == 16,
            let priority = message.attribute(Int(FRA_PRIORITY), after: headerBytes),
            priority.count == 4
        else { return nil }
        return Rule(
            source: source, priority: priority.withUnsafeBytes { $0.loadUnaligned(as: UInt32.self) })
    }

    private static func request(
        _ type: Int, _ flags: Int32, _ source: [UInt8], _ priority: UInt32
    ) -> NetlinkRequest {
        NetlinkRequest(type: type, flags: flags) { writer in
            // struct fib_rule_hdr: family, lengths of destination and source, TOS, table, two reserved, action.
            for byte in [UInt8(AF_INET6), 0, 128, 0, 0, 0, 0, UInt8(FR_ACT_UNREACHABLE)] {
                writer.append(byte)
            }
            writer.append(UInt32(0))
            writer.append(attribute: Int(FRA_SRC), source)
            writer.append(attribute: Int(FRA_PRIORITY), words: [priority])
            writer.append(attribute: Int(FRA_PROTOCOL), [protocolMark])
            writer.append(attribute: Int(FRA_IIFNAME), Array("lo".utf8) + [0])
        }
    }
}
