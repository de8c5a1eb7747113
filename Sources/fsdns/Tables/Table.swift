import Primitives

/// Rows under headings, each column as wide as its widest cell.
struct Table: Hashable, Sendable {
    enum Alignment: Hashable, Sendable {
        case left, right
    }

    struct Column: Hashable, Sendable {
        var title: String
        var alignment: Alignment

        init(_ title: String, _ alignment: Alignment = .left) {
            self.title = title
            self.alignment = alignment
        }
    }

    struct Cell: Hashable, Sendable, ExpressibleByStringLiteral, ExpressibleByStringInterpolation {
        var text: String
        var style: Paint.Style

        /// What would steer a terminal or end the row is written out: its width is what is seen.
        init(_ text: String, _ style: Paint.Style = .plain) {
            self.text = VisibleText.cell(text)
            self.style = style
        }

        init(stringLiteral value: String) { self.init(value) }

        /// A dash stands for what is not there.
        init(_ number: Int?) { self.init(number.map(String.init) ?? "-") }
    }

    var columns: [Column]
    private(set) var rows: [[Cell]] = []

    init(_ columns: [Column]) { self.columns = columns }

    /// - Precondition: one cell for each column.
    mutating func add(_ row: [Cell]) {
        precondition(row.count == columns.count, "a row of \(row.count) cells in \(columns.count) columns")
        rows.append(row)
    }

    /// Headings first; no line ends in blanks, and none is longer than `width`.
    func lines(paint: Paint, width: Int? = nil) -> [String] {
        let widths = columns.indices.map { index in
            rows.reduce(columns[index].title.count) { max($0, $1[index].text.count) }
        }
        let head = columns.map { Cell($0.title, .dim) }
        return ([head] + rows).map { line($0, widths: widths, paint: paint, width: width) }
    }

    private func line(_ cells: [Cell], widths: [Int], paint: Paint, width: Int?) -> String {
        var text = ""
        var column = 0
        var blanks = 0
        for (index, cell) in cells.enumerated() {
            let padding = widths[index] - cell.text.count
            let before = columns[index].alignment == .right ? padding : 0
            if index > 0 { blanks += 2 }
            blanks += before
            if !cell.text.isEmpty {
                let room = width.map { max(0, $0 - column - blanks) } ?? cell.text.count
                if room == 0 { break }
                text += String(repeating: " ", count: blanks) + paint(cut(cell.text, to: room), cell.style)
                column += blanks + min(room, cell.text.count)
                blanks = 0
            }
            blanks += columns[index].alignment == .left ? padding : 0
        }
        return text
    }
}

/// At most `width` characters, the last an ellipsis when something is missing.
func cut(_ text: String, to width: Int?) -> String {
    guard let width, text.count > width else { return text }
    return width < 1 ? "" : text.prefix(width - 1) + "…"
}
