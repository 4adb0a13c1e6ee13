/** OffsetForLeaderEpoch (KIP-101): there is one epoch for all time, and it ends where the log does. */
import { offsetForLeaderEpoch } from "../../kafka/protocol/api/offset-for-leader-epoch.ts";
import { may } from "../access.ts";
import { LEADER_EPOCH } from "../broker.ts";
import { type Handler, handlerOf } from "../call.ts";
import { kafkaCodeOf, kafkaError } from "../errors.ts";

export const offsetForLeaderEpochHandler: Handler = handlerOf(offsetForLeaderEpoch, async ({ topics }, call) => ({
  topics: await Promise.all(
    topics.map(async ({ topic, partitions }) => ({
      topic,
      partitions: await Promise.all(
        partitions.map(async ({ partition, currentLeaderEpoch, leaderEpoch }) => {
          if (!may(call, "describe", topic)) return { partition, ...kafkaError("TOPIC_AUTHORIZATION_FAILED") };
          if (currentLeaderEpoch > LEADER_EPOCH) return { partition, ...kafkaError("UNKNOWN_LEADER_EPOCH") };
          try {
            const [info] = await call.surface.log.partitions(topic, [partition]);
            if (info === undefined || leaderEpoch !== LEADER_EPOCH) return { partition, errorCode: 0 };
            return { partition, errorCode: 0, leaderEpoch, endOffset: info.logEndOffset };
          } catch (error) {
            return { partition, errorCode: kafkaCodeOf(call.surface.judge(error, "OffsetForLeaderEpoch")) };
          }
        }),
      ),
    })),
  ),
}));
