/** What the handlers of the share group APIs (KIP-932) have in common. */
import type { Right } from "../auth/index.ts";
import { BrokerlessError } from "../base/errors.ts";
import type {
  AcknowledgeBatch,
  AcknowledgePartition,
  AcknowledgeType,
  ShareGroupsApi,
  SharePartition,
} from "../groups/share/types.ts";
import { KAFKA_ERRORS } from "../kafka/index.ts";
import type { shareAcknowledge } from "../kafka/protocol/api/share-acknowledge.ts";
import type { Decoded } from "../kafka/protocol/schema.ts";
import { LEADER_EPOCH, NODE_ID } from "./broker.ts";
import type { Call } from "./call.ts";
import { type ErrorFields, kafkaError, NO_ERROR } from "./errors.ts";
import { groupCodeOf, groupsFor, topicFor } from "./groups.ts";
import { partitionError } from "./topic-names.ts";

type RequestTopic = Decoded<typeof shareAcknowledge.request>["topics"][number];

/** Epochs of a share session that are no numbers of it. */
export const OPENS = 0;
export const CLOSES = -1;

export const CURRENT_LEADER = { leaderId: NODE_ID, leaderEpoch: LEADER_EPOCH } as const;

const RENEW = 4;
const RENEWS_UNSAID = kafkaError("INVALID_REQUEST", "a renewal in a request that does not say that it renews (version 2)");

/** For who may do this to the group. Throws `forbidden`. The handlers that ask for it are only there where share groups are. */
export function sharesFor(call: Call, operation: Right["operation"], group: string): Promise<ShareGroupsApi> {
  groupsFor(call, operation, group);
  if (call.surface.shares === undefined) throw new BrokerlessError("unsupported_version", "this server has no share groups");
  return call.surface.shares();
}

/** An error of the whole request, as its answer has it. */
export function shareError(call: Call, error: unknown, request: string): ErrorFields {
  return { errorCode: groupCodeOf(call, error, request), errorMessage: error instanceof Error ? error.message : null };
}

/**
 * What a member is told where its share session failed. Where the storage was in trouble, the change of the session is not known to be
 * there, and a client does not send it again: without a session, it opens one anew.
 */
export function sessionError(call: Call, error: unknown, request: string): ErrorFields {
  const fields = shareError(call, error, request);
  if (fields.errorCode !== KAFKA_ERRORS.COORDINATOR_NOT_AVAILABLE.code) return fields;
  return { ...fields, errorCode: KAFKA_ERRORS.SHARE_SESSION_NOT_FOUND.code };
}

export function partitionKey({ topicId, partition }: SharePartition): string {
  return `${topicId} ${partition}`;
}

/** The partitions of a request by topic, as the session has them. */
export function partitionsIn(topics: readonly RequestTopic[]): SharePartition[] {
  return topics.flatMap(({ topicId, partitions }) =>
    partitions.map(({ partitionIndex }) => ({ topicId, partition: partitionIndex })),
  );
}

/** Why each topic may not be read, by id; undefined where it may. */
export async function refusalsOf(
  call: Call,
  topicIds: Iterable<string>,
  request: string,
): Promise<ReadonlyMap<string, ErrorFields | undefined>> {
  const refusals = [...new Set(topicIds)].map(async (topicId) => {
    try {
      const named = await topicFor(call, true, "", topicId, "read");
      return [topicId, "error" in named ? named.error : undefined] as const;
    } catch (error) {
      return [topicId, partitionError(true, call.surface.judge(error, request))] as const;
    }
  });
  return new Map(await Promise.all(refusals));
}

/** Durable when it resolves: how each partition with acknowledgements went, by {@link partitionKey}. */
export async function acknowledgeAll(
  shares: ShareGroupsApi,
  { group, holder, topics, renews }: AcknowledgeAll,
  refusals: ReadonlyMap<string, ErrorFields | undefined>,
  call: Call,
  request: string,
): Promise<Map<string, ErrorFields>> {
  const answers = new Map<string, ErrorFields>();
  const accepted = new Map<string, AcknowledgePartition & { readonly batches: AcknowledgeBatch[] }>();
  for (const { topicId, partitions: some } of topics) {
    for (const { partitionIndex: partition, acknowledgementBatches } of some) {
      if (acknowledgementBatches.length === 0) continue;
      const unsaid = !renews && acknowledgementBatches.some(({ acknowledgeTypes }) => acknowledgeTypes.includes(RENEW));
      const refused = refusals.get(topicId) ?? (unsaid ? RENEWS_UNSAID : undefined);
      if (refused !== undefined) {
        answers.set(partitionKey({ topicId, partition }), refused);
        continue;
      }
      const batches = acknowledgementBatches.map(({ firstOffset, lastOffset, acknowledgeTypes }) => ({
        firstOffset,
        lastOffset,
        types: acknowledgeTypes as readonly AcknowledgeType[],
      }));
      const before = accepted.get(partitionKey({ topicId, partition }));
      if (before === undefined) accepted.set(partitionKey({ topicId, partition }), { topicId, partition, batches });
      else before.batches.push(...batches);
    }
  }
  if (accepted.size === 0) return answers;
  const partitions = [...accepted.values()];
  try {
    for (const { error, ...one } of await shares.acknowledge({ group, holder, partitions })) {
      answers.set(partitionKey(one), error === undefined ? NO_ERROR : partitionError(true, error));
    }
  } catch (error) {
    const fields = partitionError(true, call.surface.judge(error, request));
    for (const one of partitions) answers.set(partitionKey(one), fields);
  }
  return answers;
}

interface AcknowledgeAll {
  readonly group: string;
  readonly holder: string;
  readonly topics: readonly RequestTopic[];
  /** The request says that it renews locks (KIP-1222). */
  readonly renews: boolean;
}

/** Acknowledges, then closes the session, which gives back the rest. What was acknowledged stands where there is no session any more. */
export async function acknowledgeAndClose(
  shares: ShareGroupsApi,
  asked: AcknowledgeAll,
  refusals: ReadonlyMap<string, ErrorFields | undefined>,
  call: Call,
  request: string,
): Promise<Map<string, ErrorFields>> {
  const answers = await acknowledgeAll(shares, asked, refusals, call, request);
  try {
    await shares.session({ group: asked.group, memberId: asked.holder, epoch: CLOSES, add: [], forget: [] });
  } catch (error) {
    const isGone = error instanceof BrokerlessError && error.code === "share_session_not_found";
    if (!isGone || answers.size === 0) throw error;
  }
  return answers;
}

/** Entries by the topic of their key, in the order of their first. */
export function grouped<T>(entries: Iterable<readonly [key: string, value: T]>): { topicId: string; partitions: T[] }[] {
  const topics = new Map<string, T[]>();
  for (const [key, value] of entries) {
    const topicId = key.slice(0, key.indexOf(" "));
    const some = topics.get(topicId);
    if (some === undefined) topics.set(topicId, [value]);
    else some.push(value);
  }
  return [...topics].map(([topicId, partitions]) => ({ topicId, partitions }));
}

export function partitionOf(key: string): number {
  return Number(key.slice(key.indexOf(" ") + 1));
}
