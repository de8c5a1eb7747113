import Kernel
import Primitives

/// Programs for the kernel (bpf(4), "classic BPF") that keep a flood to itself: one drops what deserves no answer, the other
/// divides the rest among sockets of one address (socket(7), SO_ATTACH_REUSEPORT_CBPF), by the sender's address and by whether
/// it is an update. Each socket has room of its own, so what one sender or one sort of request fills, others do not lack. Who
/// signed of late has two sockets apart from all others, also from whoever forges addresses without end.
package struct SocketSteering: Sendable {
    private typealias Instruction = SocketFilter.Instruction
    private typealias Code = SocketFilter.Code

    /// SKF_NET_OFF: from here on operands count from the IP header.
    private static let networkHeader: UInt32 = 0xFFF0_0000
    private static let headerLength: UInt32 = 8
    private static let shareBits: UInt32 = 4
    /// Sockets for queries and what else there is; behind them as many for updates.
    static let shares = 1 << shareBits
    static let sockets = 2 * shares + 2
    /// The last two, for queries and for updates: of addresses from where something with a valid signature came.
    private static let proven = UInt32(2 * shares)
    /// The program has room for so many.
    static let provenLimit = 64

    private let seed: UInt32

    /// - Parameter seed: nobody outside knows it, so nobody can choose an address that shares a socket with a given one.
    package init(seed: UInt32 = .random(in: .min ... .max)) { self.seed = seed | 1 }

    /// Which of the shares a sender's requests are in, as the kernel finds it too. IPv6: of its /64.
    package func share(of sender: IPAddress) -> Int {
        let words = stride(from: 0, to: 8, by: 4).prefix(sender.family == .v4 ? 1 : 2).map { start in
            sender.bytes[start..<(start + 4)].reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
        }
        return Int((words.reduce(0, ^) &* seed) >> (32 - Self.shareBits))
    }

    /// Drops what is shorter than a header and what is a reply; whoever has no such kernel drops it himself.
    static func filter(_ descriptor: Int32) {
        // Where the kernel takes none, this process drops them itself.
        _ = SocketFilter(
            [
                Instruction(code: Code.loadLength),
                Instruction(
                    code: Code.jumpIfAtLeast, whenFalse: 3,
                    operand: headerLength + UInt32(RequestGlance.headerLength)),
                Instruction(code: Code.loadByte, operand: headerLength + 2),
                Instruction(code: Code.jumpIfAny, whenTrue: 1, operand: 0x80),
                Instruction(code: Code.finish, operand: SocketFilter.all),
                Instruction(code: Code.finish, operand: 0),
            ]
        ).attach(to: descriptor)
    }

    /// For all sockets of the address of this one. Without it the kernel divides by address and port.
    ///
    /// - Parameter proven: from where something with a valid signature came.
    func divide(_ descriptor: Int32, _ family: IPAddress.Family, proven: [IPAddress]) {
        let sender: [Instruction] =
            family == .v4
            ? [Instruction(code: Code.loadWord, operand: Self.networkHeader + 12)]
            : [
                Instruction(code: Code.loadWord, operand: Self.networkHeader + 8),
                Instruction(code: Code.toIndex),
                Instruction(code: Code.loadWord, operand: Self.networkHeader + 12),
                Instruction(code: Code.xorIndex),
            ]
        let apart = proven.filter { $0.family == family }.prefix(Self.provenLimit).flatMap(Self.apart)
        _ = SocketFilter(
            apart + [
                Instruction(code: Code.loadByte, operand: 2),
                Instruction(code: Code.and, operand: 0x78),
                Instruction(code: Code.jumpIfEqual, whenFalse: 2, operand: 5 << 3),
                Instruction(code: Code.loadNumber, operand: UInt32(Self.shares)),
                Instruction(code: Code.jumpIfEqual, whenTrue: 1, operand: UInt32(Self.shares)),
                Instruction(code: Code.loadNumber, operand: 0),
                Instruction(code: Code.store, operand: 0),
            ] + sender + [
                Instruction(code: Code.multiply, operand: seed),
                Instruction(code: Code.shiftRight, operand: 32 - Self.shareBits),
                Instruction(code: Code.fetch, operand: 0),
                Instruction(code: Code.addIndex),
                Instruction(code: Code.finishWithResult),
            ]
        ).attach(to: descriptor, for: .steering)
    }

    /// Compares the sender with that address, four bytes a time; what differs skips the rest.
    private static func apart(_ address: IPAddress) -> [Instruction] {
        let bytes = address.bytes
        let start: UInt32 = address.family == .v4 ? 12 : 8
        let whenFound = [
            Instruction(code: Code.loadByte, operand: 2),
            Instruction(code: Code.and, operand: 0x78),
            Instruction(code: Code.jumpIfEqual, whenFalse: 1, operand: 5 << 3),
            Instruction(code: Code.finish, operand: proven + 1),
            Instruction(code: Code.finish, operand: proven),
        ]
        var program: [Instruction] = []
        for place in stride(from: 0, to: bytes.count, by: 4) {
            let word = bytes[place..<(place + 4)].reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
            let rest = UInt8((bytes.count - place - 4) / 2 + whenFound.count)
            program += [
                Instruction(code: Code.loadWord, operand: networkHeader + start + UInt32(place)),
                Instruction(code: Code.jumpIfEqual, whenFalse: rest, operand: word),
            ]
        }
        return program + whenFound
    }
}
