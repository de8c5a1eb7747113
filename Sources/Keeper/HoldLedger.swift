import CLinux
@preconcurrency import Glibc
import KeeperProtocol
import Primitives

/// Until when the keeper holds which address, in memory that it shares with its guard, which removes what the keeper does
/// not (`HoldGuard`).
///
/// One keeper writes, one guard reads, and notes when it did. Each number is written whole; the list of addresses changes only between two changes
/// of the generation.
final class HoldLedger {
    struct Entry: Equatable {
        let address: KeeperAddress
        /// When the hold ends.
        let until: Instant
    }

    private enum Place {
        static let magic = 0
        /// Odd while the list is being written.
        static let generation = 1
        static let count = 2
        /// When the guard looked last.
        static let look = 3
        static let first = 4
        /// Family and prefix length, the address in two numbers, and the end of its hold or 0.
        static let width = 4
    }
    private static let magic: Int64 = 0x6673_646e_735f_6c32
    private static let bytes = (Place.first + Place.width * KeeperLimits.managedAddresses) * 8

    /// Of the memory file, to be handed on.
    let descriptor: Int32
    private let words: UnsafeMutablePointer<Int64>
    private var managed: [KeeperAddress] = []

    /// New memory in a file without a name, whose descriptor is handed on.
    convenience init() throws(SystemFailure) {
        let file = clinux_memory_file("fsdns-holds")
        guard file >= 0, ftruncate(file, Self.bytes) == 0, let words = Self.map(file) else {
            let failure = SystemFailure("shared memory")
            if file >= 0 { close(file) }
            throw failure
        }
        self.init(file, words)
        clinux_store(words + Place.magic, Self.magic)
    }

    /// The memory that a starter handed on; nil when that descriptor is none.
    convenience init?(descriptor: Int32) {
        var facts = stat()
        guard fstat(descriptor, &facts) == 0, facts.st_size == Self.bytes, let words = Self.map(descriptor)
        else { return nil }
        guard clinux_load(words + Place.magic) == Self.magic else {
            munmap(words, Self.bytes)
            return nil
        }
        self.init(fcntl(descriptor, F_DUPFD_CLOEXEC, 10), words)
    }

    private init(_ descriptor: Int32, _ words: UnsafeMutablePointer<Int64>) {
        self.descriptor = descriptor
        self.words = words
    }

    deinit {
        munmap(words, Self.bytes)
        if descriptor >= 0 { close(descriptor) }
    }

    private static func map(_ file: Int32) -> UnsafeMutablePointer<Int64>? {
        guard let memory = mmap(nil, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0), memory != MAP_FAILED
        else { return nil }
        return memory.bindMemory(to: Int64.self, capacity: bytes / 8)
    }

    // MARK: The keeper

    /// From now on it is about these; none of them is held.
    func manage(_ addresses: [KeeperAddress]) {
        let generation = clinux_load(words + Place.generation)
        clinux_store(words + Place.generation, generation | 1)
        managed = Array(addresses.prefix(KeeperLimits.managedAddresses))
        for (index, address) in managed.enumerated() {
            let slot = words + Place.first + Place.width * index
            let bytes = address.bytes + [UInt8](repeating: 0, count: 16 - address.bytes.count)
            func number(_ some: ArraySlice<UInt8>) -> Int64 {
                Int64(bitPattern: some.reduce(UInt64(0)) { $0 << 8 | UInt64($1) })
            }
            clinux_store(slot, Int64(address.family.rawValue) << 8 | Int64(address.prefixLength))
            clinux_store(slot + 1, number(bytes[0..<8]))
            clinux_store(slot + 2, number(bytes[8..<16]))
            clinux_store(slot + 3, 0)
        }
        clinux_store(words + Place.count, Int64(managed.count))
        clinux_store(words + Place.generation, (generation | 1) &+ 1)
    }

    /// - Parameter end: when the hold of an address ends; nil when it is not held.
    func note(_ end: (KeeperAddress) -> Instant?) {
        for (index, address) in managed.enumerated() {
            clinux_store(
                words + Place.first + Place.width * index + 3,
                end(address).map { max(1, $0.nanoseconds) } ?? 0)
        }
    }

    /// When the guard looked last; in the distant past when it never did.
    var lastLook: Instant { Instant(nanoseconds: clinux_load(words + Place.look)) }

    // MARK: The guard

    /// The guard looks now, and so is alive.
    func noteLook(at now: Instant) { clinux_store(words + Place.look, now.nanoseconds) }

    /// What is held now; empty while the list is being written.
    func read() -> [Entry] {
        let generation = clinux_load(words + Place.generation)
        let count = clinux_load(words + Place.count)
        guard generation & 1 == 0, (0...Int64(KeeperLimits.managedAddresses)).contains(count) else {
            return []
        }
        let entries = (0..<Int(count)).compactMap { index -> Entry? in
            let slot = words + Place.first + Place.width * index
            let (head, until) = (clinux_load(slot), clinux_load(slot + 3))
            guard until != 0,
                let family = KeeperAddress.Family(rawValue: UInt8(truncatingIfNeeded: head >> 8))
            else { return nil }
            let numbers = [clinux_load(slot + 1), clinux_load(slot + 2)]
            let bytes = numbers.flatMap { number in
                (0..<8).map { UInt8(truncatingIfNeeded: number >> Int64(56 - 8 * $0)) }
            }
            return KeeperAddress(
                family: family, bytes: bytes.prefix(family.length),
                prefixLength: UInt8(truncatingIfNeeded: head)
            ).map { Entry(address: $0, until: Instant(nanoseconds: until)) }
        }
        return clinux_load(words + Place.generation) == generation ? entries : []
    }
}
