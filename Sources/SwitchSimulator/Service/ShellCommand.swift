import Dispatch
import Foundation

/// Runs what `system` is given, as the user of the process, with bounds on time and output.
enum ShellCommand {
    static let patience = 60
    static let outputLimit = 1 << 20

    /// Standard output of `/bin/sh -c COMMAND`; cut at 1 MiB, ended after a minute.
    static func run(_ command: String, _ done: @escaping @Sendable (String) -> Void) {
        DispatchQueue.global().async {
            let process = Process()
            let pipe = Pipe()
            process.executableURL = URL(filePath: "/bin/sh")
            process.arguments = ["-c", command]
            process.standardOutput = pipe
            process.standardInput = FileHandle.nullDevice
            do { try process.run() } catch { return done("-ERR \(error)\n") }
            let id = process.processIdentifier
            let timeout = DispatchWorkItem { kill(id, SIGKILL) }
            DispatchQueue.global().asyncAfter(deadline: .now() + .seconds(patience), execute: timeout)
            var output = Data()
            while let chunk = try? pipe.fileHandleForReading.read(upToCount: 65_536), !chunk.isEmpty {
                if output.count < outputLimit { output += chunk.prefix(outputLimit - output.count) }
            }
            process.waitUntilExit()
            timeout.cancel()
            done(String(decoding: output, as: UTF8.self))
        }
    }
}
