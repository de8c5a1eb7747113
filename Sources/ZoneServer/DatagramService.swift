@preconcurrency import Glibc
import Kernel
import NIOPosix
import Primitives

/// Answers requests that come as datagrams, on a thread of its own: the kernel gives it and the connections' thread their turns.
final class DatagramService: Sendable {
    private let pool = NIOThreadPool(numberOfThreads: 1)
    /// Written to once, when the thread is to end.
    private let ending: (read: Int32, write: Int32)

    init(_ served: ServedZone, ports: [DatagramPort], _ rates: AnswerBudget.Rates) throws(DatagramPort
        .Failure)
    {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { throw DatagramPort.Failure(what: "pipe", code: errno) }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        ending = (ends[0], ends[1])
        let stop = ends[0]
        pool.start()
        pool.submit { _ in DatagramLoop(served, ports, rates, until: stop).run() }
    }

    /// Ends the thread; to be called once.
    func stop() async {
        var byte: UInt8 = 0
        _ = write(ending.write, &byte, 1)
        try? await pool.shutdownGracefully()
    }

    deinit {
        close(ending.read)
        close(ending.write)
    }
}

/// Reads the sockets in turns, some datagrams of each, and answers.
///
/// What is beyond the budget is not read further: a query is answered "ask by TCP" (TC) in no more bytes than it had, so that
/// who flooded in somebody's name does not keep him from an answer; anything else by silence. What is signed is looked at
/// nevertheless, and answered when the signature is right.
private final class DatagramLoop {
    /// Datagrams of one socket before the others are looked at: to find that a signature is forged takes some time.
    private static let turn = 8
    private let served: ServedZone
    /// They close their sockets when nobody holds them.
    private let ports: [DatagramPort]
    private var polled: [pollfd]
    private var budget: AnswerBudget
    private let batch = DatagramBatch(longest: 65_535)
    private let reply = UnsafeMutableRawBufferPointer.allocate(byteCount: 512, alignment: 8)

    /// - Parameter stop: readable when it is to end.
    init(_ served: ServedZone, _ ports: [DatagramPort], _ rates: AnswerBudget.Rates, until stop: Int32) {
        self.served = served
        self.ports = ports
        budget = AnswerBudget(rates)
        polled = ([stop] + ports.flatMap(\.descriptors)).map {
            pollfd(fd: $0, events: Int16(POLLIN), revents: 0)
        }
    }

    deinit { reply.deallocate() }

    func run() {
        while true {
            guard poll(&polled, UInt(polled.count), -1) > 0 else { continue }
            guard polled[0].revents == 0 else { return }
            let now = Instant.now()
            for place in 1..<polled.count where polled[place].revents != 0 {
                let descriptor = polled[place].fd
                for datagram in 0..<batch.receive(from: descriptor, atMost: Self.turn) {
                    serve(datagram, descriptor, at: now)
                }
            }
        }
    }

    private func serve(_ place: Int, _ descriptor: Int32, at now: Instant) {
        let bytes = batch[place]
        guard RequestGlance.isRequest(bytes) else { return }
        let source = batch.source(place)
        let isWithinBudget =
            budget.take(source, at: now)
            || served.isKnown(source, at: now) && budget.takeKnown(source, at: now)
        if isWithinBudget || RequestGlance.mayBeSigned(bytes) {
            let (messages, isSigned) = served.respond(
                to: Array(bytes), from: batch.sender(place)?.ip, over: .udp)
            guard isWithinBudget || isSigned, let message = messages.first else { return }
            message.withUnsafeBytes { send($0, to: place, descriptor) }
        } else if let length = RequestGlance.truncatedReply(to: bytes, into: reply) {
            send(UnsafeRawBufferPointer(rebasing: reply[..<length]), to: place, descriptor)
        }
    }

    /// When replies cannot leave fast enough they are lost, as datagrams may be; nothing piles up.
    private func send(_ bytes: UnsafeRawBufferPointer, to place: Int, _ descriptor: Int32) {
        batch.withName(place) {
            _ = sendto(
                descriptor, bytes.baseAddress, bytes.count, Int32(MSG_DONTWAIT | MSG_NOSIGNAL), $0, $1)
        }
    }
}
