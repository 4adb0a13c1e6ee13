/**
 * A topic: key `TOPICS`, its name. And the tombstone of a deleted one: key `DELETED`, its id.
 *
 * | attribute | what |
 * |---|---|
 * | `v` | format version |
 * | `i` | topic id: 22 characters of base64url |
 * | `p` | number of partitions |
 * | `r` | replication factor as asked for |
 * | `c` | configs that were set: name to text |
 * | `a` | created at, milliseconds since 1970 |
 *
 * Of a tombstone: `n` its name (empty: of partitions that no topic knew), `p` its partitions, `a` deleted at, or swept at,
 * `k` how often it was swept, `d` the partition to go on with.
 *
 * T1  A topic is put after the heads of all its partitions, so a topic that can be seen can be written.
 * T2  `p` only grows, and after the heads of the new partitions are there.
 */
import type { Item, Key } from "../../ports/index.ts";
import type { Topic } from "../types.ts";
import { checkFormat, FORMAT_VERSION } from "./format.ts";

export const TOPICS = "TOPICS";

export function topicKey(name: string): Key {
  return { pk: TOPICS, sk: name };
}

export function encodeTopic(topic: Topic): Item {
  return {
    v: FORMAT_VERSION,
    i: topic.id,
    p: topic.partitions,
    r: topic.replicationFactor,
    c: { ...topic.configs },
    a: topic.createdAtMs,
  };
}

export function decodeTopic(name: string, item: Item): Topic {
  checkFormat(item, `topic "${name}"`);
  return {
    name,
    id: item["i"] as string,
    partitions: item["p"] as number,
    replicationFactor: item["r"] as number,
    configs: item["c"] as Record<string, string>,
    createdAtMs: item["a"] as number,
  };
}

export const DELETED = "DELETED";

export interface Tombstone {
  readonly name: string;
  readonly partitions: number;
  /** When it was deleted, or swept last. */
  readonly atMs: number;
  /** How often it was swept whole. */
  readonly passes: number;
  /** Where a sweep that ran out of time goes on. */
  readonly nextPartition: number;
}

export function tombstoneKey(topicId: string): Key {
  return { pk: DELETED, sk: topicId };
}

export function encodeTombstone({ name, partitions, atMs, passes, nextPartition }: Tombstone): Item {
  return { v: FORMAT_VERSION, n: name, p: partitions, a: atMs, k: passes, d: nextPartition };
}

export function decodeTombstone(item: Item): Tombstone {
  checkFormat(item, "the tombstone of a topic");
  return {
    name: item["n"] as string,
    partitions: item["p"] as number,
    atMs: item["a"] as number,
    passes: (item["k"] as number | undefined) ?? 0,
    nextPartition: (item["d"] as number | undefined) ?? 0,
  };
}
