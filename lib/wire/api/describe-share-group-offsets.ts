/** DescribeShareGroupOffsets (KIP-932, KIP-1226): where share groups stand, and how much is left. */
import type { ShareDepth } from "../../groups/share/types.ts";
import { describeShareGroupOffsets } from "../../kafka/protocol/api/describe-share-group-offsets.ts";
import { type Decoded, type Encodable, NO_UUID } from "../../kafka/protocol/schema.ts";
import { may, topicForbidden } from "../access.ts";
import { LEADER_EPOCH } from "../broker.ts";
import { type Call, type Handler, handlerOf } from "../call.ts";
import { type ErrorFields, kafkaError, NO_ERROR } from "../errors.ts";
import { byTopic } from "../groups.ts";
import { shareError, sharesFor } from "../shares.ts";

type Group = Decoded<typeof describeShareGroupOffsets.request>["groups"][number];
type Answer = Encodable<typeof describeShareGroupOffsets.response>["groups"][number];

const NOT_THERE = { startOffset: -1, leaderEpoch: LEADER_EPOCH, lag: -1 };
const UNKNOWN = kafkaError("UNKNOWN_TOPIC_OR_PARTITION");

export const describeShareGroupOffsetsHandler: Handler = handlerOf(describeShareGroupOffsets, async ({ groups }, call) => ({
  groups: await Promise.all(groups.map((group) => describeOne(group, call))),
}));

async function describeOne({ groupId, topics }: Group, call: Call): Promise<Answer> {
  try {
    const names = topics?.map(({ topicName }) => topicName).filter((name) => may(call, "describe", name));
    const depths = await (await sharesFor(call, "describe", groupId)).depths(groupId, names);
    const found = byTopic(depths.filter(({ topic }) => may(call, "describe", topic)));
    const asked = topics ?? [...found].map(([topicName, some]) => ({ topicName, partitions: some.map((one) => one.partition) }));
    return {
      groupId,
      ...NO_ERROR,
      topics: asked.map(({ topicName, partitions }) => {
        const its = found.get(topicName) ?? [];
        const absent = may(call, "describe", topicName) ? UNKNOWN : topicForbidden("describe", topicName);
        return {
          topicName,
          topicId: its[0]?.topicId ?? NO_UUID,
          partitions: partitions.map((partition) =>
            partitionAnswer(
              partition,
              its.find((one) => one.partition === partition),
              absent,
            ),
          ),
        };
      }),
    };
  } catch (error) {
    return { groupId, topics: [], ...shareError(call, error, "DescribeShareGroupOffsets") };
  }
}

function partitionAnswer(partitionIndex: number, one: ShareDepth | undefined, absent: ErrorFields) {
  if (one === undefined) return { partitionIndex, ...NOT_THERE, ...absent };
  const { startOffset, depth, inFlight, dying } = one;
  const lag = startOffset < 0 ? -1 : depth + inFlight + dying;
  return { partitionIndex, startOffset, leaderEpoch: LEADER_EPOCH, lag, ...NO_ERROR };
}
