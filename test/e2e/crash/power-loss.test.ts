/**
 * A file system that forgets what was not synced: a real process is killed, then its folder is cut back to what was
 * synced, in every way that a disk may choose, and opened again. CRASH_ROUNDS as in `kill.test.ts`.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { startChild } from "./child.ts";
import { openEngine } from "./engine.ts";
import { copyAfterPowerLoss, Durable, type Loss } from "./forgetful-disk.ts";
import { Ledger } from "./ledger.ts";

const WRITER = join(import.meta.dirname, "writer.ts");
const BUDGET_MS = 7000;
const ROUNDS = Number(process.env["CRASH_ROUNDS"] ?? 0);

/** Records without their bytes are what must not be: tried each time, and one of the others. */
const WORST: Loss = { files: "cut", wal: "kept" };
const OTHERS: readonly Loss[] = [
  { files: "zeroed", wal: "kept" },
  { files: "cut", wal: "cut" },
  { files: "kept", wal: "cut" },
];

test("a power loss loses and doubles nothing acknowledged", { timeout: 60_000 + ROUNDS * 8000 }, async () => {
  const root = await mkdtemp(join(tmpdir(), "brokerless-power-"));
  try {
    const ledger = new Ledger();
    const until = performance.now() + BUDGET_MS;
    let folder = join(root, "start");
    let lostBytes = 0;
    let round = 0;
    for (; ROUNDS > 0 ? round < ROUNDS : performance.now() < until; round++) {
      const durable = new Durable();
      const child = startChild(
        WRITER,
        [JSON.stringify({ folder, round, from: ledger.progress, noting: true })],
        (line) => {
          const said = JSON.parse(line);
          if (said.label === undefined) durable.note(said);
          else {
            const { walBytes, ...one } = said;
            durable.walBytes = walBytes;
            ledger.note(one);
          }
        },
        (line) => line === "ready",
      );
      await child.ready;
      await sleep(100 + Math.random() * 300);
      child.kill();
      const { signal, errors } = await child.ended;
      expect([signal, errors]).toEqual(["SIGKILL", ""]);
      let next = folder;
      for (const [i, loss] of [WORST, OTHERS[round % OTHERS.length] as Loss].entries()) {
        const copy = join(root, `${round}.${i}`);
        lostBytes += await copyAfterPowerLoss(folder, copy, durable, loss);
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
    expect(round).toBeGreaterThan(2);
    expect(lostBytes).toBeGreaterThan(0);
    expect(ledger.acknowledged).toBeGreaterThan(200);
  } finally {
    await rm(root, { recursive: true, force: true });
  }
});
