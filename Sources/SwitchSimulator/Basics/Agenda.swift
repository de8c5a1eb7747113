/// What is to be done later, soonest first; equal times in the order they were noted.
struct Agenda<Item: Sendable>: Sendable {
    private struct Entry: Sendable {
        var at: Timestamp
        var order: UInt64
        var item: Item

        func isBefore(_ other: Entry) -> Bool { at == other.at ? order < other.order : at < other.at }
    }
    private var heap: [Entry] = []
    private var order: UInt64 = 0

    var next: Timestamp? { heap.first?.at }
    var count: Int { heap.count }

    mutating func note(_ item: Item, at: Timestamp) {
        order += 1
        heap.append(Entry(at: at, order: order, item: item))
        var index = heap.count - 1
        while index > 0, heap[index].isBefore(heap[(index - 1) / 2]) {
            heap.swapAt(index, (index - 1) / 2)
            index = (index - 1) / 2
        }
    }

    /// The soonest item that is due at `now`.
    mutating func take(dueAt now: Timestamp) -> (item: Item, at: Timestamp)? {
        guard let first = heap.first, first.at <= now else { return nil }
        heap.swapAt(0, heap.count - 1)
        heap.removeLast()
        var index = 0
        while true {
            var least = index
            for child in [2 * index + 1, 2 * index + 2]
            where child < heap.count && heap[child].isBefore(heap[least]) {
                least = child
            }
            if least == index { break }
            heap.swapAt(index, least)
            index = least
        }
        return (first.item, first.at)
    }
}
