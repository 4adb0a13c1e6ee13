/** `brokerless group`, with Kafka's columns and options. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { dateTime, duration, targetOffset } from "../../../lib/cli/values/reset-spec.ts";
import { Brokerless } from "../../../lib/client/index.ts";
import type { RunningServer } from "../../../lib/server/types.ts";
import { memoryServer } from "../client/server.ts";
import { brokerless, lines, type Ran } from "./run.ts";

let server: RunningServer;
let client: Brokerless;

beforeAll(async () => {
  server = await memoryServer();
  client = new Brokerless({ url: server.url });
  await client.admin.createTopic({ name: "orders", partitions: 2 });
  const producer = client.producer();
  for (let i = 0; i < 10; i++)
    await producer.send({ topic: "orders", partition: i % 2, value: `${i}`, timestampMs: 1_700_000_000_000 + i * 1000 });
  await producer.close();
});
afterAll(() => server.close());

function run(args: string): Promise<Ran> {
  return brokerless(args.split(" "), { url: server.url });
}

async function ok(args: string): Promise<string> {
  const ran = await run(args);
  expect([ran.code, ran.err.startsWith("brokerless:") ? ran.err : ""]).toEqual([0, ""]);
  return ran.out;
}

test("a reset says what it would do, does it with --execute, and describe shows how far behind the group is", async () => {
  const dry = await run("group reset billing --topic orders --to-offset 3");
  expect(dry.err).toBe("nothing was set; --execute does it\n");
  expect(lines(dry.out)).toEqual([
    "GROUP    TOPIC   PARTITION  CURRENT-OFFSET  NEW-OFFSET",
    "billing  orders          0  -                        3",
    "billing  orders          1  -                        3",
  ]);
  expect(await ok("group list --json")).toBe("[]\n");
  await ok("group reset billing --topic orders --to-offset 3 --execute");
  expect(lines(await ok("group describe billing"))).toEqual([
    "GROUP    TOPIC   PARTITION  CURRENT-OFFSET  LOG-END-OFFSET  LAG  CONSUMER-ID  HOST  CLIENT-ID",
    "billing  orders          0               3               5    2  -            -     -",
    "billing  orders          1               3               5    2  -            -     -",
  ]);
  expect(lines(await ok("group list"))).toEqual(["GROUP    TYPE     STATE", expect.stringMatching(/^billing +\w+ +Empty$/)]);
});

test.each([
  ["--topic orders --to-earliest", [0, 0]],
  ["--topic orders --to-latest", [5, 5]],
  ["--topic orders:1 --to-offset 99", [5, 5]],
  ["--all-topics --shift-by -2", [3, 3]],
  ["--all-topics --shift-by -99", [0, 0]],
  ["--topic orders --to-datetime 2023-11-14T22:13:24.000", [2, 2]],
  ["--topic orders --by-duration P1D", [5, 5]],
  ["--topic orders --to-current", [5, 5]],
])("reset billing %s", async (options, offsets) => {
  const answer = JSON.parse(await ok(`group reset billing ${options} --execute --json`));
  expect(answer).toMatchObject({ group: "billing", executed: true });
  const now = JSON.parse(await ok("group describe billing --json"));
  expect(now.partitions.map((one: { current_offset: number }) => one.current_offset)).toEqual(offsets);
});

test("a group with members is described by them, and neither reset nor deleted", async () => {
  const stop = new AbortController();
  const consumer = client.consumer({ group: "live", topics: "orders", autoOffsetReset: "earliest", signal: stop.signal });
  const running = (async () => {
    for await (const _ of consumer);
  })();
  while (consumer.assignment().length < 2) await new Promise((resolve) => setTimeout(resolve, 10));
  expect(lines(await ok("group describe live"))[1]).toMatch(/^live +orders +0 +(-|\d) +5 +(-|\d) +\S+ /);
  expect(lines(await ok("group describe live --members"))[1]).toMatch(/^live +\S+ .* 2 +orders\(0,1\)$/);
  expect((await run("group reset live --topic orders --to-latest --execute")).code).not.toBe(0);
  expect(await run("group delete live")).toMatchObject({ code: 1, err: expect.stringMatching(/^brokerless: [^\n]+\n$/) });
  stop.abort();
  await running;
  expect(await ok("group delete live")).toBe("live deleted\n");
  expect((await run("group delete live")).code).toBe(3);
  expect(await ok("group delete live --if-exists")).toBe("live is not there\n");
});

test.each([
  ["group reset billing --topic orders", "where to? Give one of --to-earliest"],
  ["group reset billing --to-latest", "which? Give --topic or --all-topics"],
  ["group reset billing --topic orders --to-latest --to-earliest", "where to? Give one of"],
  ["group reset billing --topic orders:7 --to-latest", "it has the partitions 0 to 1, not 7"],
  ["group reset billing --topic orders --by-duration 1d", "PnDTnHnMnS"],
  ["group reset billing --topic orders --to-datetime yesterday", "2026-01-31T23:59:59.000"],
])("%s is refused in one line", async (args, what) => {
  const ran = await run(args);
  expect(ran.code).toBe(2);
  expect(lines(ran.err)).toEqual([expect.stringContaining(what)]);
});

describe("words of reset", () => {
  test("a date and time is UTC where no zone is said", () => {
    expect(dateTime("2023-11-14T22:13:20.000")).toBe(1_700_000_000_000);
    expect(dateTime("2023-11-14T23:13:20+01:00")).toBe(1_700_000_000_000);
    expect(dateTime("2023-11-14")).toBe(Date.UTC(2023, 10, 14));
  });

  test("durations are ISO 8601's", () => {
    expect(duration("P1D")).toBe(86_400_000);
    expect(duration("PT1H30M")).toBe(5_400_000);
    expect(duration("P2DT3H4M5.5S")).toBe(183_845_500);
    for (const wrong of ["P", "PT", "1H", "P1H", "PT1D", ""]) expect(() => duration(wrong)).toThrow("PnDTnHnMnS");
  });

  test("an offset stays within the log", () => {
    const log = { logStartOffset: 10, logEndOffset: 20 };
    expect(targetOffset({ kind: "shift", by: 100 }, log, 12, -1)).toBe(20);
    expect(targetOffset({ kind: "offset", offset: 3 }, log, undefined, -1)).toBe(10);
    expect(targetOffset({ kind: "time", timestampMs: 5 }, log, undefined, -1)).toBe(20);
    expect(targetOffset({ kind: "time", timestampMs: 5 }, log, undefined, 15)).toBe(15);
  });
});

test("configs are altered and shown, also of a group that is not there yet", async () => {
  expect(await ok("group alter later --config consumer.session.timeout.ms=60000")).toBe(
    "later altered: consumer.session.timeout.ms\n",
  );
  expect(lines(await ok("group describe later --configs"))).toContainEqual(
    expect.stringMatching(/^consumer\.session\.timeout\.ms +60000 +no$/),
  );
  expect(await client.groups.configs("later")).toContainEqual({
    name: "consumer.session.timeout.ms",
    value: "60000",
    isDefault: false,
  });
  await ok("group alter later --delete-config consumer.session.timeout.ms");
  expect(JSON.parse(await ok("group describe later --configs --json"))).toMatchObject({ "consumer.session.timeout.ms": "45000" });
  const refused = await run("group alter later --config consumer.session.timeout.ms=1");
  expect([refused.code, refused.err]).toEqual([
    1,
    expect.stringContaining('group config consumer.session.timeout.ms is "1"; it takes a whole number from 6000 to 1800000'),
  ]);
  expect((await run("group alter later")).err).toContain("give --config or --delete-config");
});
