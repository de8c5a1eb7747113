import EventSocket

/// A client's two connections under hostile streams, and whether every question had one answer and the end came once.
struct AskingPair {
    static let welcome = Array(
        """
        Content-Type: auth/request

        Content-Type: command/reply
        Reply-Text: +OK accepted

        Content-Type: command/reply
        Reply-Text: +OK event listener enabled plain


        """.utf8)

    private var pair = ClientPair(
        configuration: .init(credentials: .password("ClueCon"), maximumOutstanding: 4), seed: 1)
    /// By question, how many answers it lacks.
    private(set) var asked: [UInt64: Int] = [:]
    private(set) var ends = 0

    var isSettled: Bool { asked.values.allSatisfy { $0 == 0 } }

    mutating func handle(_ input: ClientPair.Input) {
        for output in pair.handle(input) {
            switch output {
            case .response(let id, _), .reply(let id, _), .jobDone(let id, _), .failed(let id, _):
                asked[id, default: 0] -= 1
            case .disconnected: ends += 1
            default: break
            }
        }
    }

    mutating func ask(_ id: UInt64, inBackground: Bool) {
        asked[id] = 1
        handle(inBackground ? .bgapi(id, "status") : .api(id, "status"))
    }

    mutating func close() {
        handle(.closed(.events))
        handle(.closed(.commands))
    }
}
