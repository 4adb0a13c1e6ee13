/** Asking where a partition's log begins and ends, and what is where in time. */
import type { Connection } from "./connection.ts";
import { numberIn } from "./connection.ts";

/** `earliest`: the log start. `latest`: the log end, the offset of the next record. Or the first record at or after a time. */
export type OffsetSpec = "earliest" | "latest" | "max_timestamp" | { readonly timestampMs: number };

export interface OffsetAnswer {
  /** -1 where no record fits. */
  readonly offset: number;
  /** -1 where the place has no record of its own. */
  readonly timestampMs: number;
}

/** What of transactions is shown: what is committed, or also what is open or was aborted. Kafka's `isolation.level`. */
export type Isolation = "read_committed" | "read_uncommitted";

export async function askOffset(
  { http }: Connection,
  topic: string,
  partition: number,
  spec: OffsetSpec,
  signal?: AbortSignal,
  isolation?: Isolation,
): Promise<OffsetAnswer> {
  const answer = await http.json({
    method: "GET",
    path: ["v1", "topics", topic, "partitions", partition, "offsets"],
    query: { at: typeof spec === "string" ? spec : spec.timestampMs, isolation },
    signal,
  });
  return { offset: numberIn(answer, "offset", http), timestampMs: numberIn(answer, "timestamp", http) };
}
