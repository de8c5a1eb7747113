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
        /// To one host of a /64 when that is used up by others of it, and to all such hosts of a /64 together.
        package var perHost = 10
        package var reserve = 100
        /// Beside all of that, to one address that is known (`KnownSources`), and to all known ones.
        package var perKnown = 20
        package var known = 500
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
            earned[place] = min(max(earned[place], now.nanoseconds) + price, now.nanoseconds + Self.second)
        }
    }

    private static let addressBits: UInt64 = 12
    private static let networkBits: UInt64 = 10

    private let seed: UInt64
    private var addresses: Accounts
    private var networks: Accounts
    private var all: Accounts
    /// Of one /128; those of a /64 that one of it does not take from the others.
    private var hosts: Accounts
    private var reserves: Accounts
    private var knownHosts: Accounts
    private var allKnown: Accounts

    package init(_ rates: Rates) {
        seed = rates.seed
        addresses = Accounts(rate: rates.perAddress, count: 1 << Self.addressBits)
        networks = Accounts(rate: rates.perNetwork, count: 1 << Self.networkBits)
        all = Accounts(rate: rates.together, count: 1)
        hosts = Accounts(rate: rates.perHost, count: 1 << Self.addressBits)
        reserves = Accounts(rate: rates.reserve, count: 1 << Self.addressBits)
        knownHosts = Accounts(rate: rates.perKnown, count: 1 << Self.addressBits)
        allKnown = Accounts(rate: rates.known, count: 1)
    }

    /// Takes one answer for that source, or nothing and says no.
    package mutating func take(_ source: DatagramSource, at now: Instant) -> Bool {
        let isV4 = source.high == 0
        let address = place(isV4 ? source.low : source.high, Self.addressBits)
        let network = place(isV4 ? source.low >> 8 : source.high >> 16, Self.networkBits)
        guard networks.hasRoom(network, at: now), all.hasRoom(0, at: now) else { return false }
        let host = place(Self.host(source), Self.addressBits)
        if addresses.hasRoom(address, at: now) {
            addresses.charge(address, at: now)
        } else {
            // Who took it all has no more in his own account than his neighbours, and less when they asked less.
            guard !isV4, hosts.hasRoom(host, at: now), reserves.hasRoom(address, at: now) else {
                return false
            }
            reserves.charge(address, at: now)
        }
        if !isV4 { hosts.charge(host, at: now) }
        networks.charge(network, at: now)
        all.charge(0, at: now)
        return true
    }

    /// Takes one answer for a source that is known, when `take` had none.
    package mutating func takeKnown(_ source: DatagramSource, at now: Instant) -> Bool {
        let host = place(Self.host(source), Self.addressBits)
        guard knownHosts.hasRoom(host, at: now), allKnown.hasRoom(0, at: now) else { return false }
        knownHosts.charge(host, at: now)
        allKnown.charge(0, at: now)
        return true
    }

    /// Of the whole address; those of one /64 must not follow from each other.
    private static func host(_ source: DatagramSource) -> UInt64 {
        source.low ^ (source.high &* 0x9E37_79B9_7F4A_7C15)
    }

    private func place(_ key: UInt64, _ bits: UInt64) -> Int {
        // Twice, so that the high bits depend on every bit of the key.
        let mixed = (key ^ seed) &* 0x9E37_79B9_7F4A_7C15
        return Int(truncatingIfNeeded: ((mixed ^ mixed >> 32) &* (seed | 1)) >> (64 - bits))
    }
}
