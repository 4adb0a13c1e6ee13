/** What a call or a run of the jobs uses, counted: the real app behind the real Lambda handler, over the counting storage. */

import { createHttpApp } from "../../lib/http/index.ts";
import type { HttpEvent } from "../../lib/http/lambda/event.ts";
import { apiHandler } from "../../lib/http/lambda/handler.ts";
import { nodeCodecs } from "../../lib/kafka/codecs/node.ts";
import { createLog } from "../../lib/log/index.ts";
import { JOB_NAMES, JOBS, type JobName } from "../../lib/log/jobs/index.ts";
import type { Clock } from "../../lib/ports/index.ts";
import { pollingDoorbell } from "../../lib/storage/polling/doorbell.ts";
import { systemClock } from "../../lib/storage/system/clock.ts";
import { systemDigest } from "../../lib/storage/system/digest.ts";
import { systemIds } from "../../lib/storage/system/ids.ts";
import { type Counts, countingStorage } from "./counting.ts";

/** For one call, or one run. */
export interface Usage extends Counts {
  /** Of the answer's body. */
  readonly answerBytes: number;
  /** Of the line in the log. */
  readonly lineBytes: number;
}

export interface Measured {
  /** Of one request with so many records of 1 KB, seals included. */
  readonly produceOne: Usage;
  readonly produceMany: Usage;
  /** The trips of one produce that seals nothing. */
  readonly plainTrips: number;
  /** One read of what `produceMany` wrote: a MB or so. */
  readonly fetchMany: Usage;
  readonly recordsRead: number;
  /** One poll at the end of the log, without waiting; and one that waits for `pollMs`. */
  readonly pollOnce: Usage;
  readonly pollLong: Usage;
  /** Turning what `produceOne` and `produceMany` wrote into segments, for each record. */
  readonly rollOne: Counts;
  readonly rollMany: Counts;
  /** One run with nothing to do. */
  readonly idle: Readonly<Record<JobName, Counts>>;
}

export interface MeasureOptions {
  /** Requests of each kind; a whole number of seals (16) gives the true average. */
  readonly requests: number;
  readonly recordsPerBatch: number;
  readonly pollMs: number;
}

const VALUE = "x".repeat(1024);
/** More than the roller leaves alone. */
const LATER_MS = 3_600_000;

export async function measure({ requests, recordsPerBatch, pollMs }: MeasureOptions): Promise<Measured> {
  let aheadMs = 0;
  const clock: Clock = {
    nowMs: () => systemClock.nowMs() + aheadMs,
    monotonicMs: () => systemClock.monotonicMs(),
    sleep: (ms, signal) => systemClock.sleep(ms, signal),
  };
  const ids = systemIds(clock);
  const storage = countingStorage(clock);
  const log = createLog({ storage, clock, ids, codecs: nodeCodecs, doorbell: pollingDoorbell(clock) });
  const app = createHttpApp({
    log,
    clock,
    ids,
    codecs: nodeCodecs,
    auth: "none",
    outlivesAnswer: false,
    ready: async () => {},
    version: "0",
  });
  let lineBytes = 0;
  let answered = "";
  const handle = apiHandler({
    dispatch: app.dispatch,
    clock,
    line: (text) => {
      lineBytes += text.length + 1;
    },
  });

  async function call(method: string, path: string, rawQueryString = "", body?: string): Promise<Usage> {
    const event: HttpEvent = {
      version: "2.0",
      rawPath: path,
      rawQueryString,
      headers: { "content-type": "application/json" },
      ...(body === undefined ? {} : { body }),
      requestContext: { domainName: "api.example", stage: "$default", http: { method } },
    };
    lineBytes = 0;
    const answer = await handle(event, { awsRequestId: "0".repeat(36), getRemainingTimeInMillis: () => 29_000 });
    if (answer.statusCode >= 300) throw new Error(Buffer.from(answer.body, "base64").toString());
    answered = Buffer.from(answer.body, "base64").toString();
    return { ...storage.take(), answerBytes: Buffer.byteLength(answered), lineBytes };
  }

  async function produce(topic: string, records: number): Promise<{ readonly average: Usage; readonly fewestTrips: number }> {
    await log.createTopic({ name: topic, partitions: 1 });
    const path = `/topics/${topic}/partitions/0/records`;
    const body = JSON.stringify(
      records === 1 ? { value: VALUE } : { records: Array.from({ length: records }, () => ({ value: VALUE })) },
    );
    // A process that is warm knows the topic.
    await call("POST", path, "", body);
    const usages: Usage[] = [];
    for (let i = 0; i < requests; i++) usages.push(await call("POST", path, "", body));
    return { average: averageOf(usages), fewestTrips: Math.min(...usages.map(({ trips }) => trips)) };
  }

  async function run(job: JobName): Promise<Counts> {
    storage.take();
    await JOBS[job].run(
      { storage, clock, ids, codecs: nodeCodecs, digest: systemDigest },
      { untilMs: clock.monotonicMs() + 60_000 },
    );
    return storage.take();
  }

  async function rolled(records: number): Promise<Counts> {
    aheadMs += LATER_MS;
    const used = await run("roll");
    return mapCounts(used, (count) => count / (requests * records));
  }

  const one = await produce("one", 1);
  const rollOne = await rolled(1);
  const many = await produce("many", recordsPerBatch);
  const fetchMany = await call("GET", "/topics/many/partitions/0/records", "offset=earliest");
  const recordsRead = (JSON.parse(answered) as { readonly records: readonly unknown[] }).records.length;
  const rollMany = await rolled(recordsPerBatch);
  // As a consumer asks that has read everything: for the next offset.
  const end = `offset=${requests + 1}`;
  const pollOnce = await call("GET", "/topics/one/partitions/0/records", end);
  const pollLong = await call("GET", "/topics/one/partitions/0/records", `${end}&timeout=${pollMs}`);
  // What is due for the first time is looked at; after that there is nothing to do.
  for (const job of JOB_NAMES) await run(job);
  const idle: Partial<Record<JobName, Counts>> = {};
  for (const job of JOB_NAMES) idle[job] = await run(job);
  await log.close();
  await storage.close();
  return {
    produceOne: one.average,
    produceMany: many.average,
    plainTrips: one.fewestTrips,
    fetchMany,
    recordsRead,
    pollOnce,
    pollLong,
    rollOne,
    rollMany,
    idle: idle as Record<JobName, Counts>,
  };
}

function averageOf(usages: readonly Usage[]): Usage {
  const sum: Record<string, number> = {};
  for (const usage of usages) for (const [name, count] of Object.entries(usage)) sum[name] = (sum[name] ?? 0) + count;
  return mapCounts(sum as unknown as Usage, (total) => total / usages.length);
}

function mapCounts<T extends Counts>(counts: T, change: (count: number) => number): T {
  return Object.fromEntries(Object.entries(counts).map(([name, count]) => [name, change(count as number)])) as unknown as T;
}
