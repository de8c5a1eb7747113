import Logging
import NIOCore
import NIOPosix
import Synchronization

/// A running stand-in FreeSWITCH: SIP sockets, event socket, `core.db`, limit clients.
package final class SwitchService: Sendable {
    package enum Ending: Hashable, Sendable {
        /// By `fsctl shutdown`, after the clients were told.
        case shutDown
        /// As if killed: the caller should end the process at once.
        case crashed
    }

    private struct Running {
        var driver: NIOLoopBound<SwitchDriver>
        var listener: any Channel
        var sockets: ProfileSockets
        var store: RecoveryStore
        var registrations: RegistrationStore
    }

    private let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    private let options: SwitchOptions
    private let log: Logger
    private let ending: @Sendable (Ending) -> Void
    private let running = Mutex<Running?>(nil)

    /// - Parameter ending: told once when the switch ends by itself, on its event loop.
    package init(
        _ options: SwitchOptions, log: Logger, ending: @escaping @Sendable (Ending) -> Void = { _ in }
    ) {
        self.options = options
        self.log = log
        self.ending = ending
    }

    /// Opens `core.db`, binds every address and begins; returns the event socket's port and the Core-UUID.
    ///
    /// - Throws: what could not be opened or bound, by name; nothing stays open then.
    @discardableResult
    package func start() throws -> (port: UInt16, coreUUID: String) {
        precondition(running.withLock { $0 == nil }, "a switch is started once")
        let store = try RecoveryStore(directory: options.settings.databaseDirectory, log: log)
        let registrations = try RegistrationStore(
            directory: options.settings.databaseDirectory, profiles: options.settings.profiles.map(\.name),
            log: log)
        let sockets = try ProfileSockets(options.settings.profiles)
        let loop = group.next()
        let driver = try loop.submit { [options, log, ending] in
            NIOLoopBound(
                SwitchDriver(
                    options: options, loop: loop, store: store, registrations: registrations,
                    sockets: sockets, log: log, ending: ending),
                eventLoop: loop)
        }.wait()
        let listener: any Channel
        do {
            listener = try ServerBootstrap(group: group)
                .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
                .serverChannelOption(.backlog, value: 64)
                .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
                .childChannelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandler(
                            EventSocketHandler(driver: driver.value))
                    }
                }
                .bind(host: options.eventSocket.ip, port: Int(options.eventSocket.port)).wait()
        } catch {
            sockets.close()
            store.close()
            registrations.close()
            try? group.syncShutdownGracefully()
            throw error
        }
        let coreUUID = try loop.submit {
            driver.value.start()
            return driver.value.coreUUID
        }.wait()
        running.withLock {
            $0 = Running(
                driver: driver, listener: listener, sockets: sockets, store: store,
                registrations: registrations)
        }
        return (UInt16(listener.localAddress?.port ?? 0), coreUUID)
    }

    /// Ends with a word to the clients only: peers hear nothing. Stopping twice does nothing.
    package func stop() {
        guard let running = running.withLock({ $0.take() }) else { return }
        try? running.listener.close().wait()
        try? group.next().submit { running.driver.value.shutDown() }.wait()
        running.sockets.close()
        running.store.close()
        running.registrations.close()
        try? group.syncShutdownGracefully()
    }
}
