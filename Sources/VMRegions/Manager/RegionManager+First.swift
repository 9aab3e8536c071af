extension RegionManager {
    /// Makes a manager that has regions, and shows them to a partition, from the start. They have no handles, and stay as
    /// long as the manager.
    ///
    /// It takes less time than to add them: nobody uses any of it yet.
    /// - Parameters:
    ///   - addressWidth: how many bits guest-physical addresses have; as many addresses are reserved on the host, of
    ///     which a process has 2^47.
    ///   - policy: which regions may overlap.
    ///   - regions: complete with their memory.
    ///   - partition: makes it, told where to say which pages were written.
    /// - Throws: what `init`, `addRegions` and `addPartition` throw. Nothing is left behind then.
    public static func make<Shown: Partition>(
        addressWidth: Int, policy: OverlapPolicy = .layered, regions: [RegionDefinition],
        shownTo partition: (DirtyLogSink) -> Shown
    ) throws(RegionManagerError) -> (manager: RegionManager, partition: Shown) {
        try make(addressWidth: addressWidth, policy: policy, regions, shownTo: partition, beforeHostStep: nil)
    }

    static func make<Shown: Partition>(
        addressWidth: Int, policy: OverlapPolicy, _ regions: [RegionDefinition],
        shownTo partition: (DirtyLogSink) -> Shown, beforeHostStep: GuestReservation.StepObserver?
    ) throws(RegionManagerError) -> (manager: RegionManager, partition: Shown) {
        let first = try FirstRegions(
            regions, addressWidth: addressWidth, policy: policy, beforeHostStep: beforeHostStep)
        let partition = partition(DirtyLogSink(space: first.space))
        try first.show(to: partition)
        first.prefetch()
        return (RegionManager(first, shownTo: [partition]), partition)
    }
}
