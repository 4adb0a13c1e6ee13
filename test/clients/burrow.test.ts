/** A real Burrow beside our own: it tails `__consumer_offsets`, and says of every group what we say. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { installBurrow } from "../../.ci/clients/burrow.ts";
import { freePort } from "../../.ci/emulators/process.ts";
import { lagSettings } from "../../lib/lag/settings.ts";
import { startServer } from "../../lib/server/start.ts";
import type { RunningServer } from "../../lib/server/types.ts";
import { memoryStorage } from "../../lib/storage/memory/index.ts";
import { systemClock } from "../../lib/storage/system/clock.ts";
import { startTestServer, type TestServer } from "../e2e/http/harness.ts";
import { batchOf } from "../unit/log/support.ts";

/** Each step: records are appended, every group commits, and we look. Longer than Burrow needs to see where the log ends. */
const STEP_MS = 2_200;
const STEPS = 10;

const installed = installBurrow();
installed.catch(() => {});
let server: RunningServer;
let ours: TestServer;
let folder: string;
const children: ChildProcess[] = [];
let burrow: string;

function start(command: string, ...args: string[]): void {
  children.push(spawn(command, args, { stdio: "ignore" }));
}

async function getJson(url: string) {
  const response = await fetch(url);
  // biome-ignore lint/suspicious/noExplicitAny: what Burrow answers
  return (await response.json()) as any;
}

async function until(what: () => Promise<unknown>): Promise<void> {
  for (const untilMs = Date.now() + 60_000; ; ) {
    if (await what().catch(() => false)) return;
    if (Date.now() > untilMs) throw new Error("it does not come");
    await systemClock.sleep(100);
  }
}

async function commit(group: string, offset: number): Promise<void> {
  const answer = await fetch(`${server.url}/v1/groups/${group}/offsets`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ offsets: [{ topic: "t", partition: 0, offset }] }),
  });
  expect(answer.status).toBe(200);
}

beforeAll(async () => {
  const found = await installed;
  if (found.missing !== undefined) return;
  const storage = memoryStorage({ clock: systemClock });
  const any = { host: "127.0.0.1", port: 0 };
  // Burrow takes up a partition each 250 to 500 ms, behind its own long polls, and reads nothing from before.
  server = await startServer({ storage, http: any, kafka: any, jobs: false, offsetsTopicNumPartitions: 1 });
  // Its own process with its own reporter, which looks as often as Burrow does here.
  ours = await startTestServer({ storage, lagSettings: lagSettings(STEP_MS) });
  await server.log.createTopic({ name: "t" });
  folder = await mkdtemp(join(tmpdir(), "brokerless-burrow-"));
  const [zooPort, port] = [await freePort(), await freePort()];
  burrow = `http://127.0.0.1:${port}/v3/kafka/local`;
  await writeFile(
    join(folder, "burrow.toml"),
    `[general]
pidfile="${folder}/burrow.pid"
[logging]
filename="${folder}/burrow.log"
level="warn"
[zookeeper]
servers=["127.0.0.1:${zooPort}"]
timeout=6
root-path="/burrow"
[client-profile.ours]
client-id="burrow"
kafka-version="2.0.0"
[cluster.local]
class-name="kafka"
servers=["${server.kafka}"]
client-profile="ours"
topic-refresh=1
offset-refresh=1
[consumer.local]
class-name="kafka"
cluster="local"
servers=["${server.kafka}"]
client-profile="ours"
[httpserver.default]
address="127.0.0.1:${port}"
[storage.default]
class-name="inmemory"
workers=2
intervals=10
min-distance=0
expire-group=604800
[evaluator.default]
class-name="caching"
expire-cache=0
`,
  );
  const zooKeeper = ["-Dzookeeper.admin.enableServer=false", "org.apache.zookeeper.server.ZooKeeperServerMain"];
  start("java", "-cp", found.zooKeeper, ...zooKeeper, String(zooPort), join(folder, "zookeeper"));
  // It ends where ZooKeeper is not there yet.
  await until(async () => {
    if (children.length === 1 || children.at(-1)?.exitCode !== null) {
      await rm(join(folder, "burrow.pid"), { force: true });
      start(found.command, "--config-dir", folder);
      await systemClock.sleep(1000);
    }
    await commit("probe", 0);
    return (await getJson(`${burrow}/consumer`)).consumers.includes("probe");
  });
});

afterAll(async () => {
  for (const child of children) child.kill("SIGKILL");
  await ours?.close();
  await server?.close();
  if (folder !== undefined) await rm(folder, { recursive: true, force: true });
});

test("Burrow 1.2.1 says of every group what we say: OK, WARN, STALL, STOP, REWIND", async ({ skip }) => {
  const found = await installed;
  if (found.missing !== undefined) skip(found.missing);
  const offsets: Readonly<Record<string, (step: number) => number | undefined>> = {
    well: (step) => step * 10,
    slow: (step) => step * 3,
    stuck: () => 4,
    // Gives up half way.
    dead: (step) => (step <= STEPS / 2 ? step * 5 : undefined),
    // Has gone back, and has not come back to where it was.
    again: (step) => (step <= STEPS - 2 ? step * 5 : (STEPS - 2) * 5 - 20 + (step - STEPS + 2)),
  };
  const append = (): Promise<unknown> =>
    server.log.append({ topic: "t", partition: 0, batches: batchOf(Array.from({ length: 10 }, () => "v")) });
  for (let step = 1; step <= STEPS; step++) {
    await append();
    await systemClock.sleep(STEP_MS);
    for (const [group, at] of Object.entries(offsets)) {
      const offset = at(step);
      if (offset !== undefined) await commit(group, offset);
    }
    await ours.lookAtLag();
  }
  // It reads the last commits too.
  await systemClock.sleep(STEP_MS);
  const statusAt = async (base: string, group: string): Promise<string> => {
    const { status } = await getJson(`${base}/consumer/${group}/lag`);
    return `${group} ${status.partitions[0]?.status ?? "NOTFOUND"}`;
  };
  const groups = Object.keys(offsets);
  const told = (base: string) => Promise.all(groups.map((group) => statusAt(base, group)));
  const wanted = ["well OK", "slow WARN", "stuck STALL", "dead STOP", "again REWIND"];
  expect(await told(burrow)).toEqual(wanted);
  await ours.lookAtLag();
  expect(await told(`${ours.url}/v3/kafka/${ours.clusterId}`)).toEqual(wanted);
});
