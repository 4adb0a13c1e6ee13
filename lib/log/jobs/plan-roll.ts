/** What the roller takes: pure. */

import { ulidTimeMs } from "../../base/ulid.ts";
import type { Key } from "../../ports/index.ts";
import { SEAL_POLICY } from "../append/seal.ts";
import type { LocatedRef } from "../read/locate.ts";

export interface RollableRun {
  readonly key: Key;
  /** The base that its item has. */
  readonly runBase: number;
  /** Refs that the log start has passed, which leave the index with the run. */
  readonly passed: readonly LocatedRef[];
  /** What is to be rolled of it, one ref at least. */
  readonly refs: readonly LocatedRef[];
}

export interface RollPolicy {
  /** Runs with a ref younger than this stay, so that a writer whose answer was lost still finds its ref. */
  readonly graceMs: number;
  /** A segment that the roller makes has at most about so many bytes; larger ones are merged from them. */
  readonly segmentBytes: number;
  /** A transaction has so many items at most. */
  readonly runsMost: number;
  /** A tail with so many refs may be being sealed: the `runRefs` of the sealing. */
  readonly sealRefs: number;
}

export const ROLL_POLICY: RollPolicy = {
  graceMs: 60_000,
  segmentBytes: 32 * 2 ** 20,
  runsMost: 80,
  sealRefs: SEAL_POLICY.runRefs,
};

/**
 * The runs that become the next segment: from the first one on, without a gap, old enough, up to the size; undefined when
 * there are none. `runs` are those that no segment covers, in order.
 */
export function planRoll(runs: readonly RollableRun[], nowMs: number, policy: RollPolicy): readonly RollableRun[] {
  const taken: RollableRun[] = [];
  let sizeBytes = 0;
  for (const run of runs) {
    const before = taken.at(-1)?.refs.at(-1);
    if (before !== undefined && run.refs[0]?.base !== before.end) break;
    if ([...run.passed, ...run.refs].some(({ ref }) => nowMs - ulidTimeMs(ref.blobId) < policy.graceMs)) break;
    const runBytes = run.refs.reduce((sum, { ref }) => sum + ref.sizeBytes, 0);
    if (taken.length > 0 && (taken.length >= policy.runsMost || sizeBytes + runBytes > policy.segmentBytes)) break;
    taken.push(run);
    sizeBytes += runBytes;
  }
  return taken;
}
