/**
 * A day of commits in virtual time, a look a minute by two reporters at once: what the states were, to the minute, and whom
 * the notifiers told. The producer appends ten records a minute; every consumer but those named reads to the end each minute.
 */
import { expect, test } from "vitest";
import { nodeCodecs } from "../../../lib/kafka/codecs/node.ts";
import { encodeBatch } from "../../../lib/kafka/index.ts";
import type { NotifyRules } from "../../../lib/lag/notify/decide.ts";
import type { Notice } from "../../../lib/lag/notify/notice.ts";
import { type Notifier, reportAndNotify } from "../../../lib/lag/notify/notify.ts";
import { LAG_SETTINGS } from "../../../lib/lag/settings.ts";
import type { GroupLag } from "../../../lib/lag/types.ts";
import { groupsOverMemory } from "../groups/support.ts";
import { record, START_MS } from "../log/support.ts";

const MINUTE_MS = 60_000;
const A_MINUTE = 10;
const DAY = 1440;

/** Minute of the day. */
const at = (text: string): number => Number(text.slice(0, 2)) * 60 + Number(text.slice(3));
const clockOf = (minute: number): string =>
  `${String(Math.floor(minute / 60)).padStart(2, "0")}:${String(minute % 60).padStart(2, "0")}`;
const between = (minute: number, from: string, to: string): boolean => minute >= at(from) && minute < at(to);

/** What a consumer commits in a minute, after `position` and with the log's end there; undefined: nothing. */
type Consumer = (minute: number, position: number, end: number) => number | undefined;

const CONSUMERS: Readonly<Record<string, Consumer>> = {
  steady: (_minute, _position, end) => end,
  // A deployment: five minutes without it.
  restarted: (minute, _position, end) => (between(minute, "06:00", "06:05") ? undefined : end),
  killed: (minute, _position, end) => (between(minute, "08:00", "09:30") ? undefined : end),
  // Heartbeats and commits, and does not get past one record.
  stuck: (minute, position, end) => (between(minute, "10:00", "11:00") ? position : end),
  // Somebody resets it by an hour; it catches up at three times the pace.
  rewound: (minute, position, end) => (minute === at("12:00") ? position - 600 : Math.min(end, position + 3 * A_MINUTE)),
  slow: (minute, position, end) => Math.min(end, position + (between(minute, "14:00", "16:00") ? A_MINUTE / 2 : 5 * A_MINUTE)),
  // A batch job every four hours, ten minutes early now and then.
  rare: (minute, _position, end) => ([0, 240, 470, 720, 950, 1200].includes(minute) ? end : undefined),
  // Away while retention goes past it; then it begins where the log begins.
  overtaken: (minute, position, end) =>
    between(minute, "18:00", "20:00") ? undefined : minute === at("20:00") ? position + 600 : end,
  // An offset that was restored from elsewhere.
  beyond: (minute, _position, end) => (between(minute, "21:00", "21:30") ? end + 5000 : end),
};

const RULES: NotifyRules = { threshold: "ERR", sendIntervalMs: 30 * MINUTE_MS, sendOnce: false, sendClose: true };

test("the states of a day are what happened in it, and people are told of each trouble once an interval, and of its end", async () => {
  const { log, clock, storage, groups, parts } = groupsOverMemory();
  await log.createTopic({ name: "clicks" });
  const names = Object.keys(CONSUMERS);
  const positions = new Map(names.map((name) => [name, 0]));
  const timeline = new Map(names.map((name): [string, string[]] => [name, []]));
  const last = new Map<string, string>();
  const looked = new Map<string, GroupLag>();
  const told: string[] = [];
  const ids = new Set<string>();
  const incidents = new Map<string, Set<string>>();
  let minute = 0;
  let end = 0;

  const notifier = (name: string, rules: NotifyRules, seen: (notice: Notice) => void): Notifier => ({
    name,
    rules,
    isFor: () => true,
    channel: {
      async send(notice) {
        expect(ids.has(notice.id)).toBe(false);
        ids.add(notice.id);
        seen(notice);
      },
    },
  });
  const warned: string[] = [];
  const notifiers = [
    notifier("pager", RULES, (notice) => {
      told.push(`${clockOf(minute)} ${notice.group} ${notice.sequence} ${notice.event} ${notice.status}`);
      incidents.set(notice.group, (incidents.get(notice.group) ?? new Set()).add(notice.incident));
    }),
    notifier("chat", { ...RULES, threshold: "WARN", sendOnce: true, sendClose: false }, (notice) => {
      warned.push(`${clockOf(minute)} ${notice.group} ${notice.status}`);
    }),
  ];

  async function append(): Promise<void> {
    const records = Array.from({ length: A_MINUTE }, (_, i) => record(String(i)));
    await log.append({ topic: "clicks", partition: 0, batches: encodeBatch(records, { timestampMs: clock.nowMs() }) });
    end += A_MINUTE;
  }
  async function commit(group: string, offset: number): Promise<void> {
    positions.set(group, offset);
    await groups.commit({ group, offsets: [{ topic: "clicks", partition: 0, offset }] });
  }
  function report(): Promise<unknown> {
    const all = { log, clock, storage, codecs: nodeCodecs, settings: LAG_SETTINGS, ids: parts.ids };
    const publish = (lag: GroupLag) => void looked.set(lag.group, lag);
    return reportAndNotify({ ...all, publish }, notifiers, { untilMs: clock.monotonicMs() + MINUTE_MS });
  }

  // The day before, of which only the rare one's commits matter.
  for (const hours of [-12, -8, -4]) {
    clock.ms = START_MS + hours * 60 * MINUTE_MS;
    await append();
    await commit("rare", end);
    await report();
  }
  told.length = 0;
  warned.length = 0;

  for (minute = 0; minute < DAY; minute++) {
    clock.ms = START_MS + minute * MINUTE_MS;
    await append();
    for (const [name, consumer] of Object.entries(CONSUMERS)) {
      const offset = consumer(minute, minute === 0 ? end - A_MINUTE : (positions.get(name) as number), end);
      if (offset !== undefined) await commit(name, offset);
    }
    if (minute === at("19:00")) await log.deleteRecords("clicks", 0, (positions.get("overtaken") as number) + 300);
    if (minute === at("19:59")) await log.deleteRecords("clicks", 0, (positions.get("overtaken") as number) + 600);
    await Promise.all([report(), report()]);
    for (const name of names) {
      const status = looked.get(name)?.partitions[0]?.status as string;
      if (status !== (last.get(name) ?? "OK")) timeline.get(name)?.push(`${clockOf(minute)} ${status}`);
      last.set(name, status);
    }
    if (minute === at("19:00"))
      expect(looked.get("overtaken")?.partitions[0]).toMatchObject({ lostRecords: 300, status: "STOP" });
  }

  expect(Object.fromEntries(timeline)).toEqual({
    steady: [],
    restarted: [],
    // Its window is nine minutes long, its last commit was at 07:59: ten minutes of silence are more.
    killed: ["08:09 STOP", "09:30 OK"],
    // The tenth commit in a row that moves nothing.
    stuck: ["10:09 STALL", "11:00 OK"],
    // Until the commits before the reset are out of the window; by then it gains.
    rewound: ["12:00 REWIND", "12:09 OK"],
    slow: ["14:09 WARN", "16:00 OK"],
    rare: [],
    overtaken: ["18:09 STOP", "20:00 OK"],
    beyond: ["21:00 ERR", "21:30 OK"],
  });
  expect(told).toEqual([
    "08:09 killed 1 open ERR",
    "08:39 killed 2 repeat ERR",
    "09:09 killed 3 repeat ERR",
    "09:30 killed 4 close OK",
    "10:09 stuck 1 open ERR",
    "10:39 stuck 2 repeat ERR",
    "11:00 stuck 3 close OK",
    "12:00 rewound 1 open ERR",
    "12:09 rewound 2 close OK",
    "18:09 overtaken 1 open ERR",
    "18:39 overtaken 2 repeat ERR",
    "19:09 overtaken 3 repeat ERR",
    "19:39 overtaken 4 repeat ERR",
    "20:00 overtaken 5 close OK",
    "21:00 beyond 1 open ERR",
    "21:30 beyond 2 close OK",
  ]);
  expect(warned).toEqual([
    "08:09 killed ERR",
    "10:09 stuck ERR",
    "12:00 rewound ERR",
    "14:09 slow WARN",
    "18:09 overtaken ERR",
    "21:00 beyond ERR",
  ]);
  expect([...incidents.values()].map((of) => of.size)).toEqual([1, 1, 1, 1, 1]);
});
