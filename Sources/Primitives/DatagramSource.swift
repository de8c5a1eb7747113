/// Where a datagram came from, as two numbers: compared and hashed without allocating.
package struct DatagramSource: Hashable, Sendable {
    package var high: UInt64
    package var low: UInt64

    package init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    package init(_ ip: IPAddress) {
        high = 0
        low = 0
        for byte in ip.bytes {
            high = high << 8 | low >> 56
            low = low << 8 | UInt64(byte)
        }
    }
}
