import CLinux
@preconcurrency import Glibc

/// One request to the kernel: its type, its flags beside NLM_F_REQUEST and NLM_F_ACK, and what it says.
struct NetlinkRequest {
    let type: Int
    var flags: Int32 = 0
    let fill: (inout NetlinkWriter) -> Void
}

/// A netlink socket: sends requests and reads their acknowledgements, or listens to the kernel's news.
final class NetlinkSocket {
    let descriptor: Int32
    private var sequence: UInt32 = 0
    private var buffer: [UInt8]

    /// Milliseconds to wait for an acknowledgement; the kernel gives it before `send` returns.
    private static let patience: Int32 = 200
    /// Most datagrams read for one dump or one batch of news.
    private static let datagramsAtOnce = 1024

    /// `groups`: RTMGRP_ bits to listen to; `atOnce`: most bytes that one datagram of a dump is to have.
    init(
        _ family: Int32 = NETLINK_ROUTE, groups: UInt32 = 0, atOnce: Int = 65_536
    ) throws(SystemFailure) {
        buffer = [UInt8](repeating: 0, count: atOnce)
        descriptor = socket(AF_NETLINK, Int32(SOCK_RAW.rawValue | SOCK_CLOEXEC.rawValue), family)
        guard descriptor >= 0 else { throw SystemFailure("netlink socket") }
        var on: Int32 = 1
        _ = setsockopt(descriptor, SOL_NETLINK, NETLINK_EXT_ACK, &on, socklen_t(MemoryLayout<Int32>.size))
        var address = sockaddr_nl()
        address.nl_family = sa_family_t(AF_NETLINK)
        address.nl_groups = groups
        let bound = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_nl>.size))
            }
        }
        guard bound == 0 else {
            let failure = SystemFailure("netlink bind")
            throw failure
        }
    }

    deinit { close(descriptor) }

    /// Sends one request with NLM_F_ACK; the failure carries the kernel's own words where it gives any.
    func request(
        _ type: Int, flags: Int32, _ fill: (inout NetlinkWriter) -> Void
    ) throws(SystemFailure) {
        let own = try send(type, flags: NLM_F_REQUEST | NLM_F_ACK | flags, fill)
        for _ in 0..<Self.datagramsAtOnce {
            for message in try receive(waiting: Self.patience)
            where message.sequence == own && message.type == Int(NLMSG_ERROR) {
                guard let code: Int32 = message.field(at: 0) else {
                    throw SystemFailure("netlink", errno: EBADMSG)
                }
                if code == 0 { return }
                throw Self.failure(-code, message)
            }
        }
        throw SystemFailure("netlink acknowledgement", errno: ETIMEDOUT)
    }

    /// Sends these in one datagram, which the kernel works through in their order, all of them; the answers
    /// are in the same order, nil for done. At most 32, whose acknowledgements surely fit into the socket.
    func request(together requests: [NetlinkRequest]) throws(SystemFailure) -> [SystemFailure?] {
        precondition(requests.count <= Self.requestsAtOnce)
        guard !requests.isEmpty else { return [] }
        var bytes: [UInt8] = []
        let first = sequence &+ 1
        for request in requests {
            bytes += message(request.type, NLM_F_REQUEST | NLM_F_ACK | request.flags, request.fill)
        }
        try send(bytes)
        var answers: [SystemFailure?] = []
        for _ in 0..<Self.datagramsAtOnce {
            guard answers.count < requests.count else { return answers }
            for message in try receive(waiting: Self.patience) where message.type == Int(NLMSG_ERROR) {
                guard message.sequence == first &+ UInt32(answers.count) else { continue }
                let code: Int32 = message.field(at: 0) ?? -EBADMSG
                answers.append(code == 0 ? nil : Self.failure(-code, message))
            }
        }
        throw SystemFailure("netlink acknowledgement", errno: ETIMEDOUT)
    }

    /// Most that are sent together.
    static let requestsAtOnce = 32

    /// All objects of a kind; `type` is RTM_GETADDR, RTM_GETLINK or RTM_GETRULE.
    func dump(_ type: Int, _ fill: (inout NetlinkWriter) -> Void) throws(SystemFailure) -> [NetlinkMessage] {
        let own = try startDump(type, fill)
        var objects: [NetlinkMessage] = []
        for _ in 0..<Self.datagramsAtOnce {
            let (some, isLast) = try continueDump(own)
            objects += some
            if isLast { return objects }
        }
        throw SystemFailure("netlink dump", errno: EMSGSIZE)
    }

    /// Asks for all objects of a kind, which are then read one datagram at a time; returns the dump's number.
    func startDump(_ type: Int, _ fill: (inout NetlinkWriter) -> Void) throws(SystemFailure) -> UInt32 {
        try send(type, flags: NLM_F_REQUEST | NLM_F_DUMP, fill)
    }

    /// The next objects of the dump of that number.
    func continueDump(_ own: UInt32) throws(SystemFailure) -> (objects: [NetlinkMessage], isLast: Bool) {
        var objects: [NetlinkMessage] = []
        for message in try receive(waiting: Self.patience) where message.sequence == own {
            switch message.type {
            case Int(NLMSG_DONE):
                if let code: Int32 = message.field(at: 0), code < 0 {
                    throw SystemFailure("netlink dump", errno: -code)
                }
                return (objects, true)
            case Int(NLMSG_ERROR):
                throw SystemFailure("netlink dump", errno: -(message.field(at: 0) ?? -EBADMSG))
            default: objects.append(message)
            }
        }
        return (objects, false)
    }

    /// What the kernel announced since the last call, without waiting; ENOBUFS is thrown when some was lost.
    func news() throws(SystemFailure) -> [NetlinkMessage] {
        var news: [NetlinkMessage] = []
        for _ in 0..<Self.datagramsAtOnce {
            do {
                news += try receive(waiting: 0)
            } catch  where error.errno == EAGAIN || error.errno == ETIMEDOUT {
                break
            }
        }
        return news
    }

    private func send(
        _ type: Int, flags: Int32, _ fill: (inout NetlinkWriter) -> Void
    ) throws(SystemFailure) -> UInt32 {
        try send(message(type, flags, fill))
        return sequence
    }

    private func message(_ type: Int, _ flags: Int32, _ fill: (inout NetlinkWriter) -> Void) -> [UInt8] {
        sequence &+= 1
        var writer = NetlinkWriter(type: type, flags: flags, sequence: sequence)
        fill(&writer)
        return writer.finish()
    }

    private func send(_ bytes: [UInt8]) throws(SystemFailure) {
        guard Glibc.send(descriptor, bytes, bytes.count, 0) == bytes.count else {
            throw SystemFailure("netlink send")
        }
    }

    private func receive(waiting milliseconds: Int32) throws(SystemFailure) -> [NetlinkMessage] {
        var waited = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        while true {
            let count = recv(descriptor, &buffer, buffer.count, Int32(MSG_DONTWAIT))
            if count >= 0 { return NetlinkMessage.messages(in: buffer[..<count]) }
            guard errno == EAGAIN || errno == EINTR else { throw SystemFailure("netlink receive") }
            guard milliseconds > 0 else { throw SystemFailure("netlink receive", errno: EAGAIN) }
            guard poll(&waited, 1, milliseconds) > 0 else {
                throw SystemFailure("netlink receive", errno: ETIMEDOUT)
            }
        }
    }

    /// The error number and, by NETLINK_EXT_ACK, the kernel's sentence about it.
    private static func failure(_ code: Int32, _ message: NetlinkMessage) -> SystemFailure {
        // struct nlmsgerr is the error and our header; with NLM_F_CAPPED the request itself is left out.
        var fixedPart = 4 + 16
        if message.flags & NLM_F_CAPPED == 0, let length: UInt32 = message.field(at: 4) {
            fixedPart = 4 + Int(length)
        }
        guard message.flags & NLM_F_ACK_TLVS != 0,
            let words = message.attribute(Int(NLMSGERR_ATTR_MSG.rawValue), after: fixedPart)
        else { return SystemFailure("netlink", errno: code) }
        let text = String(decoding: words.prefix { $0 != 0 }, as: UTF8.self)
        return SystemFailure("netlink (\(text))", errno: code)
    }
}

extension InterfaceTable {
    /// Every link and address there is now.
    init(dumpedBy socket: NetlinkSocket) throws(SystemFailure) {
        self.init()
        // struct ifinfomsg (16 bytes) and struct ifaddrmsg (8 bytes), all zero: everything.
        let links = try socket.dump(Int(RTM_GETLINK)) { writer in
            writer.append(UInt64(0))
            writer.append(UInt64(0))
        }
        let addresses = try socket.dump(Int(RTM_GETADDR)) { $0.append(UInt64(0)) }
        for message in links + addresses { _ = apply(message) }
    }
}
