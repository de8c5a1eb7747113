import Testing

@testable import fsdns

@Suite("Site of the demonstration") struct DemoSiteTests {
    /// Slaves that tell another port than the holder stand not ready, and a drain is refused.
    @Test("stand-in switches of one machine tell the same SIP port, as machines that are alike do")
    func ports() {
        let site = DemoSite(directory: "/tmp", network: "127.1.1")
        for node in DemoSite.nodes {
            let profiles = site.switchArguments(node).filter { $0.hasPrefix("name=") }
            #expect(!profiles.isEmpty && profiles.allSatisfy { $0.contains(",told-port=5060,") })
        }
    }
}
