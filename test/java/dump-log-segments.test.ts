import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { installKafka } from "../../.ci/clients/install.ts";
import { COMPRESSION_NAMES } from "../../lib/kafka/index.ts";
import { CompactedTopic } from "../unit/log/compact-support.ts";
import { batchOf } from "../unit/log/support.ts";
import { dumpLogSegments } from "./kafka-tools.ts";

let folder: string;
let why: string | undefined;
let classPath = "";

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "brokerless-segments-"));
  const kafka = await installKafka();
  if (kafka.missing === undefined) classPath = kafka.classPath;
  else why = kafka.missing;
}, 600_000);
afterAll(() => rm(folder, { recursive: true, force: true }));

/** The segment files, written as Kafka's tools want them. */
async function filesOf({ parts }: CompactedTopic): Promise<string[]> {
  const files: string[] = [];
  for await (const page of parts.storage.bucket.list("segments/")) {
    for (const { key } of page) {
      const file = join(folder, basename(key));
      await writeFile(file, (await parts.storage.bucket.get(key)) as Uint8Array);
      files.push(file);
    }
  }
  return files.sort();
}

/** Offset, key and value of each record, and how many batches were valid or not. */
function read(dump: string) {
  const text = (bytes: string | undefined): string | null => (bytes === undefined || bytes === "null" ? null : bytes);
  const records = [...dump.matchAll(/^\| offset: (\d+) .*?(?: key: (\S+))?(?: payload: (\S+))?$/gm)].map(
    ([, offset, key, value]) => ({
      offset: Number(offset),
      key: text(key),
      value: text(value),
    }),
  );
  return { records, valid: dump.match(/isvalid: true/g)?.length ?? 0, invalid: dump.match(/isvalid: false/g)?.length ?? 0 };
}

describe("Kafka's own DumpLogSegments reads", () => {
  test.for(["rolled", "merged", "compacted"] as const)(
    "%s segments, every batch valid, every record as it was written",
    async (kind, { skip }) => {
      if (why !== undefined) return skip(why);
      const topic = await CompactedTopic.make({ "min.cleanable.dirty.ratio": "0" });
      for (let i = 0; i < 64; i++) {
        const compression = COMPRESSION_NAMES[i % COMPRESSION_NAMES.length];
        const from = i % 2 === 0 ? undefined : { id: 7 + (i % 3), sequence: 0, epoch: i };
        await topic.append(
          [
            [`k${i % 9}`, `v${i}`],
            [`longer-than-fifteen-bytes-${i % 4}`, i % 5 === 0 ? null : `w${i}`],
          ],
          compression,
          from,
        );
        if (i % 4 === 3) await topic.roll();
      }
      if (kind === "merged") await topic.merge();
      if (kind === "compacted") await topic.compact();
      const files = await filesOf(topic);
      expect(files).toHaveLength(kind === "rolled" ? 32 : 1);
      const { records, valid, invalid } = read(await dumpLogSegments(classPath, files));
      expect(invalid).toBe(0);
      expect(valid).toBeGreaterThan(0);
      expect(records).toEqual(await topic.left());
      await Promise.all(files.map((file) => rm(file)));
    },
  );

  test("transactions: which batches are of one, and how each ended", async ({ skip }) => {
    if (why !== undefined) return skip(why);
    const topic = await CompactedTopic.make({ "cleanup.policy": "delete" });
    const { log } = topic.bench;
    const { id: topicId } = await log.topic("t");
    const place = { topic: "t", topicId, partition: 0 };
    const send = async (id: number, sequence: number, ...values: string[]): Promise<void> => {
      const [transactionGuard] = (await log.transactionGuards([place])) as [number];
      const batches = batchOf(values, { id, epoch: 3, sequence, transactional: true });
      await log.append({ topic: "t", partition: 0, batches, transactionGuard });
    };
    const end = (id: number, commit: boolean): Promise<void> =>
      log.endTransaction({ partitions: [place], producerId: id, producerEpoch: 3, commit }, async () => true);
    await send(7, 0, "a", "b");
    await send(8, 0, "never");
    await topic.append([["k", "plain"]]);
    await end(7, true);
    await send(7, 2, "c");
    await end(8, false);
    await end(7, true);
    await topic.append([["k", "last"]]);
    await topic.roll();
    await topic.merge();
    const dump = await dumpLogSegments(classPath, await filesOf(topic));
    const batches = [...dump.matchAll(/^baseOffset: (\d+) .*producerId: (-?\d+) .*isTransactional: (\w+) isControl: (\w+) .*/gm)];
    const marker = (offset: number): unknown => new RegExp(`offset: ${offset} .*endTxnMarker: (\\w+)`).exec(dump)?.[1];
    const shown = batches.map(([, offset, producer, isTransactional, isControl]) => [
      Number(offset),
      Number(producer),
      isTransactional === "true",
      isControl === "true" ? marker(Number(offset)) : undefined,
    ]);
    expect(shown).toEqual([
      [0, 7, true, undefined],
      [2, 8, true, undefined],
      [3, -1, false, undefined],
      [4, 7, true, "COMMIT"],
      [5, 7, true, undefined],
      [6, 8, true, "ABORT"],
      [7, 7, true, "COMMIT"],
      [8, -1, false, undefined],
    ]);
    expect(read(dump)).toMatchObject({ valid: 8, invalid: 0 });
  });
});
