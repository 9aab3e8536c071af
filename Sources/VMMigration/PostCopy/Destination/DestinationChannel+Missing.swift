/// Pages that are not right here, at the switch to post-copy.
extension DestinationChannel {
    /// Takes a list of them, where one comes.
    /// - Parameter frame: that came last.
    /// - Returns: the first frame after the list.
    func receiveMissing(
        into missing: inout PageSet, after frame: Frame, _ memory: TargetMemory
    ) throws(MigrationError) -> Frame {
        var frame = frame
        while frame.type == .missing {
            let list = try MigrationError.wrap(MigrationError.stream) { () throws(StreamError) in
                try MissingPages(frame, of: memory.blocks)
            }
            for run in list.runs { missing.insert(run) }
            frame = try nextFrame()
        }
        return frame
    }
}
