import Foundation
@preconcurrency import Glibc

/// A phone of another make: baresip, which shares no code with anything here, steered by its control socket.
package final class SoftPhone {
    /// What it says of its calls, for example CALL_INCOMING, CALL_ESTABLISHED, CALL_CLOSED.
    package struct Event: Decodable, Hashable, Sendable {
        package var type: String
        package var direction: String?
        package var peeruri: String?
        package var param: String?
    }

    package static let program = "/usr/bin/baresip"
    package let user: String
    private let machine: Machine
    private let directory: String
    private let commands: Int32

    /// Registers `user` at the address, from a port of its own on the machine, again every `interval` seconds; it
    /// takes every call. `number` tells the phones of a machine apart, from 0.
    package init(_ user: String, number: Int, at address: String, on machine: Machine, interval: Int = 3600)
        throws
    {
        self.user = user
        self.machine = machine
        directory = machine.directory + "/phone-" + user
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        let own = machine.addresses[0]
        let control = 4440 + number
        try machine.put(
            Self.configuration(user, own: own, number: number, control: control),
            in: "phone-\(user)/config")
        try machine.put(
            "<sip:\(user)@\(address)>;answermode=auto;regint=\(interval)\n", in: "phone-\(user)/accounts")
        try machine.put("", in: "phone-\(user)/contacts")
        let (end, start) = try Launch.pipe()
        defer { close(end) }
        commands = start
        // It wants to poll its input, which /dev/null does not let it; a pipe does.
        try machine.start(
            ["sh", "-c", "sleep 100000 | exec \"$@\"", "baresip", Self.program, "-s", "-f", directory],
            outputFile: "phone-\(user)/log", errorsFile: "phone-\(user)/log")
        try wait(for: "\(user)'s phone to be ready", atMost: 10) { log.contains("baresip is ready") }
        try machine.start(
            ["python3", "-c", Self.steering, own, "\(control)"], outputFile: "phone-\(user)/events",
            errorsFile: "phone-\(user)/log", input: end)
    }

    deinit { close(commands) }

    package var log: String { machine.text(of: "phone-\(user)/log") }

    /// Everything it said since it was started.
    package func events() -> [Event] {
        machine.text(of: "phone-\(user)/events").split(separator: "\n").compactMap {
            try? JSONDecoder().decode(Event.self, from: Data($0.utf8))
        }
    }

    /// How often it said that.
    package func count(_ type: String) -> Int { events().count { $0.type == type } }

    package func dial(_ address: String) throws { try tell("dial", "sip:" + address) }
    package func hangUp() throws { try tell("hangup", "") }

    private func tell(_ command: String, _ parameters: String) throws {
        let text = "{\"command\":\"\(command)\",\"params\":\"\(parameters)\"}\n"
        guard write(commands, text, text.utf8.count) == text.utf8.count else {
            throw LabFailure("\(user)'s phone takes no commands: \(String(cString: strerror(errno)))")
        }
    }

    private static func configuration(_ user: String, own: String, number: Int, control: Int) -> String {
        // It listens for TLS at the next port.
        """
        poll_method epoll
        sip_listen \(own):\(5200 + 2 * number)
        audio_player aubridge,\(user)
        audio_source aubridge,\(user)
        audio_alert aubridge,alert
        ausrc_srate 8000
        auplay_srate 8000
        rtp_ports \(30_000 + 100 * number)-\(30_099 + 100 * number)
        module_path /usr/lib/baresip/modules
        module g711.so
        module aubridge.so
        module_tmp uuid.so
        module_tmp account.so
        module_app menu.so
        module_app ctrl_tcp.so
        ctrl_tcp_listen \(own):\(control)

        """
    }

    /// Passes lines to the control socket and what it says to the output: JSON, there in netstrings, here in lines.
    private static let steering = """
        import select, socket, sys
        control = socket.create_connection((sys.argv[1], int(sys.argv[2])))
        rest = b''
        while True:
            ready = select.select([control, sys.stdin], [], [])[0]
            if sys.stdin in ready:
                line = sys.stdin.readline().strip()
                if not line:
                    sys.exit()
                control.sendall(b'%d:%s,' % (len(line), line.encode()))
            if control in ready:
                some = control.recv(65536)
                if not some:
                    sys.exit()
                rest += some
                while b':' in rest:
                    length, _, tail = rest.partition(b':')
                    if len(tail) <= int(length):
                        break
                    print(tail[:int(length)].decode(), flush=True)
                    rest = tail[int(length) + 1:]
        """
}
