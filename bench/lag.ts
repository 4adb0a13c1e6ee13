/**
 * `npm run bench:lag [-- --groups 1000 --partitions 100]`: one look of the reporter at many groups, in a process of its own that
 * may have 512 MB: its time, its memory, and what DynamoDB would count. Each group reads a topic of its own, so every head is
 * read; and once all of them the same topic. Time is that of this machine's disk: compare the looks of one run with each other.
 */
import { spawnSync } from "node:child_process";
import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { createGroups } from "../lib/groups/groups.ts";
import { nodeCodecs } from "../lib/kafka/codecs/node.ts";
import { encodeBatch } from "../lib/kafka/index.ts";
import { reportLag } from "../lib/lag/reporter.ts";
import { LAG_SETTINGS } from "../lib/lag/settings.ts";
import { createLog } from "../lib/log/index.ts";
import type { Clock, Storage } from "../lib/ports/index.ts";
import { openEmbedded } from "../lib/storage/embedded/index.ts";
import { localDoorbell } from "../lib/storage/local/doorbell.ts";
import { systemClock } from "../lib/storage/system/clock.ts";
import { systemIds } from "../lib/storage/system/ids.ts";
import { type Counts, countingStorage } from "./cost/counting.ts";
import { PRICES } from "./cost/prices.ts";

const LAMBDA_MB = 512;
/** Less than all of it: the rest is for buffers and code. */
const HEAP_MB = 384;
const RUNS_A_MONTH = 730 * 60;
/** A run of the lag function may take so long. */
const RUN_MOST_MS = 45_000;

interface Look {
  readonly name: string;
  readonly ms: number;
  readonly partitions: number;
  readonly windowsWritten: number;
  readonly counts: Counts | undefined;
  readonly rssMb: number;
}

const { values } = parseArgs({
  options: {
    groups: { type: "string", default: "1000" },
    partitions: { type: "string", default: "100" },
    json: { type: "boolean", default: false },
    /** Of the process that looks. */
    look: { type: "string" },
    count: { type: "boolean", default: false },
    shared: { type: "boolean", default: false },
  },
});
const [groupCount, partitionCount] = [Number(values.groups), Number(values.partitions)];
const groupName = (i: number): string => `group-${String(i).padStart(5, "0")}`;
const topicOf = (i: number, shared: boolean): string => (shared ? "shared" : `topic-${String(i).padStart(5, "0")}`);

function enginesOver(storage: Storage, clock: Clock) {
  const ids = systemIds(clock);
  const doorbell = localDoorbell(clock);
  const log = createLog({ storage, clock, ids, codecs: nodeCodecs, doorbell });
  return { ids, log, groups: createGroups({ storage, log, clock, ids, doorbell }) };
}

/** Ten records in each partition, which the groups have read; but every hundredth group only five. */
async function fill(folder: string, shared: boolean): Promise<void> {
  const storage = await openEmbedded({ folder, clock: systemClock });
  const { log, groups } = enginesOver(storage, systemClock);
  const batches = encodeBatch(
    Array.from({ length: 10 }, () => ({ key: null, value: new Uint8Array(20) })),
    { timestampMs: systemClock.nowMs() },
  );
  const partitions = Array.from({ length: partitionCount }, (_, partition) => partition);
  for (let i = 0; i < (shared ? 1 : groupCount); i++) {
    const topic = topicOf(i, shared);
    await log.createTopic({ name: topic, partitions: partitionCount });
    await Promise.all(partitions.map((partition) => log.append({ topic, partition, batches })));
  }
  for (let i = 0; i < groupCount; i++) {
    const offset = i % 100 === 0 ? 5 : 10;
    const offsets = partitions.map((partition) => ({ topic: topicOf(i, shared), partition, offset }));
    await groups.commit({ group: groupName(i), offsets });
  }
  await log.close();
  await storage.close();
}

/** In a process of its own: a first look, one after which nothing has changed, one after a tenth of the groups committed. */
async function look(folder: string, shared: boolean, counted: boolean): Promise<Look[]> {
  let aheadMs = 0;
  const clock: Clock = {
    nowMs: () => systemClock.nowMs() + aheadMs,
    monotonicMs: () => systemClock.monotonicMs(),
    sleep: (ms, signal) => systemClock.sleep(ms, signal),
  };
  const opened = await openEmbedded({ folder, clock });
  const counting = counted ? countingStorage(clock, opened) : undefined;
  const storage = counting ?? opened;
  const { ids, log, groups } = enginesOver(storage, clock);
  const looks: Look[] = [];
  const one = async (name: string): Promise<void> => {
    counting?.take();
    let rss = process.memoryUsage.rss();
    const watch = setInterval(() => {
      rss = Math.max(rss, process.memoryUsage.rss());
    }, 10);
    const startedMs = clock.monotonicMs();
    const parts = { storage, clock, ids, log, codecs: nodeCodecs, settings: LAG_SETTINGS };
    const { partitions, windowsWritten, left } = await reportLag(parts, { untilMs: startedMs + RUN_MOST_MS });
    clearInterval(watch);
    if (left) throw new Error(`${name}: the look did not end within ${RUN_MOST_MS / 1000} s`);
    const ms = Math.round(clock.monotonicMs() - startedMs);
    looks.push({ name, ms, partitions, windowsWritten, counts: counting?.take(), rssMb: Math.round(rss / 1e6) });
    aheadMs += 60_000;
  };
  await one("the first look");
  // Of those behind the next looks read the first unread record, some at each, and note its time.
  do {
    await one("warm");
  } while ((looks.pop() as Look).windowsWritten > 0);
  await one("nothing has changed");
  for (let i = 0; i < groupCount; i += 10) {
    const offsets = Array.from({ length: partitionCount }, (_, partition) => ({
      topic: topicOf(i, shared),
      partition,
      offset: 10,
    }));
    await groups.commit({ group: groupName(i), offsets });
  }
  await one("a tenth has committed");
  await log.close();
  await opened.close();
  return looks;
}

function lookApart(folder: string, shared: boolean, count: boolean): Look[] {
  const own = fileURLToPath(import.meta.url);
  const flags = ["--look", folder, "--groups", String(groupCount), "--partitions", String(partitionCount)];
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [`--max-old-space-size=${HEAP_MB}`, own, ...flags, ...(shared ? ["--shared"] : []), ...(count ? ["--count"] : [])],
    { encoding: "utf8", timeout: 300_000, maxBuffer: 2 ** 24 },
  );
  if (status !== 0) throw new Error(`the look failed: ${stderr.slice(-2000)}`);
  return JSON.parse(stdout) as Look[];
}

/** US dollars a month of a look a minute that uses so much of the table; Lambda's time is apart. */
function tableMonth({ readUnits, writeUnits }: Counts): number {
  return RUNS_A_MONTH * (readUnits * PRICES.dynamoReadUnit + writeUnits * PRICES.dynamoWriteUnit);
}

async function measure(shared: boolean): Promise<Look[]> {
  const folder = await mkdtemp(join(process.env["BENCH_DIR"] ?? tmpdir(), "brokerless-lag-"));
  try {
    await fill(join(folder, "a"), shared);
    await cp(join(folder, "a"), join(folder, "b"), { recursive: true });
    const timed = lookApart(join(folder, "a"), shared, false);
    const counted = lookApart(join(folder, "b"), shared, true);
    return timed.map((one, i) => ({ ...one, counts: counted[i]?.counts }));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

if (values.look !== undefined) {
  process.stdout.write(JSON.stringify(await look(values.look, values.shared, values.count)));
} else {
  const result = { shared: await measure(true), own: await measure(false) };
  const metricsMonth = 3 * groupCount * PRICES.metricMonth;
  if (values.json) console.log(JSON.stringify({ groupCount, partitionCount, ...result, metricsMonth }, null, 2));
  else {
    for (const [name, looks] of Object.entries(result)) {
      console.log(
        `${groupCount} groups, each of ${partitionCount} partitions of ${name === "own" ? "a topic of its own" : "one topic"}`,
      );
      for (const { name: what, ms, rssMb, windowsWritten, partitions, counts } of looks) {
        const used = counts as Counts;
        console.log(
          `  ${what.padEnd(22)} ${String(ms).padStart(6)} ms  ${rssMb} MB  ${partitions} partitions  ${windowsWritten} items written  ` +
            `${used.readUnits} read units, ${used.writeUnits} write units, ${used.trips} calls: US$ ${tableMonth(used).toFixed(0)} a month, a look a minute`,
        );
      }
    }
    console.log(
      `their metrics (three a group and topic): US$ ${metricsMonth.toFixed(0)} a month; a Lambda may have ${LAMBDA_MB} MB`,
    );
  }
}
