import { expect, test } from "vitest";
import { nodeCodecs } from "../../../../lib/kafka/codecs/node.ts";
import { encodeBatch } from "../../../../lib/kafka/index.ts";
import type { NotifyRules } from "../../../../lib/lag/notify/decide.ts";
import type { Notice } from "../../../../lib/lag/notify/notice.ts";
import { LEASE_MS, type Notifier, reportAndNotify } from "../../../../lib/lag/notify/notify.ts";
import { LAG_SETTINGS } from "../../../../lib/lag/settings.ts";
import { type Storage, StorageError } from "../../../../lib/ports/index.ts";
import { groupsOverMemory, withWrite } from "../../groups/support.ts";
import { record } from "../../log/support.ts";

const MINUTE_MS = 60_000;
const RULES: NotifyRules = { threshold: "WARN", sendIntervalMs: 600_000, sendOnce: false, sendClose: true };

async function bench(rules: Partial<NotifyRules> = {}) {
  const { log, clock, storage, groups, parts } = groupsOverMemory();
  await log.createTopic({ name: "clicks" });
  const sent: Notice[] = [];
  const warned: string[] = [];
  const state: { send: (notice: Notice) => Promise<void> } = { send: async () => {} };
  const notifier: Notifier = {
    name: "people",
    rules: { ...RULES, ...rules },
    isFor: (group) => group !== "ignored",
    channel: {
      async send(notice) {
        sent.push(notice);
        await state.send(notice);
      },
    },
  };
  return {
    clock,
    groups,
    storage,
    sent,
    warned,
    state,
    async append(count: number): Promise<void> {
      const values = Array.from({ length: count }, (_, i) => record(String(i)));
      await log.append({ topic: "clicks", partition: 0, batches: encodeBatch(values, { timestampMs: clock.nowMs() }) });
    },
    commit: (group: string, offset: number) => groups.commit({ group, offsets: [{ topic: "clicks", partition: 0, offset }] }),
    report(over: Storage = storage, dryRun = false) {
      const all = { log, clock, storage: over, codecs: nodeCodecs, settings: LAG_SETTINGS, ids: parts.ids };
      const run = { untilMs: clock.monotonicMs() + MINUTE_MS, warn: (line: string) => void warned.push(line), dryRun };
      return reportAndNotify(all, [notifier], run);
    },
    events: () => sent.map(({ event, sequence, status }) => `${sequence} ${event} ${status}`),
  };
}

/** Beyond the log end is ERR at once, and back is OK at once. */
const BAD = 1000;

test("an incident is one id from the first bad look to the close, with a message each interval", async () => {
  const { append, commit, clock, report, sent, events } = await bench();
  await append(10);
  await commit("g", BAD);
  for (let i = 0; i < 21; i++) {
    expect((await report()).noticesSent).toBe(i % 10 === 0 ? 1 : 0);
    clock.ms += MINUTE_MS;
  }
  await commit("g", 10);
  await report();
  await report();
  expect(events()).toEqual(["1 open ERR", "2 repeat ERR", "3 repeat ERR", "4 close OK"]);
  expect(new Set(sent.map(({ incident }) => incident)).size).toBe(1);
  expect(sent.map(({ id }) => id)).toEqual([1, 2, 3, 4].map((n) => `${sent[0]?.incident}-${n}`));
  expect(sent[0]).toMatchObject({ group: "g", notifier: "people", opened_at: sent[3]?.opened_at });
  expect(sent[0]?.partitions).toMatchObject([{ topic: "clicks", partition: 0, status: "ERR", offset: BAD, log_end_offset: 10 }]);
  clock.ms += MINUTE_MS;
  await commit("g", BAD);
  await report();
  expect(sent[4]?.incident).not.toBe(sent[0]?.incident);
  expect(sent[4]?.sequence).toBe(1);
});

test("of two reporters that look at the same time one alone sends", async () => {
  const { append, commit, clock, report, events } = await bench();
  await append(10);
  await commit("g", BAD);
  for (let i = 0; i < 11; i++) {
    const reports = await Promise.all([report(), report(), report()]);
    expect(reports.reduce((sum, { noticesSent }) => sum + noticesSent, 0)).toBe(i % 10 === 0 ? 1 : 0);
    clock.ms += MINUTE_MS;
  }
  await commit("g", 10);
  await Promise.all([report(), report()]);
  expect(events()).toEqual(["1 open ERR", "2 repeat ERR", "3 close OK"]);
});

test("a reporter that looked before an incident was over does not begin another one", async () => {
  const { append, commit, report, events, storage } = await bench();
  await append(10);
  await commit("g", BAD);
  let others: (() => Promise<unknown>) | undefined = async () => {
    await report();
    await commit("g", 10);
    await report();
  };
  // The slow one has judged, and is about to claim.
  const slow = withWrite(storage, async (own, op) => {
    if (op.key.pk.startsWith("NOTIFY#") && others !== undefined) {
      const run = others;
      others = undefined;
      await run();
    }
    return own(op);
  });
  expect((await report(slow)).noticesSent).toBe(0);
  expect(events()).toEqual(["1 open ERR", "2 close OK"]);
});

test("a crash after the claim leaves a lease; after it the same event is sent, with the same id", async () => {
  const { append, commit, clock, report, sent, events, storage } = await bench();
  await append(10);
  await commit("g", BAD);
  const written: number[] = [];
  // It dies when it has sent: the confirmation is never written.
  const dying = withWrite(storage, async (own, op) => {
    if (op.key.pk.startsWith("NOTIFY#") && written.push(1) > 1) throw new StorageError("unknown", "gone");
    return own(op);
  });
  await report(dying);
  expect(events()).toEqual(["1 open ERR"]);
  clock.ms += LEASE_MS - 1;
  await report();
  expect(events()).toHaveLength(1);
  clock.ms += 1;
  await report();
  expect(events()).toEqual(["1 open ERR", "1 open ERR"]);
  expect(sent[1]?.id).toBe(sent[0]?.id);
  await report();
  expect(events()).toHaveLength(2);
});

test("a claim of which nobody knows whether it was written is not sent by whoever tried", async () => {
  const { append, commit, clock, report, events, storage, warned } = await bench();
  await append(10);
  await commit("g", BAD);
  const lost = withWrite(storage, async (own, op) => {
    const answer = await own(op);
    if (op.key.pk.startsWith("NOTIFY#")) throw new StorageError("unknown", "no answer");
    return answer;
  });
  expect(await report(lost)).toMatchObject({ noticesSent: 0, noticesFailed: 1 });
  expect(warned).toHaveLength(1);
  clock.ms += LEASE_MS;
  await report();
  expect(events()).toEqual(["1 open ERR"]);
});

test("one that paused between claim and sending for longer than it may does not send", async () => {
  const { append, commit, clock, report, events, storage } = await bench();
  await append(10);
  await commit("g", BAD);
  const pausing = withWrite(storage, async (own, op) => {
    const answer = await own(op);
    if (op.key.pk.startsWith("NOTIFY#")) clock.ms += 51_000;
    return answer;
  });
  expect((await report(pausing)).noticesSent).toBe(0);
  expect(events()).toEqual([]);
  clock.ms += LEASE_MS;
  await report();
  expect(events()).toEqual(["1 open ERR"]);
});

test("what is refused is tried again after pauses that grow, as the same event, and told as failed", async () => {
  const { append, commit, clock, report, sent, events, state, warned } = await bench();
  await append(10);
  await commit("g", BAD);
  state.send = () => Promise.reject(new Error("hooks.example answers 503"));
  const at: number[] = [];
  const startMs = clock.ms;
  for (let i = 0; i < 60; i++) {
    if ((await report()).noticesFailed > 0) at.push(Math.round((clock.ms - startMs) / 1000));
    clock.ms = startMs + (i + 1) * 10_000;
  }
  expect(at).toEqual([0, 10, 30, 70, 150, 310]);
  expect(new Set(sent.map(({ id }) => id)).size).toBe(1);
  expect(warned[0]).toBe("notifier people could not tell of group g, and tries again: hooks.example answers 503");
  state.send = async () => {};
  sent.length = 0;
  clock.ms += 3_600_000;
  await append(1);
  await commit("g", 11);
  await report();
  // Whoever took the first one, and said that they did not, hears of the end.
  expect(events()).toEqual(["2 close OK"]);
});

test("a group that is gone closes its incident; one that is not asked for is never told of", async () => {
  const { append, commit, clock, report, events, groups, sent } = await bench();
  await append(10);
  await commit("g", BAD);
  await commit("ignored", BAD);
  await report();
  await groups.delete("g");
  clock.ms += MINUTE_MS;
  await report();
  expect(events()).toEqual(["1 open ERR", "2 close NOTFOUND"]);
  expect(sent[1]?.summary).toBe("group g is gone, and with it what was wrong");
});

test("a dry run tells nobody and writes nothing", async () => {
  const { append, commit, report, events, storage } = await bench();
  await append(10);
  await commit("g", BAD);
  await report(storage, true);
  expect(events()).toEqual([]);
  expect(await storage.table.range("NOTIFY#people")).toEqual([]);
});

test("where ends are not wanted, an incident ends silently and the next one has another id", async () => {
  const { append, commit, clock, report, sent, events } = await bench({ sendClose: false });
  await append(10);
  for (let i = 0; i < 2; i++) {
    await commit("g", BAD);
    await report();
    await commit("g", 10);
    clock.ms += MINUTE_MS;
    await report();
  }
  expect(events()).toEqual(["1 open ERR", "1 open ERR"]);
  expect(sent[0]?.incident).not.toBe(sent[1]?.incident);
});
