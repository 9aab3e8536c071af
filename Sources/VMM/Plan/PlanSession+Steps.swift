import VMRegions

extension PlanSession {
    /// Makes the changes of a step, or refuses them.
    mutating func take(_ step: PlanFile.Step, at path: String) -> PlanStep {
        do throws(PlanRefusal) {
            let plan = try plan(step.changes(at: path))
            return self.step(path, "\(step)", plan)
        } catch {
            return PlanStep(
                step: path, change: "\(step)", operations: [], refusal: error, view: planner.inspectedView)
        }
    }

    /// What a plan that was just made does.
    func step(_ path: String, _ change: String?, _ plan: RegionPlan) -> PlanStep {
        let operations = plan.operations.map { operation in
            switch operation {
            case .unmap(let range):
                PlanStep.Operation(operation: "unmap", range: InspectedRange(range), memory: nil)
            case .map(let range, let memory):
                PlanStep.Operation(operation: "map", range: InspectedRange(range), memory: planner.inspect(memory))
            }
        }
        return PlanStep(
            step: path, change: change, operations: operations, refusal: nil, view: planner.inspectedView)
    }
}
