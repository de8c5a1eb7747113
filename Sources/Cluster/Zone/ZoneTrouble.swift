/// One thing that is wrong: the same key is the same trouble, however its text changes.
package struct ZoneTrouble: Hashable, Sendable {
    package var key: String
    package var text: String
    /// Nothing fails because of it; somebody should look.
    var isNotice = false
}
