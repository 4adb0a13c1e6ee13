/** The answer to an append, from what its lane and its commit know. */
import type { PreparedBatches } from "../../kafka/index.ts";
import type { AppendResult, Topic } from "../types.ts";
import type { Lane } from "./lane.ts";

export interface Appended {
  readonly topic: Topic;
  readonly prepared: PreparedBatches;
}

export function appendResult(
  { topic, prepared }: Appended,
  lane: Lane,
  baseOffset: number,
  more: Pick<AppendResult, "duplicate" | "logAppendTimeMs">,
): AppendResult {
  return {
    topic: topic.name,
    partition: lane.partition,
    baseOffset,
    recordCount: prepared.recordCount,
    logAppendTimeMs: more.logAppendTimeMs,
    logStartOffset: lane.head?.start ?? 0,
    duplicate: more.duplicate,
  };
}
