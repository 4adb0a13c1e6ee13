/** What a group has committed. A block that is not there holds nothing. */
import { BrokerlessError } from "../../base/errors.ts";
import { storageStep } from "../../log/storage-errors.ts";
import type { Item } from "../../ports/index.ts";
import { checkGroupName, groupPk } from "../items/group.ts";
import { blockKey, blockOf, blockRange, entryOf, parseBlockKey, partitionsIn } from "../items/offsets.ts";
import { PENDING_RANGE, pendingPartitions } from "../items/pending.ts";
import { decodeState, stateKey } from "../items/state.ts";
import type { GroupParts } from "../parts.ts";
import type { CommittedOffset, FetchOffsetsRequest, TopicPartition } from "../types.ts";
import { staleEpoch, unknownMember } from "./plan-commit.ts";
import { type Named, readPlaced } from "./topics.ts";

export async function fetchOffsets(parts: GroupParts, request: FetchOffsetsRequest): Promise<CommittedOffset[]> {
  checkGroupName(request.group);
  await checkMember(parts, request);
  const { topics } = request;
  const asked = topics ?? [];
  const named = asked.flatMap(({ topic, topicId, partitions }) =>
    (partitions ?? []).map((partition) => ({ topic, topicId, partition })),
  );
  const whole = asked.filter(({ partitions }) => partitions === undefined);
  // Before the offsets: what ends in between is applied by then.
  const waiting = request.requireStable === true ? await pendingOf(parts, request.group) : NOTHING_PENDING;
  const found = await Promise.all([
    named.length === 0 ? [] : namedOffsets(parts, request.group, named),
    ...whole.map(({ topic, topicId }) => offsetsOfTopic(parts, request.group, topic, topicId)),
  ]);
  const all = topics === undefined ? await allOffsets(parts, request.group) : found.flat();
  return waiting.size === 0 ? all : all.map((one) => markUnstable(one, waiting));
}

const NOTHING_PENDING: ReadonlySet<string> = new Set();

/** `<topicId>#<p>` of what open transactions are about to commit. */
async function pendingOf({ storage }: GroupParts, group: string): Promise<ReadonlySet<string>> {
  const items = await storageStep(`read offsets of group "${group}"`, () => storage.table.range(groupPk(group), PENDING_RANGE));
  return pendingPartitions(items);
}

function markUnstable(one: CommittedOffset, waiting: ReadonlySet<string>): CommittedOffset {
  if (one.error !== undefined || !waiting.has(`${one.topicId}#${one.partition}`)) return one;
  const message = `a transaction that commits ${one.topic}-${one.partition} is open`;
  return { ...one, error: new BrokerlessError("unstable_offset_commit", message) };
}

async function checkMember({ storage }: GroupParts, { group, member }: FetchOffsetsRequest): Promise<void> {
  if (member === undefined) return;
  const state = decodeState(await storageStep(`read group "${group}"`, () => storage.table.get(stateKey(group))))?.state;
  const found = state?.members[member.memberId];
  if (state === undefined || found === undefined) throw unknownMember(group, member.memberId);
  // Kafka: in a classic group it is not checked.
  if ("assigned" in found && found.epoch !== member.epoch) throw staleEpoch(group, found, member.epoch);
}

function namedOffsets({ log, storage }: GroupParts, group: string, named: readonly Named[]): Promise<CommittedOffset[]> {
  return readPlaced(log, named, async (places, proofs) => {
    const keys = new Map(
      named.flatMap(({ partition }, i) => {
        const id = places[i];
        if (typeof id !== "string") return [];
        const key = blockKey(group, id, blockOf(partition));
        return [[key.sk, key] as const];
      }),
    );
    const wanted = [...keys.values(), ...proofs];
    const items = await storageStep(`read offsets of group "${group}"`, () => storage.table.getMany(wanted));
    const bySk = new Map([...keys.keys()].map((sk, i) => [sk, items[i]]));
    const result = named.map((one, i): CommittedOffset => {
      const id = places[i] as string | BrokerlessError;
      if (id instanceof BrokerlessError) return { ...answer(one, undefined, undefined), error: id };
      return answer(one, id, bySk.get(blockKey(group, id, blockOf(one.partition)).sk));
    });
    return { result, proofs: items.slice(keys.size) };
  });
}

function answer({ topic, partition }: TopicPartition, topicId: string | undefined, item: Item | undefined): CommittedOffset {
  const entry = entryOf(item, partition);
  return {
    topic,
    topicId,
    partition,
    offset: entry?.offset ?? -1,
    leaderEpoch: entry?.leaderEpoch ?? -1,
    metadata: entry?.metadata ?? "",
    committedAtMs: entry?.committedAtMs ?? -1,
  };
}

function offsetsOfTopic(
  parts: GroupParts,
  group: string,
  topic: string,
  topicId: string | undefined,
): Promise<CommittedOffset[]> {
  const first = { topic, topicId, partition: 0 };
  return readPlaced(parts.log, [first], async ([id], proofs) => {
    if (typeof id !== "string") return { result: [], proofs: [] };
    const [result, found] = await Promise.all([
      blocks(parts, group, new Map([[id, topic]]), id),
      storageStep(`read topic "${topic}"`, () => parts.storage.table.getMany(proofs)),
    ]);
    return { result, proofs: found };
  });
}

async function allOffsets(parts: GroupParts, group: string): Promise<CommittedOffset[]> {
  const topics = await parts.log.listTopics();
  return blocks(parts, group, new Map(topics.map(({ id, name }) => [id, name])));
}

/** Of topics that are there; what is left of deleted ones is the retention's. */
async function blocks(parts: GroupParts, group: string, names: ReadonlyMap<string, string>, topicId?: string) {
  const found = await storageStep(`read offsets of group "${group}"`, () =>
    parts.storage.table.range(groupPk(group), blockRange(topicId)),
  );
  return found.flatMap(({ key, item }) => {
    const { topicId: id, block } = parseBlockKey(key.sk);
    const topic = names.get(id);
    if (topic === undefined) return [];
    return partitionsIn(item, block, "offset").map((partition) => answer({ topic, partition }, id, item));
  });
}
