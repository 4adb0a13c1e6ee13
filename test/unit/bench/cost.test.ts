/** What the cost benchmark counts, small: the numbers that DESIGN promises. */
import { beforeAll, describe, expect, test } from "vitest";
import { bill, idleMonth } from "../../../bench/cost/bill.ts";
import { type Measured, measure } from "../../../bench/cost/measure.ts";

const OPTIONS = { requests: 32, recordsPerBatch: 100, pollMs: 300 };
const deployed = { alarms: 10, dashboards: 1 };
let measured: Measured;

beforeAll(async () => {
  measured = await measure(OPTIONS);
});

describe("what is counted", () => {
  test("a produce makes two sequential trips to the storage, and reads nothing first", () => {
    expect(measured.plainTrips).toBe(2);
  });

  test("an event of 1 KB is a blob of two write units and a head of one, and seals cost little more", () => {
    const { writeUnits, readUnits, s3Puts } = measured.produceOne;
    expect(writeUnits).toBeGreaterThanOrEqual(3);
    expect(writeUnits).toBeLessThan(3.5);
    expect(readUnits).toBeLessThan(0.5);
    expect(s3Puts).toBe(0);
  });

  test("a hundred events are one object and a head", () => {
    const { writeUnits, s3Puts } = measured.produceMany;
    expect(s3Puts).toBe(1);
    expect(writeUnits).toBeGreaterThanOrEqual(1);
    expect(writeUnits).toBeLessThan(1.5);
  });

  test("a poll at the end reads the head and no more, and a long one looks again and again", () => {
    expect(measured.pollOnce).toMatchObject({ readUnits: 1, writeUnits: 0, s3Gets: 0 });
    expect(measured.pollLong.readUnits).toBeGreaterThan(1);
  });

  test("rolling puts one segment for many records", () => {
    expect(measured.rollMany.s3Puts * 32 * 100).toBeLessThanOrEqual(2);
    expect(measured.rollMany.s3Gets * 32 * 100).toBeGreaterThanOrEqual(16);
  });

  test("a job with nothing to do writes nothing", () => {
    for (const [job, used] of Object.entries(measured.idle)) expect(used, job).toMatchObject({ writeUnits: 0, s3Gets: 0 });
  });
});

describe("the bill", () => {
  test("is smaller through the Function URL, by the gateway's dollar and its log, and much smaller in batches", () => {
    const [one, many] = bill(measured, { ...OPTIONS, deployed });
    expect((one?.httpApi ?? 0) - (one?.functionUrl ?? 0)).toBeGreaterThanOrEqual(1);
    expect((one?.httpApi ?? 0) - (one?.functionUrl ?? 0)).toBeLessThan(1.3);
    expect((many?.httpApi ?? 0) * 10).toBeLessThan(one?.httpApi ?? 0);
  });

  test("of an idle month is what the jobs and the alarms cost", () => {
    const { jobs, watching } = idleMonth(measured, deployed);
    expect(watching).toBeCloseTo(4, 5);
    expect(jobs).toBeGreaterThan(0);
    expect(jobs).toBeLessThan(1);
  });
});
