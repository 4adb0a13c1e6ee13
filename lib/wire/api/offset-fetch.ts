/** OffsetFetch: what groups have committed. */
import type { BrokerlessError } from "../../base/errors.ts";
import type { CommittedOffset, FetchOffsetsRequest } from "../../groups/types.ts";
import { KAFKA_ERRORS } from "../../kafka/index.ts";
import { offsetFetch } from "../../kafka/protocol/api/offset-fetch.ts";
import type { Decoded } from "../../kafka/protocol/schema.ts";
import { may } from "../access.ts";
import { type Call, type Handler, handlerOf } from "../call.ts";
import { byTopic, groupCodeOf, groupsFor, topicFor } from "../groups.ts";

type Request = Decoded<typeof offsetFetch.request>;
type Asked = NonNullable<Request["groups"][number]["topics"]>[number];

/** From this version on several groups are asked for, from this one members say who they are, and topics are named by ids. */
const GROUPS_FROM = 8;
const BY_ID_FROM = 10;
const NO_TOPIC_ID = "AAAAAAAAAAAAAAAAAAAAAA";

export const offsetFetchHandler: Handler = handlerOf(offsetFetch, async (request, call) => {
  if (call.version >= GROUPS_FROM)
    return { topics: [], groups: await Promise.all(request.groups.map((one) => fetchGroup(one, request.requireStable, call))) };
  const topics = request.topics?.map((one) => ({ ...one, topicId: NO_TOPIC_ID })) ?? null;
  const asked = { groupId: request.groupId, memberId: null, memberEpoch: -1, topics };
  const answer = await fetchGroup(asked, request.requireStable, call);
  if (answer.errorCode === 0 || call.version >= 2) return { ...answer, groups: [] };
  // Version 1 has errors of partitions alone.
  const refused = (topics ?? []).map(({ name, partitionIndexes }) => ({
    name,
    partitions: partitionIndexes.map((partitionIndex) => ({ ...NONE, partitionIndex, errorCode: answer.errorCode })),
  }));
  return { topics: refused, groups: [] };
});

const NONE = { committedOffset: -1, committedLeaderEpoch: -1, metadata: "", errorCode: 0 };

async function fetchGroup(
  { groupId, memberId, memberEpoch, topics }: Request["groups"][number],
  requireStable: boolean,
  call: Call,
) {
  try {
    const member = memberId === null || memberEpoch < 0 ? undefined : { memberId, epoch: memberEpoch };
    const asked = { group: groupId, member, requireStable };
    const answered = topics === null ? await fetchAll(asked, call) : await fetchNamed(asked, topics, call);
    return { groupId, topics: answered, errorCode: 0 };
  } catch (error) {
    return { groupId, topics: [], errorCode: groupCodeOf(call, error, "OffsetFetch") };
  }
}

type Asks = Omit<FetchOffsetsRequest, "topics">;

async function fetchAll(asked: Asks, call: Call) {
  const offsets = (await groupsFor(call, "describe", asked.group).fetchOffsets(asked)).filter(({ topic }) =>
    may(call, "describe", topic),
  );
  return [...byTopic(offsets)].map(([name, some]) => ({
    name,
    topicId: (call.version >= BY_ID_FROM ? some[0]?.topicId : undefined) ?? NO_TOPIC_ID,
    partitions: some.map((one) => partitionOf(one, call)),
  }));
}

async function fetchNamed(asks: Asks, topics: readonly Asked[], call: Call) {
  const found = await Promise.all(
    topics.map(({ name, topicId }) => topicFor(call, call.version >= BY_ID_FROM, name, topicId, "describe")),
  );
  const asked = topics.flatMap(({ partitionIndexes }, i) => {
    const one = found[i];
    return one === undefined || "error" in one ? [] : [{ ...one.found, partitions: [...new Set(partitionIndexes)] }];
  });
  const offsets = await groupsFor(call, "describe", asks.group).fetchOffsets({ ...asks, topics: asked });
  let at = 0;
  return topics.map(({ name, topicId, partitionIndexes }, i) => {
    const one = found[i];
    const count = one === undefined || "error" in one ? 0 : new Set(partitionIndexes).size;
    // They are answered in the order asked.
    const mine = new Map(offsets.slice(at, at + count).map((offset) => [offset.partition, offset]));
    at += count;
    return {
      name,
      topicId,
      partitions: partitionIndexes.map((partitionIndex) => {
        if (one === undefined || "error" in one) return { ...NONE, partitionIndex, errorCode: one?.error.errorCode ?? 0 };
        const offset = mine.get(partitionIndex);
        return offset === undefined ? { ...NONE, partitionIndex } : partitionOf(offset, call);
      }),
    };
  });
}

function partitionOf({ partition, offset, leaderEpoch, metadata, error }: CommittedOffset, call: Call) {
  return {
    partitionIndex: partition,
    committedOffset: offset,
    committedLeaderEpoch: leaderEpoch,
    metadata,
    errorCode: error === undefined ? 0 : codeOf(error, call),
  };
}

/** Of a name or partition that is not there nothing was committed: as Kafka says it. An id that is not there is an error. */
function codeOf(error: BrokerlessError, call: Call): number {
  if (error.code === "unknown_topic" && call.version >= BY_ID_FROM) return KAFKA_ERRORS.UNKNOWN_TOPIC_ID.code;
  const missing = error.code === "unknown_topic" || error.code === "unknown_partition";
  return missing ? 0 : groupCodeOf(call, error, "OffsetFetch");
}
