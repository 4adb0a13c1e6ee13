/** From what was counted to US dollars. Pure. */
import { JOB_NAMES, JOBS } from "../../lib/log/jobs/index.ts";
import type { Counts } from "./counting.ts";
import type { Measured, Usage } from "./measure.ts";
import { PEER_PRICES, PRICES } from "./prices.ts";

const GB = 1024 ** 3;
const HOURS_A_MONTH = 730;
const MONTH_MS = HOURS_A_MONTH * 3_600_000;

/** How long things take on AWS is not measured here; these are supposed, in milliseconds, and only Lambda's time hangs on them. */
export const SUPPOSED = { dynamodbMs: 5, s3PutMs: 30, s3GetMs: 20, ownMs: 3, memoryGb: 1, accessLogBytes: 300 } as const;

/** What `lib/http/lambda/usage.ts` makes of the lines of calls. */
const METRICS = 4;

/** What the deployment has beside its functions. */
export interface Deployed {
  readonly alarms: number;
  readonly dashboards: number;
}

export interface Line {
  readonly name: string;
  /** US dollars. */
  readonly httpApi: number | undefined;
  readonly functionUrl: number | undefined;
  readonly kinesis: number | undefined;
  readonly msk: number | undefined;
  readonly sqs: number | undefined;
}

function storageCost({ writeUnits, readUnits, s3Puts, s3Gets }: Counts): number {
  return writeUnits * PRICES.dynamoWriteUnit + readUnits * PRICES.dynamoReadUnit + s3Puts * PRICES.s3Put + s3Gets * PRICES.s3Get;
}

/** Milliseconds that a call waits for its storage: trips to DynamoDB, and what S3 takes longer. */
function storageMs({ trips, s3Puts, s3Gets }: Counts): number {
  const { dynamodbMs, s3PutMs, s3GetMs } = SUPPOSED;
  const longer = s3Puts > 0.5 ? s3PutMs - dynamodbMs : s3Gets > 0.5 ? s3GetMs - dynamodbMs : 0;
  return trips * dynamodbMs + longer;
}

function lambdaCost(ms: number): number {
  return PRICES.lambdaRequest + (Math.ceil(ms) / 1000) * SUPPOSED.memoryGb * PRICES.lambdaGbSecond;
}

/** One call of ours, all that AWS asks for it. `waitedMs`: of a long poll. */
function callCost(usage: Usage, through: "httpApi" | "functionUrl", waitedMs = 0): number {
  const gateway = through === "httpApi" ? PRICES.httpApiRequest : 0;
  const logBytes = usage.lineBytes + (through === "httpApi" ? SUPPOSED.accessLogBytes : 0);
  const ms = waitedMs > 0 ? waitedMs : storageMs(usage) + SUPPOSED.ownMs;
  return storageCost(usage) + lambdaCost(ms) + gateway + (logBytes / GB) * PRICES.logGb;
}

/** One run of a job that has nothing to do. */
function idleRunCost(used: Counts): number {
  return storageCost(used) + lambdaCost(storageMs(used) + SUPPOSED.ownMs) + PRICES.schedulerStart + (250 / GB) * PRICES.logGb;
}

/** US dollars a month for a log that nobody calls. */
export function idleMonth(
  measured: Measured,
  { alarms, dashboards }: Deployed,
): { readonly jobs: number; readonly watching: number } {
  const jobs = JOB_NAMES.reduce((sum, job) => sum + (MONTH_MS / JOBS[job].everyMs) * idleRunCost(measured.idle[job]), 0);
  return { jobs, watching: alarms * PRICES.alarmMonth + dashboards * PRICES.dashboardMonth };
}

export interface BillOptions {
  readonly recordsPerBatch: number;
  readonly pollMs: number;
  readonly deployed: Deployed;
}

export function bill(measured: Measured, { recordsPerBatch, pollMs, deployed }: BillOptions): Line[] {
  const { produceOne, produceMany, pollOnce, pollLong, fetchMany, rollOne, rollMany } = measured;
  const million = 1e6;
  const gbOfMillion = (million * 1024) / GB;
  const { kinesis, msk, sqs } = PEER_PRICES;
  const both = (cost: (through: "httpApi" | "functionUrl") => number): Pick<Line, "httpApi" | "functionUrl"> => ({
    httpApi: cost("httpApi"),
    functionUrl: cost("functionUrl"),
  });
  const sqsBatches = Math.ceil(recordsPerBatch / sqs.messagesMost) / recordsPerBatch;
  const idle = idleMonth(measured, deployed);
  const perGb = (perRecord: number): number => (perRecord * GB) / 1024;
  const none = { kinesis: undefined, msk: undefined, sqs: undefined };
  const ours = (cost: number): Pick<Line, "httpApi" | "functionUrl"> => ({ httpApi: cost, functionUrl: cost });
  return [
    {
      name: "a million events of 1 KB, one a request",
      ...both((through) => million * (callCost(produceOne, through) + storageCost(rollOne))),
      kinesis: gbOfMillion * kinesis.inGb,
      msk: gbOfMillion * msk.inGb,
      sqs: million * sqs.request,
    },
    {
      name: `a million events of 1 KB, ${recordsPerBatch} a request`,
      ...both((through) => million * (callCost(produceMany, through) / recordsPerBatch + storageCost(rollMany))),
      kinesis: gbOfMillion * kinesis.inGb,
      msk: gbOfMillion * msk.inGb,
      sqs: million * sqsBatches * sqs.request,
    },
    {
      name: "reading a million events back",
      ...both((through) => (million / measured.recordsRead) * callCost(fetchMany, through)),
      kinesis: gbOfMillion * kinesis.outGb,
      msk: gbOfMillion * msk.outGb,
      // Received and deleted, ten at a time.
      sqs: 2 * (million / sqs.messagesMost) * sqs.request,
    },
    {
      name: "a month idle: jobs; theirs: a stream, a cluster with a partition",
      ...ours(idle.jobs),
      kinesis: HOURS_A_MONTH * kinesis.streamHour,
      msk: HOURS_A_MONTH * (msk.clusterHour + msk.partitionHour),
      sqs: 0,
    },
    { name: `a month idle: ${deployed.alarms} alarms, ${deployed.dashboards} dashboard`, ...ours(idle.watching), ...none },
    { name: `a month in use: ${METRICS} metrics, besides`, ...ours(METRICS * PRICES.metricMonth), ...none },
    {
      name: "a month of one consumer asking every 5 s",
      ...both((through) => (MONTH_MS / 5000) * callCost(pollOnce, through)),
      kinesis: 0,
      msk: 0,
      sqs: (MONTH_MS / 5000) * sqs.request,
    },
    {
      name: `a month of one consumer in long polls of ${pollMs / 1000} s`,
      ...both((through) => (MONTH_MS / pollMs) * callCost(pollLong, through, pollMs)),
      kinesis: 0,
      msk: 0,
      sqs: (MONTH_MS / 20_000) * sqs.request,
    },
    { name: "a GB kept for a month", ...ours(PRICES.s3GbMonth), kinesis: undefined, msk: msk.gbMonth, sqs: undefined },
    { name: "a GB rolled, of events one a request", ...ours(perGb(storageCost(rollOne))), ...none },
    { name: `a GB rolled, of ${recordsPerBatch} a request`, ...ours(perGb(storageCost(rollMany))), ...none },
    {
      name: "a GB read by a caller outside AWS, besides",
      ...ours(PRICES.transferOutGb),
      kinesis: PRICES.transferOutGb,
      msk: PRICES.transferOutGb,
      sqs: PRICES.transferOutGb,
    },
  ];
}
