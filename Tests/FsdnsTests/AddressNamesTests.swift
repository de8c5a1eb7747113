import Testing

@testable import fsdns

/// What a word after --address means.
@Suite struct AddressNamesTests {
    private func names() throws -> AddressNames {
        var report = try StatusFixture.report()
        report.maintenance.names = report.maintenance.addresses.indices.map { "idle\($0)" }
        return AddressNames(report: report)
    }

    @Test("an address is meant by its name, its IP, its seat and the node that holds it") func ways() throws {
        let names = try names()
        let seat = try #require(names.report.seats.first { $0.holder != nil })
        let holder = try #require(seat.holder)
        for word in [seat.addressName, seat.address, seat.name] {
            #expect(try names.named(word) == [seat.addressName], "\(word)")
        }
        #expect(try names.named(holder).contains(seat.addressName))
        if let idle = names.report.maintenance.addresses.first {
            #expect(try names.named(idle) == ["idle0"])
        }
    }

    @Test("what is none of these is refused, with what there is") func unknown() throws {
        let names = try names()
        do {
            _ = try names.named("gamma9")
            Issue.record("gamma9 was taken for something")
        } catch {
            #expect(error.exitCode == 2)
            #expect(error.lines.joined().contains(names.report.seats[0].name))
        }
    }

    @Test("what is left at a node are the addresses it holds, with a seat or not, and its calls")
    func departure() throws {
        let report = try StatusFixture.report()
        let line = try #require(report.nodes.first { $0.name == "fs1" })
        #expect(!line.addresses.isEmpty)
        #expect(Departure(node: "fs1", report: report).addresses == line.addresses)
        #expect(Departure(node: "fs1", report: report).calls == 412)
        #expect(!Departure(node: "fs1", report: report).isEmpty)
        #expect(Departure(node: "fs9", report: report).isEmpty)
    }
}
