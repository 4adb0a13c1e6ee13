import { expect, test } from "vitest";
import { nothingFound, type Place, readOffsets } from "../../../../lib/groups/share/read.ts";
import { sharesOverMemory } from "./support.ts";

test("what may not be read yet is not taken for gone; what is below the log start is", async () => {
  const b = await sharesOverMemory();
  await b.produce(["a", "b", "c"]);
  await b.log.deleteRecords("t", 0, 1);
  const topic = await b.log.topic("t");
  // Offset 2 is beyond the last stable offset.
  const log = new Proxy(b.log, {
    get: (target, name) =>
      name === "read"
        ? async (request: Parameters<typeof target.read>[0]) =>
            request.offset === 2
              ? { ...(await target.read(request)), batches: [], nextOffset: 2 }
              : target.read({ ...request, maxBytes: 1 })
        : Reflect.get(target, name),
  });
  const place: Place = { log, codecs: {}, topic, partition: 0, isolation: "read_committed" };
  expect(await readOffsets(place, [0], 1000, nothingFound())).toEqual([0]);
  expect(await readOffsets(place, [2], 1000, nothingFound())).toEqual([]);
  expect(await readOffsets(place, [9], 1000, nothingFound())).toEqual([]);
});
