import CFuzzer
@preconcurrency import Glibc

/// `fsdns-fuzz`: one target under libFuzzer. The target's name comes by the environment, because libFuzzer starts
/// itself again with its own arguments only, to merge a corpus for one.
@main
struct FuzzTool {
    static let usage = """
        usage: FSDNS_FUZZ_TARGET=NAME fsdns-fuzz [FLAG…] [FOLDER…]    as libFuzzer's manual says
               fsdns-fuzz --list                                      every target, its longest input, what it reads
               fsdns-fuzz --seeds NAME FOLDER                         writes the first inputs of a target
        """

    nonisolated(unsafe) private static var target: FuzzTarget?

    static func main() {
        let arguments = CommandLine.arguments
        if arguments.dropFirst().first == "--list" {
            for target in FuzzTarget.all {
                print("\(target.name)\t\(target.maximumLength)\t\(target.summary)")
            }
        } else if arguments.count == 4, arguments[1] == "--seeds", let target = FuzzTarget.named(arguments[2])
        {
            for (number, seed) in target.seeds().enumerated() {
                write(seed, to: "\(arguments[3])/seed-\(number)")
            }
        } else if let name = getenv("FSDNS_FUZZ_TARGET"), let target = FuzzTarget.named(String(cString: name))
        {
            Self.target = target
            fuzz()
        } else {
            print(usage)
            exit(2)
        }
    }

    private static func write(_ bytes: [UInt8], to path: String) {
        guard let file = fopen(path, "w") else { fatalError("\(path) cannot be written") }
        fwrite(bytes, 1, bytes.count, file)
        fclose(file)
    }

    private static func fuzz() {
        var count = CommandLine.argc
        var arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? = CommandLine.unsafeArgv
        let code = LLVMFuzzerRunDriver(&count, &arguments) { bytes, count in
            FuzzTool.target?(Array(UnsafeBufferPointer(start: bytes, count: count)))
            return 0
        }
        exit(code)
    }
}
