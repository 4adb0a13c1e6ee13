/** What the storage says when requests are cut, held up, refused or answered with an error, and what was done. */
import { afterAll, beforeAll, beforeEach, describe, expect, inject, test } from "vitest";
import { type Clock, type Metrics, NO_METRICS, type Storage } from "../../lib/ports/index.ts";
import { systemClock } from "../../lib/storage/system/clock.ts";
import { expectBytes, freshKey, freshUlid, patternBytes, storageErrorOf } from "../contract/backend.ts";
import { type Fault, type FaultyProxy, startProxy } from "./support/proxy.ts";
import { dropPlaces, makePlace, openStorage, type Place } from "./support/storage.ts";

const target = inject("awsEndpoint");

describe.skipIf(!target.startsWith("http:"))("outcomes (behind a proxy, so without TLS)", () => {
  let place: Place;
  let proxy: FaultyProxy;
  /** Through the proxy, and around it. */
  let storage: Storage;
  let direct: Storage;

  const through = (): Place => ({ ...place, endpoint: proxy.endpoint, s3Endpoint: proxy.endpoint });

  beforeAll(async () => {
    place = await makePlace(target);
    proxy = await startProxy(target);
    storage = openStorage(through());
    direct = openStorage(place);
    // The clocks are compared once, with a read.
    await storage.table.get(freshKey());
  });
  afterAll(async () => {
    await Promise.all([storage.close(), direct.close()]);
    await proxy.close();
    await dropPlaces();
  });
  beforeEach(() => {
    proxy.decide = () => "pass";
    proxy.seen.length = 0;
  });

  /** These faults for the next requests of this name; then all goes well. */
  function disturb(name: string, ...faults: readonly Fault[]): void {
    const left = [...faults];
    proxy.decide = (request) => (request.name.startsWith(name) ? (left.shift() ?? "pass") : "pass");
  }

  const seen = (name: string): number => proxy.seen.filter((one) => one.startsWith(name)).length;

  async function eventually(holds: () => Promise<boolean>): Promise<void> {
    for (let i = 0; i < 100; i++) {
      if (await holds()) return;
      await systemClock.sleep(50);
    }
    expect.fail("it did not become true within 5 s");
  }

  const addOne = (key: ReturnType<typeof freshKey>) => ({ op: "update", key, changes: [{ add: "n", by: 1 }] }) as const;

  test.each([
    ["cut after", 1],
    ["cut before", undefined],
  ] as const)("a write that is %s it was done is unknown, and sent once", async (fault, n) => {
    const key = freshKey();
    disturb("DynamoDB UpdateItem", fault);
    const error = await storageErrorOf(storage.table.write(addOne(key)));
    expect(error).toMatchObject({ kind: "unknown", outcome: "unknown" });
    expect(error.message).toMatch(/^DynamoDB UpdateItem: the answer was lost/);
    expect(seen("DynamoDB UpdateItem")).toBe(1);
    expect((await direct.table.get(key))?.["n"]).toBe(n);
  });

  test("a write that is unknown may be done later", async () => {
    const key = freshKey();
    disturb("DynamoDB UpdateItem", { lateMs: 300 });
    expect((await storageErrorOf(storage.table.write(addOne(key)))).kind).toBe("unknown");
    expect(await direct.table.get(key)).toBeUndefined();
    await eventually(async () => (await direct.table.get(key))?.["n"] === 1);
  });

  test("a write that gets no answer is unknown within its time", async () => {
    const key = freshKey();
    disturb("DynamoDB UpdateItem", "stall");
    const startedMs = systemClock.monotonicMs();
    const error = await storageErrorOf(storage.table.write(addOne(key)));
    expect(error.kind).toBe("unknown");
    expect(error.message).toMatch(/no answer from 127\.0\.0\.1:\d+ within 5000 ms/);
    expect(systemClock.monotonicMs() - startedMs).toBeLessThan(8000);
  });

  test.each([500, 503])("a write answered with %d is unknown, and sent once", async (status) => {
    disturb("DynamoDB UpdateItem", { status, type: "InternalServerError" });
    expect((await storageErrorOf(storage.table.write(addOne(freshKey())))).kind).toBe("unknown");
    expect(seen("DynamoDB UpdateItem")).toBe(1);
  });

  test("a transaction that is cut is unknown, sent once and done whole", async () => {
    const [a, b] = [freshKey(), freshKey()];
    disturb("DynamoDB TransactWriteItems", "cut after");
    expect((await storageErrorOf(storage.table.atomically([addOne(a), addOne(b)]))).kind).toBe("unknown");
    expect(seen("DynamoDB TransactWriteItems")).toBe(1);
    expect(await direct.table.getMany([a, b])).toEqual([{ n: 1 }, { n: 1 }]);
  });

  test("in stages, a write whose outcome is unknown stops what comes later", async () => {
    const [a, b] = [freshKey(), freshKey()];
    disturb("DynamoDB UpdateItem", "cut after");
    const settled = await storage.table.inOrder([[addOne(a)], [addOne(b)]]);
    expect(settled.flat().map((one) => (one.ok ? "ok" : one.error.kind))).toEqual(["unknown", "not_reached"]);
    expect(await direct.table.getMany([a, b])).toEqual([{ n: 1 }, undefined]);
  });

  test("reads that are cut are sent again", async () => {
    const key = freshKey();
    await direct.table.write({ op: "put", key, item: { n: 1 } });
    await direct.bucket.put(`outcomes/${key.pk.replaceAll("#", "-")}`, patternBytes(9000));
    disturb("", "cut before", { status: 500, type: "InternalServerError" }, "cut after");
    expect(await storage.table.get(key)).toEqual({ n: 1 });
    disturb("", "cut after", "cut before");
    expect(await storage.table.range(key.pk)).toEqual([{ key, item: { n: 1 } }]);
    disturb("", "cut after");
    expectBytes(await storage.bucket.get(`outcomes/${key.pk.replaceAll("#", "-")}`), patternBytes(9000));
  });

  test.each([
    ["DynamoDB PutItem", 500],
    ["S3 PUT", 50_000],
  ])("a blob that is cut is written again (%s)", async (name, sizeBytes) => {
    const id = freshUlid(systemClock.nowMs());
    disturb(name, "cut before", "cut after", { lateMs: 100 });
    const put = { op: "putBlob", id, pieces: [patternBytes(sizeBytes)], partitions: ["t#0"] } as const;
    expect(await storage.table.inOrder([[put]])).toEqual([[{ ok: true, item: undefined }]]);
    expect(seen(name)).toBe(4);
    await systemClock.sleep(150);
    const [bytes] = await direct.blobs.read([{ id, place: direct.blobs.place(sizeBytes), from: 0, to: sizeBytes }]);
    expectBytes(bytes, patternBytes(sizeBytes));
  });

  test("a put of what must be absent is not sent again: its own first one would refuse it", async () => {
    const key = "outcomes/if-absent";
    disturb("S3 PUT", "cut after");
    const error = await storageErrorOf(storage.bucket.put(key, patternBytes(10), { ifAbsent: true }));
    expect(error.kind).toBe("unknown");
    expect(seen("S3 PUT")).toBe(1);
    expectBytes(await direct.bucket.get(key), patternBytes(10));
  });

  test("a join whose last answer was lost is found to be done", async () => {
    const keys = ["outcomes/a", "outcomes/b"];
    for (const [i, key] of keys.entries()) await direct.bucket.put(key, patternBytes(5 * 2 ** 20 + i, i + 1));
    let posts = 0;
    // The first POST begins the upload, the second completes it.
    proxy.decide = ({ name }) => (name.startsWith("S3 POST") && ++posts === 2 ? "cut after" : "pass");
    await storage.bucket.concat(keys, "outcomes/joined");
    expect(posts).toBe(3);
    const wanted = Buffer.concat(keys.map((_, i) => patternBytes(5 * 2 ** 20 + i, i + 1)));
    expectBytes(await direct.bucket.get("outcomes/joined"), wanted);
  });

  test("a throttled write is tried again, and given up as throttled", async () => {
    const key = freshKey();
    const throttled: Fault = { status: 400, type: "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException" };
    disturb("DynamoDB UpdateItem", throttled, throttled);
    expect(await storage.table.write(addOne(key))).toEqual({ n: 1 });
    proxy.decide = () => throttled;
    const error = await storageErrorOf(storage.table.write(addOne(key)));
    expect(error).toMatchObject({ kind: "throttled", outcome: "not_applied" });
    expect((await direct.table.get(key))?.["n"]).toBe(1);
  });

  test("a write that met a transaction is tried again", async () => {
    const key = freshKey();
    disturb("DynamoDB UpdateItem", { status: 400, type: "com.amazonaws.dynamodb.v20120810#TransactionConflictException" });
    expect(await storage.table.write(addOne(key))).toEqual({ n: 1 });
  });

  test("where nothing listens, nothing is applied, and the message says where it was sought", async () => {
    const gone = await startProxy(target);
    await gone.close();
    const nowhere = openStorage({ ...through(), endpoint: gone.endpoint, s3Endpoint: gone.endpoint });
    for (const run of [
      () => nowhere.table.write(addOne(freshKey())),
      () => nowhere.table.get(freshKey()),
      () => nowhere.bucket.put("outcomes/none", patternBytes(1)),
    ]) {
      const error = await storageErrorOf(run());
      expect(error).toMatchObject({ kind: "unavailable", outcome: "not_applied" });
      expect(error.message).toMatch(/nothing listens at 127\.0\.0\.1:\d+: check the endpoint, and that the emulator runs/);
    }
    await nowhere.close();
  });

  test.each([
    ["ExpiredTokenException", /^the AWS credentials have expired: get new ones/],
    ["AccessDeniedException", /^these AWS credentials may not do dynamodb:UpdateItem on table ".+": allow it in their policy/],
    ["UnrecognizedClientException", /^the AWS access key is not known/],
    ["SomethingNewException", /^DynamoDB UpdateItem on table ".+" was refused: 400 SomethingNewException: why$/],
  ])("%s is answered in one line that says what to do", async (type, message) => {
    disturb("DynamoDB UpdateItem", { status: 400, type: `com.amazon.coral.service#${type}`, message: "why" });
    const error = await storageErrorOf(storage.table.write(addOne(freshKey())));
    expect(error).toMatchObject({ kind: "unavailable", outcome: "not_applied", message: expect.stringMatching(message) });
    expect(seen("DynamoDB UpdateItem")).toBe(1);
  });

  test("a table or bucket that is not there is named, with its region", async () => {
    const elsewhere = openStorage({ ...place, table: "no-such-table", bucket: "no-such-bucket-here" });
    const region = place.region ?? process.env["AWS_REGION"];
    const table = await storageErrorOf(elsewhere.table.get(freshKey()));
    expect(table.message).toBe(
      `table "no-such-table" is not in ${region}: deploy the stack that makes it, or correct its name or the region`,
    );
    const calls = [
      () => elsewhere.bucket.get("a"),
      () => elsewhere.bucket.get("a", { from: 1, to: 5 }),
      () => elsewhere.bucket.list("a")[Symbol.asyncIterator]().next(),
    ];
    for (const call of calls) {
      expect((await storageErrorOf(call())).message).toBe(
        `bucket "no-such-bucket-here" is not in ${region}: deploy the stack that makes it, or correct its name or the region`,
      );
    }
    await elsewhere.close();
  });

  test.each([
    [300_000, "300 s ahead of"],
    [-300_000, "300 s behind"],
  ])("a process whose clock is %d ms off reads, and does not write", async (offMs, words) => {
    const clock: Clock = { ...systemClock, nowMs: () => systemClock.nowMs() + offMs };
    const off = openStorage(through(), {}, clock);
    const key = freshKey();
    const error = await storageErrorOf(off.table.write(addOne(key)));
    expect(error).toMatchObject({ kind: "unavailable", outcome: "not_applied" });
    expect(error.message.replace(/\d+ s/, `${300} s`)).toContain(`this machine's clock is ${words} the storage's`);
    expect(seen("DynamoDB UpdateItem")).toBe(0);
    expect(await off.table.get(key)).toBeUndefined();
    expect((await storageErrorOf(off.bucket.put("outcomes/off", patternBytes(1)))).kind).toBe("unavailable");
    await off.close();
  });

  test("what DynamoDB charges is counted, and so is every request", async () => {
    const counted = new Map<string, number>();
    const metrics: Metrics = {
      ...NO_METRICS,
      count: (name, by = 1, labels = {}) => {
        const series = [name, ...Object.values(labels)].join(" ");
        counted.set(series, (counted.get(series) ?? 0) + by);
      },
    };
    const metered = openStorage(place, { metrics });
    const key = freshKey();
    await metered.table.get(key);
    await metered.table.write({ op: "put", key, item: { v: patternBytes(3000) } });
    await metered.table.get(key);
    await metered.bucket.put("outcomes/counted", patternBytes(10));
    expect(counted.get("aws_requests_total DynamoDB GetItem")).toBe(2);
    expect(counted.get("aws_requests_total DynamoDB PutItem")).toBe(1);
    expect(counted.get("aws_requests_total S3 PutObject")).toBe(1);
    expect(counted.get("dynamodb_write_units_total")).toBeGreaterThan(0);
    expect(counted.get("dynamodb_read_units_total")).toBeGreaterThan(0);
    await metered.close();
  });
});
