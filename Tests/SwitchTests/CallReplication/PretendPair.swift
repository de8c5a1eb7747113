import Primitives
import Switch

/// Two machines, two addresses, and an agreement that moves them.
struct PretendPair {
    static let addresses = ["svcA", "svcB"]
    let streams = PretendStreams()
    var machines: [PretendMachine]
    private(set) var holders: [String: String] = [:]
    private var epoch: UInt64 = 0
    private var made = 0

    init() {
        machines = [PretendMachine("fs1", streams), PretendMachine("fs2", streams)]
        for index in machines.indices { machines[index].connect() }
    }

    func holder(of address: String) -> Int? { machines.firstIndex { $0.name == holders[address] } }

    /// The former holder lets go before the next one takes it.
    mutating func move(_ address: String, to holder: String?) {
        epoch += 1
        streams.writers[address] = nil
        holders[address] = nil
        for index in machines.indices { machines[index].told(holders, epoch: epoch) }
        guard let holder else { return }
        holders[address] = holder
        streams.writers[address] = holder
        for index in machines.indices.reversed() { machines[index].told(holders, epoch: epoch) }
    }

    /// One thing that happens.
    mutating func happen(_ chance: inout SeededGenerator) {
        let index = Int.random(in: 0..<2, using: &chance)
        let address = Self.addresses[Int.random(in: 0..<2, using: &chance)]
        switch Int.random(in: 0..<14, using: &chance) {
        case 0: move(address, to: Int.random(in: 0..<3, using: &chance) == 0 ? nil : machines[index].name)
        case 1: machines[index].restart()
        case 2:
            guard machines[index].isUp else { return }
            machines[index].disconnect()
            // A listing does not take away what was heard less than two seconds before it (`CallTracker.Settings.lag`).
            pass(.seconds(2))
        case 3: if !machines[index].isUp { machines[index].connect() }
        case 4: machines[index].isBlind.toggle()
        case 5: machines[index].tableFailure = Bool.random(using: &chance) ? "locked" : nil
        case 6, 7: call(on: address)
        case 8:
            if let uuid = machines[index].channels.keys.sorted().randomElement(using: &chance) {
                machines[index].hangUp(uuid)
            }
        case 9: pass(.milliseconds(Int.random(in: 1..<3000, using: &chance)))
        default: machines[index].answer()
        }
    }

    private mutating func call(on address: String) {
        guard let holder = holder(of: address), machines[holder].isUp,
            !machines[holder].standby.contains(address)
        else { return }
        made += 1
        machines[holder].call("call-\(made)", on: address)
    }

    private mutating func pass(_ time: Duration) {
        for index in machines.indices { machines[index].pass(time) }
    }

    /// Everything works again, each address goes to somebody, and time passes.
    mutating func calm(_ chance: inout SeededGenerator) {
        for index in machines.indices {
            machines[index].isBlind = false
            machines[index].tableFailure = nil
            if !machines[index].isUp { machines[index].connect() }
        }
        for address in Self.addresses {
            move(address, to: machines[Int.random(in: 0..<2, using: &chance)].name)
        }
        for _ in 0..<100 {
            pass(.seconds(1))
            for index in machines.indices {
                machines[index].give(.rowsAreDue)
                machines[index].give(.looksAreDue)
            }
        }
    }
}
