import Cluster
import Testing

@testable import Config

/// A good playbook without warnings; mistakes are made in it, and told by its line numbers.
let goodPlaybook = """
    <playbook xmlns="urn:fsdns:playbook:1" name="night" summary="Upgrade ${what}.">
      <parameter name="what" default="FreeSWITCH"/>
      <parameter name="unit" required="yes" summary="Of the service."/>
      <schedule cron="30 2 * * tue" zone="Berlin"/>
      <window from="02:00" to="05:00" days="mon-wed" zone="Berlin"/>
      <abort-if slaves-below="1" node-fails="yes" quorum-thin="no"/>
      <check headroom="2" timeout="1m" interval="2s"/>
      <lower-ttl to="5s"/>
      <for-each over="nodes" at-most="1" pause="30s">
        <drain target="${item}" deadline="20m" on-deadline="handover" reason="${what}"/>
        <run node="${item}" program="/usr/bin/systemctl" timeout="2m">
          <argument>restart</argument>
          <argument>${unit}</argument>
          <environment name="LANG" value="C"/>
          <undo><run node="${node}" program="/bin/true"/></undo>
        </run>
        <undrain node="${node}"/>
      </for-each>
      <check options="alpha"/>
      <check tcp="10.77.0.53:53"/>
      <check http="http://10.77.0.1/health" status="204"/>
      <check calls-below="500" node="fs1"/>
      <check registrations="converged"/>
      <check dns="converged"/>
      <check><run program="/bin/true"/></check>
      <switchover seat="master1" to="fs3"/>
      <wait for="1m"/>
      <notify webhook="http://10.77.0.9/done"/>
      <notify><run program="/bin/mail"><argument>it is done</argument></run></notify>
      <approve ask="Fine?"/>
      <for-each over="fs4 fs2"><fail node="${item}"/></for-each>
    </playbook>
    """

/// Zones of its own, and the cluster of `goodFile`.
struct PlaybookDesk {
    private let scratch = Scratch()
    let cluster: ClusterSettings

    init() throws {
        scratch.write("Berlin", ZoneBytes.berlin.bytes)
        cluster = try ClusterFile.load(text: Array(goodFile.utf8), path: "/etc/fsdns/cluster.xml").settings
    }

    func read(
        _ text: [UInt8], _ parameters: [String: String] = ["unit": "freeswitch"], knowsCluster: Bool = true
    ) throws(ConfigFailure) -> PlaybookFile {
        try PlaybookFile.read(
            text: text, path: "p.xml", parameters: parameters, cluster: knowsCluster ? cluster : nil,
            zones: ZoneInfo(folder: scratch.path))
    }

    /// `line: message` for every problem.
    func problems(
        _ text: String, _ parameters: [String: String] = ["unit": "freeswitch"], knowsCluster: Bool = true
    ) -> [String] {
        do throws(ConfigFailure) {
            _ = try read(Array(text.utf8), parameters, knowsCluster: knowsCluster)
            return []
        } catch {
            return error.problems.map { String($0.description.dropFirst("p.xml:".count)) }
        }
    }
}

/// One slip in `goodPlaybook`, and everything that is said about it.
struct PlaybookMistake: CustomTestStringConvertible {
    var written: String
    var instead: String
    var told: [String]

    init(_ written: String, _ instead: String, _ told: String...) {
        self.written = written
        self.instead = instead
        self.told = told
    }

    var testDescription: String { told.first ?? instead }
}

@Suite struct PlaybookMistakeTests {
    private let desk: PlaybookDesk

    init() throws { desk = try PlaybookDesk() }

    @Test("a good playbook has no problems and no warnings, with its cluster or without") func good() throws {
        #expect(desk.problems(goodPlaybook) == [])
        #expect(try desk.read(Array(goodPlaybook.utf8)).warnings == [])
        let named = desk.problems(goodPlaybook, knowsCluster: false)
        #expect(
            named == [
                "19: <check> options=\"alpha\" names an address of the cluster; check it with the cluster file"
            ])
        #expect(
            desk.problems(goodPlaybook.replacing("\"alpha\"", with: "\"10.77.0.11\""), knowsCluster: false)
                == [])
    }

    @Test(
        "a mistake is told with its line, and nothing else is",
        arguments: playbookCalendarMistakes + playbookStepMistakes + playbookParameterMistakes)
    func told(_ mistake: PlaybookMistake) {
        #expect(goodPlaybook.contains(mistake.written), "the mistake must be made somewhere")
        #expect(desk.problems(goodPlaybook.replacing(mistake.written, with: mistake.instead)) == mistake.told)
    }

    @Test("all mistakes of a playbook are told at once") func manyAtOnce() {
        let text =
            goodPlaybook
            .replacing("30 2 * * tue", with: "30 2 30 2 *")
            .replacing("pause=\"30s\"", with: "pause=\"30\"")
            .replacing("<wait for=\"1m\"/>", with: "<sleep for=\"1m\"/>")
            .replacing("seat=\"master1\"", with: "seat=\"master9\"")
            .replacing("/usr/bin/systemctl", with: "systemctl")
        #expect(
            desk.problems(text) == [
                "4: <schedule> cron=\"30 2 30 2 *\" is never: there is no day 30 in feb",
                "9: <for-each> pause=\"30\" has no unit; the units are us, ms, s, m, h, d",
                "11: <run> program=\"systemctl\" is not an absolute path; no PATH is searched and no shell is "
                    + "involved",
                "26: <switchover> seat=\"master9\" is an unknown seat or node; the seats are master1, master2; "
                    + "the nodes are fs1, fs2, fs3, fs4",
                "27: unknown step <sleep> in <playbook>; the steps are: drain, undrain, switchover, lower-ttl, "
                    + "wait, run, check, notify, approve, for-each, fail",
            ])
    }

    @Test("a missing parameter is told once, not wherever it is used") func missingParameter() {
        #expect(
            desk.problems(goodPlaybook, [:]) == [
                "3: parameter \"unit\" has no default; give it with --parameter unit=VALUE"
            ])
        #expect(
            desk.problems(goodPlaybook, ["unit": "a", "colour": "blue", "item": "x"]) == [
                "1: the parameter \"colour\" was given, but the playbook has only: unit, what",
                "1: the parameter \"item\" was given, but the playbook has only: unit, what",
            ])
    }

    @Test("a parameter's value cannot smuggle in a name a run fills in") func smuggled() {
        #expect(
            desk.problems(goodPlaybook, ["unit": "${node}"]) == [
                "3: parameter \"unit\" has the value \"${node}\"; a value may not hold ${"
            ])
        #expect(
            desk.problems(goodPlaybook, ["unit": String(repeating: "x", count: 1025)]) == [
                "3: parameter \"unit\" has a value longer than 1024 bytes"
            ])
    }

    @Test("no value makes a name for a run together with the text about it") func assembled() {
        for text in ["$${item}{item}", "$${node}", "${unit}{item}", "${unit}${node}"] {
            let told = desk.problems(
                goodPlaybook.replacing("<argument>restart</argument>", with: "<argument>\(text)</argument>"),
                ["unit": "$"])
            #expect(told.count == 1 && told[0].hasPrefix("12: the text of <argument>"), "\(text): \(told)")
        }
    }

    @Test("many steps, deep nesting and endless items are refused") func limits() {
        let head = "<playbook xmlns=\"urn:fsdns:playbook:1\" name=\"p\" summary=\"s\">"
        let many = head + String(repeating: "<wait for=\"1s\"/>\n", count: 201) + "</playbook>"
        #expect(desk.problems(many, [:]) == ["201: more than 200 steps"])
        let deep = { (depth: Int) in
            head + String(repeating: "<for-each over=\"seats\">\n", count: depth) + "<wait for=\"1s\"/>"
                + String(repeating: "</for-each>", count: depth) + "</playbook>"
        }
        #expect(desk.problems(deep(3), [:]) == [])
        #expect(desk.problems(deep(4), [:]) == ["4: <for-each> inside each other more than 3 deep"])
        let inner = String(repeating: "<wait for=\"1s\"/>", count: 150)
        let wide =
            head + "<for-each over=\"nodes\"><for-each over=\"nodes\">" + inner + "</for-each></for-each>"
            + "</playbook>"
        #expect(
            desk.problems(wide, [:]) == ["1: a run would have more than 256 steps, every item counted"])
        let huge = head + String(repeating: " ", count: PlaybookFile.byteLimit) + "</playbook>"
        #expect(desk.problems(huge, [:]) == ["1: the text is larger than 262144 bytes"])
        let bomb = "<parameter name=\"a\" default=\"\(String(repeating: "x", count: 1000))\"/>"
        let words = String(
            repeating: "<notify><run program=\"/b\"><argument>${a}${a}${a}</argument></run></notify>",
            count: 199)
        let long = String(repeating: "${a}", count: 1000)
        #expect(
            desk.problems(head + bomb + words + "<approve ask=\"\(long)\"/></playbook>", [:])
                .first?.hasPrefix("1: ") == true)
    }
}
