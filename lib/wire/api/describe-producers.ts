/** DescribeProducers (KIP-664): the idempotent producers that partitions remember. When they were there last is not kept. */
import { describeProducers } from "../../kafka/protocol/api/describe-producers.ts";
import { type Handler, handlerOf } from "../call.ts";
import { errorFields, NO_ERROR } from "../errors.ts";

export const describeProducersHandler: Handler = handlerOf(describeProducers, async ({ topics }, { surface }) => ({
  topics: await Promise.all(
    topics.map(async ({ name, partitionIndexes }) => ({
      name,
      partitions: await Promise.all(
        partitionIndexes.map(async (partitionIndex) => {
          try {
            const producers = await surface.log.activeProducers(name, partitionIndex);
            return {
              partitionIndex,
              ...NO_ERROR,
              activeProducers: producers.map((producer) => ({ ...producer, coordinatorEpoch: -1 })),
            };
          } catch (error) {
            return { partitionIndex, ...errorFields(surface.judge(error, "DescribeProducers")), activeProducers: [] };
          }
        }),
      ),
    })),
  ),
}));
