import EventSocket
import Foundation
import Primitives
import Synchronization

@testable import fsdns

/// An event socket on a port of its own that answers commands as a test says.
final class ScriptedSwitch: Sendable {
    static let password = "ClueCon"
    let endpoint: Endpoint
    private let descriptor: Int32
    private let log = Mutex<[String]>([])

    /// - Parameter answer: to each `api` command, with whether it came as if typed at the console.
    init(_ answer: @escaping @Sendable (_ line: String, _ console: Bool) -> String) {
        let ip = IPAddress("127.0.0.1")!
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        self.descriptor = descriptor
        var name = sockaddr_in()
        name.sin_family = sa_family_t(AF_INET)
        name.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        withUnsafeMutablePointer(to: &name) { name in
            name.withMemoryRebound(to: sockaddr.self, capacity: 1) { name in
                precondition(bind(descriptor, name, size) == 0 && listen(descriptor, 8) == 0)
                getsockname(descriptor, name, &size)
            }
        }
        endpoint = Endpoint(ip: ip, port: UInt16(bigEndian: name.sin_port))
        Thread.detachNewThread { [weak self] in
            while true {
                let client = accept(descriptor, nil, nil)
                guard client >= 0 else { return }
                self?.serve(client, answer)
                close(client)
            }
        }
    }

    /// The commands given so far.
    var commands: [String] { log.withLock { $0 } }

    private func serve(_ client: Int32, _ answer: (String, Bool) -> String) {
        var session = ServerSession(configuration: ServerConfiguration(password: Self.password), seed: 1)
        var inputs: [ServerSession.Input] = [.accepted]
        while true {
            while !inputs.isEmpty {
                for output in session.handle(inputs.removeFirst()) {
                    switch output {
                    case .send(let bytes), .sendAfter(_, let bytes):
                        _ = send(client, bytes, bytes.count, Int32(MSG_NOSIGNAL))
                    case .run(let request):
                        log.withLock { $0.append(request.line) }
                        let text = answer(request.line, request.consoleExecute)
                        inputs.append(.answer(request.id, Array(text.utf8)))
                    case .close, .closeAfter: return
                    default: break
                    }
                }
            }
            var bytes = [UInt8](repeating: 0, count: 65_536)
            let count = recv(client, &bytes, bytes.count, 0)
            if count <= 0 { return }
            inputs.append(.received(Array(bytes[..<count])))
        }
    }

    deinit {
        shutdown(descriptor, Int32(SHUT_RDWR))
        close(descriptor)
    }
}
