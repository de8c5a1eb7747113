import EventSocket
@preconcurrency import Glibc
import Primitives

/// One conversation of a command with an event socket: FreeSWITCH's, or our own. Every wait ends by itself.
final class SwitchClient {
    enum Failure: Error, Hashable, CustomStringConvertible {
        case unreachable(Endpoint, String)
        case silent(Endpoint, after: Duration)
        case ended(Endpoint, DisconnectReason)
        case request(RequestFailure)

        var description: String {
            switch self {
            case .unreachable(let endpoint, let why): "nobody answers at \(endpoint): \(why)"
            case .silent(let endpoint, let patience):
                "\(endpoint) does not answer within \(OperatorDuration.text(patience))"
            case .ended(let endpoint, let reason): "at \(endpoint) \(reason)"
            case .request(let failure): "\(failure)"
            }
        }
    }

    /// Wrong passwords are answered slowly after the first.
    static let patience = Duration.seconds(10)
    private let endpoint: Endpoint
    private let patience: Duration
    private let socket: StreamSocket
    private var session: ClientSession
    private var lastID: UInt64 = 0
    private var outputs: [ClientSession.Output] = []

    /// Connects and gives the password.
    init(_ endpoint: Endpoint, password: String, patience: Duration = SwitchClient.patience) throws(Failure) {
        self.endpoint = endpoint
        self.patience = patience
        session = ClientSession(configuration: .init(credentials: .password(password)))
        do throws(StreamSocket.Failure) {
            socket = try StreamSocket(connectedTo: endpoint, patience: patience)
        } catch {
            throw .unreachable(endpoint, error.description)
        }
        try pass(.connected)
        let isReady = try wait { output in
            if case .ready = output { true } else { nil }
        }
        precondition(isReady)
    }

    /// What the command printed; empty when it printed nothing.
    ///
    /// - Parameter consoleExecute: as if typed at the switch's console: aliases are expanded.
    func api(_ line: String, consoleExecute: Bool = false) throws(Failure) -> String {
        lastID += 1
        let id = lastID
        try pass(.api(id, line, consoleExecute: consoleExecute))
        let answer: Result<APIResponse, RequestFailure> = try wait { output in
            switch output {
            case .response(id, let response): .success(response)
            case .failed(id, let failure): .failure(failure)
            default: nil
            }
        }
        do throws(RequestFailure) {
            let response = try answer.get()
            return response.isEmpty ? "" : response.text
        } catch {
            throw .request(error)
        }
    }

    private func pass(_ input: ClientSession.Input) throws(Failure) {
        for output in session.handle(input) {
            guard case .send(let bytes) = output else {
                outputs.append(output)
                continue
            }
            do throws(StreamSocket.Failure) { try socket.send(bytes) } catch {
                throw .unreachable(endpoint, error.description)
            }
        }
    }

    /// Reads on until an output is what is waited for.
    private func wait<Value>(_ wanted: (ClientSession.Output) -> Value?) throws(Failure) -> Value {
        let watch = Stopwatch()
        while true {
            while !outputs.isEmpty {
                let output = outputs.removeFirst()
                if let value = wanted(output) { return value }
                if case .disconnected(let reason) = output { throw .ended(endpoint, reason) }
            }
            do throws(StreamSocket.Failure) {
                if let bytes = try socket.receive(within: patience - watch.elapsed) {
                    try forward(bytes.isEmpty ? .closed : .received(bytes))
                } else {
                    throw StreamSocket.Failure.timeout
                }
            } catch {
                switch error {
                case .timeout: throw .silent(endpoint, after: patience)
                case .system: throw .unreachable(endpoint, error.description)
                }
            }
        }
    }

    private func forward(_ input: ClientSession.Input) throws(StreamSocket.Failure) {
        for output in session.handle(input) {
            if case .send(let bytes) = output { try socket.send(bytes) } else { outputs.append(output) }
        }
    }
}
