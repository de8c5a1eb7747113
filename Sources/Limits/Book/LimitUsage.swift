/// What one origin uses of one mod_hiredis key.
package struct CounterUsage: Hashable, Sendable {
    /// Counted by the commands of its own switch.
    package var counted: UInt32
    /// Held by legs that were revived there, whose switch does not count them.
    package var adopted: UInt32

    package init(counted: UInt32 = 0, adopted: UInt32 = 0) {
        self.counted = counted
        self.adopted = adopted
    }

    package var total: UInt64 { UInt64(counted) + UInt64(adopted) }
}

/// What one origin uses of one mod_hash key: a line of `hash_dump limit`.
package struct HashUsage: Hashable, Sendable {
    /// Calls that hold the key, as the switch counts them.
    package var total: UInt32
    /// Held by legs that were revived there, whose switch does not count them.
    package var adopted: UInt32
    /// Attempts in the window that began at `lastCheck`, refused ones too.
    package var rate: UInt32
    /// Of the window, in seconds.
    package var interval: UInt32
    /// When the window began, in seconds since 1970 UTC by the origin's wall clock.
    package var lastCheck: UInt64

    package init(
        total: UInt32 = 0, adopted: UInt32 = 0, rate: UInt32 = 0, interval: UInt32 = 0, lastCheck: UInt64 = 0
    ) {
        self.total = total
        self.adopted = adopted
        self.rate = rate
        self.interval = interval
        self.lastCheck = lastCheck
    }

    /// Of two lines about one key: that with more calls, and that with more attempts.
    func larger(_ other: HashUsage) -> HashUsage {
        var usage = rate >= other.rate ? self : other
        usage.total = max(total, other.total)
        return usage
    }

    /// Whether the rate still counts; mod_hash lists it long after its window.
    package func isRateCurrent(at wall: UInt64) -> Bool {
        rate > 0 && (wall < lastCheck || wall - lastCheck < UInt64(interval))
    }
}

/// The payload of a limit record: a kind byte, then LEB128 numbers; 3 to 28 bytes.
package enum LimitUsage: Hashable, Sendable {
    case counter(CounterUsage)
    case hash(HashUsage)

    package var bytes: [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(16)
        func append(_ number: UInt64) {
            var rest = number
            while rest >= 0x80 {
                bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
                rest >>= 7
            }
            bytes.append(UInt8(rest))
        }
        switch self {
        case .counter(let usage):
            bytes.append(1)
            append(UInt64(usage.counted))
            append(UInt64(usage.adopted))
        case .hash(let usage):
            bytes.append(2)
            for number in [usage.total, usage.adopted, usage.rate, usage.interval] { append(UInt64(number)) }
            append(usage.lastCheck)
        }
        return bytes
    }

    /// Nil when the bytes are no usage: an unknown kind, a number past its bound, too few bytes or too many.
    package init?(bytes: [UInt8]) {
        var position = 1
        func number() -> UInt64? {
            var value: UInt64 = 0
            for shift in stride(from: UInt64(0), to: 63, by: 7) {
                guard position < bytes.count else { return nil }
                let next = bytes[position]
                position += 1
                value |= UInt64(next & 0x7F) << shift
                if next < 0x80 { return value }
            }
            return nil
        }
        func count() -> UInt32? {
            guard let value = number(), value <= UInt64(LimitBounds.count) else { return nil }
            return UInt32(value)
        }
        switch bytes.first {
        case 1:
            guard let counted = count(), let adopted = count() else { return nil }
            self = .counter(CounterUsage(counted: counted, adopted: adopted))
        case 2:
            guard let total = count(), let adopted = count(), let rate = count(), let interval = count(),
                let lastCheck = number()
            else { return nil }
            self = .hash(
                HashUsage(
                    total: total, adopted: adopted, rate: rate, interval: interval, lastCheck: lastCheck))
        default: return nil
        }
        guard position == bytes.count else { return nil }
    }
}
