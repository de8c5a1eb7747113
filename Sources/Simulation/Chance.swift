import Primitives

/// What is left to chance in a world, each concern with a stream of its own: one draw more in the network
/// does not change the weather.
struct Chance: Sendable {
    var machines: SeededGenerator
    var network: SeededGenerator
    var disks: SeededGenerator
    var nameServers: SeededGenerator
    var weather: SeededGenerator
    var workload: SeededGenerator
    var playbooks: SeededGenerator
    var files: SeededGenerator

    init(seed: UInt64) {
        func stream(_ number: UInt64) -> SeededGenerator {
            var mixer = SeededGenerator(seed: seed &* 0x2545_F491_4F6C_DD1D &+ number)
            return SeededGenerator(seed: mixer.next())
        }
        machines = stream(1)
        network = stream(2)
        disks = stream(3)
        nameServers = stream(4)
        weather = stream(5)
        workload = stream(6)
        playbooks = stream(7)
        files = stream(8)
    }
}

// Whole numbers only: the same draws on every machine and with every standard library.
extension SeededGenerator {
    mutating func draw(_ range: ClosedRange<Int64>) -> Int64 {
        let count = UInt64(range.upperBound - range.lowerBound) + 1
        return range.lowerBound + Int64(next() % count)
    }

    mutating func draw(_ range: ClosedRange<Int>) -> Int {
        Int(draw(Int64(range.lowerBound)...Int64(range.upperBound)))
    }

    mutating func happens(perMille: Int) -> Bool {
        perMille > 0 && next() % 1000 < UInt64(perMille)
    }

    mutating func pick<Element>(_ elements: [Element]) -> Element {
        elements[draw(0...(elements.count - 1))]
    }

    /// A few short ones, some long ones: each power of two between the bounds is as likely as another.
    mutating func drawSpan(_ range: ClosedRange<Int64>) -> Int64 {
        var upper = range.upperBound
        while upper / 2 > range.lowerBound, happens(perMille: 500) { upper /= 2 }
        return draw(range.lowerBound...upper)
    }
}
