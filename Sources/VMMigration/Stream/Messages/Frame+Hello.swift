extension Frame {
    /// The hello in it, and the version of the protocol that both sides speak.
    ///
    /// - Parameters:
    ///   - side: the other one, so that a stream that comes back is not taken for an answer.
    ///   - own: versions of this side.
    /// - Throws: `StreamError` where it is no hello, or of the wrong side, or no version is shared.
    public func hello(
        from side: MigrationID.Side, _ own: ProtocolVersions = .own
    ) throws(StreamError) -> (hello: Hello, version: UInt32) {
        let hello: Hello = try message()
        guard hello.side == side else { throw error(.side(hello.side)) }
        guard let version = own.highest(sharedWith: hello.versions) else {
            throw error(.versions(own: own, others: hello.versions))
        }
        return (hello, version)
    }
}
