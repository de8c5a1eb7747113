/// Why a command ended without doing its work; decides the exit code the contract promises.
enum CommandFailure: Error, Hashable, Sendable {
    /// The cluster said no, or a check found something wrong; nothing changed. Exit 1.
    case refused([String])
    /// Wrong usage or an invalid file, one `file:line: message` or sentence a line. Exit 2.
    case invalid([String])
    /// No node, or no leader behind it, answers. Exit 3.
    case noAnswer(String)
    /// The wait ended before the work did. Exit 4.
    case waitEnded(String)

    var exitCode: Int32 {
        switch self {
        case .refused: 1
        case .invalid: 2
        case .noAnswer: 3
        case .waitEnded: 4
        }
    }

    /// What goes to standard error.
    var lines: [String] {
        switch self {
        case .refused(let reasons), .invalid(let reasons): reasons
        case .noAnswer(let text), .waitEnded(let text): [text]
        }
    }
}
