@preconcurrency import Glibc

/// A program for the kernel that lets through only datagrams that begin as ours do (socket(7), SO_ATTACH_FILTER; the
/// instructions are those of bpf(4), "classic BPF").
///
/// What it drops never wakes this process. One in `sampling` of the others is let through all the same, so that a
/// second cluster, or a machine with another key, is still seen and named.
struct DatagramFilter {
    /// One instruction, as the kernel's `struct sock_filter`.
    struct Instruction: Hashable {
        var code: UInt16
        /// How many instructions to skip when the comparison holds, and when it does not.
        var whenTrue: UInt8 = 0
        var whenFalse: UInt8 = 0
        var operand: UInt32
    }

    /// As `struct sock_fprog`.
    private struct Program {
        var count: UInt16
        var instructions: UnsafePointer<Instruction>
    }

    static let sampling: UInt32 = 16
    private static let attachFilter: Int32 = 26
    private static let headerLength = 8
    private static let all: UInt32 = 0x3FFFF

    private enum Code {
        static let loadByte: UInt16 = 0x30
        static let loadHalf: UInt16 = 0x28
        static let loadWord: UInt16 = 0x20
        static let loadLength: UInt16 = 0x80
        static let jumpIfEqual: UInt16 = 0x15
        static let jumpIfGreater: UInt16 = 0x25
        static let jumpIfAtLeast: UInt16 = 0x35
        static let finish: UInt16 = 0x06
        /// SKF_AD_OFF + SKF_AD_RANDOM: a random word instead of one of the datagram's.
        static let random: UInt32 = 0xFFFF_F000 + 56
    }

    let instructions: [Instruction]

    /// - Parameters:
    ///   - prefix: what every datagram of ours begins with.
    ///   - lengths: how long they may be.
    init(prefix: [UInt8], lengths: ClosedRange<Int>) {
        // Each comparison: load, then jump; `fail` is patched once the length is known.
        var program: [Instruction] = [
            Instruction(code: Code.loadLength, operand: 0),
            Instruction(
                code: Code.jumpIfAtLeast, whenFalse: .max,
                operand: UInt32(lengths.lowerBound + Self.headerLength)),
            Instruction(
                code: Code.jumpIfGreater, whenTrue: .max,
                operand: UInt32(lengths.upperBound + Self.headerLength)),
        ]
        var place = 0
        while place < prefix.count {
            let width = prefix.count - place >= 4 ? 4 : prefix.count - place >= 2 ? 2 : 1
            let code = width == 4 ? Code.loadWord : width == 2 ? Code.loadHalf : Code.loadByte
            let value = prefix[place..<(place + width)].reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
            program.append(Instruction(code: code, operand: UInt32(place + Self.headerLength)))
            program.append(Instruction(code: Code.jumpIfEqual, whenFalse: .max, operand: value))
            place += width
        }
        program.append(Instruction(code: Code.finish, operand: Self.all))
        let fail = program.count
        for place in program.indices {
            let distance = UInt8(fail - place - 1)
            if program[place].whenTrue == .max { program[place].whenTrue = distance }
            if program[place].whenFalse == .max { program[place].whenFalse = distance }
        }
        program += [
            Instruction(code: Code.loadWord, operand: Code.random),
            Instruction(code: Code.jumpIfAtLeast, whenTrue: 1, operand: UInt32.max / Self.sampling),
            Instruction(code: Code.finish, operand: Self.all),
            Instruction(code: Code.finish, operand: 0),
        ]
        instructions = program
    }

    /// Zero, or the error number.
    func attach(to descriptor: Int32) -> Int32 {
        instructions.withUnsafeBufferPointer { list in
            guard let base = list.baseAddress else { return EINVAL }
            var program = Program(count: UInt16(list.count), instructions: base)
            let length = socklen_t(MemoryLayout<Program>.size)
            return setsockopt(descriptor, SOL_SOCKET, Self.attachFilter, &program, length) == 0 ? 0 : errno
        }
    }
}
