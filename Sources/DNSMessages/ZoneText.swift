import CLDNS

/// Zone files (RFC 1035 §5): reading with line numbers, printing in canonical order.
package enum ZoneText {
    package struct Failure: Error, Hashable, Sendable, CustomStringConvertible {
        package let file: String
        package let line: Int
        package let reason: String

        package var description: String { "\(file):\(line): \(reason)" }
    }

    /// Largest zone text read, in bytes, and most records taken from it.
    package static let sizeLimit = 64 << 20
    package static let recordLimit = 1_000_000

    /// Records as text that gives them back; nil where libldns does not read what it wrote itself.
    package static func readable(_ records: [DNSRecord]) -> String? {
        let text = print(records)
        guard let again = try? parse(text, origin: .root, file: ""), again.count == records.count else {
            return nil
        }
        return text
    }

    /// Reads records of class IN; relative names are under `origin`, `$ORIGIN` and `$TTL` are understood.
    ///
    /// `file` only names the text in errors. `$INCLUDE` is refused.
    package static func parse(
        _ text: String, origin: DNSName, file: String
    ) throws(Failure) -> [DNSRecord] {
        guard text.utf8.count <= sizeLimit, !text.utf8.contains(0) else {
            throw Failure(file: file, line: 1, reason: "is longer than \(sizeLimit) bytes, or not text")
        }
        if text.utf8.isEmpty { return [] }
        // libldns takes the last line only when it is ended.
        var bytes = Array((text.utf8.last == 0x0A ? text : text + "\n").utf8)
        let blankLines = bytes.split(separator: 0x0A, omittingEmptySubsequences: false).map { line in
            line.first { $0 > 0x20 }.map { $0 == 0x3B } ?? true
        }
        return try bytes.withUnsafeMutableBufferPointer { (buffer) throws(Failure) in
            guard let stream = fmemopen(buffer.baseAddress, buffer.count, "r") else {
                throw Failure(file: file, line: 1, reason: "no memory")
            }
            defer { fclose(stream) }
            return try read(stream, blankLines: blankLines, origin: origin, file: file)
        }
    }

    private static func read(
        _ stream: UnsafeMutablePointer<FILE>, blankLines: [Bool], origin: DNSName, file: String
    ) throws(Failure) -> [DNSRecord] {
        var originName = ldns_dname_new_frm_data(UInt16(origin.wire.count), origin.wire)
        var previous: UnsafeMutablePointer<ldns_rdf>?
        defer {
            ldns_rdf_deep_free(originName)
            ldns_rdf_deep_free(previous)
        }
        var ttl: UInt32 = 3600
        var line: Int32 = 1
        var records: [DNSRecord] = []
        while feof(stream) == 0 {
            var rr: UnsafeMutablePointer<ldns_rr>?
            // libldns passes over blank lines and comments on its way to the record it then complains about.
            let passed = blankLines.dropFirst(Int(line) - 1).prefix { $0 }.count
            let start = min(Int(line) + passed, blankLines.count)
            let status = ldns_rr_new_frm_fp_l(&rr, stream, &ttl, &originName, &previous, &line)
            defer { if let rr { ldns_rr_free(rr) } }
            switch status {
            case LDNS_STATUS_OK:
                guard let rr else { continue }
                do throws(DNSFailure) { records.append(try DNSRecord.take(rr)) } catch {
                    throw Failure(file: file, line: start, reason: "\(error)")
                }
                guard records.count <= recordLimit else {
                    throw Failure(file: file, line: start, reason: "more than \(recordLimit) records")
                }
            case LDNS_STATUS_SYNTAX_EMPTY, LDNS_STATUS_SYNTAX_TTL, LDNS_STATUS_SYNTAX_ORIGIN: continue
            default: throw Failure(file: file, line: start, reason: RecordBytes.reason(status))
            }
        }
        return records
    }

    /// One record a line with absolute names, the zone's SOA first, the rest in canonical order.
    package static func print(_ records: [DNSRecord]) -> String {
        let sorted = records.sorted()
        let ordered = sorted.filter { $0.type == .soa } + sorted.filter { $0.type != .soa }
        return ordered.map { "\($0)\n" }.joined()
    }
}
