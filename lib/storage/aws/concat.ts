/**
 * How to make one object out of many. S3 joins copies on its own side, but every part save the last must have 5 MiB. So
 * large sources are copied and what lies between them is gathered into parts of 5 MiB, with the beginning of the next
 * large one where it is needed to fill up. Memory holds a few parts at most. Pure.
 */
import { invariant } from "../../base/assert.ts";

export const PART_LEAST_BYTES = 5 * 2 ** 20;
/** S3 copies at most 5 GiB into one part. */
const COPY_MOST_BYTES = 2 ** 30;
const PARTS_MOST = 10_000;

/** Bytes of one source. */
export interface Piece {
  /** Which one of the sources. */
  readonly source: number;
  readonly from: number;
  /** One after the last. */
  readonly to: number;
}

export type Part =
  | { readonly copy: Piece }
  /** To be read and written again: one after the other. */
  | { readonly upload: readonly Piece[] };

/** The parts of the joined object, in order; none where all sources are empty. */
export function planConcat(sizesBytes: readonly number[]): Part[] {
  const parts: Part[] = [];
  const total = sizesBytes.reduce((sum, size) => sum + size, 0);
  let left = total;
  let gathered: Piece[] = [];
  let gatheredBytes = 0;
  const gather = (piece: Piece): void => {
    gathered.push(piece);
    gatheredBytes += piece.to - piece.from;
    left -= piece.to - piece.from;
    if (gatheredBytes >= PART_LEAST_BYTES || left === 0) {
      parts.push({ upload: gathered });
      gathered = [];
      gatheredBytes = 0;
    }
  };
  for (const [source, sizeBytes] of sizesBytes.entries()) {
    let from = 0;
    while (from < sizeBytes) {
      const rest = sizeBytes - from;
      // A copy may be small only where it is the last part.
      if (gatheredBytes === 0 && (rest >= PART_LEAST_BYTES || (rest === left && parts.length > 0))) {
        const to = rest <= COPY_MOST_BYTES ? sizeBytes : from + Math.min(COPY_MOST_BYTES, rest - PART_LEAST_BYTES);
        parts.push({ copy: { source, from, to } });
        left -= to - from;
        from = to;
      } else {
        const to = Math.min(sizeBytes, from + PART_LEAST_BYTES - gatheredBytes);
        gather({ source, from, to });
        from = to;
      }
    }
  }
  invariant(left === 0 && gathered.length === 0, "every byte is in a part");
  invariant(parts.length <= PARTS_MOST, `${parts.length} parts; S3 joins at most ${PARTS_MOST}`);
  return parts;
}
