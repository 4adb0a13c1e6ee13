/** DescribeProducers (KIP-664): the idempotent producers that partitions remember. When they were there last is not kept. */
import { describeProducers } from "../../kafka/protocol/api/describe-producers.ts";
import { may, topicForbidden } from "../access.ts";
import { type Handler, handlerOf } from "../call.ts";
import { errorFields, NO_ERROR } from "../errors.ts";

export const describeProducersHandler: Handler = handlerOf(describeProducers, async ({ topics }, call) => ({
  topics: await Promise.all(
    topics.map(async ({ name, partitionIndexes }) => ({
      name,
      partitions: await Promise.all(
        partitionIndexes.map(async (partitionIndex) => {
          if (!may(call, "read", name)) return { partitionIndex, ...topicForbidden("read", name), activeProducers: [] };
          try {
            const producers = await call.surface.log.activeProducers(name, partitionIndex);
            return {
              partitionIndex,
              ...NO_ERROR,
              activeProducers: producers.map(({ transactionStartOffset, ...producer }) => ({
                ...producer,
                coordinatorEpoch: -1,
                currentTxnStartOffset: transactionStartOffset ?? -1,
              })),
            };
          } catch (error) {
            return { partitionIndex, ...errorFields(call.surface.judge(error, "DescribeProducers")), activeProducers: [] };
          }
        }),
      ),
    })),
  ),
}));
