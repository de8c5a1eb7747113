import Keeper
import KeeperProtocol
import Testing

@Suite struct KeeperAddressTests {
    @Test(
        "an address reads and writes itself as text, and compares by number",
        arguments: [
            "10.0.0.1/24", "0.0.0.0/0", "255.255.255.255/32", "2001:db8::7/64", "::/0", "fe80::1/128",
        ])
    func text(_ text: String) throws {
        let address = try #require(KeeperAddress(text))
        #expect(address.description == text)
        #expect(
            KeeperAddress(family: address.family, bytes: address.bytes, prefixLength: address.prefixLength)
                == address)
    }

    @Test(
        "text that is no address gives nothing",
        arguments: [
            "", "/", "10.0.0/24", "10.0.0.1/33", "10.0.0.1/", "10.0.0.1/24/1", "2001:db8::/129", "x:y",
            "1.2.3.4/-1",
        ])
    func notAnAddress(_ text: String) { #expect(KeeperAddress(text) == nil) }

    @Test(
        "a network contains what shares its first bits, and nothing of the other family",
        arguments: [
            ("10.1.2.0/23", "10.1.3.255/32", true), ("10.1.2.0/23", "10.1.4.0/32", false),
            ("0.0.0.0/0", "203.0.113.9/32", true), ("10.0.0.1/32", "10.0.0.2/32", false),
            ("10.0.0.1/32", "10.0.0.1/24", true), ("2001:db8::/64", "2001:db8::ffff/128", true),
            ("2001:db8::/64", "2001:db8:0:1::/128", false),
            ("2001:db8::/65", "2001:db8::8000:0:0:1/128", false),
            ("2001:db8::4/127", "2001:db8::5/128", true), ("2001:db8::4/127", "2001:db8::6/128", false),
            ("::/0", "10.0.0.1/32", false),
        ])
    func containment(_ network: String, _ address: String, _ isContained: Bool) throws {
        let network = try #require(KeeperAddress(network))
        #expect(network.networkContains(try #require(KeeperAddress(address))) == isContained)
    }
}
