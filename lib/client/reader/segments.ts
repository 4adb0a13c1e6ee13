/**
 * Segments straight from where they are stored: a manifest names them, and their bytes come in ranges, several at once.
 *
 * A segment may go at any time: retention deletes it, or several are merged into one. Then what was read stays read, and
 * the next manifest, from the offset after it, says where the rest is.
 */
import { BrokerlessError } from "../../base/errors.ts";
import type { BatchHeader } from "../../kafka/index.ts";
import type { Connection } from "../connection.ts";
import { strange } from "../connection.ts";
import { Deadline } from "../deadline.ts";
import type { Fetch } from "../http.ts";
import type { Slots } from "./slots.ts";

/** One request for a part of a segment. */
export const RANGE_BYTES = 4 * 1024 * 1024;
/** Ranges of one partition that are under way at once, where there are slots. */
const AHEAD = 4;
/** A range that takes longer is given up. */
const RANGE_TIMEOUT_MS = 60_000;

export interface Segment {
  readonly baseOffset: number;
  readonly nextOffset: number;
  readonly fromByte: number;
  readonly toByte: number;
  readonly url: string;
}

export interface SegmentList {
  readonly segments: readonly Segment[];
  readonly logEndOffset: number;
  /** Is the batch one that readers are not to see? */
  readonly isAborted: (batch: Pick<BatchHeader, "producerId" | "baseOffset" | "isTransactional">) => boolean;
}

/** Undefined where the server has no manifests: its storage gives no URLs, or it is older. Throws as a read does. */
export async function listSegments(
  { http }: Connection,
  topic: string,
  partition: number,
  offset: number,
  signal: AbortSignal,
): Promise<SegmentList | undefined> {
  let answer: unknown;
  try {
    answer = await http.json({
      method: "GET",
      path: ["v1", "topics", topic, "partitions", partition, "manifest"],
      query: { offset },
      signal,
    });
  } catch (error) {
    if (error instanceof BrokerlessError && (error.code === "not_found" || error.code === "method_not_allowed")) return undefined;
    throw error;
  }
  const { segments, log_end_offset: logEndOffset, aborted } = (answer ?? {}) as Record<string, unknown>;
  if (!Array.isArray(segments) || !isCount(logEndOffset)) throw strange(http, "segments");
  if (!Array.isArray(aborted)) throw strange(http, "aborted");
  let next = offset;
  const checked = segments.map((one: Record<string, unknown>, i): Segment => {
    const { base_offset: baseOffset, next_offset: nextOffset, from_byte: fromByte, to_byte: toByte, url } = one ?? {};
    const whole = isCount(baseOffset) && isCount(nextOffset) && isCount(fromByte) && isCount(toByte) && typeof url === "string";
    // A gap would be records that nobody is given.
    if (
      !whole ||
      !URL.canParse(url) ||
      (i === 0 ? baseOffset > next : baseOffset !== next) ||
      nextOffset <= next ||
      toByte <= fromByte
    )
      throw strange(http, `segments[${i}] that follow each other`);
    next = nextOffset;
    return { baseOffset, nextOffset, fromByte, toByte, url };
  });
  const hidden = aborted as readonly { producer_id: number; first_offset: number; marker_offset: number }[];
  return {
    segments: checked,
    logEndOffset,
    isAborted: ({ producerId, baseOffset, isTransactional }) =>
      isTransactional &&
      hidden.some((one) => one.producer_id === producerId && one.first_offset <= baseOffset && baseOffset < one.marker_offset),
  };
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

/** Bytes of a segment, after those before it. */
export interface SegmentPart {
  readonly segment: Segment;
  readonly bytes: Uint8Array;
  /** Nothing of the segment comes after it. */
  readonly isLast: boolean;
}

/**
 * The bytes of segments in order, fetched ahead as far as there are slots; a slot is held until its bytes were taken.
 * Throws `unavailable` for a range that cannot be had.
 */
export async function* readSegments(
  segments: readonly Segment[],
  fetch: Fetch,
  slots: Slots,
  signal: AbortSignal,
): AsyncGenerator<SegmentPart, void, void> {
  const stop = new AbortController();
  const forward = (): void => stop.abort();
  signal.addEventListener("abort", forward);
  if (signal.aborted) stop.abort();
  const ranges = rangesOf(segments);
  const begun: Promise<SegmentPart>[] = [];
  // A slot is taken for one range after the other: then the first of them is never the one that waits.
  let turn: Promise<void> = Promise.resolve();
  const begin = ({ segment, from, to }: Range): Promise<SegmentPart> => {
    turn = turn.then(() => slots.take());
    const part = turn.then(async () => ({
      segment,
      bytes: await readRange(segment, from, to, fetch, stop.signal),
      isLast: to === segment.toByte,
    }));
    // Its failure is seen when its turn comes, or nobody wants it any more.
    part.catch(() => {});
    return part;
  };
  try {
    for (let next = ranges.next(); begun.length > 0 || next.done !== true; ) {
      for (; begun.length < AHEAD && next.done !== true; next = ranges.next()) begun.push(begin(next.value));
      yield await (begun[0] as Promise<SegmentPart>);
      begun.shift();
      slots.give();
    }
  } finally {
    signal.removeEventListener("abort", forward);
    stop.abort();
    // Each gives its slot back by itself: were one to wait for another, two readers could wait for each other.
    for (const part of begun)
      void part.then(
        () => slots.give(),
        () => slots.give(),
      );
  }
}

interface Range {
  readonly segment: Segment;
  readonly from: number;
  readonly to: number;
}

function* rangesOf(segments: readonly Segment[]): Generator<Range, undefined, void> {
  for (const segment of segments) {
    for (let from = segment.fromByte; from < segment.toByte; from += RANGE_BYTES)
      yield { segment, from, to: Math.min(segment.toByte, from + RANGE_BYTES) };
  }
}

async function readRange({ url }: Segment, from: number, to: number, fetch: Fetch, signal: AbortSignal): Promise<Uint8Array> {
  const limit = new Deadline(RANGE_TIMEOUT_MS, signal);
  // The URL is a secret: what is said names the host alone.
  const fail = (why: string, cause?: unknown): BrokerlessError =>
    new BrokerlessError("unavailable", `${new URL(url).host} did not give bytes ${from} to ${to} of a segment: ${why}`, {
      details: { unreachable: true },
      cause,
    });
  try {
    const response = await fetch(url, { headers: { range: `bytes=${from}-${to - 1}` }, signal: limit.signal });
    if (response.status !== 206) {
      await response.body?.cancel();
      throw fail(`HTTP ${response.status}`);
    }
    const bytes = new Uint8Array(await response.arrayBuffer());
    if (bytes.byteLength !== to - from) throw fail(`${bytes.byteLength} bytes came`);
    return bytes;
  } catch (cause) {
    if (cause instanceof BrokerlessError) throw cause;
    throw fail(
      limit.isOver ? `nothing within ${RANGE_TIMEOUT_MS} ms` : cause instanceof Error ? cause.message : String(cause),
      cause,
    );
  } finally {
    limit.clear();
  }
}
