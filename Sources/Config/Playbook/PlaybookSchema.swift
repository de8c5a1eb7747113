/// The schema of playbooks, RELAX NG: a copy of `config/playbook.rng`, the one to edit.
///
/// `FSDNS_WRITE_SCHEMA=1 swift test --filter SchemaTests` writes this file anew.
enum PlaybookSchema {
    static let text = #"""
        <?xml version="1.0" encoding="UTF-8"?>
        <!--
          What a playbook may look like. The program carries this text inside and holds every file against it; editors use
          it from here, and so does `xmllint` with the options noout, nonet and relaxng.

          Any value may hold references to parameters, `${name}`, so a value that does is held against nothing here; what
          it becomes is told by `fsdns playbook check`, and so are rules that a schema cannot say (a window is longer than
          its steps, a seat exists).
        -->
        <grammar xmlns="http://relaxng.org/ns/structure/1.0" ns="urn:fsdns:playbook:1"
                 datatypeLibrary="http://www.w3.org/2001/XMLSchema-datatypes">

          <start>
            <element name="playbook">
              <attribute name="name"><ref name="name"/></attribute>
              <attribute name="summary"><ref name="words"/></attribute>
              <optional><attribute name="rollback"><ref name="yes-no"/></attribute></optional>
              <interleave>
                <zeroOrMore><ref name="parameter"/></zeroOrMore>
                <optional><ref name="schedule"/></optional>
                <optional><ref name="window"/></optional>
                <optional><ref name="abort-if"/></optional>
              </interleave>
              <oneOrMore><ref name="step"/></oneOrMore>
            </element>
          </start>

          <define name="parameter">
            <element name="parameter">
              <attribute name="name"><ref name="name"/></attribute>
              <optional><attribute name="summary"/></optional>
              <choice>
                <group>
                  <attribute name="default"/>
                  <optional><attribute name="required"><value>no</value></attribute></optional>
                </group>
                <attribute name="required"><value>yes</value></attribute>
              </choice>
            </element>
          </define>

          <!-- Five fields of crontab(5), or one local time. -->
          <define name="schedule">
            <element name="schedule">
              <choice>
                <attribute name="cron"><ref name="words"/></attribute>
                <attribute name="at"><ref name="local-time"/></attribute>
              </choice>
              <attribute name="zone"><ref name="zone"/></attribute>
            </element>
          </define>

          <!-- Outside it no run begins; at its end a run is undone. -->
          <define name="window">
            <element name="window">
              <attribute name="from"><ref name="clock"/></attribute>
              <attribute name="to"><ref name="clock"/></attribute>
              <optional><attribute name="days"><ref name="words"/></attribute></optional>
              <attribute name="zone"><ref name="zone"/></attribute>
            </element>
          </define>

          <define name="abort-if">
            <element name="abort-if">
              <optional><attribute name="slaves-below"><ref name="number"/></attribute></optional>
              <optional><attribute name="node-fails"><ref name="yes-no"/></attribute></optional>
              <optional><attribute name="quorum-thin"><ref name="yes-no"/></attribute></optional>
            </element>
          </define>

          <define name="step">
            <choice>
              <element name="drain">
                <attribute name="target"><ref name="words"/></attribute>
                <optional><attribute name="deadline"><ref name="duration"/></attribute></optional>
                <optional>
                  <attribute name="on-deadline">
                    <choice>
                      <value>wait</value><value>handover</value><value>hangup</value><value>abort</value>
                      <ref name="reference"/>
                    </choice>
                  </attribute>
                </optional>
                <optional><attribute name="reason"><ref name="words"/></attribute></optional>
                <ref name="timeout"/>
                <ref name="undo"/>
              </element>
              <element name="undrain">
                <attribute name="node"><ref name="words"/></attribute>
                <ref name="timeout"/>
                <ref name="undo"/>
              </element>
              <element name="switchover">
                <attribute name="seat"><ref name="words"/></attribute>
                <optional><attribute name="to"><ref name="words"/></attribute></optional>
                <ref name="timeout"/>
                <ref name="undo"/>
              </element>
              <element name="lower-ttl">
                <attribute name="to"><ref name="duration"/></attribute>
                <ref name="timeout"/>
                <ref name="undo"/>
              </element>
              <element name="wait">
                <attribute name="for"><ref name="duration"/></attribute>
                <ref name="timeout"/>
                <ref name="undo"/>
              </element>
              <element name="run">
                <ref name="program"/>
                <interleave>
                  <ref name="program-input"/>
                  <ref name="undo"/>
                </interleave>
              </element>
              <ref name="check"/>
              <element name="notify">
                <ref name="timeout"/>
                <choice>
                  <group>
                    <attribute name="webhook"><ref name="words"/></attribute>
                    <ref name="undo"/>
                  </group>
                  <interleave>
                    <ref name="run"/>
                    <ref name="undo"/>
                  </interleave>
                </choice>
              </element>
              <element name="approve">
                <attribute name="ask"><ref name="words"/></attribute>
                <ref name="timeout"/>
                <ref name="undo"/>
              </element>
              <element name="fail">
                <attribute name="node"><ref name="words"/></attribute>
                <ref name="timeout"/>
                <ref name="undo"/>
              </element>
              <element name="for-each">
                <attribute name="over"><ref name="words"/></attribute>
                <optional><attribute name="at-most"><ref name="number"/></attribute></optional>
                <optional><attribute name="pause"><ref name="duration"/></attribute></optional>
                <oneOrMore><ref name="step"/></oneOrMore>
              </element>
            </choice>
          </define>

          <define name="check">
            <element name="check">
              <optional><attribute name="interval"><ref name="duration"/></attribute></optional>
              <ref name="timeout"/>
              <choice>
                <group>
                  <choice>
                    <attribute name="options"><ref name="words"/></attribute>
                    <attribute name="tcp"><ref name="words"/></attribute>
                    <group>
                      <attribute name="http"><ref name="words"/></attribute>
                      <optional><attribute name="status"><ref name="number"/></attribute></optional>
                    </group>
                    <group>
                      <attribute name="calls-below"><ref name="number"/></attribute>
                      <optional><attribute name="node"><ref name="words"/></attribute></optional>
                    </group>
                    <attribute name="registrations"><ref name="converged"/></attribute>
                    <attribute name="dns"><ref name="converged"/></attribute>
                    <attribute name="headroom"><ref name="number"/></attribute>
                  </choice>
                  <ref name="undo"/>
                </group>
                <interleave>
                  <ref name="run"/>
                  <ref name="undo"/>
                </interleave>
              </choice>
            </element>
          </define>

          <!-- Run when the step was done and the run is undone. -->
          <define name="undo">
            <optional>
              <element name="undo"><ref name="run"/></element>
            </optional>
          </define>

          <define name="run">
            <element name="run">
              <ref name="program"/>
              <ref name="program-input"/>
            </element>
          </define>

          <!-- Absolute; without a node it runs on the leader. -->
          <define name="program">
            <attribute name="program"><ref name="words"/></attribute>
            <optional><attribute name="node"><ref name="words"/></attribute></optional>
            <ref name="timeout"/>
          </define>

          <define name="program-input">
            <interleave>
              <zeroOrMore>
                <element name="argument"><text/></element>
              </zeroOrMore>
              <zeroOrMore>
                <element name="environment">
                  <attribute name="name"><ref name="words"/></attribute>
                  <attribute name="value"/>
                </element>
              </zeroOrMore>
            </interleave>
          </define>

          <define name="timeout">
            <optional><attribute name="timeout"><ref name="duration"/></attribute></optional>
          </define>

          <define name="converged">
            <choice><value>converged</value><ref name="reference"/></choice>
          </define>

          <define name="yes-no">
            <choice><value>yes</value><value>no</value><ref name="reference"/></choice>
          </define>

          <!-- Of playbooks and parameters. -->
          <define name="name">
            <choice>
              <data type="string"><param name="pattern">[A-Za-z0-9][A-Za-z0-9_\-]{0,62}</param></data>
              <ref name="reference"/>
            </choice>
          </define>

          <!-- A number and a unit: 25ms, 1.5s, 45m. -->
          <define name="duration">
            <choice>
              <data type="string"><param name="pattern">[0-9]+(\.[0-9]+)?(us|ms|s|m|h|d)</param></data>
              <ref name="reference"/>
            </choice>
          </define>

          <define name="number">
            <choice>
              <data type="string"><param name="pattern">[0-9]{1,9}</param></data>
              <ref name="reference"/>
            </choice>
          </define>

          <!-- 2026-11-24T02:00:00 -->
          <define name="local-time">
            <choice>
              <data type="string">
                <param name="pattern">[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:[0-9]{2})?</param>
              </data>
              <ref name="reference"/>
            </choice>
          </define>

          <!-- 02:30; 24:00 is the end of a day. -->
          <define name="clock">
            <choice>
              <data type="string"><param name="pattern">[0-9]{2}:[0-9]{2}</param></data>
              <ref name="reference"/>
            </choice>
          </define>

          <!-- Of the IANA time zone database: Europe/Berlin, UTC. -->
          <define name="zone">
            <choice>
              <data type="string"><param name="pattern">[A-Za-z0-9_+\-]+(/[A-Za-z0-9_+\-]+){0,2}</param></data>
              <ref name="reference"/>
            </choice>
          </define>

          <define name="words">
            <data type="string"><param name="minLength">1</param></data>
          </define>

          <!-- Holds at least one ${name}. -->
          <define name="reference">
            <data type="string">
              <param name="pattern">(.|\n)*[$]\{[A-Za-z0-9][A-Za-z0-9_\-]{0,62}\}(.|\n)*</param>
            </data>
          </define>

        </grammar>
        """#
}
