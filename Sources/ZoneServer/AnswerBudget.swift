import Primitives

/// How many requests that came by UDP are answered in full. The sender's address may be forged, so that an answer goes to
/// somebody who never asked, and each costs time that others wait for.
///
/// A value that is told the time. Addresses that share a place in a table share its budget; which do, nobody outside knows.
package struct AnswerBudget: Sendable {
    /// Answers a second; as many may come at once.
    package struct Rates: Hashable, Sendable {
        /// To one address (IPv6: one /64).
        package var perAddress = 200
        /// To one network (IPv4: /24, IPv6: /48).
        package var perNetwork = 1000
        package var together = 2000
        /// Which addresses share a place in a table follows from it.
        package var seed = UInt64.random(in: .min ... .max)

        package init() {}
    }

    /// When what was taken at one rate is earned again, in nanoseconds; never more than a second ahead.
    private struct Accounts {
        private static let second: Int64 = 1_000_000_000
        private let price: Int64
        private var earned: [Int64]

        init(rate: Int, count: Int) {
            price = Self.second / Int64(min(max(rate, 1), 1_000_000_000))
            earned = [Int64](repeating: 0, count: count)
        }

        func hasRoom(_ place: Int, at now: Instant) -> Bool {
            earned[place] - now.nanoseconds <= Self.second - price
        }

        mutating func charge(_ place: Int, at now: Instant) {
            earned[place] = max(earned[place], now.nanoseconds) + price
        }
    }

    private static let addressBits: UInt64 = 12
    private static let networkBits: UInt64 = 10

    private let seed: UInt64
    private var addresses: Accounts
    private var networks: Accounts
    private var all: Accounts

    package init(_ rates: Rates) {
        seed = rates.seed
        addresses = Accounts(rate: rates.perAddress, count: 1 << Self.addressBits)
        networks = Accounts(rate: rates.perNetwork, count: 1 << Self.networkBits)
        all = Accounts(rate: rates.together, count: 1)
    }

    /// Takes one answer for that source, or nothing and says no.
    package mutating func take(_ source: DatagramSource, at now: Instant) -> Bool {
        let isV4 = source.high == 0
        let address = place(isV4 ? source.low : source.high, Self.addressBits)
        let network = place(isV4 ? source.low >> 8 : source.high >> 16, Self.networkBits)
        guard addresses.hasRoom(address, at: now), networks.hasRoom(network, at: now),
            all.hasRoom(0, at: now)
        else { return false }
        addresses.charge(address, at: now)
        networks.charge(network, at: now)
        all.charge(0, at: now)
        return true
    }

    private func place(_ key: UInt64, _ bits: UInt64) -> Int {
        // Twice, so that the high bits depend on every bit of the key.
        let mixed = (key ^ seed) &* 0x9E37_79B9_7F4A_7C15
        return Int(truncatingIfNeeded: ((mixed ^ mixed >> 32) &* (seed | 1)) >> (64 - bits))
    }
}
