import Cluster
import Consensus
import Glibc
import Primitives
import Testing

@testable import Daemon

@Suite("Storage")
struct StorageTests {
    private typealias Request = StoreRequest<StampedCommand, ControlState>
    private let directory = TemporaryDirectory()
    private var path: String { "\(directory.path)/state.sqlite" }
    private let member = MemberID(name: "fs1", birth: 7)

    private func open() throws(ServiceFailure) -> StateFile {
        try StateFile(path: path, node: "fs1", birth: { 0xF000_0000_0000_0007 })
    }

    private func entry(_ index: Index, term: Term = 1) -> ControlEntry {
        ControlEntry(
            term: term, index: index,
            payload: .command(
                StampedCommand(
                    time: .zero, command: .maintenance(node: "fs\(index)", nil))))
    }

    private func snapshot(at index: Index) -> ControlSnapshot {
        let settings = ClusterSettings(cluster: "pbx", expect: 1, addresses: [], seats: [])
        return ControlSnapshot(
            epoch: Epoch(term: 1, index: index), membership: Membership(voters: [member]),
            membershipEpoch: Epoch(term: 1, index: 1), state: ControlState(clusterID: 9, settings: settings))
    }

    @Test("a new file gives a birth and nothing else, and keeps the birth")
    func fresh() throws {
        let first = try open().contents()
        #expect(first.birth == 0xF000_0000_0000_0007)
        #expect(first.incarnation == 0)
        #expect(first.restored == Raft.Restored())
        let again = try StateFile(path: path, node: "fs1", birth: { 1 }).contents()
        #expect(again.birth == first.birth)
    }

    @Test("what is stored comes back after the file is opened again")
    func roundTrip() throws {
        let hardState = HardState(term: 1 << 63 | 5, vote: member)
        let storage = try open()
        try storage.write([
            .store(Request(sequence: 1, hardState: hardState, entries: [entry(1), entry(2), entry(3)])),
            .store(Request(sequence: 2, truncateFrom: 3, entries: [entry(3, term: 2)])),
            .recordIncarnation(3 << 32 | 0xFFFF_FFFF),
        ])
        let contents = try open().contents()
        #expect(contents.restored.hardState == hardState)
        #expect(contents.restored.entries == [entry(1), entry(2), entry(3, term: 2)])
        #expect(contents.incarnation == 3 << 32 | 0xFFFF_FFFF)
    }

    @Test("a snapshot replaces the one before and the entries it makes needless")
    func compaction() throws {
        let file = try open()
        let vote = HardState(term: 1, vote: nil)
        try file.write([.store(Request(sequence: 1, hardState: vote, entries: (1...5).map { entry($0) }))])
        try file.write([.store(Request(sequence: 2, snapshot: snapshot(at: 2)))])
        try file.write([.store(Request(sequence: 3, snapshot: snapshot(at: 4), firstIndexKept: 4))])
        let restored = try open().contents().restored
        #expect(restored.snapshot == snapshot(at: 4))
        #expect(restored.entries == [entry(4), entry(5)])
    }

    @Test("answers come in the order of the requests, one for each, once durable")
    func answers() throws {
        let mailbox = Mailbox<Event>()
        let storage = Storage(file: try open(), directory: directory.path, answer: { mailbox.put($0) })
        storage.enqueue(.store(Request(sequence: 1, hardState: HardState(term: 1, vote: nil))))
        for sequence in UInt64(2)...100 {
            storage.enqueue(.store(Request(sequence: sequence, entries: [entry(sequence - 1)])))
        }
        storage.enqueue(.recordIncarnation(5))
        for sequence in UInt64(1)...100 { #expect(mailbox.next() == .stored(sequence: sequence)) }
        #expect(mailbox.next() == .incarnationRecorded(5))
        #expect(try open().contents().restored.entries.count == 99)
    }

    @Test("a write that cannot be made is answered as failed, and nothing of it is kept")
    func failure() throws {
        let mailbox = Mailbox<Event>()
        let storage = Storage(file: try open(), directory: directory.path, answer: { mailbox.put($0) })
        storage.enqueue(
            .store(
                Request(
                    sequence: 1, hardState: HardState(term: 9, vote: nil), entries: [entry(1), entry(1)])))
        guard case .storeFailed(let sequence, let reason) = mailbox.next() else {
            Issue.record("a failure expected")
            return
        }
        #expect(sequence == 1)
        #expect(reason.contains(path))
        #expect(try open().contents().restored.hardState.term == 0)
    }

    @Test("what a full disk does not take is written once there is room, in order, and told of meanwhile")
    func fullDisk() throws {
        let mailbox = Mailbox<Event>()
        let file = try open()
        let storage = Storage(file: file, directory: directory.path, answer: { mailbox.put($0) })
        #expect(storage.trouble(at: Instant.now()) == nil)
        // SQLite's own limit gives the same error as a full disk.
        try file.database.write { try $0.execute(sql: "PRAGMA max_page_count = 1") }
        for sequence in UInt64(1)...2 {
            let entries = (1...500).map { entry(Index($0) + (sequence - 1) * 500) }
            let vote = HardState(term: 1, vote: nil)
            storage.enqueue(.store(Request(sequence: sequence, hardState: vote, entries: entries)))
        }
        var trouble: Blocker?
        repeat { trouble = storage.trouble(at: Instant.now()) } while trouble == nil
        #expect(trouble?.kind == .disk)
        #expect(trouble?.text.contains("the disk is full: make room in \(directory.path)") == true)
        try file.database.write { try $0.execute(sql: "PRAGMA max_page_count = 100000") }
        for sequence in UInt64(1)...2 { #expect(mailbox.next() == .stored(sequence: sequence)) }
        storage.finish()
        #expect(storage.trouble(at: Instant.now()) == nil)
        #expect(try open().contents().restored.entries.count == 1000)
    }

    @Test("a node that ends does not wait for room")
    func endsWhileFull() throws {
        let mailbox = Mailbox<Event>()
        let file = try open()
        let storage = Storage(file: file, directory: directory.path, answer: { mailbox.put($0) })
        try file.database.write { try $0.execute(sql: "PRAGMA max_page_count = 1") }
        storage.enqueue(.store(Request(sequence: 1, entries: (1...500).map { entry($0) })))
        storage.finish()
        guard case .storeFailed(1, let reason) = mailbox.next() else {
            Issue.record("a failure expected")
            return
        }
        #expect(reason.contains("is full"))
    }

    @Test("room set aside at the start is enough for thousands of decisions on a disk that filled up since")
    func reserve() throws {
        let file = try open()
        #expect(file.reserveRoom() == nil)
        #expect(file.reserveRoom() == nil)
        let size = read(path).count
        #expect(size >= 4 << 20)
        #expect(size < 5 << 20, "asked twice, set aside once")
        try file.database.write { try $0.execute(sql: "PRAGMA max_page_count = 1") }
        for sequence in UInt64(0)..<20 {
            let entries = (1...200).map { entry(Index($0) + sequence * 200) }
            try file.write([.store(Request(sequence: sequence + 1, entries: entries))])
        }
        #expect(read(path).count == size)
        #expect(read(path + "-wal").count < 5 << 20)
    }

    @Test("a corrupt file is refused with its name, and not a byte of it changes")
    func corrupt() throws {
        let noise = (0..<8192).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ 7) }
        write(noise, to: path)
        let failure = #expect(throws: ServiceFailure.self) { try open() }
        #expect(failure?.description.contains("\(path) is corrupt") == true)
        #expect(read(path) == noise)
    }

    @Test("a file with damaged pages is refused, and not a byte of it changes")
    func damagedPages() throws {
        let file = try open()
        try file.write([.store(Request(sequence: 1, hardState: HardState(term: 1, vote: nil)))])
        for first in stride(from: Index(1), to: 400, by: 100) {
            let entries = (first..<(first + 100)).map { entry($0) }
            try file.write([.store(Request(sequence: 2, entries: entries))])
        }
        try file.close()
        var bytes = read(path)
        #expect(bytes.count > 16_384)
        for place in 8192..<12_288 { bytes[place] = 0xA5 }
        write(bytes, to: path)
        let failure = #expect(throws: ServiceFailure.self) { try open().contents() }
        #expect(failure?.description.contains("corrupt") == true)
        #expect(read(path) == bytes)
    }

    @Test("a log with a hole is refused")
    func hole() throws {
        let file = try open()
        try file.write([
            .store(
                Request(sequence: 1, hardState: HardState(term: 1, vote: nil), entries: [entry(1), entry(3)]))
        ])
        let failure = #expect(throws: ServiceFailure.self) { try open().contents() }
        #expect(failure?.description.contains("entry 2 is missing") == true)
    }

    @Test("a file of another node is refused")
    func otherNode() throws {
        _ = try open()
        let failure = #expect(throws: ServiceFailure.self) {
            try StateFile(path: path, node: "fs2", birth: { 1 })
        }
        #expect(failure?.description.contains("belongs to node fs1, not to fs2") == true)
    }

    @Test("a state directory serves one at a time")
    func lock() throws {
        var first: StateDirectory? = try StateDirectory(path: "\(directory.path)/state")
        let failure = #expect(throws: ServiceFailure.self) {
            try StateDirectory(path: "\(directory.path)/state")
        }
        #expect(failure?.description.contains("in use by another node service") == true)
        #expect(first?.stateFile == "\(directory.path)/state/state.sqlite")
        first = nil
        #expect(throws: Never.self) { try StateDirectory(path: "\(directory.path)/state") }
    }

    // MARK: - Beginning anew

    private let here = MachineID(host: 11, boot: 12)

    @Test("a state file says whose it is and where it was used last")
    func owner() throws {
        #expect(StateOwner.read(path) == nil, "there is none")
        let file = try open()
        #expect(
            StateOwner.read(path) == StateOwner(node: "fs1", machine: .unknown), "as from an earlier release")
        try file.recordStart(5 << 32, on: here)
        #expect(StateOwner.read(path) == StateOwner(node: "fs1", machine: here))
        try file.recordStart(5 << 32, on: here, cards: [7, .max])
        try file.recordStart(5 << 32, on: here, cards: [8])
        #expect(StateOwner.read(path) == StateOwner(node: "fs1", machine: here, cards: [7, 8, .max]))
        #expect(try open().contents().machine == here)
        #expect(try open().contents().incarnation == 5 << 32)
        write([1, 2, 3], to: "\(directory.path)/nonsense")
        #expect(StateOwner.read("\(directory.path)/nonsense") == nil)
    }

    @Test("a state of another machine, or of another node elsewhere, is foreign; a mistaken directory is not")
    func foreignness() {
        func why(_ node: String, _ machine: MachineID) -> String? {
            StateOwner(node: node, machine: machine).foreignness(to: "fs2", on: here)
        }
        #expect(why("fs2", here) == nil)
        #expect(why("fs2", .unknown) == nil)
        #expect(why("fs2", MachineID(host: 11, boot: 99)) == nil, "the machine was started anew")
        #expect(why("fs2", MachineID(host: 77, boot: 99))?.contains("made on another machine") == true)
        #expect(
            why("fs1", MachineID(host: 11, boot: 99))
                == "fs2 was started from a copy of the state directory of fs1; it has joined anew")
        #expect(why("fs1", here) == nil, "a mistaken --state-dir: refused when the file is opened")
        #expect(why("fs1", .unknown) == nil)
    }

    @Test(
        "a clone with the original's machine number is known by its network cards, one card in common is enough"
    )
    func cards() {
        let later = MachineID(host: 11, boot: 99)
        func why(_ cards: Set<UInt64>, _ known: Set<UInt64>, _ machine: MachineID) -> String? {
            StateOwner(node: "fs2", machine: machine, cards: known).foreignness(
                to: "fs2", on: here, cards: cards)
        }
        #expect(why([1, 2], [3, 4], later)?.contains("made on another machine") == true)
        #expect(why([1, 2], [2, 3], later) == nil)
        #expect(why([], [3], later) == nil && why([1], [], later) == nil, "nothing is known")
        #expect(why([1], [3], here) == nil, "a card was changed while the machine runs")
    }

    @Test(
        "what is set aside stays beside, three of them at most, and the next start is a new member that says why"
    )
    func setAside() throws {
        let place = try StateDirectory(path: "\(directory.path)/state")
        for turn in 1...5 {
            let file = try StateFile(path: place.stateFile, node: "fs1", birth: { UInt64(turn) })
            #expect(try file.contents().birth == UInt64(turn))
            try file.close()
            write([65], to: place.auditFile)
            #expect(try place.setAside(because: "reason \(turn)") == "\(place.path)/aside-\(turn)")
            #expect(access(place.stateFile, F_OK) != 0)
            #expect(place.anew == "reason \(turn)")
            #expect(access("\(place.path)/aside-\(turn)/audit.jsonl", F_OK) == 0)
            let old = StateOwner.read("\(place.path)/aside-\(turn)/state.sqlite")
            #expect(old?.node == "fs1")
        }
        #expect(
            (1...5).map { access("\(place.path)/aside-\($0)", F_OK) == 0 } == [
                false, false, true, true, true,
            ])
    }

    private func write(_ bytes: [UInt8], to path: String) {
        let descriptor = Glibc.open(path, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        #expect(Glibc.write(descriptor, bytes, bytes.count) == bytes.count)
        close(descriptor)
    }

    private func read(_ path: String) -> [UInt8] {
        let descriptor = Glibc.open(path, O_RDONLY)
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: 4 << 20)
        let count = Glibc.read(descriptor, &bytes, bytes.count)
        return Array(bytes.prefix(max(count, 0)))
    }
}
