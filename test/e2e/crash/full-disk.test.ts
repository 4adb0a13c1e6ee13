/** A full disk is reported as such, harms nothing, and is forgotten when there is space again. */
import { spawnSync } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import type { BrokerlessError } from "../../../lib/base/errors.ts";
import { type Disk, systemDisk } from "../../../lib/storage/embedded/disk.ts";
import { type Engine, openEngine } from "./engine.ts";
import { Ledger } from "./ledger.ts";
import { type Acknowledged, batchOf, digestOf, labelOf, PARTITIONS, TOPIC, type Writer } from "./load.ts";

const WRITER: Writer = { name: "p0.0", partition: 0, producerId: -1, depth: 1 };

/** Appends one after the other until one is refused, at most so many; answers the refusal. */
async function fill(engine: Engine, ledger: Ledger, most: number): Promise<BrokerlessError | undefined> {
  for (let left = most; left > 0; left--) {
    const n = ledger.progress[WRITER.name] ?? 0;
    const batches = batchOf(WRITER, n);
    try {
      const { baseOffset } = await engine.log.append({ topic: TOPIC, partition: 0, batches });
      const one: Acknowledged = { partition: 0, offset: baseOffset, digest: digestOf(batches), label: labelOf(WRITER, n) };
      ledger.note(one);
    } catch (error) {
      return error as BrokerlessError;
    }
  }
  return undefined;
}

test("shared files that cannot grow are a full disk: nothing is lost, and it goes on when there is space", async () => {
  const folder = await mkdtemp(join(tmpdir(), "brokerless-full-"));
  let roomBytes = 1_500_000;
  const disk: Disk = {
    ...systemDisk,
    async write(fd, pieces, position) {
      const sizeBytes = pieces.reduce((sum, piece) => sum + piece.byteLength, 0);
      if (sizeBytes <= roomBytes) {
        roomBytes -= sizeBytes;
        return systemDisk.write(fd, pieces, position);
      }
      // As a real one does: it takes what it can.
      await systemDisk.write(fd, [Buffer.concat(pieces).subarray(0, roomBytes)], position);
      roomBytes = 0;
      throw Object.assign(new Error("ENOSPC: no space left on device, write"), { code: "ENOSPC" });
    },
  };
  try {
    const engine = await openEngine(folder, { disk, tuning: { inlineMostBytes: 0 } });
    const ledger = new Ledger();
    await engine.log.createTopic({ name: TOPIC, partitions: PARTITIONS });
    for (let i = 0; i < 3; i++) {
      expect(await fill(engine, ledger, 100_000)).toMatchObject({ code: "storage_full", outcome: "not_applied" });
      await ledger.check(engine.read);
      expect(await fill(engine, ledger, 1)).toMatchObject({ code: "storage_full", retriable: true });
      roomBytes = 800_000;
      expect(await fill(engine, ledger, 5)).toBeUndefined();
    }
    await engine.close();
    const again = await openEngine(folder);
    await ledger.check(again.read);
    expect(ledger.acknowledged).toBeGreaterThan(50);
    await again.close();
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

const IN_NAMESPACE = "unshare";

/** A file system of this size at a folder, for one command alone: a user namespace can have one. */
function onSmallDisk(folder: string, sizeMb: number, command: readonly string[]): ReturnType<typeof spawnSync> {
  const script = `mount -t tmpfs -o size=${sizeMb}m none "$0" && exec "$@"`;
  return spawnSync(IN_NAMESPACE, ["--map-root-user", "--mount", "sh", "-c", script, folder, ...command], { encoding: "utf8" });
}

test("a file system that is really full is reported, harms nothing, and is forgotten when there is space again", async ({
  skip,
}) => {
  const folder = await mkdtemp(join(tmpdir(), "brokerless-full-"));
  try {
    if (onSmallDisk(folder, 1, ["true"]).status !== 0) return skip("this machine gives no small file system (unshare, tmpfs)");
    const script = fileURLToPath(import.meta.resolve("./fill.ts"));
    const { status, stdout, stderr } = onSmallDisk(folder, 24, [process.execPath, "--no-warnings", script, folder]);
    expect([status, stderr]).toEqual([0, ""]);
    const said = JSON.parse(String(stdout));
    expect(said.refusals).toEqual(["storage_full, not_applied"]);
    // Each time some space came back, more was taken.
    for (const [i, count] of said.acknowledged.entries()) expect(count).toBeGreaterThan(said.acknowledged[i - 1] ?? 100);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
