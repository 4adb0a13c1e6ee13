/** `brokerless lag`: what hurts most first. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { byPain } from "../../../lib/cli/commands/lag.ts";
import { sparkline } from "../../../lib/cli/ui/sparkline.ts";
import { Brokerless } from "../../../lib/client/index.ts";
import type { RunningServer } from "../../../lib/server/types.ts";
import { memoryServer } from "../client/server.ts";
import { brokerless, lines } from "./run.ts";

let server: RunningServer;

beforeAll(async () => {
  server = await memoryServer();
  const client = new Brokerless({ url: server.url });
  await client.admin.createTopic({ name: "orders", partitions: 2 });
  const producer = client.producer();
  for (let i = 0; i < 10; i++) await producer.send({ topic: "orders", partition: i % 2, value: `${i}` });
  await producer.close();
  await client.groups.setOffsets("behind", [{ topic: "orders", partition: 0, offset: 1 }]);
  await client.groups.setOffsets("well", [{ topic: "orders", partition: 0, offset: 5 }]);
  await client.groups.setOffsets("beyond", [{ topic: "orders", partition: 1, offset: 50 }]);
});
afterAll(() => server.close());

const run = (args: string) => brokerless(args.split(" "), { url: server.url });

test("a line for each group and topic, the worst first", async () => {
  const { code, out } = await run("lag");
  expect(code).toBe(0);
  const [head, ...rows] = lines(out);
  expect(head?.split(/ +/)).toEqual(["GROUP", "TOPIC", "STATUS", "LAG", "BEHIND", "CATCH-UP", "LOST", "PARTITIONS", "LATELY"]);
  expect(rows.map((row) => row.split(/ +/).slice(0, 4))).toEqual([
    ["beyond", "orders", "ERR", "0"],
    ["behind", "orders", "OK", "4"],
    ["well", "orders", "OK", "0"],
  ]);
});

test("one group partition by partition, with exact times; JSON for programs", async () => {
  const { out } = await run("lag behind --json");
  expect(JSON.parse(out)).toEqual([
    {
      topic: "orders",
      partition: 0,
      status: "OK",
      lag: 4,
      lost_records: 0,
      lag_seconds: expect.any(Number),
      exact: true,
      catch_up_seconds: null,
      recent_lags: [4],
      current_offset: 1,
      log_end_offset: 5,
      beyond_end_records: 0,
      client_id: null,
    },
  ]);
  expect(lines((await run("lag behind")).out)[0]).toContain("PARTITION");
  expect(JSON.parse((await run("lag beyond --json")).out)).toMatchObject([{ status: "ERR", lag: 0, beyond_end_records: 45 }]);
});

test("a group that is not there, and an interval that is none, are named", async () => {
  expect((await run("lag nobody")).err).toContain('"nobody"');
  expect((await run("lag --watch --interval 0")).err).toContain("0.1 to 3600");
});

test("what hurts most is first: the status, then the wait, then the records", () => {
  const row = (status: string, lagSeconds: number, lag: number) => ({
    ...{ topic: "t", lostRecords: 0, exact: true, catchUpSeconds: undefined, recentLags: [] },
    ...{ status, lagSeconds, lag },
  });
  const sorted = [row("OK", 0, 0), row("OK", 9, 1), row("STOP", 1, 1), row("OK", 9, 2), row("WARN", 1, 1), row("REWIND", 0, 1)];
  expect(sorted.sort(byPain).map(({ status, lagSeconds, lag }) => [status, lagSeconds, lag])).toEqual([
    ["REWIND", 0, 1],
    ["STOP", 1, 1],
    ["WARN", 1, 1],
    ["OK", 9, 2],
    ["OK", 9, 1],
    ["OK", 0, 0],
  ]);
});

test("a sparkline is as high as its largest, with gaps for what is not known", () => {
  expect(sparkline([0, 1, undefined, 7, 14])).toBe("▁▂ ▅█");
  expect(sparkline([0, 0])).toBe("▁▁");
  expect(sparkline([])).toBe("");
});
