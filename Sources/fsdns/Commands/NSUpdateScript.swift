import Cluster
import DNSMessages

/// The update that is planned, as a script for `nsupdate -k KEYFILE`.
enum NSUpdateScript {
    /// The comments say what each script is for; `nsupdate` skips lines that start with `;`.
    static func lines(_ report: ZoneReport) throws(CommandFailure) -> [String] {
        guard let update = report.update else {
            return ["; nothing to do: \(report.held ?? "the zone is as it should be")"]
        }
        do throws(DNSFailure) {
            let script = UpdateScript(try DNSUpdate(update), server: report.readings.first?.endpoint)
            return report.steps.map { "; \($0)" } + script.lines
        } catch {
            throw .refused(["the planned update cannot be written as a script: \(error)"])
        }
    }
}
