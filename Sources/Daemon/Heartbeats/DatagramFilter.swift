import Kernel

/// A program for the kernel that lets through only datagrams that begin as ours do.
///
/// What it drops never wakes this process. One in `sampling` of the others is let through all the same, so that a
/// second cluster, or a machine with another key, is still seen and named.
struct DatagramFilter {
    private typealias Instruction = SocketFilter.Instruction
    private typealias Code = SocketFilter.Code

    static let sampling: UInt32 = 16
    private static let headerLength = 8

    private let program: SocketFilter

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
        program.append(Instruction(code: Code.finish, operand: SocketFilter.all))
        let fail = program.count
        for place in program.indices {
            let distance = UInt8(fail - place - 1)
            if program[place].whenTrue == .max { program[place].whenTrue = distance }
            if program[place].whenFalse == .max { program[place].whenFalse = distance }
        }
        program += [
            Instruction(code: Code.loadWord, operand: Code.random),
            Instruction(code: Code.jumpIfAtLeast, whenTrue: 1, operand: UInt32.max / Self.sampling),
            Instruction(code: Code.finish, operand: SocketFilter.all),
            Instruction(code: Code.finish, operand: 0),
        ]
        self.program = SocketFilter(program)
    }

    /// Zero, or the error number.
    func attach(to descriptor: Int32) -> Int32 { program.attach(to: descriptor) }
}
