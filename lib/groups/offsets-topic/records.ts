/** What a group is by its items, as the records of `__consumer_offsets` that say so. */
import {
  groupMetadataKeyOf,
  groupMetadataValueOf,
  offsetCommitKeyOf,
  offsetCommitValueOf,
} from "../../kafka/protocol/consumer-offsets.ts";
import type { Table } from "../../ports/index.ts";
import { metadataOf } from "../classic/join.ts";
import { groupPk } from "../items/group.ts";
import { blockRange, entryOf, type OffsetEntry, parseBlockKey, partitionsIn } from "../items/offsets.ts";
import { decodeState, type GroupState, hasMembers, stateKey } from "../items/state.ts";
import type { TopicPartition } from "../types.ts";

/** The last record of a key; a null value is a tombstone. */
export interface MirrorRecord {
  readonly key: Uint8Array;
  readonly value: Uint8Array | null;
  /** Milliseconds since 1970. */
  readonly timestampMs: number;
}

/** Keys as map keys: one character a byte. */
export function keyText(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString("latin1");
}

export function keyBytes(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, "latin1"));
}

export function commitRecord(group: string, { topic, partition }: TopicPartition, entry: OffsetEntry): MirrorRecord {
  return {
    key: offsetCommitKeyOf(group, topic, partition),
    value: offsetCommitValueOf(entry),
    timestampMs: entry.committedAtMs,
  };
}

/** A classic group between rebalances, as Kafka keeps it: undefined where it keeps none. */
export function groupRecord(group: string, state: GroupState): MirrorRecord | undefined {
  if (state.type !== "classic" || state.protocolType === "") return undefined;
  if (state.phase !== "Stable" && state.phase !== "Empty") return undefined;
  const { protocolType, epoch: generation, sinceMs, protocol, leader } = state;
  const value = groupMetadataValueOf({
    protocolType,
    generation,
    protocol: hasMembers(state) ? (protocol ?? null) : null,
    leader: hasMembers(state) ? (leader ?? null) : null,
    currentStateTimestamp: sinceMs,
    members: Object.entries(state.members).map(([memberId, member]) => ({
      memberId,
      groupInstanceId: member.instanceId ?? null,
      clientId: member.clientId,
      clientHost: member.clientHost,
      rebalanceTimeout: member.rebalanceTimeoutMs,
      sessionTimeout: member.sessionTimeoutMs,
      subscription: metadataOf(member, protocol ?? ""),
      assignment: member.assignment,
    })),
  });
  return { key: groupMetadataKeyOf(group), value, timestampMs: sinceMs };
}

/** What is true of a group now. */
export interface Truth {
  /** By key. */
  readonly records: ReadonlyMap<string, MirrorRecord>;
  /** The key of the group itself while it rebalances, when Kafka writes nothing of it: what is there stays. */
  readonly open: string | undefined;
}

/** `names`: of the topics that are there, by id. */
export async function truthOf(table: Table, group: string, names: ReadonlyMap<string, string>): Promise<Truth> {
  const [item, blocks] = await Promise.all([table.get(stateKey(group)), table.range(groupPk(group), blockRange())]);
  const state = decodeState(item)?.state;
  const records = new Map<string, MirrorRecord>();
  if (state === undefined) return { records, open: undefined };
  const metadata = groupRecord(group, state);
  if (metadata !== undefined) records.set(keyText(metadata.key), metadata);
  for (const { key, item: block } of blocks) {
    const { topicId, block: index } = parseBlockKey(key.sk);
    const topic = names.get(topicId);
    if (topic === undefined) continue;
    for (const partition of partitionsIn(block, index, "offset")) {
      const record = commitRecord(group, { topic, partition }, entryOf(block, partition) as OffsetEntry);
      records.set(keyText(record.key), record);
    }
  }
  const isOpen = metadata === undefined && state.type === "classic" && state.protocolType !== "";
  return { records, open: isOpen ? keyText(groupMetadataKeyOf(group)) : undefined };
}
