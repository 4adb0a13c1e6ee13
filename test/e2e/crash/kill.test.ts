/**
 * A kill -9 at any moment loses nothing acknowledged: a real process, killed at random moments, many rounds over one
 * folder. CRASH_ROUNDS sets how many; without it as many as fit into a few seconds.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { startChild } from "./child.ts";
import { openEngine } from "./engine.ts";
import { Ledger } from "./ledger.ts";

const WRITER = fileURLToPath(import.meta.resolve("./writer.ts"));
const BUDGET_MS = 5000;
/** So that a file is full, or SQLite's log begins anew, every few commits. */
const BUSY = { checkpointBytes: 100_000, fileMostBytes: 300_000, cacheBytes: 100_000 };
const ROUNDS = Number(process.env["CRASH_ROUNDS"] ?? 0);

test("a process killed at random moments loses and doubles nothing", { timeout: 60_000 + ROUNDS * 5000 }, async () => {
  const folder = await mkdtemp(join(tmpdir(), "brokerless-kill-"));
  try {
    const ledger = new Ledger();
    const until = performance.now() + BUDGET_MS;
    let round = 0;
    let startMs = 500;
    for (; round < (ROUNDS || 3) || (ROUNDS === 0 && performance.now() < until); round++) {
      const beganMs = performance.now();
      const child = startChild(
        WRITER,
        [JSON.stringify({ folder, round, from: ledger.progress, tuning: round % 2 === 0 ? BUSY : {} })],
        (line) => ledger.note(JSON.parse(line)),
        (line) => line === "ready",
      );
      // Every fifth one dies while it opens the folder.
      if (round % 5 === 4) await sleep(startMs * (0.5 + Math.random()));
      else {
        await child.ready;
        startMs = performance.now() - beganMs;
        await sleep(Math.random() * 400);
      }
      child.kill();
      const { signal, errors } = await child.ended;
      expect([signal, errors]).toEqual(["SIGKILL", ""]);
      const engine = await openEngine(folder);
      try {
        await ledger.check(engine.read);
      } finally {
        await engine.close();
      }
    }
    console.log(`${round} kills, ${ledger.acknowledged} batches acknowledged, ${ledger.records} records in the log`);
    expect(ledger.acknowledged).toBeGreaterThan(50);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
