/** What receiving and acknowledging cost the storage. */
import { expect, test } from "vitest";
import { countingStorage } from "../../../../bench/cost/counting.ts";
import { TestClock } from "../../log/support.ts";
import { givenIn, sharesOverMemory } from "./support.ts";

const ACCEPT = 1;

test("a receive reads the head, the records once a batch, and writes; an acknowledgement is one write", async () => {
  const storage = countingStorage(new TestClock());
  const b = await sharesOverMemory({ storage });
  await b.produce(["a", "b", "c"]);
  await b.take("x", 1);
  await b.settle("x", 0, 0, ACCEPT);
  storage.take();
  expect(givenIn(await b.take("x", 1))).toEqual([[1, 1]]);
  // The head and the state that is written: the batch is kept from the first receive.
  expect(storage.take()).toMatchObject({ trips: 2, readUnits: 1, writeUnits: 1, s3Gets: 0 });
  expect(await b.settle("x", 1, 1, ACCEPT)).toBe("ok");
  expect(storage.take()).toMatchObject({ trips: 1, readUnits: 0, writeUnits: 1 });
  await b.produce(["d"]);
  storage.take();
  expect(givenIn(await b.take("x", 2))).toEqual([
    [2, 1],
    [3, 1],
  ]);
  // The head, the batch that is new, the state.
  expect(storage.take()).toMatchObject({ trips: 3, readUnits: 2, writeUnits: 1 });
  expect(givenIn(await b.take("x", 1))).toEqual([]);
  // The head; then the state, for what is kept does not say that there is nothing.
  expect(storage.take()).toMatchObject({ trips: 2, readUnits: 2, writeUnits: 0 });
});

test("what is kept of a batch is not given any more once the log begins after it, nor once the topic is another one", async () => {
  const b = await sharesOverMemory();
  await b.produce(["a", "b", "c"]);
  await b.take("x", 1);
  await b.log.deleteRecords("t", 0, 2);
  expect(givenIn(await b.take("x", 1))).toEqual([[2, 1]]);
  await b.produce(["d", "e"]);
  expect(givenIn(await b.take("x", 1))).toEqual([[3, 1]]);
  await b.log.deleteTopic("t");
  await b.log.createTopic({ name: "t" });
  await b.produce(["new 0", "new 1", "new 2", "new 3", "new 4"]);
  const [old] = (await b.take("x", 1)).partitions;
  expect(old?.error?.code).toBe("unknown_topic");
  expect(old?.acquired).toEqual([]);
});
