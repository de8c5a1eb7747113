import ArgumentParser
import Config
import DNSMessages
import Dispatch
@preconcurrency import Glibc
import Primitives
import Synchronization
import ZoneServer

struct ZoneServeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve", abstract: "Serve a zone with the built-in name server, in the foreground.",
        discussion: "Answers queries and signed updates by UDP and TCP until SIGTERM or SIGINT.")

    @Option(help: "The zone in master file format, with its $ORIGIN.")
    var zoneFile: String

    @Option(
        help: ArgumentHelp(
            "Where to listen, for example 127.0.0.1:5353; may be given more than once.",
            valueName: "address:port"))
    var listen: [Endpoint]

    @Option(help: "Who may update: a file as tsig-keygen prints it, readable by its owner only.")
    var keyFile: String

    @Flag(help: "Write the zone back to its file after each update.")
    var save = false

    mutating func run() throws {
        // Before any thread is made, so that all of them leave these signals to us.
        let signals = SignalWait([SIGINT, SIGTERM])
        let file = ZoneFile(path: zoneFile)
        let zone: Zone
        do throws(ZoneFile.Failure) { zone = try file.load() } catch {
            throw CommandFailure.invalid(["\(error)"])
        }
        let server = ZoneServer(
            zone: zone, key: try Self.key(keyFile), listen: listen, file: save ? file : nil)
        let endpoints: [Endpoint]
        do { endpoints = try Blocking.value { try await server.start() } } catch {
            let places = listen.map { "\($0)" }.joined(separator: ", ")
            throw CommandFailure.refused(["cannot listen on \(places): \(error)"])
        }
        let places = endpoints.map { "\($0)" }.joined(separator: ", ")
        Output.error("serving \(zone.origin) serial \(zone.serial) at \(places)")
        while signals.next(within: .seconds(3600)) == nil {}
        try Blocking.value { await server.stop() }
    }

    private static func key(_ path: String) throws(CommandFailure) -> TSIGKey {
        let text: String
        do throws(SecretFailure) {
            text = String(decoding: try readSecret(path: path), as: UTF8.self)
        } catch {
            throw .invalid(["\(error)"])
        }
        let key: TSIGKey
        do throws(KeyFile.Failure) { key = try KeyFile.parse(text, file: path) } catch {
            throw .invalid(["\(error)"])
        }
        switch key.weakness {
        case nil: break
        case .trivial?: throw .invalid(["\(path) \(TSIGKey.Weakness.trivial.text)"])
        case .short(let bytes, let size)?:
            Output.error("warning: \(path) \(TSIGKey.Weakness.short(bytes: bytes, of: size).text)")
        }
        return key
    }
}

extension Endpoint: ExpressibleByArgument {
    /// `10.0.0.1:53` or `[2001:db8::1]:53`.
    package init?(argument: String) { self.init(argument) }
}

/// Waits on the main thread for work that is written with `async`.
enum Blocking {
    static func value<Value: Sendable>(_ work: @escaping @Sendable () async throws -> Value) throws -> Value {
        let done = DispatchSemaphore(value: 0)
        let result = ResultBox<Value>()
        Task.detached {
            do {
                let value = try await work()
                result.outcome.withLock { $0 = .success(value) }
            } catch {
                result.outcome.withLock { $0 = .failure(error) }
            }
            done.signal()
        }
        done.wait()
        guard let outcome = result.outcome.withLock(\.self) else {
            preconditionFailure("signalled without an outcome")
        }
        return try outcome.get()
    }

    private final class ResultBox<Value: Sendable>: Sendable {
        let outcome = Mutex<Result<Value, any Error>?>(nil)
    }
}
