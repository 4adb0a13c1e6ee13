import { expect, test } from "vitest";
import { createGroups } from "../../../lib/groups/groups.ts";
import { KAFKA_ERRORS } from "../../../lib/kafka/index.ts";
import { produce } from "../../../lib/kafka/protocol/api/produce.ts";
import { NO_UUID } from "../../../lib/kafka/protocol/schema.ts";
import { createTransactions } from "../../../lib/transactions/transactions.ts";
import { groupsOverMemory } from "../groups/support.ts";
import { batchOf } from "../log/support.ts";
import { wireOverMemory } from "./support.ts";

const LATEST_BY_NAME = 12;

test("a topic that is made again between the guard and the append gets no record of a transaction that would never end in it", async () => {
  const { log, parts, another } = groupsOverMemory();
  const transactions = createTransactions({ ...parts, groups: createGroups(parts) });
  const elsewhere = another();
  let remake = true;
  const api = {
    ...transactions,
    initProducer: transactions.initProducer.bind(transactions),
    end: transactions.end.bind(transactions),
    guards: async (...asked: Parameters<typeof transactions.guards>) => {
      const guards = await transactions.guards(...asked);
      if (!remake) return guards;
      remake = false;
      await elsewhere.deleteTopic("t");
      await elsewhere.createTopic({ name: "t" });
      return guards;
    },
  };
  const { ask, internalErrors } = wireOverMemory({}, { log, transactions: async () => api as typeof transactions });
  await log.createTopic({ name: "t" });
  const me = await transactions.initProducer("tx", 60_000);
  const send = async () => {
    const records = batchOf(["x"], { id: me.producerId, epoch: me.epoch, sequence: 0, transactional: true });
    const partitionData = [{ index: 0, records }];
    const answer = await ask(produce, LATEST_BY_NAME, {
      transactionalId: "tx",
      acks: -1,
      timeoutMs: 1000,
      topicData: [{ name: "t", topicId: NO_UUID, partitionData }],
    });
    return answer.responses[0]?.partitionResponses[0]?.errorCode;
  };
  expect(await send()).toBe(KAFKA_ERRORS.UNKNOWN_TOPIC_OR_PARTITION.code);
  expect(await elsewhere.partitions("t")).toMatchObject([{ logEndOffset: 0, lastStableOffset: 0 }]);
  // What the producer sends again is of the new topic, and is ended with the transaction.
  expect(await send()).toBe(0);
  await transactions.end({ ...me, transactionalId: "tx" }, true, false);
  expect(await elsewhere.partitions("t")).toMatchObject([{ logEndOffset: 2, lastStableOffset: 2 }]);
  expect(internalErrors).toEqual([]);
});
