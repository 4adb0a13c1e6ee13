/** A topic that is deleted while others write to it, and made again, over AWS or what stands for it, by processes that remember it. */
import { afterAll, expect, inject, test } from "vitest";
import { createGroups } from "../../lib/groups/groups.ts";
import { encodeBatch } from "../../lib/kafka/index.ts";
import { localDoorbell } from "../../lib/storage/local/doorbell.ts";
import { systemClock as clock } from "../../lib/storage/system/clock.ts";
import { systemIds } from "../../lib/storage/system/ids.ts";
import { dropPlaces, makePlace, openStorage } from "./support/storage.ts";
import { openLog } from "./support/writer.ts";

afterAll(dropPlaces);

const P0 = { topic: "t", partition: 0 };
const ROUNDS = 5;

test("a topic that is deleted under its writers and made again is the one that others commit to and fetch of", async () => {
  const place = await makePlace(inject("awsEndpoint"));
  const processes = Array.from({ length: 3 }, () => {
    const storage = openStorage(place);
    const log = openLog(storage);
    return { storage, log, groups: createGroups({ storage, log, clock, ids: systemIds(clock), doorbell: localDoorbell(clock) }) };
  });
  type Process = (typeof processes)[0];
  const [one, two, writer] = processes as [Process, Process, Process];
  const committed = async ({ groups }: Process) =>
    (await groups.fetchOffsets({ group: "g", topics: [{ topic: "t", partitions: [0] }] }))[0];
  await one.log.createTopic({ name: "t", partitions: 3 });
  for (let round = 1; round <= ROUNDS; round++) {
    const old = await two.log.topic("t");
    await two.groups.commit({ group: "g", offsets: [{ ...P0, offset: 1000 + round }] });
    // Appends to the very item that the deletion takes in its transaction, one after the other, until there is none.
    let appended = 0;
    const writing = (async () => {
      for (;;) {
        const batches = encodeBatch([{ key: null, value: new Uint8Array(10) }], { timestampMs: Date.now() });
        await writer.log.append({ ...P0, topicId: old.id, batches });
        appended++;
      }
    })();
    const stopped = expect(writing).rejects.toMatchObject({ code: "unknown_topic" });
    while (appended < 5) await clock.sleep(5);
    await one.log.deleteTopic("t");
    const { id } = await one.log.createTopic({ name: "t", partitions: 3 });
    await stopped;
    expect((await two.log.topic("t")).id).toBe(old.id);
    expect(await committed(two)).toMatchObject({ topicId: id, offset: -1 });
    expect(await two.groups.commit({ group: "g", offsets: [{ ...P0, offset: round }] })).toEqual([P0]);
    expect(await committed(one)).toMatchObject({ topicId: id, offset: round });
    expect(await one.log.partitions("t")).toMatchObject([0, 1, 2].map((partition) => ({ partition, logEndOffset: 0 })));
  }
  await Promise.all(processes.map(({ log }) => log.close()));
  await Promise.all(processes.map(({ storage }) => storage.close()));
});
