@preconcurrency import Glibc

/// A program for the kernel that decides which packets a socket is given (socket(7), SO_ATTACH_FILTER; the instructions
/// are those of bpf(4), "classic BPF").
package struct SocketFilter: Sendable {
    /// One instruction, as the kernel's `struct sock_filter`.
    package struct Instruction: Hashable, Sendable {
        package var code: UInt16
        /// How many instructions to skip when the comparison holds, and when it does not.
        package var whenTrue: UInt8
        package var whenFalse: UInt8
        package var operand: UInt32

        package init(code: UInt16, whenTrue: UInt8 = 0, whenFalse: UInt8 = 0, operand: UInt32 = 0) {
            self.code = code
            self.whenTrue = whenTrue
            self.whenFalse = whenFalse
            self.operand = operand
        }
    }

    package enum Code {
        package static let loadByte: UInt16 = 0x30
        package static let loadHalf: UInt16 = 0x28
        package static let loadWord: UInt16 = 0x20
        package static let loadLength: UInt16 = 0x80
        package static let loadNumber: UInt16 = 0x00
        package static let store: UInt16 = 0x02
        package static let fetch: UInt16 = 0x61
        package static let toIndex: UInt16 = 0x07
        package static let addIndex: UInt16 = 0x0C
        package static let xorIndex: UInt16 = 0xAC
        package static let and: UInt16 = 0x54
        package static let multiply: UInt16 = 0x24
        package static let shiftRight: UInt16 = 0x74
        package static let jumpIfEqual: UInt16 = 0x15
        package static let jumpIfGreater: UInt16 = 0x25
        package static let jumpIfAtLeast: UInt16 = 0x35
        package static let jumpIfAny: UInt16 = 0x45
        /// The packet is cut to so many bytes; 0 drops it.
        package static let finish: UInt16 = 0x06
        package static let finishWithResult: UInt16 = 0x16
        /// SKF_AD_OFF + SKF_AD_RANDOM: a random word instead of one of the packet's.
        package static let random: UInt32 = 0xFFFF_F000 + 56
    }

    /// As `struct sock_fprog`.
    private struct Program {
        var count: UInt16
        var instructions: UnsafePointer<Instruction>
    }

    package static let all: UInt32 = 0x3FFFF
    /// What the kernel does with the result of a program (asm-generic/socket.h).
    package enum Use: Int32 {
        /// SO_ATTACH_FILTER: so much of the packet is kept.
        case filter = 26
        /// SO_ATTACH_REUSEPORT_CBPF: the socket of that number, of all that share an address, gets the packet.
        case steering = 51
    }

    /// At most 4,096 (BPF_MAXINSNS).
    package let instructions: [Instruction]

    package init(_ instructions: [Instruction]) { self.instructions = instructions }

    /// Zero, or the error number.
    package func attach(to descriptor: Int32, for use: Use = .filter) -> Int32 {
        instructions.withUnsafeBufferPointer { list in
            guard let base = list.baseAddress else { return EINVAL }
            var program = Program(count: UInt16(list.count), instructions: base)
            let length = socklen_t(MemoryLayout<Program>.size)
            return setsockopt(descriptor, SOL_SOCKET, use.rawValue, &program, length) == 0 ? 0 : errno
        }
    }
}
