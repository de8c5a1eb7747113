import Primitives

/// Asks one address again and again who holds it, and remembers when the answers changed.
struct TakeoverClock: ~Copyable {
    /// How one takeover looked to somebody who used the address.
    struct Measurement: Hashable, Sendable {
        var from: String
        var to: String
        /// Last answer of the old holder to the first of the new.
        var gap: Duration
    }

    /// Between two questions.
    private static let interval = Duration.milliseconds(1)

    private let probe: DatagramProbe
    private let clock = Stopwatch()

    init(_ address: Endpoint) throws(DemoFailure) {
        do throws(DatagramProbe.Failure) { probe = try DatagramProbe(connectedTo: address) } catch {
            throw DemoFailure("cannot probe \(address): error \(error.number)")
        }
    }

    /// Who answers now; nil when nobody does within `patience`.
    func holder(within patience: Duration) -> String? {
        let end = clock.elapsed + patience
        while clock.elapsed < end {
            if let name = ask() { return name }
        }
        return nil
    }

    /// Kills the holder in the middle of being asked, and goes on until another answers.
    func measure(_ from: String, within patience: Duration, kill: () -> Void) -> Measurement? {
        guard holder(within: .seconds(1)) == from else { return nil }
        var last = clock.elapsed
        kill()
        let end = clock.elapsed + patience
        while clock.elapsed < end {
            guard let name = ask() else { continue }
            let now = clock.elapsed
            if name != from { return Measurement(from: from, to: name, gap: now - last) }
            last = now
        }
        return nil
    }

    private func ask() -> String? {
        let asked = clock.elapsed
        probe.send([0x3F])
        if let bytes = probe.receive(within: Self.interval) {
            let left = Self.interval - (clock.elapsed - asked)
            if left > .zero { Stopwatch.sleep(left) }
            // The keeper answers with a line: its node's name.
            return String(decoding: bytes.prefix { $0 != 10 }, as: UTF8.self)
        }
        return nil
    }
}
