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
const SMALL = { checkpointBytes: 0, fileMostBytes: 60_000, inlineMostBytes: 2000, cacheBytes: 50_000 };
const TIMEOUT_MS = 60_000 + ROUNDS * 8000;

/** Records without their bytes are what must not be, and acknowledgements without records: tried in turn with others. */
const LOSSES: readonly Loss[] = [
  { files: "cut", wal: "kept", removals: "kept" },
  { files: "cut", wal: "cut", removals: "undone" },
  { files: "zeroed", wal: "kept", removals: "undone" },
  { files: "kept", wal: "cut", removals: "kept" },
];

/**
 * Kills and cuts back, round by round. `witness`: how every sync of the process is noted, not the storage's own alone.
 * `upkeep`: while all jobs are at work on small files.
 */
async function loseAndReopen(upkeep: boolean, witness?: (file: string) => NodeJS.ProcessEnv): Promise<void> {
  const tuning = upkeep ? SMALL : TUNING;
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
        [JSON.stringify({ folder, round, from: ledger.progress, tuning, noting: true, upkeep })],
        (line) => {
          const { walBytes, ...said } = JSON.parse(line);
          durable.walBytes = Math.max(durable.walBytes, walBytes ?? 0);
          if (said.label !== undefined) ledger.note(said);
          else if ("removed" in said || "folder" in said || ("file" in said && witness === undefined)) durable.note(said);
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
      let goOn: readonly number[] = [];
      for (let i = 0; i < 2; i++) {
        const copy = join(root, `${round}.${i}`);
        lostBytes += await copyAfterPowerLoss(folder, copy, durable, LOSSES[(2 * round + i) % LOSSES.length] as Loss);
        const engine = await openEngine(copy, { tuning });
        try {
          const starts = await engine.starts();
          await ledger.check(engine.read, starts);
          if (i === round % 2) goOn = starts;
        } finally {
          await engine.close();
        }
        if (i === round % 2) next = copy;
        else await rm(copy, { recursive: true });
      }
      ledger.goOn(goOn);
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
  loseAndReopen(false),
);

test("the same while all jobs are at work, with removed files that come back", { timeout: TIMEOUT_MS }, () =>
  loseAndReopen(true),
);

test.for([
  ["the same by what the operating system was asked to sync, by SQLite too", false],
  ["the same of both", true],
] as const)("%s", { timeout: TIMEOUT_MS }, async ([, upkeep], { skip }) => {
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
    await loseAndReopen(upkeep, (file) => ({ ...process.env, LD_PRELOAD: library, SYNC_WITNESS: file, SYNC_DELAY_US: "4000" }));
  } finally {
    await rm(built, { recursive: true });
  }
});
