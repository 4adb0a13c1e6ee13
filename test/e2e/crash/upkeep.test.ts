/**
 * A kill -9 while roller, merger, retention, sweeper and DeleteRecords are at work beside the writers, on files so small that they are made,
 * emptied and deleted all the time: what is acknowledged and not given up is kept, and what is given up goes: nothing is left that nothing refers to.
 * CRASH_ROUNDS as in `kill.test.ts`.
 */
import { mkdtemp, readdir, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { leftovers } from "../../sim/leftovers.ts";
import { startChild } from "./child.ts";
import { openEngine } from "./engine.ts";
import { Ledger } from "./ledger.ts";
import { PARTITIONS } from "./load.ts";
import { KEPT_BYTES, passOfJobs } from "./upkeep.ts";

const WRITER = fileURLToPath(import.meta.resolve("./writer.ts"));
const BUDGET_MS = 8000;
const ROUNDS = Number(process.env["CRASH_ROUNDS"] ?? 0);
const TUNING = { inlineMostBytes: 2000, checkpointBytes: 100_000, fileMostBytes: 60_000, cacheBytes: 50_000 };

test("a process killed while all jobs are at work loses nothing that retention has not taken", {
  timeout: 60_000 + ROUNDS * 5000,
}, async () => {
  const folder = await mkdtemp(join(tmpdir(), "brokerless-upkeep-"));
  try {
    const ledger = new Ledger();
    const deletedTo = new Array<number>(PARTITIONS).fill(0);
    const until = performance.now() + BUDGET_MS;
    let round = 0;
    let bytes = 0;
    for (; round < (ROUNDS || 3) || (ROUNDS === 0 && performance.now() < until); round++) {
      const child = startChild(
        WRITER,
        [JSON.stringify({ folder, round, from: ledger.progress, tuning: TUNING, upkeep: true })],
        (line) => {
          const said = JSON.parse(line);
          if (said.deletingTo === undefined) ledger.note(said);
          else deletedTo[said.partition] = Math.max(deletedTo[said.partition] as number, said.deletingTo);
        },
        (line) => line === "ready",
      );
      await child.ready;
      await sleep(100 + Math.random() * 800);
      child.kill();
      const { signal, errors } = await child.ended;
      expect([signal, errors]).toEqual(["SIGKILL", ""]);
      const engine = await openEngine(folder, { tuning: TUNING });
      try {
        for (const passes of [0, 3]) {
          for (let i = 0; i < passes; i++) {
            await passOfJobs(engine);
            await sleep(50);
          }
          const starts = await engine.starts();
          const sizes = await ledger.check(engine.read, starts);
          ledger.goOn(starts);
          for (const [partition, sizeBytes] of sizes.entries()) {
            if ((starts[partition] as number) > (deletedTo[partition] as number)) {
              expect(sizeBytes, `partition ${partition}: kept`).toBeGreaterThanOrEqual(KEPT_BYTES);
            }
          }
        }
        expect(await leftovers(engine.storage)).toEqual([]);
      } finally {
        await engine.close();
      }
      bytes = await bytesIn(folder);
      // Of a shared file a quarter is alive at least.
      expect(bytes).toBeLessThan(6_000_000);
    }
    console.log(
      `${round} kills, ${ledger.acknowledged} batches acknowledged, ${ledger.records} records in the log, ${bytes} bytes in files`,
    );
    expect(ledger.acknowledged).toBeGreaterThan(50);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

/** All but the database. */
async function bytesIn(folder: string): Promise<number> {
  let sizeBytes = 0;
  for (const part of ["blobs", "objects", "tmp"]) {
    for (const entry of await readdir(join(folder, part), { recursive: true, withFileTypes: true })) {
      if (entry.isFile()) sizeBytes += (await stat(join(entry.parentPath, entry.name))).size;
    }
  }
  return sizeBytes;
}
