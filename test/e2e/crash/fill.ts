/**
 * Fills the file system of a folder from many writers at once, frees some of it, and goes on, several times; then opens
 * the folder again. Prints what it saw as one line of JSON, for `full-disk.test.ts`.
 */
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { BrokerlessError } from "../../../lib/base/errors.ts";
import { openEngine } from "./engine.ts";
import { Ledger } from "./ledger.ts";
import { PARTITIONS, TOPIC, writeUntilRefused } from "./load.ts";

const ROUNDS = 4;
const BALLAST_BYTES = 3_000_000;

const root = process.argv[2] as string;
const folder = join(root, "data");
await mkdir(folder);
for (let round = 0; round < ROUNDS; round++) await writeFile(join(root, `ballast${round}`), Buffer.alloc(BALLAST_BYTES));

const ledger = new Ledger();
const refusals = new Set<string>();
const acknowledged: number[] = [];
let engine = await openEngine(folder);
await engine.log.createTopic({ name: TOPIC, partitions: PARTITIONS });
for (let round = 0; round <= ROUNDS; round++) {
  const { log } = engine;
  const reasons = await writeUntilRefused(
    round,
    ledger.progress,
    async (partition, batches) => (await log.append({ topic: TOPIC, partition, batches })).baseOffset,
    (one) => ledger.note(one),
  );
  for (const reason of reasons) {
    refusals.add(reason instanceof BrokerlessError ? `${reason.code}, ${reason.outcome}` : String(reason));
  }
  acknowledged.push(ledger.acknowledged);
  await ledger.check(engine.read);
  if (round === 2) {
    // A folder can be closed and opened while its disk is full.
    await engine.close();
    engine = await openEngine(folder);
    await ledger.check(engine.read);
  }
  await rm(join(root, `ballast${round}`), { force: true });
}
await engine.close();
engine = await openEngine(folder);
await ledger.check(engine.read);
await engine.close();
console.log(JSON.stringify({ refusals: [...refusals], acknowledged }));
