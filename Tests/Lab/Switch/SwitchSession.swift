import CLab
import EventSocket
import Foundation
@preconcurrency import Glibc

/// One conversation with the event socket inside a machine: a command, then its answer.
package final class SwitchSession {
    private let descriptor: Int32
    private let name: String
    private var session: ClientSession
    private var outputs: [ClientSession.Output] = []
    private var lastID: UInt64 = 0

    /// Connects to `127.0.0.1:port` in the machine's own network and gives the password.
    package init(on machine: Machine, port: UInt16, password: String, seconds: Double = 5) throws {
        name = "\(machine.name):\(port)"
        session = ClientSession(configuration: .init(credentials: .password(password)))
        let network = machine.network
        descriptor = try Launch.onOwnThread {
            try network.enter()
            return try Self.connect(to: port)
        }
        let end = BootTime.now.adding(milliseconds: seconds * 1000)
        try pass(.connected)
        _ = try wait(until: end) { output in
            if case .ready = output { true } else { nil }
        }
    }

    deinit { close(descriptor) }

    private static func connect(to port: UInt16) throws -> Int32 {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = in_addr_t(0x7F00_0001).bigEndian
        let status = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard status == 0 else {
            let reason = String(cString: strerror(errno))
            close(descriptor)
            throw LabFailure("no event socket at port \(port): \(reason)")
        }
        return descriptor
    }

    /// What the command printed.
    package func api(_ line: String, seconds: Double = 10) throws -> String {
        lastID += 1
        let id = lastID
        let end = BootTime.now.adding(milliseconds: seconds * 1000)
        try pass(.api(id, line))
        let answer: Result<APIResponse, RequestFailure> = try wait(until: end) { output in
            switch output {
            case .response(id, let response): .success(response)
            case .failed(id, let failure): .failure(failure)
            default: nil
            }
        }
        switch answer {
        case .success(let response): return response.text
        case .failure(let failure): throw LabFailure("\(name): \(line): \(failure)")
        }
    }

    private func pass(_ input: ClientSession.Input) throws {
        for output in session.handle(input) {
            guard case .send(let bytes) = output else {
                outputs.append(output)
                continue
            }
            var rest = bytes[...]
            while !rest.isEmpty {
                let count = rest.withUnsafeBytes {
                    send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
                }
                guard count > 0 else { throw LabFailure("\(name): \(String(cString: strerror(errno)))") }
                rest = rest.dropFirst(count)
            }
        }
    }

    private func wait<Value>(
        until end: BootTime, _ wanted: (ClientSession.Output) -> Value?
    ) throws -> Value {
        var bytes = [UInt8](repeating: 0, count: 65_536)
        while true {
            while !outputs.isEmpty {
                let output = outputs.removeFirst()
                if let value = wanted(output) { return value }
                if case .disconnected(let reason) = output { throw LabFailure("\(name): \(reason)") }
            }
            var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            let left = end.milliseconds(since: .now)
            guard left > 0, poll(&entry, 1, Int32(left) + 1) > 0 else {
                throw LabFailure("\(name) does not answer in time")
            }
            let count = recv(descriptor, &bytes, bytes.count, 0)
            guard count >= 0 else { throw LabFailure("\(name): \(String(cString: strerror(errno)))") }
            try pass(count == 0 ? .closed : .received(Array(bytes[..<count])))
        }
    }
}
