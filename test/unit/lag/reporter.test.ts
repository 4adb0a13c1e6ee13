import { expect, test } from "vitest";
import { nodeCodecs } from "../../../lib/kafka/codecs/node.ts";
import { encodeBatch } from "../../../lib/kafka/index.ts";
import { createLag } from "../../../lib/lag/lag.ts";
import { reportLag } from "../../../lib/lag/reporter.ts";
import { LAG_SETTINGS } from "../../../lib/lag/settings.ts";
import type { GroupLag } from "../../../lib/lag/types.ts";
import type { Storage } from "../../../lib/ports/index.ts";
import { groupsOverMemory } from "../groups/support.ts";
import { record } from "../log/support.ts";

const MINUTE_MS = 60_000;

/** A log, groups, and a reporter that the test runs once a minute. */
function bench() {
  const { log, clock, storage, groups, parts } = groupsOverMemory();
  const shared = { log, clock, storage, codecs: nodeCodecs, settings: LAG_SETTINGS, ids: parts.ids };
  const published = new Map<string, GroupLag>();
  const report = (over: Storage = storage) =>
    reportLag(
      { ...shared, storage: over, publish: (lag) => void published.set(lag.group, lag) },
      { untilMs: clock.monotonicMs() + MINUTE_MS },
    );
  return {
    log,
    clock,
    storage,
    groups,
    lag: createLag({ ...shared, groups }),
    published,
    report,
    async append(count: number, topic = "clicks", partition = 0): Promise<void> {
      const values = Array.from({ length: count }, (_, i) => record(String(i)));
      await log.append({ topic, partition, batches: encodeBatch(values, { timestampMs: clock.nowMs() }) });
    },
    commit: (group: string, offset: number, partition = 0, topic = "clicks") =>
      groups.commit({ group, offsets: [{ topic, partition, offset }] }),
    /** What the reporter says of the group's first partition after another minute. */
    async minute(group: string): Promise<string> {
      clock.ms += MINUTE_MS;
      await report();
      return published.get(group)?.partitions[0]?.status as string;
    },
  };
}

/** The clock moves a little while groups are committed to. */
function rounded(lag: GroupLag | undefined): [number, string] {
  return [Math.round(lag?.maxTime.seconds as number), lag?.maxTime.precision as string];
}

/** Keys that were put, by what a storage is asked for. */
function countingPuts(storage: Storage): { storage: Storage; puts: string[] } {
  const puts: string[] = [];
  const table = new Proxy(storage.table, {
    get(target, name) {
      const value = target[name as keyof typeof target];
      if (name !== "inOrder") return typeof value === "function" ? (value as () => unknown).bind(target) : value;
      return (stages: Parameters<typeof target.inOrder>[0]) => {
        for (const op of stages.flat()) if (op.op === "put") puts.push(op.key.pk);
        return target.inOrder(stages);
      };
    },
  });
  return { storage: { ...storage, table }, puts };
}

test("a consumer that is killed is STOP when its silence is longer than its window, a minute of one after the other", async () => {
  const { log, minute, append, commit } = bench();
  await log.createTopic({ name: "clicks" });
  await append(10);
  const timeline: string[] = [];
  for (let i = 1; i <= 10; i++) {
    await append(100);
    await commit("g", i * 100 + 10);
    timeline.push(await minute("g"));
  }
  expect(new Set(timeline)).toEqual(new Set(["OK"]));
  // Its commits span nine minutes, and the last is a minute old by now.
  const after: string[] = [];
  for (let i = 0; i < 10; i++) {
    await append(100);
    after.push(await minute("g"));
  }
  expect(after.indexOf("STOP")).toBe(8);
  expect(after.slice(0, 8)).not.toContain("STOP");
});

test("one that commits the same offset is STALL, one that falls behind is WARN, one that goes back is REWIND, and each gets well", async () => {
  const { log, minute, append, commit, published } = bench();
  await log.createTopic({ name: "clicks" });
  await append(1000);
  for (let i = 0; i < 10; i++) {
    await append(10);
    await commit("stuck", 500);
    await commit("slow", 500 + i);
    await commit("back", i === 5 ? 100 : 500 + i);
    await minute("stuck");
    if (i === 5) expect(published.get("back")?.partitions[0]?.status).toBe("REWIND");
  }
  expect(published.get("stuck")?.partitions[0]?.status).toBe("STALL");
  expect(published.get("slow")?.partitions[0]?.status).toBe("WARN");
  expect(published.get("stuck")?.status).toBe("ERR");
  expect(published.get("slow")?.status).toBe("WARN");
  expect(published.get("back")?.partitions[0]?.status).toBe("OK");
  for (const group of ["stuck", "slow", "back"]) await commit(group, 1100);
  await minute("stuck");
  expect([...published.values()].map(({ status }) => status)).toEqual(["OK", "OK", "OK"]);
});

test("a consumer that was idle at the end has not stopped when something new comes", async () => {
  const { log, minute, append, commit } = bench();
  await log.createTopic({ name: "clicks" });
  await append(10);
  await commit("g", 10);
  for (let i = 0; i < 100; i++) expect(await minute("g")).toBe("OK");
  await append(10);
  expect(await minute("g")).toBe("OK");
  expect(await minute("g")).toBe("OK");
  // Two minutes of grace, then nobody seems to be there.
  expect(await minute("g")).toBe("STOP");
  await commit("g", 20);
  expect(await minute("g")).toBe("OK");
});

test("records that retention took are counted as lost, and an offset beyond the end is ERR", async () => {
  const { log, minute, append, commit, lag } = bench();
  await log.createTopic({ name: "clicks", partitions: 2 });
  await append(100);
  await commit("g", 20);
  await commit("g", 7, 1);
  await log.deleteRecords("clicks", 0, 50);
  expect(await minute("g")).toBe("OK");
  const { partitions, status } = await lag.groupLag("g");
  expect(partitions[0]).toMatchObject({ offset: 20, currentLag: 80, lostRecords: 30, logStartOffset: 50, logEndOffset: 100 });
  expect(partitions[1]).toMatchObject({ offset: 7, currentLag: 0, beyondEnd: 7, status: "ERR" });
  expect(status).toBe("ERR");
});

test("a topic that is made again shares nothing with the one before", async () => {
  const { log, minute, append, commit, lag } = bench();
  await log.createTopic({ name: "clicks" });
  await append(100);
  await commit("g", 90);
  await minute("g");
  await log.deleteTopic("clicks");
  await log.createTopic({ name: "clicks" });
  expect((await lag.groupLag("g")).partitions).toEqual([]);
  await append(10);
  await commit("g", 5);
  await minute("g");
  const [partition] = (await lag.groupLag("g")).partitions;
  expect(partition).toMatchObject({ offset: 5, currentLag: 5, status: "OK" });
  expect(partition?.window.observations).toHaveLength(1);
});

test("partitions that are added are reported from their first commit on", async () => {
  const { log, minute, append, commit, published } = bench();
  await log.createTopic({ name: "clicks" });
  await append(10);
  await commit("g", 10);
  await minute("g");
  await log.growPartitions("clicks", 3);
  await append(5, "clicks", 2);
  await commit("g", 1, 2);
  await minute("g");
  expect(published.get("g")).toMatchObject({ totalLag: 4, maxLag: { partition: 2, currentLag: 4 } });
});

test("the time behind is a bound while the consumer moves, and exact when it stands still or when asked for", async () => {
  const { log, clock, minute, append, commit, published, lag } = bench();
  await log.createTopic({ name: "clicks" });
  await append(10);
  clock.ms += MINUTE_MS;
  await append(10);
  await commit("g", 5);
  await minute("g");
  // Both batches are in the tail: the first ref tells the time of its records.
  expect(rounded(published.get("g"))).toEqual([120, "at_least"]);
  expect(rounded(await lag.groupLag("g", { exact: true }))).toEqual([120, "exact"]);
  expect(rounded(await lag.groupLag("g"))).toEqual([120, "at_least"]);
  await minute("g");
  expect(rounded(published.get("g"))).toEqual([180, "exact"]);
  expect(rounded(await lag.groupLag("g"))).toEqual([180, "exact"]);
});

test("a window is written when a commit was made, and not again", async () => {
  const { log, clock, append, commit, report, storage } = bench();
  await log.createTopic({ name: "clicks", partitions: 40 });
  await append(10);
  for (let partition = 0; partition < 40; partition++) await commit("g", 0, partition);
  const { storage: counted, puts } = countingPuts(storage);
  expect(await report(counted)).toMatchObject({ groups: 1, partitions: 40, windowsWritten: 2, left: false });
  expect(puts).toEqual(["LAG#g", "LAG#g"]);
  clock.ms += MINUTE_MS;
  // The one record that is read at the second look is noted.
  expect(await report(counted)).toMatchObject({ windowsWritten: 1, recordsRead: 1 });
  clock.ms += MINUTE_MS;
  expect(await report(counted)).toMatchObject({ windowsWritten: 0, recordsRead: 0 });
  await commit("g", 1, 39);
  clock.ms += MINUTE_MS;
  expect(await report(counted)).toMatchObject({ windowsWritten: 1 });
});

test("a group that has not committed for a week is not told of, and nothing is written for it", async () => {
  const { log, clock, append, commit, report, published, lag } = bench();
  await log.createTopic({ name: "clicks" });
  await append(10);
  await commit("g", 5);
  await report();
  published.clear();
  clock.ms += LAG_SETTINGS.expireMs + 1;
  expect(await report()).toMatchObject({ groups: 1, windowsWritten: 0 });
  expect(published.size).toBe(0);
  expect((await lag.groupLag("g")).expired).toBe(true);
});

test("a run that is out of time says so; those after it come to every group", async () => {
  const { log, clock, append, commit, storage, published } = bench();
  await log.createTopic({ name: "clicks" });
  await append(1);
  for (let i = 0; i < 130; i++) await commit(`g${i}`, 1);
  const { parts } = groupsOverMemory({ storage });
  let looks = 0;
  // Time for one batch of groups a run.
  const hurried = { ...clock, nowMs: () => clock.nowMs(), monotonicMs: () => (looks++ % 2 === 0 ? 0 : 2), sleep: clock.sleep };
  const shared = { log, clock: hurried, storage, codecs: nodeCodecs, settings: LAG_SETTINGS, ids: parts.ids };
  const told = { ...shared, publish: (lag: GroupLag) => void published.set(lag.group, lag) };
  expect(await reportLag(told, { untilMs: 1 })).toMatchObject({ groups: 64, left: true });
  for (let run = 0; run < 100 && published.size < 130; run++) {
    looks = 0;
    await reportLag(told, { untilMs: 1 });
  }
  expect(published.size).toBe(130);
});

test("a group that is not there is refused, and one that is forgotten begins with an empty window", async () => {
  const { log, append, commit, minute, lag } = bench();
  await log.createTopic({ name: "clicks" });
  await append(10);
  await commit("g", 5);
  await minute("g");
  await commit("g", 6);
  await minute("g");
  await expect(lag.groupLag("nobody")).rejects.toMatchObject({ code: "unknown_group" });
  expect((await lag.groupLag("g")).partitions[0]?.window.observations).toHaveLength(2);
  await lag.forget("g");
  expect((await lag.groupLag("g")).partitions[0]?.window.observations).toHaveLength(1);
  expect(await lag.groups()).toEqual(["g"]);
  const all: GroupLag[] = [];
  for await (const some of lag.all()) all.push(...some);
  expect(all.map(({ group, totalLag }) => [group, totalLag])).toEqual([["g", 4]]);
});

test("a commit of -1 is at the end, one of -2 at the beginning, as the tools mean them that write them", async () => {
  const { log, minute, append, commit, lag } = bench();
  await log.createTopic({ name: "clicks" });
  await append(100);
  await log.deleteRecords("clicks", 0, 30);
  await commit("end", -1);
  await commit("beginning", -2);
  await minute("end");
  const one = async (group: string) => (await lag.groupLag(group, { exact: true })).partitions[0];
  expect(await one("end")).toMatchObject({ currentLag: 0, lostRecords: 0, beyondEnd: 0, status: "OK", time: { seconds: 0 } });
  expect(await one("beginning")).toMatchObject({ currentLag: 70, lostRecords: 0, time: { precision: "exact" } });
});

test("a group that commits once a day is well while it does, and STOP when it has been silent for as long as it was seen", async () => {
  const { log, clock, report, append, commit, published } = bench();
  await log.createTopic({ name: "clicks" });
  const status = () => published.get("daily")?.partitions[0]?.status;
  const seen: (string | undefined)[] = [];
  let end = 0;
  for (let hour = 0; hour < 24 * 4; hour++) {
    await append(10);
    end += 10;
    if (hour % 24 === 0) await commit("daily", end);
    clock.ms += 60 * MINUTE_MS;
    await report();
    seen.push(status());
  }
  // Of one commit nobody can tell how often the next is due: it counts as silent, as in Burrow. Of two hardly.
  expect(seen.slice(2, 24)).toEqual(Array.from({ length: 22 }, () => "STOP"));
  expect(seen.slice(24, 47)).toEqual(Array.from({ length: 23 }, () => "OK"));
  expect(seen.slice(48)).toEqual(Array.from({ length: 48 }, () => "OK"));
  // Its four commits are three days: so long its silence may be.
  for (let hour = 0; hour < 48; hour++) {
    await append(10);
    clock.ms += 60 * MINUTE_MS;
    await report();
  }
  expect(status()).toBe("OK");
  for (let hour = 0; hour < 24; hour++) {
    await append(10);
    clock.ms += 60 * MINUTE_MS;
    await report();
  }
  expect(status()).toBe("STOP");
});

test("a group with 10,000 partitions is looked at whole, a partition that is lost or beyond the end among them", async () => {
  const { log, groups, report, append, lag } = bench();
  const count = 10_000;
  await log.createTopic({ name: "wide", partitions: count });
  await append(10, "wide", 7);
  await append(10, "wide", 9_999);
  await log.deleteRecords("wide", 9_999, 4);
  const offsets = Array.from({ length: count }, (_, partition) => ({
    topic: "wide",
    partition,
    offset: partition === 8 ? 3 : 0,
  }));
  const answers = await groups.commit({ group: "g", offsets });
  expect(answers.filter(({ error }) => error !== undefined)).toEqual([]);
  expect(await report()).toMatchObject({ groups: 1, partitions: count, left: false });
  const told = await lag.groupLag("g");
  expect(told).toMatchObject({ totalLag: 20, status: "ERR" });
  expect(told.partitions).toHaveLength(count);
  expect(told.partitions[9_999]).toMatchObject({ currentLag: 10, lostRecords: 4 });
  expect(told.partitions[8]).toMatchObject({ currentLag: 0, beyondEnd: 3, status: "ERR" });
});
