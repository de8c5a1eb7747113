@preconcurrency import Glibc

/// What a call load wrote down: what became of each of its calls, and when.
package struct CallRecord: Sendable {
    package struct Call: Sendable {
        package var number: Int
        package var address: String
        package var sent: BootTime
        /// How old the answer of DNS was that named the address, in milliseconds.
        package var age: Double
        package var answered: BootTime?
        /// The re-INVITEs it got.
        package var asked: [BootTime] = []
        /// How it ended: `ended`, `dropped`, `refused 503`, `unanswered`, `gone 481`; nil while it has not.
        package var end: (at: BootTime, text: String)?

        package var isUp: Bool { answered != nil && end == nil }
    }

    /// In the order they were placed.
    package private(set) var calls: [Call] = []
    /// Calls that were not placed because DNS named no address.
    package private(set) var nowhere = 0

    package init(_ text: String) throws {
        var places: [Int: Int] = [:]
        for line in text.split(separator: "\n") {
            let words = line.split(separator: " ").map(String.init)
            guard words.count >= 3, let moment = Int64(words[0]), let number = Int(words[1]) else {
                throw LabFailure("the call load wrote: \(line)")
            }
            let at = BootTime(nanoseconds: moment)
            switch words[2] {
            case "nowhere": nowhere += 1
            case "sent" where words.count == 5:
                places[number] = calls.count
                calls.append(Call(number: number, address: words[3], sent: at, age: Double(words[4]) ?? 0))
            default:
                guard let place = places[number] else { throw LabFailure("the call load wrote: \(line)") }
                switch words[2] {
                case "answered": calls[place].answered = at
                case "asked": calls[place].asked.append(at)
                default: calls[place].end = (at, words.dropFirst(2).joined(separator: " "))
                }
            }
        }
    }

    package var up: Int { calls.count { $0.isUp } }

    /// Calls by how they ended; those that have not are `up` or `ringing`.
    package var outcomes: [String: Int] {
        calls.reduce(into: [:]) { outcomes, call in
            outcomes[call.end?.text ?? (call.answered == nil ? "ringing" : "up"), default: 0] += 1
        }
    }

    /// For people.
    package var summary: String {
        let outcomes = outcomes
        return outcomes.keys.sorted().map { "\($0) \(outcomes[$0] ?? 0)" }.joined(separator: ", ")
    }
}

/// A call load under way.
package final class RunningCalls {
    private let machine: Machine
    private let file: String
    private let pid: pid_t
    private var leash: Int32

    fileprivate init(machine: Machine, file: String, pid: pid_t, leash: Int32) {
        self.machine = machine
        self.file = file
        self.pid = pid
        self.leash = leash
    }

    deinit { letGo() }

    private func letGo() {
        if leash >= 0 { close(leash) }
        leash = -1
    }

    /// What it saw until now.
    package func record() throws -> CallRecord {
        // The last line may be under way.
        let text = machine.text(of: file)
        guard let end = text.lastIndex(of: "\n") else { return try CallRecord("") }
        return try CallRecord(String(text[...end]))
    }

    /// Waits until so many of its calls are up.
    package func waitUntilUp(_ count: Int, atMost seconds: Double = 30) throws {
        do {
            try wait(for: "\(count) calls to be up", atMost: seconds, every: 50) {
                try record().up >= count
            }
        } catch {
            throw LabFailure("\(error): \(try record().summary)\n\(machine.text(of: "calls.log"))")
        }
    }

    /// Hangs up what is up, and returns what it saw once all is over.
    package func stop() throws -> CallRecord {
        letGo()
        return try waitUntilOver()
    }

    /// What it saw, once its last call is over.
    package func waitUntilOver() throws -> CallRecord {
        guard machine.exitStatus(of: pid) == 0 else {
            throw LabFailure("the call load failed: \(machine.text(of: "calls.log"))")
        }
        return try record()
    }
}

/// What a phone was asked.
package struct PhoneRequest: Hashable, Sendable {
    package var at: BootTime
    package var method: String
    package var user: String
    package var event: String
}

extension Lab {
    /// Places calls from the client's machine.
    ///
    /// - Parameters:
    ///   - target: an address; nil is where DNS leads each of twenty phones.
    ///   - seconds: how long each lasts; 0 is until the load is stopped.
    package func startCalls(to target: String?, rate: Double, count: Int, seconds: Double) throws
        -> RunningCalls
    {
        let (end, leash) = try Launch.pipe()
        defer { Glibc.close(end) }
        let file = "calls-\(BootTime.now.nanoseconds)"
        let pid = try client.start(
            [
                instruments, "call", client.addresses[0],
                target ?? "\(NameServer.address)/\(ClusterPlan.serviceName)", "\(rate)", "\(count)",
                "\(seconds)",
            ], outputFile: file, errorsFile: "calls.log", input: end)
        return RunningCalls(machine: client, file: file, pid: pid, leash: leash)
    }

    /// Asks the address by SIP OPTIONS from the client's machine from now on; `answers(to:)` tells what came.
    package func startOptions(to address: String) throws {
        try client.start(
            [instruments, "options", address], outputFile: "options-\(address)", errorsFile: "options.log")
    }

    /// When it was asked and what the address answered; 0 is nothing.
    package func answers(to address: String) -> [(at: BootTime, status: Int)] {
        client.text(of: "options-\(address)").split(separator: "\n").compactMap { line in
            let words = line.split(separator: " ")
            guard words.count == 2, let at = Int64(words[0]), let status = Int(words[1]) else { return nil }
            return (BootTime(nanoseconds: at), status)
        }
    }

    /// Phones at that port of the client's machine from now on; `requests(toPhonesAt:)` tells what they were asked.
    package func startPhones(port: Int) throws {
        try client.start(
            [instruments, "phones", "\(port)"], outputFile: "phones-\(port)", errorsFile: "phones.log")
    }

    /// Each request that came to the phones at that port.
    package func requests(toPhonesAt port: Int) -> [PhoneRequest] {
        client.text(of: "phones-\(port)").split(separator: "\n").compactMap { line in
            let words = line.split(separator: " ").map(String.init)
            guard words.count == 4, let at = Int64(words[0]) else { return nil }
            return PhoneRequest(
                at: BootTime(nanoseconds: at), method: words[1], user: words[2], event: words[3])
        }
    }

    /// What the zone's watch saw: from when on the name had which addresses.
    package func zoneHistory() -> [(at: BootTime, addresses: [String])] {
        nameServer.machine.text(of: "answers").split(separator: "\n").compactMap { line in
            let words = line.split(separator: " ")
            guard words.count == 2, let at = Int64(words[0]) else { return nil }
            let addresses = words[1] == "-" ? [] : words[1].split(separator: ",").map(String.init)
            return (BootTime(nanoseconds: at), addresses)
        }
    }
}
