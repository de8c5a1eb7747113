import EventSocket
import NIOCore
import NIOPosix
import Synchronization
import Testing

@testable import Daemon

@Suite("Lists of limits at the console")
struct ConsoleDumpTests {
    @Test(
        "who may only look gets one at a time, with room for others in between; who may change something at once"
    )
    func turns() throws {
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let answers = Mutex(0)
        let console = try loop.submit {
            NIOLoopBound(
                Console(
                    loop: loop, program: "/bin/echo", controlPath: "/c.sock",
                    origin: EventStamp.Origin(coreUUID: "u", hostname: "h", switchname: "fs1"),
                    names: { ConsoleNames(nodes: [], seats: []) },
                    hashDump: { [UInt8](repeating: 10, count: 1 << 20) }, log: .silent), eventLoop: loop)
        }.wait()
        func ask(_ count: Int, mayChange: Bool) throws -> Int {
            try loop.submit {
                for _ in 0..<count {
                    console.value.run(.limitDump, asker: "a", mayChange: mayChange) { _ in
                        answers.withLock { $0 += 1 }
                    }
                }
                return answers.withLock { $0 }
            }.wait()
        }
        #expect(try ask(50, mayChange: false) == 1)
        #expect(try eventually { answers.withLock { $0 } == 50 })
        #expect(try ask(50, mayChange: true) == 100)
        try loop.submit { console.value.stop() }.wait()
    }
}
