/** A broken invariant of ours: a bug, never the caller's fault. */
export class InvariantViolated extends Error {
  override readonly name = "InvariantViolated";
}

/** States an invariant at the boundary of a layer; throws {@link InvariantViolated} when it does not hold. */
export function invariant(holds: boolean, what: string): asserts holds {
  if (!holds) throw new InvariantViolated(what);
}
