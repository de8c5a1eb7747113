import Lab
import Testing

extension LabSuites {
    /// What a newcomer runs first.
    @Suite("The demonstration") struct DemonstrationTests {
        @Test("it runs to its end: a drain, a dead master, a takeover, all calls back")
        func whole() throws {
            let said = try Launch.check([Programs().fsdns, "demo"], seconds: 180)
            #expect(said.contains("calls revived on fs"))
            #expect(said.contains("40 of 40"))
            #expect(said.contains("everything was stopped and removed again"))
        }
    }
}
