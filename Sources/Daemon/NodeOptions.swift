/// What the command line tells a node service.
package struct NodeOptions: Hashable, Sendable {
    /// The cluster file.
    package var configPath: String
    /// Which node this is; nil asks the environment and then the host name.
    package var name: String?
    package var stateDir: String
    package var controlPath: String
    /// Nil takes FSDNS_KEEPER, else `fsdns-keeper` beside the running program.
    package var keeperPath: String?
    /// The socket of a keeper that is a service of its own; nil starts the program at `keeperPath`.
    package var keeperSocket: String?
    /// Whether this process is the service's own: then it gives up every privilege once somebody else can start keepers.
    package var givesUpPrivileges: Bool

    package init(
        configPath: String, name: String? = nil, stateDir: String, controlPath: String,
        keeperPath: String? = nil, keeperSocket: String? = nil, givesUpPrivileges: Bool = false
    ) {
        self.configPath = configPath
        self.name = name
        self.stateDir = stateDir
        self.controlPath = controlPath
        self.keeperPath = keeperPath
        self.keeperSocket = keeperSocket
        self.givesUpPrivileges = givesUpPrivileges
    }
}
