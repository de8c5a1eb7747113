import NIOCore
import NIOPosix
import Wire

/// Asks SIP addresses of this machine whether they answer: OPTIONS over UDP, again and again (RFC 3261 §11).
///
/// Lives on one event loop. An answer of 5xx is none: that is what a FreeSWITCH in standby says.
final class OptionsProbe {
    private struct Target {
        var address: SocketAddress
        var sent: UInt64 = 0
        var answeredAt: NIODeadline?
    }

    private static let eager: TimeAmount = .milliseconds(100)
    private static let calm: TimeAmount = .seconds(1)
    /// Three questions in a row without an answer.
    private static let memory: TimeAmount = .seconds(4)
    private let loop: any EventLoop
    private let log: EventLog
    /// One for each family that is asked.
    private var channels: [SocketAddress.Family: any Channel] = [:]
    private var opening: Set<SocketAddress.Family> = []
    private var targets: [String: Target] = [:]
    private var timer: Scheduled<Void>?
    private let token = UInt32.random(in: .min ... .max)
    private var isStopped = false
    /// An address answers that did not.
    var changed: (() -> Void)?

    init(loop: any EventLoop, log: EventLog) {
        self.loop = loop
        self.log = log
    }

    /// Exactly these are asked from now on.
    func watch(_ addresses: [String: SocketAddress]) {
        for name in targets.keys.sorted() where addresses[name] != targets[name]?.address {
            targets[name] = nil
        }
        for name in addresses.keys.sorted() where targets[name] == nil {
            targets[name] = addresses[name].map { Target(address: $0) }
        }
        tick()
    }

    func isAnswering(_ name: String) -> Bool {
        targets[name]?.answeredAt.map { NIODeadline.now() - $0 < Self.memory } ?? false
    }

    private func tick() {
        timer?.cancel()
        timer = nil
        guard !isStopped, !targets.isEmpty else { return }
        for name in targets.keys.sorted() { ask(name) }
        let isCalm = targets.keys.allSatisfy { isAnswering($0) }
        timer = loop.assumeIsolated().scheduleTask(in: isCalm ? Self.calm : Self.eager) { [weak self] in
            self?.tick()
        }
    }

    private func open(_ family: SocketAddress.Family) {
        guard opening.insert(family).inserted else { return }
        let owner = NIOLoopBound(self, eventLoop: loop)
        let made = DatagramBootstrap(group: loop)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(
                        DatagramReader { owner.value.received($0) })
                }
            }
            .bind(host: family == .v6 ? "::" : "0.0.0.0", port: 0)
        made.hop(to: loop).assumeIsolated().whenComplete { [weak self] result in
            guard let self else { return }
            opening.remove(family)
            switch result {
            case .success(let channel):
                if isStopped { channel.close(promise: nil) } else { channels[family] = channel }
            case .failure(let error): log.warning("options", "probe", "no socket: \(error)")
            }
        }
    }

    private func ask(_ name: String) {
        guard var target = targets[name], let ip = target.address.ipAddress, let to = target.address.port
        else {
            return
        }
        let family: SocketAddress.Family = ip.contains(":") ? .v6 : .v4
        guard let channel = channels[family], let port = channel.localAddress?.port else {
            return open(family)
        }
        target.sent += 1
        targets[name] = target
        let request = SIPOptions.request(
            to: target.address, from: port, token: "\(token)-\(name)",
            sequence: Int(target.sent % 0x7FFF_FFFF) + 1)
        channel.writeAndFlush(
            AddressedEnvelope(remoteAddress: target.address, data: ByteBuffer(string: request)), promise: nil)
    }

    /// One datagram that came back.
    func received(_ bytes: ByteBuffer) {
        guard let code = SIPOptions.code(of: bytes), code < 500 else { return }
        for name in targets.keys.sorted() where SIPOptions.isAnswer(bytes, to: "\(token)-\(name)") {
            let wasAnswering = isAnswering(name)
            targets[name]?.answeredAt = .now()
            if !wasAnswering { changed?() }
        }
    }

    func stop() {
        isStopped = true
        timer?.cancel()
        for channel in channels.values { channel.close(promise: nil) }
    }
}

extension SocketAddress {
    fileprivate enum Family { case v4, v6 }
}
