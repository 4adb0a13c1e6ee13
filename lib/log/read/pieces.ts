/** The index of a partition, read. */
import type { Table } from "../../ports/index.ts";
import { type Head, partitionKey } from "../items/head.ts";
import { runRange } from "../items/run.ts";
import { segmentRange } from "../items/segment.ts";
import { type Located, refsOfTail, sequence } from "./locate.ts";

/** At most so many of each are asked for; undefined asks for all there are. */
export interface PiecesMost {
  readonly runs?: number;
  readonly segments?: number;
}

/**
 * What is in the log from the piece that holds `offset` on, as one sequence. Two queries side by side, and none where
 * the offset is in the tail. Not isolated from the jobs: see L1 in `locate.ts`. Throws `StorageError`.
 */
export async function readPieces(
  table: Table,
  topicId: string,
  partition: number,
  head: Head,
  offset: number,
  most: PiecesMost = {},
): Promise<Located[]> {
  if (offset >= head.tailBase) return refsOfTail(head);
  const pk = partitionKey(topicId, partition);
  const [segments, runs] = await Promise.all([
    table.range(pk, { ...segmentRange(offset), ...(most.segments === undefined ? {} : { limit: most.segments }) }),
    table.range(pk, { ...runRange(offset), ...(most.runs === undefined ? {} : { limit: most.runs }) }),
  ]);
  return sequence(segments, runs, head);
}
