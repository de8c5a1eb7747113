import Cluster
import NIOCore
import NIOPosix
import Primitives
import Switch
import Testing

@testable import Daemon

@Suite("What is seen of others' addresses")
struct OutsideViewTests {
    private func asked(watchesNetwork: Bool) throws -> [Ask] {
        var asking = Sharing.Asking()
        asking.watchesNetwork = watchesNetwork
        let address = ServiceAddress(
            name: "alpha", ip: try #require(IPAddress("127.0.78.31")), prefixLength: 8)
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        return try loop.submit { [asking] in
            let view = OutsideView(loop: loop, asking: asking, log: .silent)
            defer { view.stop() }
            // Without a profile that tells a port nothing is sent.
            view.ask([Ask(address: address, epoch: Epoch(term: 1, index: 2))], [])
            return view.asks
        }.wait()
    }

    @Test(
        "on loopback, where every machine has every address, nobody judges an address that another node holds"
    )
    func loopback() throws {
        #expect(try asked(watchesNetwork: false).isEmpty)
        #expect(try asked(watchesNetwork: true).map(\.address.name) == ["alpha"])
    }
}
