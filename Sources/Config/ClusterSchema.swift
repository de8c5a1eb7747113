/// The schema of the cluster file, RELAX NG: a copy of `config/cluster.rng`, the one to edit.
///
/// `FSDNS_WRITE_SCHEMA=1 swift test --filter SchemaTests` writes this file anew.
enum ClusterSchema {
    static let text = #"""
        <?xml version="1.0" encoding="UTF-8"?>
        <!--
          What a cluster file may look like. The program carries this text inside and holds every file against
          it; editors use it from here, and so does `xmllint` with the options noout, nonet, xinclude,
          nofixup-base-uris and relaxng.

          Rules that a schema cannot say (a seat's address exists, a lease is longer than two intervals) are
          told by `fsdns config check`.
        -->
        <grammar xmlns="http://relaxng.org/ns/structure/1.0" ns="urn:fsdns:cluster:1"
                 datatypeLibrary="http://www.w3.org/2001/XMLSchema-datatypes">

          <start>
            <element name="cluster">
              <attribute name="name"><ref name="name"/></attribute>
              <interleave>
                <element name="key">
                  <attribute name="file"><ref name="path"/></attribute>
                </element>
                <ref name="heartbeat"/>
                <ref name="nodes"/>
                <ref name="addresses"/>
                <ref name="seats"/>
                <optional><ref name="policy"/></optional>
                <optional><ref name="dns"/></optional>
                <ref name="freeswitch"/>
                <optional><ref name="event-socket"/></optional>
                <optional><ref name="limit-service"/></optional>
                <optional><ref name="limits"/></optional>
                <optional><ref name="playbooks"/></optional>
                <optional><ref name="links"/></optional>
              </interleave>
            </element>
          </start>

          <!-- How nodes hear each other, and after how long silence means something. -->
          <define name="heartbeat">
            <element name="heartbeat">
              <optional><attribute name="interval"><ref name="duration"/></attribute></optional>
              <optional><attribute name="lease"><ref name="duration"/></attribute></optional>
              <optional><attribute name="dead-after"><ref name="duration"/></attribute></optional>
              <optional><attribute name="discovery"><ref name="duration"/></attribute></optional>
              <oneOrMore>
                <choice>
                  <element name="network">
                    <attribute name="name"><ref name="name"/></attribute>
                    <attribute name="subnet"><ref name="prefixed"/></attribute>
                    <optional><attribute name="group"><ref name="ip"/></attribute></optional>
                    <optional><attribute name="port"><ref name="port"/></attribute></optional>
                  </element>
                  <element name="peer">
                    <attribute name="address"><ref name="ip"/></attribute>
                    <optional><attribute name="port"><ref name="port"/></attribute></optional>
                  </element>
                </choice>
              </oneOrMore>
            </element>
          </define>

          <define name="nodes">
            <element name="nodes">
              <optional>
                <attribute name="expect">
                  <data type="integer">
                    <param name="minInclusive">1</param>
                    <param name="maxInclusive">64</param>
                  </data>
                </attribute>
              </optional>
              <zeroOrMore>
                <choice>
                  <element name="node">
                    <ref name="node"/>
                    <!-- What this machine has otherwise than the others. -->
                    <interleave>
                      <optional><ref name="freeswitch"/></optional>
                      <optional><ref name="event-socket"/></optional>
                      <optional><ref name="limit-service"/></optional>
                    </interleave>
                  </element>
                  <element name="witness"><ref name="node"/></element>
                </choice>
              </zeroOrMore>
            </element>
          </define>

          <define name="node">
            <attribute name="name"><ref name="name"/></attribute>
            <optional><attribute name="address"><ref name="ip"/></attribute></optional>
          </define>

          <define name="addresses">
            <element name="addresses">
              <choice>
                <optional><attribute name="mode"><value>kernel</value></attribute></optional>
                <group>
                  <attribute name="mode"><value>loopback</value></attribute>
                  <optional><attribute name="probe-port"><ref name="port"/></attribute></optional>
                </group>
              </choice>
              <oneOrMore>
                <element name="address">
                  <attribute name="name"><ref name="name"/></attribute>
                  <attribute name="ip"><ref name="prefixed"/></attribute>
                </element>
              </oneOrMore>
            </element>
          </define>

          <define name="seats">
            <element name="seats">
              <oneOrMore>
                <element name="seat">
                  <attribute name="name"><ref name="name"/></attribute>
                  <attribute name="address"><ref name="name"/></attribute>
                  <optional><attribute name="prefer"><ref name="name"/></attribute></optional>
                </element>
              </oneOrMore>
            </element>
          </define>

          <define name="policy">
            <element name="policy">
              <optional>
                <attribute name="no-quorum">
                  <choice><value>release</value><value>hold</value></choice>
                </attribute>
              </optional>
              <optional>
                <attribute name="on-exhaustion">
                  <choice><value>withdraw</value><value>keep</value></choice>
                </attribute>
              </optional>
              <optional>
                <attribute name="takeovers-per-hour">
                  <data type="integer">
                    <param name="minInclusive">0</param>
                    <param name="maxInclusive">1000</param>
                  </data>
                </attribute>
              </optional>
              <optional><attribute name="unserved-after"><ref name="duration"/></attribute></optional>
            </element>
          </define>

          <define name="dns">
            <element name="dns">
              <attribute name="zone"><ref name="domain"/></attribute>
              <optional><attribute name="ttl"><ref name="duration"/></attribute></optional>
              <optional>
                <attribute name="floor">
                  <data type="integer">
                    <param name="minInclusive">1</param>
                    <param name="maxInclusive">64</param>
                  </data>
                </attribute>
              </optional>
              <interleave>
                <oneOrMore><ref name="server"/></oneOrMore>
                <zeroOrMore>
                  <element name="service">
                    <attribute name="name"><ref name="domain"/></attribute>
                    <!-- yes: addresses others put under this name are removed. -->
                    <optional>
                      <attribute name="exclusive"><choice><value>yes</value><value>no</value></choice></attribute>
                    </optional>
                  </element>
                </zeroOrMore>
                <optional><element name="seat-names"><empty/></element></optional>
                <zeroOrMore><ref name="srv"/></zeroOrMore>
              </interleave>
            </element>
          </define>

          <!-- The first server is the primary and needs a key; others may be there only to be read. -->
          <define name="server">
            <element name="server">
              <attribute name="address"><ref name="endpoint"/></attribute>
              <optional>
                <group>
                  <attribute name="key"><ref name="domain"/></attribute>
                  <attribute name="secret-file"><ref name="path"/></attribute>
                  <optional>
                    <attribute name="algorithm">
                      <choice><value>hmac-sha256</value><value>hmac-sha512</value></choice>
                    </attribute>
                  </optional>
                </group>
              </optional>
            </element>
          </define>

          <define name="srv">
            <element name="srv">
              <attribute name="service"><ref name="domain"/></attribute>
              <attribute name="port"><ref name="port"/></attribute>
              <optional><attribute name="priority"><data type="unsignedShort"/></attribute></optional>
              <optional><attribute name="weight"><data type="unsignedShort"/></attribute></optional>
            </element>
          </define>

          <!-- How the FreeSWITCH of each machine is reached, and how much is asked of it. -->
          <define name="freeswitch">
            <element name="freeswitch">
              <choice>
                <attribute name="kind"><value>none</value></attribute>
                <group>
                  <optional><attribute name="kind"><value>event-socket</value></attribute></optional>
                  <attribute name="socket"><ref name="endpoint"/></attribute>
                  <attribute name="password-file"><ref name="path"/></attribute>
                  <optional><attribute name="check"><ref name="duration"/></attribute></optional>
                  <optional><attribute name="failed-after"><ref name="duration"/></attribute></optional>
                  <optional>
                    <attribute name="registrations">
                      <choice><value>single</value><value>call-id</value><value>contact</value></choice>
                    </attribute>
                  </optional>
                  <optional>
                    <attribute name="injections-per-second">
                      <data type="integer">
                        <param name="minInclusive">1</param>
                        <param name="maxInclusive">100000</param>
                      </data>
                    </attribute>
                  </optional>
                  <optional>
                    <attribute name="prompts-per-second">
                      <data type="integer">
                        <param name="minInclusive">1</param>
                        <param name="maxInclusive">1000</param>
                      </data>
                    </attribute>
                  </optional>
                  <optional>
                    <attribute name="drain-outbound">
                      <choice><value>refuse</value><value>allow</value></choice>
                    </attribute>
                  </optional>
                </group>
              </choice>
            </element>
          </define>

          <!-- Our own event socket: fs_cli, mod_hash's remote and event-socket clients speak to it. -->
          <define name="event-socket">
            <element name="event-socket">
              <ref name="listener"/>
              <!-- The password of who may only look: of mod_hash's remote, and of monitoring. -->
              <optional><attribute name="look-password-file"><ref name="path"/></attribute></optional>
            </element>
          </define>

          <!-- Our own limit service: what mod_hiredis speaks to. -->
          <define name="limit-service">
            <element name="limit-service"><ref name="listener"/></element>
          </define>

          <define name="listener">
            <attribute name="listen"><ref name="endpoint"/></attribute>
            <attribute name="password-file"><ref name="path"/></attribute>
          </define>

          <!-- What playbooks may run on this machine: a file of root's, one path a line; none without it. -->
          <define name="playbooks">
            <element name="playbooks">
              <attribute name="programs"><ref name="path"/></attribute>
            </element>
          </define>

          <!-- Certificates that the ends of links show each other, beside the key; without it the key alone is the proof. -->
          <define name="links">
            <element name="links">
              <attribute name="certificate-file"><ref name="path"/></attribute>
              <attribute name="authority-file"><ref name="path"/></attribute>
              <!-- no: links by the key alone are made as well, while nodes get their certificates one by one. -->
              <optional>
                <attribute name="required"><choice><value>yes</value><value>no</value></choice></attribute>
              </optional>
            </element>
          </define>

          <!-- What a limit answers while the cluster is split; the first pattern that fits counts. -->
          <define name="limits">
            <element name="limits">
              <optional><attribute name="when-split"><ref name="when-split"/></attribute></optional>
              <zeroOrMore>
                <element name="limit">
                  <attribute name="name">
                    <data type="string"><param name="pattern">[!-~]{1,255}</param></data>
                  </attribute>
                  <attribute name="when-split"><ref name="when-split"/></attribute>
                </element>
              </zeroOrMore>
            </element>
          </define>

          <define name="when-split">
            <choice><value>open</value><value>closed</value><value>share</value></choice>
          </define>

          <!-- Of clusters, nodes, addresses, seats and networks. -->
          <define name="name">
            <data type="string"><param name="pattern">[A-Za-z0-9][A-Za-z0-9_\-]{0,62}</param></data>
          </define>

          <!-- A number and a unit: 25ms, 1.5s, 45m. -->
          <define name="duration">
            <data type="string"><param name="pattern">[0-9]+(\.[0-9]+)?(us|ms|s|m|h|d)</param></data>
          </define>

          <define name="ip">
            <data type="string"><param name="pattern">[0-9A-Fa-f:.]+</param></data>
          </define>

          <!-- An address with its prefix length: 10.77.0.11/24, 2001:db8::11/64. -->
          <define name="prefixed">
            <data type="string"><param name="pattern">[0-9A-Fa-f:.]+/[0-9]{1,3}</param></data>
          </define>

          <!-- An address and a port: 10.77.0.53:53, [2001:db8::53]:53. -->
          <define name="endpoint">
            <data type="string"><param name="pattern">[0-9A-Fa-f:.\[\]]+</param></data>
          </define>

          <define name="domain">
            <data type="string"><param name="pattern">[A-Za-z0-9_\-.]+</param></data>
          </define>

          <define name="port">
            <data type="integer">
              <param name="minInclusive">1</param>
              <param name="maxInclusive">65535</param>
            </data>
          </define>

          <!-- Relative to the file that names it. -->
          <define name="path">
            <data type="string"><param name="minLength">1</param></data>
          </define>

        </grammar>
        """#
}
