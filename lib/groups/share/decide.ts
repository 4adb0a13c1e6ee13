/** What is decided on a state of a share partition, for all who ask at the same time. It reads what it takes, and writes nothing of the state. */
import type { PartitionInfo } from "../../log/types.ts";
import type { ShareSettings } from "../config.ts";
import { DUE_RANGE, newShare, type Parked, parseDueKey, type ShareState, type StoredShare } from "../items/share-partition.ts";
import type { Dead } from "./bury.ts";
import { clearParked } from "./clear.ts";
import { Draft } from "./draft.ts";
import { type Given, give, readyOf, type Want } from "./give.ts";
import { nothingFound, type Place } from "./read.ts";
import { readParked, type SharePlace } from "./stored.ts";
import { expired, finished, isDead, type Judgement, offsetsOf, runAt, trimmed } from "./window.ts";

/** So many parked records that are due are looked at for one write. */
const DUE_MOST = 20;
/** The dead that are parked are looked at again after so long. */
const DEAD_AGAIN_MS = 5_000;
const BURY_MOST = 50;

export type Op = { readonly answer: (error?: unknown) => void } & (
  | { readonly kind: "acquire"; readonly want: Want; given: Given }
  | { readonly kind: "judge"; readonly judgements: readonly Judgement[]; refused: boolean; tooMany: boolean }
  | { readonly kind: "buried"; readonly dead: readonly Dead[] }
  | { readonly kind: "tend"; state: ShareState | undefined }
);

/** What is decided on a state. `info`: of the partition, for those who acquire or tend, read since they asked. `content`: nobody was refused, and nobody got nothing. `refuses`: somebody for what is parked. */
export async function decide(
  share: SharePlace,
  stored: StoredShare | undefined,
  ops: readonly Op[],
  info: PartitionInfo | undefined,
  settings: ShareSettings,
) {
  const { clock, reads } = share;
  const nowMs = clock.nowMs();
  const settles: (() => void)[] = [];
  const settle = (): void => {
    for (const one of settles) one();
  };
  const wants = ops.filter((op) => op.kind === "acquire");
  const looks = looksAt(ops);
  const first = wants[0];
  const state = stored?.state ?? (first && (await begin(share, first.want, info as PartitionInfo, settings, nowMs)));
  if (state === undefined) {
    for (const op of ops)
      if (op.kind === "judge") {
        settles.push(() => {
          op.refused = true;
        });
      }
    return { draft: undefined, content: false, refuses: false, settle, dead: [] as Dead[] };
  }
  const limit = settings.deliveryLimit;
  const draft = new Draft(state, limit, nowMs);
  draft.window = expired(info === undefined ? state.window : trimmed(state.window, info.logStartOffset), nowMs, limit);
  let content = true;
  let refuses = false;
  for (const op of ops) {
    if (op.kind === "buried") await takeAway(share, draft, op.dead);
    if (op.kind !== "judge") continue;
    const outside = draft.parkedCount === 0 ? [] : draft.outside(op.judgements);
    const tooMany = outside.length > draft.room;
    const done = !tooMany && draft.judge(op.judgements, await readParked(share, outside));
    content &&= done;
    refuses ||= outside.length > 0 && !done;
    settles.push(() => {
      op.refused = !done;
      op.tooMany = tooMany;
    });
  }
  const buries = settings.deadLetterTopic !== undefined;
  if (!buries) draft.dropDead();
  const found = nothingFound();
  const keep = { reads, key: share.pk, nowMs: clock.monotonicMs() };
  const place: Place = { ...share, isolation: settings.isolation, info, keep };
  const due = await dueOf(share, draft, state, looks, buries, limit);
  if (wants.length > 0) {
    const ready = await readyOf(draft, place, found, info as PartitionInfo, due.ready, wants, settings);
    for (const op of wants) {
      const { holder, maxRecords, maxBytes, lockMs } = op.want;
      const given = give(draft, ready, found, { holder, maxRecords, maxBytes, untilMs: nowMs + lockMs });
      content &&= given.taken.length > 0;
      settles.push(() => {
        op.given = { ...given, dueMs: nextDueMs(draft) };
      });
    }
  }
  if (due.rows !== undefined) draft.setDue(due.rows);
  for (const op of ops) {
    if (op.kind !== "tend") continue;
    settles.push(() => {
      op.state = draft.state;
    });
  }
  content &&= !ops.some(({ kind }) => kind === "tend");
  return { draft, content, refuses, settle, dead: buries ? deadOf(draft, due.dead) : [] };
}

/** Is the partition itself looked at for these? */
export function looksAt(ops: readonly Op[]): boolean {
  return ops.some(({ kind }) => kind === "acquire" || kind === "tend");
}

/** The state that a share partition begins with. */
async function begin(
  share: SharePlace,
  { firstFrom, born }: Want,
  info: PartitionInfo,
  settings: ShareSettings,
  nowMs: number,
): Promise<ShareState> {
  const { log, ids, storage } = share;
  await clearParked(storage, share.pk);
  const end = settings.isolation === "read_committed" ? info.lastStableOffset : info.logEndOffset;
  const reset = settings.reset ?? firstFrom;
  let start = reset === "earliest" ? info.logStartOffset : end;
  if (typeof reset === "number") {
    const { offset } = await log.listOffset(share.topic.name, share.partition, { timestampMs: Math.max(0, nowMs - reset) });
    if (offset >= 0) start = offset;
  }
  return newShare(ids.uuid(), born, 0, start);
}

/** The parked records that are due: those that can be given, and the dead. `rows`: the earliest ones, where they were looked at. */
async function dueOf(share: SharePlace, draft: Draft, state: ShareState, looks: boolean, buries: boolean, limit: number) {
  const answer = {
    ready: [] as Parked[],
    dead: [] as Parked[],
    rows: undefined as ReturnType<typeof parseDueKey>[] | undefined,
  };
  if (!looks || state.parked === 0 || state.dueMs > draft.nowMs || draft.room < 2) return answer;
  const most = Math.min(DUE_MOST, draft.room - 1);
  const rows = await share.storage.table.range(share.pk, { ...DUE_RANGE, limit: most + 1 });
  const times = rows.map(({ key }) => parseDueKey(key.sk));
  const due = times.filter(({ dueMs }) => dueMs <= draft.nowMs).slice(0, most);
  answer.rows = times;
  const found = await readParked(
    share,
    due.map(({ offset }) => offset),
  );
  for (const [offset, one] of found) {
    const now = draft.parkedNow(offset, one);
    if (now === undefined || now.dueMs > draft.nowMs) continue;
    const dead = isDead(now) || now.deliveries >= limit;
    if (!dead) answer.ready.push(now);
    else if (buries) {
      const state = isDead(now) ? now.state : "spent";
      // Written before it is buried: nobody settles it any more, whatever his clock says. And behind the others, should it not let itself be buried.
      const spent: Parked = { ...now, state, holder: "", dueMs: draft.nowMs + DEAD_AGAIN_MS };
      draft.move(offset, one, spent);
      answer.dead.push(spent);
    } else {
      draft.move(offset, one, undefined);
      draft.deadLetters++;
    }
  }
  return answer;
}

function deadOf(draft: Draft, parked: readonly Parked[]): Dead[] {
  const inWindow = offsetsOf(draft.window, isDead, BURY_MOST).map((offset): Dead => {
    const run = runAt(draft.window, offset) as Dead["of"];
    return { offset, of: run };
  });
  return [...inWindow, ...parked.map((one): Dead => ({ offset: one.offset, of: one }))];
}

/** Those that are still there and dead: another process may have buried or parked them meanwhile. */
async function takeAway(share: SharePlace, draft: Draft, dead: readonly Dead[]): Promise<void> {
  const isDeadAt = (offset: number): boolean => isDead(runAt(draft.window, offset) ?? { state: "available" });
  const inWindow = dead.map(({ offset }) => offset).filter(isDeadAt);
  draft.window = finished(
    draft.window,
    inWindow.toSorted((a, b) => a - b),
  );
  draft.deadLetters += inWindow.length;
  const others = dead.map(({ offset }) => offset).filter((offset) => runAt(draft.window, offset) === undefined);
  const parked = draft.parkedCount === 0 ? new Map<number, Parked>() : await readParked(share, others);
  for (const [offset, found] of parked) {
    const now = draft.parkedNow(offset, found);
    if (now === undefined || !isDead(now) || draft.room === 0) continue;
    draft.move(offset, found, undefined);
    draft.deadLetters++;
  }
}

/** When a lock runs out or something parked is due, at the earliest; 0: never. */
function nextDueMs({ window, dueMs }: Draft): number {
  let next = dueMs;
  for (const { untilMs } of window.runs) if (untilMs > 0 && (next === 0 || untilMs < next)) next = untilMs;
  return next;
}
