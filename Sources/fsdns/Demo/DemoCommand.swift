import ArgumentParser
@preconcurrency import Glibc

struct DemoCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "demo", abstract: "Show a whole cluster on this one machine, without privileges.",
        discussion: """
            Starts a name server and five nodes on loopback addresses, each with a stand-in FreeSWITCH, drains a \
            master, brings calls up on another, kills that and finds the calls again. About 40 s.
            """)

    @Flag(help: "Leave the cluster running, and print what to try.")
    var keep = false

    mutating func run() throws {
        // Before anything is started, so that an interruption is always followed by cleaning up.
        let signals = SignalWait([SIGINT, SIGTERM, SIGHUP])
        let site: DemoSite
        do throws(DemoFailure) { site = try DemoSite.make() } catch {
            throw CommandFailure.refused([error.text])
        }
        var story = DemoStory(site: site, signals: signals)
        do throws(DemoFailure) {
            try story.run()
        } catch {
            story.stop()
            if error == .interrupted {
                DemoDirectory.remove(site.directory)
                throw CommandFailure.refused(["demo: interrupted; everything was stopped and removed"])
            }
            throw CommandFailure.refused(Self.complaint(error, story))
        }
        if keep {
            try Self.writeStopScript(story)
        } else {
            story.stop()
            DemoDirectory.remove(site.directory)
        }
        Output.lines(DemoSummary.lines(story, keep: keep))
    }

    private static func complaint(_ failure: DemoFailure, _ story: DemoStory) -> [String] {
        var lines = ["demo: \(failure.text)"]
        for child in story.processes.children {
            lines.append("-- \(child.name) (\(child.log))")
            lines += Local.tail(child.log).map { "   \($0)" }
        }
        return lines + ["Everything was stopped; files and logs are in \(story.site.directory)"]
    }

    private static func writeStopScript(_ story: DemoStory) throws {
        let heads = story.processes.children.filter { $0.ended == nil }.map { "\($0.pid)" }
        let groups = story.processes.children.map { "-\($0.pid)" }
        let text = """
            #!/bin/sh
            # Ends every process of this demonstration and removes its directory.
            kill -s TERM -- \(heads.joined(separator: " ")) 2>/dev/null
            sleep 2
            kill -s KILL -- \(groups.joined(separator: " ")) 2>/dev/null
            rm -rf \(story.site.directory)

            """
        let bytes = Array(text.utf8)
        let descriptor = open(story.site.stopScript, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o700)
        defer { close(descriptor) }
        guard descriptor >= 0, write(descriptor, bytes, bytes.count) == bytes.count else {
            throw CommandFailure.refused(["cannot write \(story.site.stopScript)"])
        }
    }
}

/// The screen a demonstration ends with.
enum DemoSummary {
    static func lines(_ story: DemoStory, keep: Bool) -> [String] {
        let site = story.site
        let width = story.facts.map(\.0.count).max() ?? 0
        var lines = ["", Paint.standard("Summary", .bold)]
        lines += story.facts.map { name, value in
            "  \(name)" + String(repeating: " ", count: width - name.count) + "  \(value)"
        }
        guard keep else { return lines + ["  everything was stopped and removed again"] }
        let program = Local.program
        lines += ["", "The cluster is running. Try:", "  export FSDNS_CONTROL=\(site.control(story.asked))"]
        for command in [
            "status --watch", "events --follow", "calls", "history", "rings", "members",
            "undrain \(story.drained ?? "NODE")",
            "drain master3 --wait",
            "zone show", "zone plan --nsupdate",
        ] {
            lines.append("  \(program) \(command)")
        }
        lines.append("  dig @\(site.address(53)) -p \(DemoSite.zonePort) \(DemoSite.service)")
        if let killed = story.killed {
            lines += [
                "Bring \(killed) back, as a slave:",
                "  \(program) node --config \(site.configFile) --name \(killed) "
                    + "--state-dir \(site.state(killed)) --control \(site.control(killed))",
            ]
        }
        return lines + ["Stop and remove everything:", "  \(site.stopScript)"]
    }
}

/// Removes what a demonstration wrote.
enum DemoDirectory {
    /// Goes into directories, never through links.
    static func remove(_ path: String) {
        if let stream = opendir(path) {
            while let entry = readdir(stream) {
                let name = withUnsafePointer(to: &entry.pointee.d_name) {
                    $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
                }
                if name == "." || name == ".." { continue }
                let inner = "\(path)/\(name)"
                if entry.pointee.d_type == UInt8(DT_DIR) { remove(inner) } else { unlink(inner) }
            }
            closedir(stream)
        }
        rmdir(path)
    }
}
