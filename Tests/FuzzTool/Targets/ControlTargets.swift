import Config
import ControlProtocol
import PeerProtocol
import Primitives

/// What the command line and a node say to each other, and what people write in one line.
extension FuzzTarget {
    static let control: [FuzzTarget] = [controlRequest, controlResponse, node, agreedState]

    static let controlRequest = FuzzTarget(
        "control-request", "a line of the control socket: what is read can be written and read again",
        maximumLength: 8192,
        seeds: {
            samples(40) { ControlJSON.encode(ControlRequest(.ask($0.request()))) }
                + [
                    ControlJSON.encode(ControlRequest(.rings)),
                    ControlJSON.encode(ControlRequest(.events(follow: true, after: 7))),
                    ControlJSON.encode(ControlRequest(.shared(.calls))),
                ]
        }
    ) { input in
        guard let request = try? ControlJSON.decode(ControlRequest.self, input.rest(), field: "request")
        else {
            return
        }
        let bytes = ControlJSON.encode(request)
        let again = try? ControlJSON.decode(ControlRequest.self, bytes, field: "request")
        expect(again == request, "another request comes back: \(request)")
        guard case .ask(let asked) = request.body else { return }
        _ = try? RequestCheck.plausible(asked)
        _ = RequestText.obstacle(asked)
    }

    static let controlResponse = FuzzTarget(
        "control-response", "what a node answers the command line", maximumLength: 8192,
        seeds: {
            samples(16) { ControlJSON.encode(ControlResponse.reply($0.reply())) }
                + [
                    ControlJSON.encode(ControlResponse.end),
                    ControlJSON.encode(
                        ControlResponse.rings(
                            RingsReport(
                                node: "fs1",
                                paths: [
                                    .init(
                                        peer: "fs2", network: "a", local: "192.0.2.1", remote: "192.0.2.2",
                                        lossPerMille: 3, gapMedianMs: 25, gapMaxMs: 31, lastHeardMs: 4,
                                        condition: "no faults")
                                ], dropped: [.init(reason: "forged", count: 3)], warnings: []))),
                    ControlJSON.encode(
                        ControlResponse.shared(
                            .limits([.init(kind: "total", key: "a", total: 2, nodes: [])]))),
                ]
        }
    ) { input in
        guard let response = try? ControlJSON.decode(ControlResponse.self, input.rest(), field: "response")
        else { return }
        let again = try? ControlJSON.decode(
            ControlResponse.self, ControlJSON.encode(response), field: "response")
        expect(again == response, "another response comes back: \(response)")
        if case .failure(let text) = response {
            expect(VisibleText.isPlain(VisibleText.of(text)), "something hidden is shown")
            _ = VisibleText.line(text, keepingColours: true)
            _ = VisibleText.of(text, longest: 20)
        }
    }
}
