/// Measured values of one kind, and what is told about them.
package struct Sample: Sendable {
    /// In rising order.
    package let values: [Double]

    package init(_ values: some Sequence<Double>) { self.values = values.sorted() }

    package var median: Double? {
        guard !values.isEmpty else { return nil }
        return (values[(values.count - 1) / 2] + values[values.count / 2]) / 2
    }

    /// The smallest value that 95 of 100 do not exceed (nearest rank).
    package var percentile95: Double? {
        values.isEmpty ? nil : values[(values.count * 95 + 99) / 100 - 1]
    }

    package var maximum: Double? { values.last }
}
