/** What of a share partition can be given, and to whom of those who want something. */
import type { PartitionInfo } from "../../log/types.ts";
import type { ShareSettings } from "../config.ts";
import type { Parked } from "../items/share-partition.ts";
import type { Draft } from "./draft.ts";
import type { Piece } from "./kept-reads.ts";
import { type Found, type Place, readNext, readOffsets } from "./read.ts";
import { acquired, extended, finished, offsetsOf, startOf, type Taken } from "./window.ts";

/** So many that wait for their time are parked with one write. */
const LATER_MOST = 25;

export interface Want {
  readonly holder: string;
  readonly maxRecords: number;
  readonly maxBytes: number;
  readonly lockMs: number;
  readonly firstFrom: "earliest" | "latest";
  /** Which of all groups of its name the group is, as far as this process knows. */
  readonly born: number;
}

export interface Given {
  readonly taken: readonly Taken[];
  readonly pieces: readonly Piece[];
  /** When something that is parked or locked may be due; 0: nothing is. */
  readonly dueMs: number;
}

/** The offsets that can be given, best first: given back, parked and due, new. */
export async function readyOf(
  draft: Draft,
  place: Place,
  found: Found,
  info: PartitionInfo,
  due: readonly Parked[],
  wants: readonly { readonly want: Want }[],
  settings: ShareSettings,
): Promise<(number | Parked)[]> {
  const most = wants.reduce((sum, { want }) => sum + want.maxRecords, 0);
  const maxBytes = wants.reduce((sum, { want }) => sum + want.maxBytes, 0);
  const waiting = offsetsOf(draft.window, ({ state }) => state === "available", most);
  const looked = await readOffsets(place, waiting, maxBytes, found);
  const gone = looked.filter((offset) => !found.sizes.has(offset));
  if (gone.length > 0) draft.window = finished(draft.window, gone);
  const ready: (number | Parked)[] = looked.filter((offset) => found.sizes.has(offset));
  if (ready.length < most && due.length > 0) {
    const parked = [...due].sort((a, b) => a.offset - b.offset).slice(0, most - ready.length);
    const seen = new Set(
      await readOffsets(
        place,
        parked.map(({ offset }) => offset),
        maxBytes,
        found,
      ),
    );
    for (const one of parked) {
      if (found.sizes.has(one.offset)) ready.push(one);
      else if (seen.has(one.offset)) draft.move(one.offset, one, undefined);
    }
  }
  const end = settings.isolation === "read_committed" ? info.lastStableOffset : info.logEndOffset;
  if (ready.length >= most || looked.length < waiting.length || draft.window.end >= end) return ready;
  // Parked records that are given take a place each.
  const spare = draft.room - due.length;
  const over = draft.window.end - startOf(draft.window) + 1 - settings.windowMost;
  if (over > 0 && spare > LATER_MOST) draft.parkOldest(Math.min(Math.max(over, 40), spare - LATER_MOST + 15));
  const span = settings.windowMost - (draft.window.end - startOf(draft.window));
  const mostLater = Math.min(LATER_MOST, draft.room - due.length);
  if (span <= 0 || mostLater <= 0) return ready;
  const mostNext = Math.min(most - ready.length, span);
  const next = await readNext(place, draft.window.end, { most: mostNext, maxBytes, mostLater, nowMs: draft.nowMs }, found);
  if (next.to > draft.window.end) draft.window = extended(draft.window, next.to, next.offsets);
  for (const [offset, dueMs] of found.later) {
    draft.move(offset, undefined, { offset, state: "available", deliveries: 0, holder: "", dueMs });
  }
  return [...ready, ...next.offsets];
}

/** Takes from the front what one want may have. */
export function give(
  draft: Draft,
  ready: (number | Parked)[],
  found: Found,
  { holder, maxRecords, maxBytes, untilMs }: Omit<Want, "lockMs" | "firstFrom" | "born"> & { untilMs: number },
): Omit<Given, "dueMs"> {
  let sizeBytes = 0;
  let count = 0;
  for (const one of ready.slice(0, maxRecords)) {
    sizeBytes += found.sizes.get(typeof one === "number" ? one : one.offset) as number;
    if (count > 0 && sizeBytes > maxBytes) break;
    count++;
  }
  const mine = ready.splice(0, count);
  const inWindow = mine.filter((one) => typeof one === "number").sort((a, b) => a - b);
  const { window, taken } = acquired(draft.window, inWindow, holder, untilMs);
  draft.window = window;
  for (const one of mine) if (typeof one !== "number") taken.push(draft.acquireParked(one, holder, untilMs));
  taken.sort((a, b) => a.firstOffset - b.firstOffset);
  const has = ({ base, last }: Piece): boolean =>
    taken.some(({ firstOffset, lastOffset }) => firstOffset <= last && lastOffset >= base);
  const pieces = new Map(found.pieces.filter(has).map((piece) => [piece.base, piece]));
  return { taken, pieces: [...pieces.values()].sort((a, b) => a.base - b.base) };
}
