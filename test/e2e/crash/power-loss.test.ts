/**
 * A file system that forgets what was not synced: a real process is killed, then its folder is cut back to what was
 * synced, in several of the ways that a disk may choose, and opened again. CRASH_ROUNDS as in `kill.test.ts`.
 */
import { spawnSync } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { startChild } from "./child.ts";
import { openEngine } from "./engine.ts";
import { copyAfterPowerLoss, Durable, type Loss } from "./forgetful-disk.ts";
import { Ledger } from "./ledger.ts";

const WRITER = fileURLToPath(import.meta.resolve("./writer.ts"));
const COMPILER = "cc";
const BUDGET_MS = 5000;
const ROUNDS = Number(process.env["CRASH_ROUNDS"] ?? 0);
/** What is simulated is a loss of ends: SQLite's log must not begin anew. Several shared files. */
const TUNING = { checkpointBytes: 0, fileMostBytes: 500_000 };
const TIMEOUT_MS = 60_000 + ROUNDS * 8000;

/** Records without their bytes are what must not be, and acknowledgements without records: tried in turn with others. */
const LOSSES: readonly Loss[] = [
  { files: "cut", wal: "kept" },
  { files: "cut", wal: "cut" },
  { files: "zeroed", wal: "kept" },
  { files: "kept", wal: "cut" },
];

/** Kills and cuts back, round by round. `witness`: how every sync of the process is noted, not the storage's own alone. */
async function loseAndReopen(witness?: (file: string) => NodeJS.ProcessEnv): Promise<void> {
  const root = await mkdtemp(join(tmpdir(), "brokerless-power-"));
  try {
    const ledger = new Ledger();
    const until = performance.now() + BUDGET_MS;
    let folder = join(root, "start");
    let lostBytes = 0;
    let round = 0;
    for (; round < (ROUNDS || 3) || (lostBytes === 0 && round < 20) || (ROUNDS === 0 && performance.now() < until); round++) {
      const durable = new Durable(folder, witness !== undefined);
      const witnessed = join(root, `${round}.syncs`);
      const child = startChild(
        WRITER,
        [JSON.stringify({ folder, round, from: ledger.progress, tuning: TUNING, noting: true })],
        (line) => {
          const { walBytes, ...said } = JSON.parse(line);
          if (said.label === undefined) {
            if (witness === undefined) durable.note(said);
            return;
          }
          durable.walBytes = walBytes;
          ledger.note(said);
        },
        (line) => line === "ready",
        witness?.(witnessed),
      );
      await child.ready;
      await sleep(100 + Math.random() * 300);
      child.kill();
      const { signal, errors } = await child.ended;
      expect([signal, errors]).toEqual(["SIGKILL", ""]);
      if (witness !== undefined) durable.noteAll(await readFile(witnessed, "utf8"));
      let next = folder;
      for (let i = 0; i < 2; i++) {
        const copy = join(root, `${round}.${i}`);
        lostBytes += await copyAfterPowerLoss(folder, copy, durable, LOSSES[(2 * round + i) % LOSSES.length] as Loss);
        const engine = await openEngine(copy);
        try {
          await ledger.check(engine.read);
        } finally {
          await engine.close();
        }
        if (i === round % 2) next = copy;
        else await rm(copy, { recursive: true });
      }
      await rm(folder, { recursive: true });
      folder = next;
    }
    console.log(
      `${round} power losses, ${lostBytes} bytes lost, ${ledger.acknowledged} batches acknowledged, ${ledger.records} records in the log`,
    );
    expect(lostBytes).toBeGreaterThan(0);
    expect(ledger.acknowledged).toBeGreaterThan(50);
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}

test("what the storage has synced is enough: a power loss loses and doubles nothing acknowledged", { timeout: TIMEOUT_MS }, () =>
  loseAndReopen(),
);

test("the same by what the operating system was asked to sync, by SQLite too", { timeout: TIMEOUT_MS }, async ({ skip }) => {
  const built = await mkdtemp(join(tmpdir(), "brokerless-witness-"));
  try {
    const library = join(built, "sync-witness.so");
    const source = join(import.meta.dirname, "sync-witness.c");
    const { status, stderr } = spawnSync(COMPILER, ["-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"], {
      encoding: "utf8",
    });
    if (process.platform !== "linux" || status === null) return skip("needs Linux and a C compiler to listen to fsync");
    expect([status, stderr]).toEqual([0, ""]);
    // A sync that takes its time makes an answer that does not wait for it plain to see.
    await loseAndReopen((file) => ({ ...process.env, LD_PRELOAD: library, SYNC_WITNESS: file, SYNC_DELAY_US: "4000" }));
  } finally {
    await rm(built, { recursive: true });
  }
});
