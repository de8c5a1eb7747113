@preconcurrency import Glibc

/// Turns the first SIGTERM or SIGINT into an event, the second into an end at once, and SIGHUP into another look at
/// the cluster file.
enum SignalWatch {
    /// To be called on the first thread before any other is made: they inherit its mask.
    static func block() {
        signal(SIGPIPE, SIG_IGN)
        var set = watched()
        pthread_sigmask(SIG_BLOCK, &set, nil)
    }

    /// - Parameter reread: called on a thread of its own for each SIGHUP, one after another.
    static func start(_ inbox: Inbox, reread: @escaping @Sendable () -> Void) {
        startThread {
            var set = watched()
            var seen: Int32 = 0
            var count = 0
            while sigwait(&set, &seen) == 0 {
                if seen == SIGHUP {
                    reread()
                    continue
                }
                count += 1
                // The keeper sees our end of the socket close and removes every address.
                if count > 1 { _exit(1) }
                inbox.put(.shutdownRequested)
            }
        }
    }

    private static func watched() -> sigset_t {
        var set = sigset_t()
        sigemptyset(&set)
        sigaddset(&set, SIGTERM)
        sigaddset(&set, SIGINT)
        sigaddset(&set, SIGHUP)
        return set
    }
}

/// Starts a thread of its own for `body`; returns what `pthread_join` takes.
@discardableResult
func startThread(_ body: @escaping @Sendable () -> Void) -> pthread_t {
    final class Start: Sendable {
        let body: @Sendable () -> Void
        init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    }
    var thread = pthread_t()
    let start = Unmanaged.passRetained(Start(body))
    let code = pthread_create(
        &thread, nil,
        { argument in
            guard let argument else { return nil }
            let start = Unmanaged<Start>.fromOpaque(argument).takeRetainedValue()
            start.body()
            return nil
        }, start.toOpaque())
    precondition(code == 0, "no thread could be made: \(errorText(code))")
    return thread
}
