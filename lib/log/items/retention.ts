/**
 * When the retention of a topic is to be looked at next, so that topics with nothing to give up cost nothing. Key `RETAIN`,
 * the topic id.
 *
 * | attribute | what |
 * |---|---|
 * | `v` | format version |
 * | `d` | due at, milliseconds since 1970 |
 * | `c` | the policy that this was worked out for |
 * | `n` | the partition to go on with, where a run ended in the middle of the topic |
 * | `k` | a counter: every DeleteRecords adds one |
 *
 * D1  A topic without an item, or with another policy than its item's, is due. So losing an item costs a look, no more.
 * D2  It is put only at the counter that was read before the topic was looked at: a DeleteRecords meanwhile stays due.
 */
import type { Item, Key, Put, Update } from "../../ports/index.ts";
import { configOf } from "../config.ts";
import type { Topic } from "../types.ts";
import { checkFormat, FORMAT_VERSION } from "./format.ts";

export const RETENTION = "RETAIN";

export interface RetentionDue {
  readonly atMs: number;
  readonly policy: string;
  readonly nextPartition: number;
  readonly counter: number;
}

/** Everything that the due time follows from, as text. */
export function policyText({ configs, partitions }: Topic): string {
  const values = ["cleanup.policy", "retention.ms", "retention.bytes"].map((name) => configOf(configs, name));
  return [...values, partitions].join(" ");
}

export function retentionKey(topicId: string): Key {
  return { pk: RETENTION, sk: topicId };
}

export function decodeRetention(item: Item): RetentionDue {
  checkFormat(item, "the due time of a retention");
  return {
    atMs: item["d"] as number,
    policy: (item["c"] as string | undefined) ?? "",
    nextPartition: (item["n"] as number | undefined) ?? 0,
    counter: (item["k"] as number | undefined) ?? 0,
  };
}

/** Puts it in the place of the one that was read. */
export function putRetention(topicId: string, due: Omit<RetentionDue, "counter">, before: RetentionDue | undefined): Put {
  const { atMs, policy, nextPartition } = due;
  return {
    op: "put",
    key: retentionKey(topicId),
    item: { v: FORMAT_VERSION, d: atMs, c: policy, n: nextPartition, k: before?.counter ?? 0 },
    when: [before === undefined ? { item: "absent" } : { path: "k", is: "=", value: before.counter }],
  };
}

/** Makes the topic due: something of it is below its log start. */
export function markRetention(topicId: string): Update {
  return {
    op: "update",
    key: retentionKey(topicId),
    changes: [
      { set: "v", to: FORMAT_VERSION },
      { set: "d", to: 0 },
      { add: "k", by: 1 },
    ],
  };
}
