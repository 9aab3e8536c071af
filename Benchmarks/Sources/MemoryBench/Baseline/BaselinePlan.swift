import CMemoryBaseline

/// The owner of a planner of the baseline's.
final class BaselinePlan {
    let pointer = baseline_plan_create()

    deinit {
        baseline_plan_destroy(pointer)
    }
}
