/**
 * The jobs behind the writers over the embedded storage: MB/s and memory of rolling, merging and compacting.
 * `node bench/micro/jobs.ts [MB] [keys] [value bytes]`, in a folder under BENCH_DIR (default: the system's for temporary files).
 * Run it with `--max-old-space-size` to see what a Lambda of that size would do.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { nodeCodecs } from "../../lib/kafka/codecs/node.ts";
import { encodeBatch } from "../../lib/kafka/index.ts";
import { createLog } from "../../lib/log/index.ts";
import { COMPACT_LIMITS, compact } from "../../lib/log/jobs/compact/index.ts";
import { merge, roll } from "../../lib/log/jobs/index.ts";
import { ROLL_POLICY } from "../../lib/log/jobs/plan-roll.ts";
import { openEmbedded } from "../../lib/storage/embedded/index.ts";
import { localDoorbell } from "../../lib/storage/local/doorbell.ts";
import { systemClock } from "../../lib/storage/system/clock.ts";
import { systemDigest } from "../../lib/storage/system/digest.ts";
import { systemIds } from "../../lib/storage/system/ids.ts";

const [megabytes = 512, keyCount = 100_000, valueBytes = 1000] = process.argv.slice(2).map(Number);
const BATCH_RECORDS = 1000;
const clock = systemClock;
const ids = systemIds(clock);
const folder = await mkdtemp(join(process.env["BENCH_DIR"] ?? tmpdir(), "brokerless-jobs-"));
const storage = await openEmbedded({ folder, clock });
const parts = { storage, clock, ids, codecs: nodeCodecs, digest: systemDigest };
const forever = { untilMs: Number.POSITIVE_INFINITY, byHand: true };
const encoder = new TextEncoder();

async function timed(what: string, work: () => Promise<{ readonly sizeBytes: number } & Record<string, unknown>>): Promise<void> {
  let peakBytes = 0;
  const watch = setInterval(() => {
    peakBytes = Math.max(peakBytes, process.memoryUsage.rss());
  }, 20);
  const startedMs = clock.monotonicMs();
  const { sizeBytes, ...facts } = await work();
  const ms = clock.monotonicMs() - startedMs;
  clearInterval(watch);
  const speed = (sizeBytes / 1e3 / ms).toFixed(0);
  console.log(
    `${what}: ${(sizeBytes / 1e6).toFixed(0)} MB, ${speed} MB/s, RSS ${(peakBytes / 1e6).toFixed(0)} MB at most`,
    facts,
  );
}

try {
  const log = createLog({ storage, clock, ids, codecs: nodeCodecs, doorbell: localDoorbell(clock) });
  // The dirty part is all of it.
  await log.createTopic({ name: "t", configs: { "cleanup.policy": "compact" } });
  await timed("append", async () => {
    const value = new Uint8Array(valueBytes).fill(120);
    let sizeBytes = 0;
    for (let record = 0; sizeBytes < megabytes * 1e6; record += BATCH_RECORDS) {
      const records = Array.from({ length: BATCH_RECORDS }, (_, i) => ({
        key: encoder.encode(`customer-${String((record + i) % keyCount).padStart(12, "0")}`),
        value,
      }));
      const batches = encodeBatch(records, { timestampMs: clock.nowMs() });
      await log.append({ topic: "t", partition: 0, batches });
      sizeBytes += batches.byteLength;
    }
    return { sizeBytes };
  });
  const before = { policy: { ...ROLL_POLICY, graceMs: 0 } };
  await timed("roll", async () => ({ ...(await roll({ ...parts, ...before }, forever)) }));
  await timed("merge", async () => ({ ...(await merge(parts, forever)) }));
  await timed("compact", async () => ({
    ...(await compact({ ...parts, ...COMPACT_LIMITS }, forever)),
    sizeBytes: megabytes * 1e6,
  }));
  await log.close();
} finally {
  await storage.close();
  await rm(folder, { recursive: true, force: true });
}
