import Config
import EventSocket

/// Whether our own services beside the switch answer, with the passwords of the cluster file.
struct ServiceCheck {
    private static let patience = Duration.seconds(3)

    var section: SwitchSection
    var node: String
    /// Whose secrets may be besides root's.
    var user: UInt32
    /// Names the piece to copy.
    var fix: (String) -> String

    var findings: [Finding] {
        var findings: [Finding] = []
        if let listener = section.eventSocket { findings.append(eventSocket(listener)) }
        if let listener = section.limitService { findings.append(limitService(listener)) }
        return findings
    }

    private func eventSocket(_ listener: ListenerSettings) -> Finding {
        let subject = "event-socket"
        do throws(SecretFailure) {
            let password = try readSecret(path: listener.passwordFile, user: user)
            do throws(SwitchClient.Failure) {
                let client = try SwitchClient(
                    listener.endpoint, password: String(decoding: password, as: UTF8.self),
                    patience: Self.patience)
                let name = try client.api("switchname")
                if name == node { return .fine(subject, "\(listener.endpoint) answers as \(node)") }
                return .wrong(
                    subject, "\(listener.endpoint) answers as \(name), not as \(node)",
                    fix: "give <event-socket> a port that nothing else uses")
            } catch {
                return absent(subject, error.description)
            }
        } catch {
            return .wrong(subject, "\(error)", fix: "chmod 600 \(listener.passwordFile)")
        }
    }

    /// Gives the password as a Redis client does, and asks for nothing.
    private func limitService(_ listener: ListenerSettings) -> Finding {
        let subject = "limit-service"
        do throws(SecretFailure) {
            let password = try readSecret(path: listener.passwordFile, user: user)
            do throws(StreamSocket.Failure) {
                let socket = try StreamSocket(connectedTo: listener.endpoint, patience: Self.patience)
                try socket.send(
                    Array("*2\r\n$4\r\nAUTH\r\n$\(password.count)\r\n".utf8) + password + Array("\r\n".utf8))
                let answer = try socket.receive(within: Self.patience) ?? []
                if answer.starts(with: Array("+OK".utf8)) {
                    return .fine(subject, "\(listener.endpoint) answers")
                }
                let text = String(decoding: answer.prefix(100).prefix { $0 >= 32 }, as: UTF8.self)
                return .wrong(
                    subject, "\(listener.endpoint) does not take the password: “\(text)”",
                    fix: "see that \(listener.passwordFile) is the one the node service read")
            } catch {
                return absent(subject, "nobody answers at \(listener.endpoint): \(error)")
            }
        } catch {
            return .wrong(subject, "\(error)", fix: "chmod 600 \(listener.passwordFile)")
        }
    }

    private func absent(_ subject: String, _ why: String) -> Finding {
        .notice(subject, why, fix: "start the node service: it serves this")
    }
}
