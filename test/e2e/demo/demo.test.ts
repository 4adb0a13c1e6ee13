import { execFile } from "node:child_process";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { compare, Evidence } from "../../../examples/demo/evidence.ts";
import { Brokerless } from "../../../lib/client/index.ts";
import type { RunningServer } from "../../../lib/server/types.ts";
import { memoryServer } from "../client/server.ts";

interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

function demo(...args: string[]): Promise<Ran> {
  return new Promise((resolve) => {
    execFile(process.execPath, ["examples/demo/demo.ts", ...args], (error, out, err) => {
      resolve({ code: error === null ? 0 : Number(error.code), out, err });
    });
  });
}

let server: RunningServer;
beforeAll(async () => {
  server = await memoryServer();
});
afterAll(() => server.close());

test("the demo kills and restarts its server in the middle, proves that nothing was lost, and leaves the flights on yours", {
  timeout: 120_000,
}, async () => {
  const client = new Brokerless({ url: server.url });
  await client.admin.createTopic({ name: "flights" });
  const { code, out, err } = await demo("--rows", "30000", "--partitions", "3", "--url", server.url);
  expect(err).toBe("");
  expect(code).toBe(0);
  expect(out).toContain("server killed (kill -9)");
  expect(out).toContain("server stopped, as Ctrl-C does it");
  expect(out.match(/server started again/g)).toHaveLength(2);
  expect(out.match(/✓ 30,000 flights sent/g)).toHaveLength(2);
  expect(out).not.toContain("DIFFERENT");
  expect(out).not.toContain("\u001b[");
  // A topic that was there before is left alone.
  const offsets = async (topic: string) => (await client.admin.partitions(topic)).reduce((sum, one) => sum + one.logEndOffset, 0);
  expect(await offsets("flights")).toBe(0);
  expect(await offsets("flights-2")).toBe(30_000);
});

test.each([
  ["--rows", "0"],
  ["--rows", "many"],
  ["--partitions", "101"],
  ["--row", "5"],
])("%s %s is wrong usage", async (...args) => {
  const { code, err } = await demo(...args);
  expect(code).toBe(2);
  expect(err).toContain(args[0]);
});

test("a server that is named and not there is a failure", async () => {
  const gone = await memoryServer();
  await gone.close();
  const { code, err } = await demo("--rows", "100", "--url", gone.url);
  expect(code).toBe(1);
  expect(err).toContain("connection refused");
});

describe("the proof fails", () => {
  const bytes = (text: string) => new TextEncoder().encode(text);
  const records: [number, string, string][] = [
    [0, "a", "1"],
    [1, "b", "2"],
    [0, "a", "3"],
    [0, "c", "4"],
  ];
  const evidence = (given: readonly [number, string, string][]): Evidence => {
    const made = new Evidence(2);
    for (const [partition, key, value] of given) made.add(partition, bytes(key), bytes(value));
    return made;
  };
  const sent = evidence(records);

  test("never for the same records in the same order of each partition", () => {
    const [first, second, third, fourth] = records as [
      (typeof records)[0],
      (typeof records)[0],
      (typeof records)[0],
      (typeof records)[0],
    ];
    expect(compare(sent, [evidence(records), evidence([second, first, third, fourth])]).holds).toBe(true);
  });

  test.each<[string, [number, string, string][]]>([
    ["a record is lost", records.slice(0, 3)],
    ["a record comes twice", [...records, [0, "c", "4"]]],
    ["two change places", [records[2]!, records[1]!, records[0]!, records[3]!]],
    ["a value is another", [...records.slice(0, 3), [0, "c", "5"]]],
    ["a byte moves from key to value", [...records.slice(0, 3), [0, "c4", ""]]],
    ["a record is in another partition", [...records.slice(0, 3), [1, "c", "4"]]],
  ])("when %s", (_name, read) => {
    expect(compare(sent, [evidence(records), evidence(read)]).holds).toBe(false);
  });

  test("when a key is in two partitions, though everybody agrees", () => {
    const split: [number, string, string][] = [...records, [1, "a", "5"]];
    expect(compare(evidence(split), [evidence(split)]).holds).toBe(false);
  });
});
