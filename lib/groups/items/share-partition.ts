/**
 * A share partition: partition key `Q#<group>#<topicId>#<p>`.
 *
 * | key | attribute | what |
 * |---|---|---|
 * | `STATE` | `v`, `k` | format version; counter: every change adds one |
 * | | `i` | a name that is made when the share partition begins, and anew when its offsets are set, or its group is made again |
 * | | `g` | `b` of the group's state: of a group that was deleted it is another, and this share partition goes |
 * | | `o` | state epoch: grows when its offsets are set |
 * | | `e` | end: the first offset that was never given out |
 * | | `b`, `w`, `h` | a time; the runs of the window, packed, with times counted from it; the holders that they name |
 * | | `r` | what was acknowledged last: first and last offset, verdict, holder, in turn |
 * | | `p`, `d` | how many records are parked; the earliest time at which one of them may be due, 0: none is |
 * | | `x` | dead letters ever |
 * | | `l` | the last writes, by name |
 * | `D#<offset>` | `v`, `c`, `s`, `h`, `u` | a parked record: deliveries, state, holder, when it may be looked at again |
 * | `V#<u, 15 digits>#<offset>` | `v` | the same by time |
 *
 * Q1  Every offset from the start on is in exactly one of: the window, parked, beyond the end, finished.
 * Q2  Whatever changes here changes `STATE` in the same transaction, on condition that `k` and `i` are what was read: `k` begins anew
 *     with a group that is made again. Nothing is deleted without its `i`: a late write of another life does nothing.
 * Q3  A `D#` has exactly one `V#`, at its `u`. `d` is never later than the earliest of them.
 * Q4  A write whose answer was lost is found in `l`: then it was made, and what it decided holds.
 *
 * Topics of a group: key `G#<group>`, `Q#<topicId>`: `v` format version, `n` partitions, `i` the name of the share partition that began last;
 * put in one transaction with each that begins: so what is there of a group can be found when it is deleted.
 */
import { checkFormat, FORMAT_VERSION, offsetKey } from "../../log/items/format.ts";
import type { Check, Condition, Delete, Item, Key, Put } from "../../ports/index.ts";
import type { Run, RunState, Verdict, Window } from "../share/window.ts";
import { groupPk } from "./group.ts";
import { stateKey } from "./state.ts";

const STATES: readonly RunState[] = ["available", "acquired", "rejected", "spent"];
const VERDICTS: readonly Verdict[] = ["finish", "release", "reject", "renew"];
/** So many of the last writes are named. */
const WRITES_MOST = 8;
/** So many of the last acknowledgements are told apart. */
const RECENT_MOST = 64;
const TIME_DIGITS = 15;

/** An acknowledgement that was made. */
export interface Recent {
  readonly first: number;
  readonly last: number;
  readonly verdict: Verdict;
  readonly holder: string;
}

export interface ShareState {
  readonly name: string;
  /** Of its group. */
  readonly born: number;
  readonly epoch: number;
  readonly window: Window;
  readonly recent: readonly Recent[];
  readonly parked: number;
  readonly dueMs: number;
  readonly deadLetters: number;
}

export interface StoredShare {
  readonly state: ShareState;
  readonly version: number;
  readonly writes: readonly string[];
}

export interface Parked {
  readonly offset: number;
  readonly state: RunState;
  readonly deliveries: number;
  readonly holder: string;
  /** When it is due, or its lock runs out. */
  readonly dueMs: number;
}

export const SHARES = "Q#";

export function sharePk(group: string, topicId: string, partition: number): string {
  return `${SHARES}${group}#${topicId}#${partition}`;
}

export function shareKey(group: string, topicId: string, partition: number): Key {
  return { pk: sharePk(group, topicId, partition), sk: "STATE" };
}

export function newShare(name: string, born: number, epoch: number, start: number): ShareState {
  return { name, born, epoch, window: { end: start, runs: [] }, recent: [], parked: 0, dueMs: 0, deadLetters: 0 };
}

export function encodeShare(state: ShareState, version: number, writes: readonly string[]): Item {
  const { window, recent } = state;
  const locks = window.runs.flatMap(({ untilMs }) => (untilMs > 0 ? [untilMs] : []));
  const baseMs = locks.length === 0 ? 0 : Math.min(...locks);
  const holders = [...new Set(window.runs.map(({ holder }) => holder))];
  const indexOf = new Map(holders.map((holder, i) => [holder, i]));
  const numbers: number[] = [];
  let at = window.end;
  for (const run of [...window.runs].reverse()) {
    numbers.push(
      at - run.last,
      run.last - run.first,
      STATES.indexOf(run.state),
      run.deliveries,
      indexOf.get(run.holder) as number,
    );
    if (run.state === "acquired") numbers.push(run.untilMs - baseMs);
    at = run.first;
  }
  return {
    v: FORMAT_VERSION,
    k: version,
    i: state.name,
    g: state.born,
    o: state.epoch,
    e: window.end,
    b: baseMs,
    w: packed(numbers),
    h: holders,
    r: recent.slice(-RECENT_MOST).flatMap(({ first, last, verdict, holder }) => [first, last, VERDICTS.indexOf(verdict), holder]),
    p: state.parked,
    d: state.dueMs,
    x: state.deadLetters,
    l: writes.slice(-WRITES_MOST),
  };
}

export function decodeShare(item: Item): StoredShare {
  checkFormat(item, "a share partition");
  const baseMs = item["b"] as number;
  const holders = item["h"] as readonly string[];
  const end = item["e"] as number;
  const numbers = unpacked(item["w"] as Uint8Array);
  const runs: Run[] = [];
  let next = end;
  for (let i = 0; i < numbers.length; ) {
    const last = next - (numbers[i++] as number);
    const first = last - (numbers[i++] as number);
    const state = STATES[numbers[i++] as number] as RunState;
    const deliveries = numbers[i++] as number;
    const holder = holders[numbers[i++] as number] as string;
    runs.push({ first, last, state, deliveries, holder, untilMs: state === "acquired" ? baseMs + (numbers[i++] as number) : 0 });
    next = first;
  }
  const flat = item["r"] as readonly (number | string)[];
  return {
    version: item["k"] as number,
    writes: item["l"] as readonly string[],
    state: {
      name: item["i"] as string,
      born: (item["g"] ?? 0) as number,
      epoch: item["o"] as number,
      window: { end, runs: runs.reverse() },
      recent: Array.from({ length: flat.length / 4 }, (_, i) => ({
        first: flat[4 * i] as number,
        last: flat[4 * i + 1] as number,
        verdict: VERDICTS[flat[4 * i + 2] as number] as Verdict,
        holder: flat[4 * i + 3] as string,
      })),
      parked: item["p"] as number,
      dueMs: item["d"] as number,
      deadLetters: item["x"] as number,
    },
  };
}

export function parkedKey(pk: string, offset: number): Key {
  return { pk, sk: `D#${offsetKey(offset)}` };
}

export function decodeParked(offset: number, item: Item): Parked {
  checkFormat(item, "a parked record");
  return {
    offset,
    deliveries: item["c"] as number,
    state: STATES[item["s"] as number] as RunState,
    holder: item["h"] as string,
    dueMs: item["u"] as number,
  };
}

/** A parked record in the place of what it was before; undefined: it was not there, or is gone. */
export function movesOf(pk: string, before: Parked | undefined, after: Parked | undefined): (Put | Delete)[] {
  const moves: (Put | Delete)[] = [];
  if (after === undefined) {
    if (before !== undefined) moves.push({ op: "delete", key: parkedKey(pk, before.offset) });
  } else {
    const { offset, deliveries: c, state, holder: h, dueMs: u } = after;
    moves.push({ op: "put", key: parkedKey(pk, offset), item: { v: FORMAT_VERSION, c, s: STATES.indexOf(state), h, u } });
  }
  if (before?.dueMs === after?.dueMs) return moves;
  if (before !== undefined) moves.push({ op: "delete", key: dueKey(pk, before) });
  if (after !== undefined) moves.push({ op: "put", key: dueKey(pk, after), item: { v: FORMAT_VERSION } });
  return moves;
}

function dueKey(pk: string, { dueMs, offset }: Parked): Key {
  return { pk, sk: `V#${String(dueMs).padStart(TIME_DIGITS, "0")}#${offsetKey(offset)}` };
}

export const DUE_RANGE = { from: "V#", to: "V$" };

export function parseDueKey(sk: string): { dueMs: number; offset: number } {
  const [, dueMs, offset] = sk.split("#");
  return { dueMs: Number(dueMs), offset: Number(offset) };
}

export const SHARE_TOPIC_RANGE = { from: "Q#", to: "Q$" };

export function shareTopicKey(group: string, topicId: string): Key {
  return { pk: groupPk(group), sk: `Q#${topicId}` };
}

export function putShareTopic(group: string, topicId: string, partitions: number, name: string): Put {
  return { op: "put", key: shareTopicKey(group, topicId), item: { v: FORMAT_VERSION, n: partitions, i: name } };
}

/** Holds while the group is a share group, and this one. */
export function isShareGroup(group: string, born: number): Check {
  const isIt: Condition[] = born === 0 ? [] : [{ path: "b", is: "=", value: born }];
  return { op: "check", key: stateKey(group), when: [{ path: "t", is: "=", value: "share" }, ...isIt] };
}

/** Is it still this one, in this life? */
export function isNamed(item: Item): Condition {
  return { path: "i", is: "=", value: item["i"] as string };
}

/** Is it still what was read? */
export function isStillShare({ state, version }: Pick<StoredShare, "state" | "version">): Condition[] {
  return [
    { path: "k", is: "=", value: version },
    { path: "i", is: "=", value: state.name },
  ];
}

/** Whole numbers from 0, seven bits a byte, the lowest first. */
function packed(numbers: readonly number[]): Uint8Array {
  const bytes: number[] = [];
  for (let rest of numbers) {
    for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128);
    bytes.push(rest);
  }
  return Uint8Array.from(bytes);
}

function unpacked(bytes: Uint8Array): number[] {
  const numbers: number[] = [];
  let value = 0;
  let scale = 1;
  for (const byte of bytes) {
    value += (byte & 127) * scale;
    if (byte >= 128) scale *= 128;
    else {
      numbers.push(value);
      value = 0;
      scale = 1;
    }
  }
  return numbers;
}
