import DNSMessages
import Testing

@Suite("Domain names")
struct DNSNameTests {
    @Test("text with and without a final dot is the same absolute name")
    func finalDot() throws {
        #expect(try DNSName("sip.voip.example.net") == DNSName("sip.voip.example.net."))
        #expect(try DNSName("sip.voip.example.net").description == "sip.voip.example.net.")
        #expect(try DNSName(".") == .root)
    }

    @Test("case is kept for printing and ignored by equality, hash and order")
    func letterCase() throws {
        let upper = try DNSName("SIP.Example.")
        let lower = try DNSName("sip.example.")
        #expect(upper == lower)
        #expect(Set([upper, lower]).count == 1)
        #expect(!(upper < lower) && !(lower < upper))
        #expect(upper.description == "SIP.Example.")
        #expect(upper.canonicalWire == lower.wire)
    }

    @Test("escapes are read and printed by number")
    func escapes() throws {
        let name = try DNSName(#"a\.b\032c\\.example"#)
        #expect(name.labels.first.map(Array.init) == Array("a.b c\\".utf8))
        #expect(name.description == #"a\046b\032c\092.example."#)
        #expect(try DNSName(name.description) == name)
    }

    @Test(
        "text that is no name is refused",
        arguments: ["", "a..b", ".a", String(repeating: "x", count: 64) + ".example", "a\u{0}b", "a\\"])
    func refusals(text: String) {
        #expect(throws: DNSFailure.self) { try DNSName(text) }
    }

    @Test("a name of 255 bytes is taken, one of 256 is not")
    func lengthLimit() throws {
        let label = String(repeating: "x", count: 63) + "."
        let longest = label + label + label + String(repeating: "y", count: 61)
        #expect(try DNSName(longest).wire.count == 255)
        #expect(throws: DNSFailure.self) { try DNSName(longest + "y") }
    }

    @Test("relative text is put under the origin, absolute text is not")
    func relative() throws {
        let zone = try DNSName("voip.example.net")
        #expect(try DNSName("sip", relativeTo: zone) == DNSName("sip.voip.example.net"))
        #expect(try DNSName("@", relativeTo: zone) == zone)
        #expect(try DNSName("other.org.", relativeTo: zone) == DNSName("other.org"))
        #expect(try DNSName(#"dot\."#, relativeTo: zone).labels.count == 4)
    }

    @Test("names stand in canonical order, the parent before its children")
    func canonicalOrder() throws {
        let ordered = try ["example.", "a.example.", "z.a.example.", "B.example.", "*.z.example.", "f."]
            .map { try DNSName($0) }
        #expect(ordered.reversed().sorted() == ordered)
    }

    @Test("a name lies under itself and its ancestors only")
    func subdomains() throws {
        let name = try DNSName("a.B.example")
        #expect(name.isSubdomain(of: name))
        #expect(name.isSubdomain(of: try DNSName("b.example")))
        #expect(name.isSubdomain(of: .root))
        #expect(!name.isSubdomain(of: try DNSName("xb.example")))
        #expect(try !DNSName("example").isSubdomain(of: name))
        #expect(name.parent == (try DNSName("b.example")))
        #expect(DNSName.root.parent == nil)
    }

    @Test("wire bytes that are no single name are refused")
    func wireRefusals() {
        let bad: [[UInt8]] = [
            [], [1], [1, 97], [0, 0], [0xC0, 0], [64, 1], [1, 97, 0, 0],
            [UInt8](repeating: 1, count: 256) + [0],
        ]
        for wire in bad { #expect(DNSName(wire: wire) == nil, "\(wire.prefix(8))") }
        #expect(DNSName(wire: [1, 97, 0])?.description == "a.")
    }
}
