import Primitives
import Switch
import Testing

/// When copies of registrations whose time ran out are taken out.
@Suite struct RegistrationEndingsTests {
    @Test("copies whose time ran out are taken out a little later than their holder would") func ends() {
        var endings = RegistrationEndings()
        let start = Instant.zero + .seconds(100)
        func add(_ key: UInt8, after seconds: Int) -> Bool {
            endings.add([key], of: "alpha", at: start + .seconds(seconds))
        }
        func take(after seconds: Int) -> [UInt8]? { endings.take(at: start + .seconds(seconds))?.key }
        #expect(add(1, after: 0))
        #expect(add(2, after: 1))
        #expect(take(after: 89) == nil)
        #expect(endings.nextDeadline == start + .seconds(90))
        #expect(take(after: 90) == [1])
        #expect(take(after: 90) == nil)
        // No more than there is room for.
        #expect((0..<100_000).count { _ in add(3, after: 2) } == 99_999)
        #expect((0...100_000).count { _ in take(after: 200) != nil } == 100_000)
        #expect(endings.nextDeadline == nil)
    }
}
