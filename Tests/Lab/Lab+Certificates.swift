import Foundation

extension Lab {
    /// A folder like that of the cluster file, for one node that has a certificate of its own; returns the file there.
    func certify(_ node: String, _ file: String) throws -> String {
        let common = (file as NSString).deletingLastPathComponent
        let folder = common + "-" + node
        try FileManager.default.copyItem(atPath: common, toPath: folder)
        let (authority, key) = (common + "/peer-ca.pem", directory + "/ca.key")
        let (own, request) = (folder + "/own.key", folder + "/own.csr")
        let signed = folder + "/own.crt"
        func openssl(_ words: [String]) throws { _ = try Launch.check(["openssl"] + words, seconds: 60) }
        let curve = ["ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out"]
        if !FileManager.default.fileExists(atPath: authority) {
            try openssl(curve + [key])
            try openssl(
                [
                    "req", "-x509", "-new", "-key", key, "-sha256", "-days", "2", "-subj", "/CN=lab", "-out",
                    authority, "-addext", "keyUsage=critical,keyCertSign,cRLSign",
                ])
            try FileManager.default.copyItem(atPath: authority, toPath: folder + "/peer-ca.pem")
        }
        try openssl(curve + [own])
        try openssl(
            [
                "req", "-new", "-key", own, "-subj", "/CN=\(node)", "-out", request, "-addext",
                "subjectAltName=URI:fsdns://\(plan.name)/\(node)", "-addext",
                "extendedKeyUsage=serverAuth,clientAuth", "-addext", "basicConstraints=CA:FALSE",
            ])
        try openssl(
            [
                "x509", "-req", "-in", request, "-CA", authority, "-CAkey", key, "-CAcreateserial", "-sha256",
                "-days", "2", "-copy_extensions", "copy", "-out", signed,
            ])
        let pem =
            try String(contentsOfFile: signed, encoding: .utf8) + String(contentsOfFile: own, encoding: .utf8)
        try pem.write(toFile: folder + "/peer.pem", atomically: true, encoding: .utf8)
        try FileManager.default.setAttributes(
            [.posixPermissions: 0o600], ofItemAtPath: folder + "/peer.pem")
        return folder + "/cluster.xml"
    }

    /// The cluster's key, as who has it would know it.
    var clusterKey: String {
        get throws {
            let folder = (hosts[0].clusterFile as NSString).deletingLastPathComponent
            return try String(contentsOfFile: folder + "/cluster.key", encoding: .utf8).trimmingCharacters(
                in: .newlines)
        }
    }
}
