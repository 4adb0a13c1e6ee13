/** ListOffsets: where a partition begins and ends, and offsets by time. */
import { listOffsets } from "../../kafka/protocol/api/list-offsets.ts";
import type { Decoded, Encodable } from "../../kafka/protocol/schema.ts";
import type { Isolation, PartitionInfo } from "../../log/types.ts";
import { may } from "../access.ts";
import { LEADER_EPOCH } from "../broker.ts";
import { type Call, type Handler, handlerOf, type Surface } from "../call.ts";
import { type ErrorFields, kafkaCodeOf, kafkaError } from "../errors.ts";

type Asked = Decoded<typeof listOffsets.request>["topics"][number]["partitions"][number];
type Answer = Encodable<typeof listOffsets.response>["topics"][number]["partitions"][number];

/** Timestamps that mean something else (KIP-79, KIP-734, KIP-405, KIP-1005). */
const LATEST = -1;
const EARLIEST = -2;
const MAX_TIMESTAMP = -3;
/** No log is in tiers here: its earliest local offset is its first, and there is no latest tiered one. */
const EARLIEST_LOCAL = -4;
const LATEST_TIERED = -5;

const READ_COMMITTED = 1;

export const listOffsetsHandler: Handler = handlerOf(listOffsets, async ({ topics, isolationLevel }, call) => ({
  topics: await Promise.all(
    topics.map(async ({ name, partitions }) => ({
      name,
      partitions: await answerTopic(call, name, partitions, isolationLevel === READ_COMMITTED),
    })),
  ),
}));

/** The ends of all partitions in one trip; where one of them is wrong, each by itself. */
async function answerTopic(call: Call, topic: string, partitions: readonly Asked[], committed: boolean): Promise<Answer[]> {
  const { surface, version } = call;
  const { log } = surface;
  if (!may(call, "describe", topic)) {
    return partitions.map(({ partitionIndex }) => refused(partitionIndex, kafkaError("TOPIC_AUTHORIZATION_FAILED")));
  }
  const indexes = partitions.map(({ partitionIndex }) => partitionIndex);
  const infos = await log.partitions(topic, indexes).catch(() => undefined);
  const ends = async (partition: number): Promise<PartitionInfo> => {
    const known = infos?.[indexes.indexOf(partition)];
    return known ?? ((await log.partitions(topic, [partition]))[0] as PartitionInfo);
  };
  // Who reads what is committed is told of the last stable offset as the end.
  const shown = async (partition: number): Promise<PartitionInfo> => {
    const info = await ends(partition);
    return committed ? { ...info, logEndOffset: info.lastStableOffset } : info;
  };
  const isolation = committed ? "read_committed" : "read_uncommitted";
  return Promise.all(partitions.map((asked) => answerOne(surface, topic, asked, { version, isolation }, shown)));
}

type Ends = (partition: number) => Promise<PartitionInfo>;

interface How {
  readonly version: number;
  readonly isolation: Isolation;
}

async function answerOne(
  surface: Surface,
  topic: string,
  asked: Asked,
  { version, isolation }: How,
  ends: Ends,
): Promise<Answer> {
  const { partitionIndex, timestamp } = asked;
  if (asked.currentLeaderEpoch > LEADER_EPOCH) return refused(partitionIndex, kafkaError("UNKNOWN_LEADER_EPOCH"));
  if (timestamp < LATEST_TIERED) return refused(partitionIndex, kafkaError("UNSUPPORTED_VERSION"));
  try {
    if (version === 0) return { partitionIndex, errorCode: 0, oldStyleOffsets: await offsetsBefore(surface, topic, asked, ends) };
    return await offsetAt(surface, topic, asked, isolation, ends);
  } catch (error) {
    return refused(partitionIndex, { errorCode: kafkaCodeOf(surface.judge(error, "ListOffsets")) });
  }
}

function refused(partitionIndex: number, { errorCode }: Pick<ErrorFields, "errorCode">): Answer {
  return { partitionIndex, errorCode };
}

async function offsetAt({ log }: Surface, topic: string, asked: Asked, isolation: Isolation, ends: Ends): Promise<Answer> {
  const { partitionIndex: partition, timestamp } = asked;
  const at = (offset: number, timestampMs = -1): Answer => ({
    partitionIndex: partition,
    errorCode: 0,
    timestamp: timestampMs,
    offset,
    leaderEpoch: offset < 0 ? -1 : LEADER_EPOCH,
  });
  switch (timestamp) {
    case LATEST:
      return at((await ends(partition)).logEndOffset);
    case EARLIEST:
    case EARLIEST_LOCAL:
      return at((await ends(partition)).logStartOffset);
    case LATEST_TIERED:
      await ends(partition);
      return at(-1);
    default: {
      const spec = timestamp === MAX_TIMESTAMP ? ({ at: "max_timestamp" } as const) : { timestampMs: timestamp };
      const found = await log.listOffset(topic, partition, spec, isolation);
      return at(found.offset, found.timestampMs);
    }
  }
}

/** Version 0: up to so many offsets from which what is before that time is read, the latest first. */
async function offsetsBefore({ log }: Surface, topic: string, asked: Asked, ends: Ends): Promise<number[]> {
  const { partitionIndex, timestamp, maxNumOffsets } = asked;
  const { logStartOffset, logEndOffset } = await ends(partitionIndex);
  let latest = logStartOffset;
  if (timestamp === LATEST) latest = logEndOffset;
  else if (timestamp >= 0) {
    const { offset } = await log.listOffset(topic, partitionIndex, { timestampMs: timestamp });
    latest = offset < 0 ? logEndOffset : offset;
  }
  const offsets = latest > logStartOffset ? [latest, logStartOffset] : [logStartOffset];
  return offsets.slice(0, Math.max(0, maxNumOffsets));
}
