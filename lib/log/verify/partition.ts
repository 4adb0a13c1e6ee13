/**
 * All that a partition has, from its log start to its end: is every offset there once, and is every byte as it was written?
 * Reads the index as readers do, so jobs may go on meanwhile: what moves is looked at again before it counts as missing.
 */
import { BrokerlessError } from "../../base/errors.ts";
import { ulidText } from "../../base/ulid.ts";
import type { Clock, Storage } from "../../ports/index.ts";
import { isCompacted } from "../config.ts";
import { decodeHead, type Head, headKey } from "../items/head.ts";
import { segmentObject } from "../items/segment.ts";
import { assemble } from "../read/assemble.ts";
import { type Located, type LocatedRef, sliceOf } from "../read/locate.ts";
import { readPieces } from "../read/pieces.ts";
import { storageStep } from "../storage-errors.ts";
import { unknownTopic } from "../topics.ts";
import type { Topic, VerifyEvent } from "../types.ts";
import { BatchChecker, type Problem } from "./batches.ts";
import { verifySegment } from "./segment.ts";

/** So much of the index is read at once. */
const MOST = { segments: 4, runs: 64 };
/** How often something that is missing is looked for again. */
const LOOKS = 4;

export interface VerifyParts {
  readonly storage: Storage;
  readonly clock: Clock;
}

/** Answers what is wrong as it is found, how far it is, and at last the whole. Throws what a storage that fails throws. */
export async function* verifyPartition(parts: VerifyParts, topic: Topic, partition: number): AsyncGenerator<VerifyEvent> {
  const total = { records: 0, sizeBytes: 0, segments: 0, blobs: 0, problems: 0 };
  const problem = ({ base, last, what }: Problem, where: string): VerifyEvent => {
    total.problems++;
    return { kind: "problem", partition, baseOffset: base, lastOffset: last, where, what };
  };
  let head = await readHead(parts, topic, partition);
  const logStartOffset = head.start;
  let offset = head.start;
  for (let looks = 0; ; ) {
    head = await readHead(parts, topic, partition);
    offset = Math.max(offset, head.start);
    if (offset >= head.next) break;
    const from = offset;
    const pieces = (
      await storageStep("read the index", () => readPieces(parts.storage.table, topic.id, partition, head, from, MOST))
    ).filter(({ end }) => end > offset);
    const first = pieces[0]?.base ?? head.next;
    if (first > offset) {
      if (++looks < LOOKS) {
        await parts.clock.sleep(10 * 2 ** looks);
        continue;
      }
      yield problem({ base: offset, last: first - 1, what: "no segment and no run has these offsets" }, "index");
      offset = first;
      looks = 0;
    }
    for (const piece of pieces) {
      const verdict = await verifyPiece(parts, topic, partition, piece);
      if (verdict === undefined && ++looks < LOOKS) {
        await parts.clock.sleep(10 * 2 ** looks);
        break;
      }
      looks = 0;
      const where = nameOf(topic, partition, piece);
      for (const one of verdict?.problems ?? [missing(piece)]) yield problem(one, where);
      total[piece.kind === "segment" ? "segments" : "blobs"]++;
      total.records += verdict?.records ?? 0;
      total.sizeBytes += sizeOf(piece);
      offset = piece.end;
      yield { kind: "progress", partition, offset, logEndOffset: head.next };
    }
  }
  yield { kind: "partition", partition, logStartOffset, logEndOffset: head.next, ...total };
}

async function readHead({ storage }: VerifyParts, topic: Topic, partition: number): Promise<Head> {
  const item = await storageStep("read the partition", () => storage.table.get(headKey(topic.id, partition)));
  if (item === undefined) throw unknownTopic(topic.name);
  return decodeHead(item);
}

/** Undefined when its bytes are not there. */
function verifyPiece({ storage }: VerifyParts, topic: Topic, partition: number, piece: Located) {
  return storageStep("read the bytes", async () => {
    if (piece.kind === "ref") return verifyRef(piece, (await storage.blobs.read([sliceOf(piece)]))[0]);
    const key = segmentObject(topic.id, partition, piece.segment);
    return verifySegment(storage.bucket, key, piece.segment, isCompacted(topic.configs));
  });
}

function verifyRef(piece: LocatedRef, blob: Uint8Array | undefined) {
  if (blob === undefined) return undefined;
  const checker = new BatchChecker(piece.base, piece.end - 1, false);
  try {
    checker.add(assemble(blob, piece, piece.base, Number.POSITIVE_INFINITY).bytes);
  } catch (error) {
    if (!(error instanceof BrokerlessError)) throw error;
    return { records: 0, problems: [{ base: piece.base, last: piece.end - 1, what: error.message }] };
  }
  checker.end();
  return { records: checker.records, problems: checker.problems };
}

function missing(piece: Located): Problem {
  return { base: piece.base, last: piece.end - 1, what: "the index names it, and it is not there" };
}

function nameOf(topic: Topic, partition: number, piece: Located): string {
  return piece.kind === "segment" ? segmentObject(topic.id, partition, piece.segment) : `blob ${ulidText(piece.ref.blobId)}`;
}

function sizeOf(piece: Located): number {
  return piece.kind === "segment" ? piece.segment.sizeBytes : piece.ref.sizeBytes;
}
