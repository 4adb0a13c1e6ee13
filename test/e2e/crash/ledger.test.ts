/** The crash tests are worth what their ledger notices. */
import { expect, test } from "vitest";
import { nodeCodecs } from "../../../lib/kafka/codecs/node.ts";
import { createLog } from "../../../lib/log/index.ts";
import { localDoorbell } from "../../../lib/storage/local/doorbell.ts";
import { memoryStorage } from "../../../lib/storage/memory/index.ts";
import { systemClock } from "../../../lib/storage/system/clock.ts";
import { systemIds } from "../../../lib/storage/system/ids.ts";
import { Ledger, type Read } from "./ledger.ts";
import { type Acknowledged, PARTITIONS, TOPIC, writeUntilRefused } from "./load.ts";

/** Two rounds of writing over memory, each cut off after some appends, and a read of what is there. */
async function written(): Promise<{ readonly read: Read; readonly acknowledged: readonly Acknowledged[] }> {
  const clock = systemClock;
  const storage = memoryStorage({ clock });
  const log = createLog({ storage, clock, ids: systemIds(clock), doorbell: localDoorbell(clock), codecs: nodeCodecs });
  await log.createTopic({ name: TOPIC, partitions: PARTITIONS });
  const ledger = new Ledger();
  const acknowledged: Acknowledged[] = [];
  for (let round = 0; round < 2; round++) {
    let left = 400;
    const refusals = await writeUntilRefused(
      round,
      ledger.progress,
      async (partition, batches) => {
        const done = await log.append({ topic: TOPIC, partition, batches });
        if (left-- <= 0) throw new Error("cut off");
        return done.baseOffset;
      },
      (one) => {
        ledger.note(one);
        acknowledged.push(one);
      },
    );
    expect(refusals).toEqual(refusals.map(() => new Error("cut off")));
  }
  return { read: (partition, offset) => log.read({ topic: TOPIC, partition, offset, maxBytes: 2 ** 30 }), acknowledged };
}

function ledgerOf(acknowledged: readonly Acknowledged[]): Ledger {
  const ledger = new Ledger();
  for (const one of acknowledged) ledger.note(one);
  return ledger;
}

test("a log that keeps everything passes, though answers were lost and batches repeated", async () => {
  const { read, acknowledged } = await written();
  const ledger = ledgerOf(acknowledged);
  await ledger.check(read);
  expect(acknowledged.length).toBe(800);
  expect(ledger.records).toBeGreaterThan(1600);
});

test("a lost end, a damaged byte, a doubled batch and a gap are noticed", async () => {
  const { read, acknowledged } = await written();
  const changed = (change: (bytes: Uint8Array) => Uint8Array): Read => {
    return async (partition, offset) => {
      const page = await read(partition, offset);
      const bytes = change(Buffer.concat(page.batches));
      return { batches: [bytes], nextOffset: page.nextOffset, logEndOffset: page.logEndOffset };
    };
  };
  const sizeOfFirst = (bytes: Uint8Array): number => Buffer.from(bytes).readInt32BE(8) + 12;
  const ledger = ledgerOf(acknowledged);
  const lost: Read = async (partition, offset) =>
    partition === 1 ? { batches: [], nextOffset: offset, logEndOffset: offset } : read(partition, offset);
  await expect(ledger.check(lost)).rejects.toThrow("acknowledged batches are lost");
  const damaged = changed((bytes) => bytes.with(90, (bytes[90] as number) ^ 1));
  await expect(ledger.check(damaged)).rejects.toThrow("checksum");
  await expect(ledger.check(changed((bytes) => bytes.subarray(sizeOfFirst(bytes))))).rejects.toThrow("dense");
  const doubled = changed((bytes) => Buffer.concat([bytes.subarray(0, sizeOfFirst(bytes)), bytes]));
  await expect(ledger.check(doubled)).rejects.toThrow("dense");
  const elsewhere = acknowledged.map((one) => ({ ...one, digest: `${one.digest}?` }));
  await expect(ledgerOf(elsewhere).check(read)).rejects.toThrow("offset 0 is ");
  const [first] = acknowledged as [Acknowledged];
  expect(() => ledger.note({ ...first, offset: 1_000_000 })).toThrow("at another offset");
  expect(() => ledger.note({ ...first, label: "p0.9/0" })).toThrow("one batch alone");
});
