/** Where a reader wants to begin. */
import * as z from "zod";
import type { Isolation, LogApi } from "../../log/types.ts";

export const isolationSchema = z
  .enum(["read_committed", "read_uncommitted"])
  .default("read_committed")
  .describe("read_uncommitted shows records of transactions that are open or were aborted too");

const WORDS = ["earliest", "beginning", "latest", "end"] as const;

/** `earliest`, `latest`, an offset, or `-n`: the last n records. */
export const positionSchema = z
  .string()
  .regex(
    /^(earliest|beginning|latest|end|-?\d{1,15})$/,
    "must be an offset, earliest (beginning), latest (end), or -n for the last n",
  )
  .describe("an offset, earliest (beginning), latest (end), or -n for the last n records");

/** Is it an offset that always means the same record? */
export function isFixed(position: string): boolean {
  return /^\d+$/.test(position);
}

/** The offset that a position stands for now. */
export async function resolvePosition(
  log: LogApi,
  topic: string,
  partition: number,
  position: string,
  isolation: Isolation,
): Promise<number> {
  if (isFixed(position)) return Number(position);
  if ((WORDS as readonly string[]).includes(position)) {
    const at = position === "earliest" || position === "beginning" ? "earliest" : "latest";
    return (await log.listOffset(topic, partition, { at }, isolation)).offset;
  }
  const [bounds] = await log.partitions(topic, [partition]);
  if (bounds === undefined) return 0;
  const end = isolation === "read_committed" ? bounds.lastStableOffset : bounds.logEndOffset;
  return Math.max(bounds.logStartOffset, end + Number(position));
}
