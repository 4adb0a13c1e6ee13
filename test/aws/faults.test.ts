/** The log behind a network that loses, delays and repeats nothing by itself: nothing is lost, nothing is doubled. */
import { afterAll, describe, expect, inject, test } from "vitest";
import { type Fault, startProxy } from "./support/proxy.ts";
import { dropPlaces, makePlace, openStorage } from "./support/storage.ts";
import { openLog, runJob, violations } from "./support/writer.ts";

afterAll(dropPlaces);

const target = inject("awsEndpoint");
const dynamodbLocal = inject("dynamodbLocalEndpoint");
const PARTITIONS = 2;
const SEED = Number(process.env["FAULTS_SEED"] ?? 1);

const THROTTLED: Fault = { status: 400, type: "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException" };
const BROKEN: Fault = { status: 500, type: "com.amazonaws.dynamodb.v20120810#InternalServerError" };

/** Numbers from 0 to 1, the same for the same seed. */
function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let x = Math.imul(state ^ (state >>> 15), state | 1);
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61);
    return ((x ^ (x >>> 14)) >>> 0) / 2 ** 32;
  };
}

function disturbedWriters(endpoint: string, s3Endpoint: string): void {
  test("two processes append while every sixth request is disturbed: every record is there once, where its sender was told", async () => {
    const place = await makePlace(endpoint, s3Endpoint);
    const proxies = await Promise.all([startProxy(endpoint), startProxy(s3Endpoint)]);
    const direct = openStorage(place);
    const log = openLog(direct);
    await log.createTopic({ name: "t", partitions: PARTITIONS });
    const random = randomFrom(SEED);
    const faults: readonly Fault[] = ["cut before", "cut after", { lateMs: 5 }, { lateMs: 200 }, THROTTLED, BROKEN];
    let disturbed = 0;
    for (const proxy of proxies) {
      proxy.decide = ({ name }) => {
        if (random() >= 1 / 6) return "pass";
        disturbed++;
        const fault = faults[Math.floor(random() * faults.length)] as Fault;
        // What the proxy says itself is DynamoDB's language.
        return typeof fault === "object" && "status" in fault && name.startsWith("S3") ? "cut after" : fault;
      };
    }
    const [tableProxy, bucketProxy] = proxies;
    const reports = await Promise.all(
      [0, 1].map(async (i) => {
        const storage = openStorage({ ...place, endpoint: tableProxy?.endpoint ?? "", s3Endpoint: bucketProxy?.endpoint ?? "" });
        const disturbedLog = openLog(storage);
        const report = await runJob(disturbedLog, {
          topic: "t",
          partitions: PARTITIONS,
          name: `p${i}`,
          plain: 2,
          idempotent: 2,
          requests: 12,
        });
        await disturbedLog.close();
        await storage.close();
        return report;
      }),
    );
    // What was delayed arrives before the log is looked at.
    await Promise.all(proxies.map((proxy) => proxy.close()));
    const context = `seed ${SEED}, ${disturbed} requests disturbed; ${reports.flatMap(({ errors }) => errors).join("\n")}`;
    expect(await violations(log, "t", PARTITIONS, reports), context).toEqual([]);
    // The log finds out by itself what became of a write: nobody is left in doubt.
    expect(
      reports.flatMap(({ unknown }) => unknown),
      context,
    ).toEqual([]);
    for (const { acked, refused } of reports) expect(acked.length + refused.length, context).toBe(4 * PARTITIONS * 24);
    expect(disturbed).toBeGreaterThan(20);
    await log.close();
    await direct.close();
  });
}

describe.skipIf(!target.startsWith("http:"))("faults (behind a proxy, so without TLS)", () => {
  describe("DynamoDB and S3 of one endpoint", () => disturbedWriters(target, target));
  describe.skipIf(dynamodbLocal === undefined)("DynamoDB Local (needs Java and Maven, and no AWS_ENDPOINT_URL)", () =>
    disturbedWriters(dynamodbLocal ?? "", target),
  );
});
