extension SourceLink {
    /// Whether the destination can take the guest before its memory, and hears what is said to it.
    /// - Throws: `refused`, where it cannot.
    func checkPostCopy(_ answer: Hello) throws(MigrationError) {
        guard answer.features.contains(PostCopy.feature) else {
            throw .refused(
                by: .source,
                "the destination cannot do post-copy: it lacks the feature \"\(PostCopy.feature)\" (userfaultfd(2) for faults "
                    + "of KVM: /dev/userfaultfd, CAP_SYS_PTRACE or vm.unprivileged_userfaultfd=1 there, and a program that "
                    + "knows of it)")
        }
    }

    /// Connects once more, to the destination that runs the guest by now.
    /// - Returns: a channel on which the destination is about to say what it lacks.
    /// - Throws: `refused`, where somebody else listens there.
    func reconnect() throws(MigrationError) -> SourceChannel {
        let channel = SourceChannel(
            try Self.connect(uri, parameters, cancellation), 0, counters, nil,
            progressTimeout: parameters.progressTimeout)
        let hello = Hello(
            side: .source, program: Self.program, migration: id, features: [PostCopy.feature, PostCopy.recovery])
        let answer = try channel.greet(hello)
        guard answer.features.contains(PostCopy.recovery) else {
            throw .refused(by: .source, "whoever listens at \(uri) now does not have the guest")
        }
        channel.beginRecovery()
        return channel
    }
}
