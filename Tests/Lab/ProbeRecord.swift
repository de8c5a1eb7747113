/// What one probe saw: who answered each of its questions, and when.
package struct ProbeRecord: Sendable {
    package struct Question: Sendable {
        package var sent: BootTime
        package var answered: BootTime
        package var who: String
    }

    package var questions: Int
    /// In the order of the answers.
    package var answers: [Question]

    package init(_ text: String) throws {
        let lines = text.split(separator: "\n")
        questions = lines.count
        answers = try lines.compactMap { line in
            let words = line.split(separator: " ").map(String.init)
            guard words.count == 3, let sent = Int64(words[0]), let answered = Int64(words[1]) else {
                throw LabFailure("the probe wrote: \(line)")
            }
            guard answered > 0 else { return nil }
            return Question(
                sent: BootTime(nanoseconds: sent), answered: BootTime(nanoseconds: answered), who: words[2])
        }
        answers.sort { $0.answered < $1.answered }
    }

    /// One owner after another.
    package struct Handover: Sendable {
        package var from: String
        package var to: String
        /// When the new owner first answered.
        package var at: BootTime
        /// Milliseconds from the last answer of the old owner to the first of the new.
        package var gap: Double
    }

    package var handovers: [Handover] {
        zip(answers, answers.dropFirst()).compactMap { before, after in
            guard before.who != after.who else { return nil }
            return Handover(
                from: before.who, to: after.who, at: after.answered,
                gap: after.answered.milliseconds(since: before.answered))
        }
    }

    /// The longest time without any answer that ended between the two instants, in milliseconds.
    package func longestSilence(after start: BootTime, until end: BootTime) -> Double {
        zip(answers, answers.dropFirst()).filter { $1.answered > start && $1.answered <= end }
            .map { $1.answered.milliseconds(since: max($0.answered, start)) }.max()
            ?? end.milliseconds(since: start)
    }

    package var lost: Int { questions - answers.count }
}
