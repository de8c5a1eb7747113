import EventSocket
import Testing

/// Gives a recorded client's bytes to a `ServerSession` and plays its owner, with the recorded answers and events.
///
/// What the session says is not taken from the recording: frames, replies and the order of things are its own, only what an `api` command
/// printed and what an event says are the recording's.
struct ServerReplay {
    private var session: ServerSession
    /// The recorded server's frames that are yet to come.
    private var expected: [Frame]
    private(set) var sent: [UInt8] = []
    private(set) var isClosed = false
    private var framesSent = 0
    private var decoder = FrameDecoder()
    /// `bgapi` commands without an answer yet.
    private var jobs: [UInt64] = []
    /// Events the session handed over to be stamped and published.
    private var unstamped: [SwitchEvent] = []
    private var waiting: UInt64?

    init(_ conversation: Conversation, configuration: ServerConfiguration) throws {
        session = ServerSession(configuration: configuration, seed: 7)
        var decoder = FrameDecoder()
        decoder.append(conversation.server)
        var frames: [Frame] = []
        while let frame = try decoder.next() { frames.append(frame) }
        expected = frames
    }

    /// All that the session says, given the recorded client's bytes in pieces.
    mutating func run(_ pieces: [[UInt8]]) throws {
        try take(session.handle(.accepted))
        for piece in pieces {
            try take(session.handle(.received(piece)))
            try play()
        }
    }

    /// Does what the recorded server did next of its own accord, as long as it did.
    private mutating func play() throws {
        while framesSent < expected.count {
            let next = expected[framesSent]
            if let id = waiting, next.contentType == "api/response" {
                waiting = nil
                try take(session.handle(.answer(id, next.body)))
            } else if case .event(let event) = try ServerMessage(next) {
                let before = framesSent
                try publish(event)
                guard framesSent > before else { return }
            } else if case .disconnectNotice(let notice) = try ServerMessage(next), notice.reason == .shutdown
            {
                try take(session.handle(.stop))
            } else {
                return
            }
        }
    }

    private mutating func publish(_ recorded: SwitchEvent) throws {
        if recorded.name == "BACKGROUND_JOB", !jobs.isEmpty {
            try take(session.handle(.answer(jobs.removeFirst(), recorded.body)))
        }
        guard let own = unstamped.first, own.name == recorded.name else {
            return try take(session.handle(.publish(recorded)))
        }
        unstamped.removeFirst()
        try take(session.handle(.publish(own.stamped(try stamp(of: recorded)))))
    }

    /// The volatile part of a recorded event.
    private func stamp(of event: SwitchEvent) throws -> EventStamp {
        func text(_ name: String) throws -> String { try #require(event[name]) }
        return EventStamp(
            origin: EventStamp.Origin(
                coreUUID: try text("Core-UUID"), hostname: try text("FreeSWITCH-Hostname"),
                switchname: try text("FreeSWITCH-Switchname"), ipv4: try text("FreeSWITCH-IPv4"),
                ipv6: try text("FreeSWITCH-IPv6")),
            microseconds: try #require(Int64(try text("Event-Date-Timestamp"))),
            file: try text("Event-Calling-File"),
            function: try text("Event-Calling-Function"),
            line: try #require(Int(try text("Event-Calling-Line-Number"))),
            sequence: try #require(UInt64(try text("Event-Sequence"))))
    }

    private mutating func take(_ outputs: [ServerSession.Output]) throws {
        for output in outputs {
            switch output {
            case .send(let bytes):
                #expect(!isClosed)
                sent += bytes
                decoder.append(bytes)
                while try decoder.next() != nil { framesSent += 1 }
            case .run(let request) where request.jobUUID != nil: jobs.append(request.id)
            case .run(let request):
                #expect(waiting == nil)
                waiting = request.id
                try play()
            case .sendevent(let event), .jobDone(let event): unstamped.append(event)
            case .close: isClosed = true
            case .authenticated, .passwordRefused: break
            case .sendAfter, .closeAfter, .lostEvents, .failed: Issue.record("unexpected \(output)")
            }
        }
    }
}
