/** `brokerless consume --group`. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { Brokerless } from "../../../lib/client/index.ts";
import type { RunningServer } from "../../../lib/server/types.ts";
import { batchOf } from "../../unit/log/support.ts";
import { memoryServer } from "../client/server.ts";
import { brokerless, lines, type Ran } from "./run.ts";

let server: RunningServer;
let client: Brokerless;

beforeAll(async () => {
  server = await memoryServer();
  client = new Brokerless({ url: server.url });
  await client.admin.createTopic({ name: "orders", partitions: 2 });
  await client.append("orders", 0, batchOf(["a", "b", "c"]));
  await client.append("orders", 1, batchOf(["x", "y"]));
});
afterAll(() => server.close());

function run(args: string): Promise<Ran> {
  return brokerless(`consume orders ${args}`.split(" "), { url: server.url });
}

async function committed(group: string): Promise<number> {
  const { out } = await brokerless(["group", "describe", group, "--json"], { url: server.url });
  const { partitions } = JSON.parse(out) as { partitions: { current_offset: number | null }[] };
  return partitions.reduce((sum, one) => sum + (one.current_offset ?? 0), 0);
}

test("a member goes on where its group has committed, to the record", async () => {
  const printed: string[] = [];
  for (let i = 1; i <= 5; i++) {
    const ran = await run("-G one --reset earliest -c 1");
    expect(ran).toMatchObject({ code: 0, err: "" });
    printed.push(...lines(ran.out));
    expect(await committed("one")).toBe(i);
  }
  expect(printed.sort()).toEqual(["a", "b", "c", "x", "y"]);
});

test("with -e it ends when all that it has is read; a group that is new begins at the end", async () => {
  expect(await run("--group new -e")).toMatchObject({ code: 0, out: "", err: "" });
  expect(lines((await run("--group all --reset earliest -e")).out).sort()).toEqual(["a", "b", "c", "x", "y"]);
  expect((await run("--group all --reset earliest -e")).out).toBe("");
});

test.each([
  ["-G g -p 0", "--group and --partition: the group says"],
  ["-G g -o 3", "--group and --offset: the group says"],
])("%s is refused: the group decides that", async (args, message) => {
  expect(await run(args)).toMatchObject({ code: 2, out: "", err: expect.stringContaining(message) });
});

test("a level that there is not is refused", async () => {
  expect(await run("--isolation dirty")).toMatchObject({ code: 2, err: expect.stringContaining("read_committed") });
});
