@preconcurrency import Glibc
import Primitives

/// Programs for the kernel (bpf(4), "classic BPF") that keep a flood to itself: one drops what deserves no answer, the other
/// divides the rest among sockets of one address (socket(7), SO_ATTACH_REUSEPORT_CBPF), by the sender's address and by whether
/// it is an update. Each socket has room of its own, so what one sender or one sort of request fills, others do not lack. Who
/// signed of late has two sockets apart from all others, also from whoever forges addresses without end.
package struct SocketSteering: Sendable {
    /// As the kernel's `struct sock_filter`.
    private struct Instruction {
        var code: UInt16
        var whenTrue: UInt8 = 0
        var whenFalse: UInt8 = 0
        var operand: UInt32 = 0
    }

    /// As `struct sock_fprog`.
    private struct Program {
        var count: UInt16
        var instructions: UnsafePointer<Instruction>
    }

    private enum Code {
        static let loadByte: UInt16 = 0x30
        static let loadWord: UInt16 = 0x20
        static let loadLength: UInt16 = 0x80
        static let loadNumber: UInt16 = 0x00
        static let store: UInt16 = 0x02
        static let fetch: UInt16 = 0x61
        static let toIndex: UInt16 = 0x07
        static let addIndex: UInt16 = 0x0C
        static let xorIndex: UInt16 = 0xAC
        static let and: UInt16 = 0x54
        static let multiply: UInt16 = 0x24
        static let shiftRight: UInt16 = 0x74
        static let jumpIfEqual: UInt16 = 0x15
        static let jumpIfAtLeast: UInt16 = 0x35
        static let jumpIfAny: UInt16 = 0x45
        static let finish: UInt16 = 0x06
        static let finishWithResult: UInt16 = 0x16
    }

    private static let attachFilter: Int32 = 26
    private static let attachSteering: Int32 = 51
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
        attach(
            [
                Instruction(code: Code.loadLength),
                Instruction(
                    code: Code.jumpIfAtLeast, whenFalse: 3,
                    operand: headerLength + UInt32(RequestGlance.headerLength)),
                Instruction(code: Code.loadByte, operand: headerLength + 2),
                Instruction(code: Code.jumpIfAny, whenTrue: 1, operand: 0x80),
                Instruction(code: Code.finish, operand: 0x3FFFF),
                Instruction(code: Code.finish, operand: 0),
            ], as: attachFilter, to: descriptor)
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
        Self.attach(
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
            ], as: Self.attachSteering, to: descriptor)
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

    private static func attach(_ instructions: [Instruction], as option: Int32, to descriptor: Int32) {
        instructions.withUnsafeBufferPointer { list in
            guard let base = list.baseAddress else { return }
            var program = Program(count: UInt16(list.count), instructions: base)
            setsockopt(descriptor, SOL_SOCKET, option, &program, socklen_t(MemoryLayout<Program>.size))
        }
    }
}
