import Primitives
import Testing

@testable import Daemon

@Suite("Wrong passwords")
struct WrongPasswordsTests {
    private var wrong = WrongPasswords()
    private let start = Instant(nanoseconds: 1_000_000_000_000)

    @Test("A few mistakes cost an address nothing but the delay of the answer")
    mutating func mistakes() {
        for _ in 0..<WrongPasswords.tolerated { wrong.add("a", at: start) }
        #expect(wrong.count("a", at: start) == 5)
        for _ in 0..<100 { #expect(wrong.turn("a", at: start) == .now) }
    }

    @Test("After more of them its passwords are looked at one by one, and those that would wait long are not")
    mutating func paced() {
        for _ in 0...WrongPasswords.tolerated { wrong.add("a", at: start) }
        var turns: [WrongPasswords.Turn] = []
        for _ in 0..<1000 { turns.append(wrong.turn("a", at: start)) }
        #expect(turns[0] == .now)
        #expect(turns[1] == .after(.milliseconds(100)))
        #expect(turns[20] == .after(.seconds(2)))
        #expect(turns[21...].allSatisfy { $0 == .never })
        #expect(wrong.turn("b", at: start) == .now)
        #expect(wrong.turn("a", at: start + .seconds(1)) == .after(.milliseconds(1100)))
    }

    @Test("They are forgotten one by one")
    mutating func fading() {
        for _ in 0..<1000 { wrong.add("a", at: start) }
        #expect(wrong.count("a", at: start) == 32)
        #expect(wrong.count("a", at: start + .seconds(9)) == 32)
        #expect(wrong.count("a", at: start + .seconds(100)) == 22)
        #expect(wrong.count("a", at: start + .seconds(105)) == 22)
        #expect(wrong.count("a", at: start + .seconds(320)) == 0)
    }

    @Test("However many addresses there are, what is remembered is bounded, and the newest stay")
    mutating func bounded() {
        for address in 0..<5000 { wrong.add("\(address)", at: start) }
        #expect(wrong.count("0", at: start) == 0)
        #expect(wrong.count("4999", at: start) == 1)
        #expect(wrong.count("904", at: start) == 1)
        #expect(wrong.count("903", at: start) == 0)
    }
}
