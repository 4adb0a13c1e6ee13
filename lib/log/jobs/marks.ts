/** The marks of partitions with segments that the merger or compaction has not looked at. */
import type { Table } from "../../ports/index.ts";
import { decodeTidy, seen, type Tidy, type TidyBy, tidyShard } from "../items/tidy.ts";
import { isRefusal } from "../storage-errors.ts";
import { allShards } from "./work.ts";

export async function readMarks(table: Table): Promise<Tidy[]> {
  return (await allShards(table, tidyShard)).map(decodeTidy);
}

/** Notes that a partition was looked at; where a segment was put meanwhile it stays to be looked at. */
export async function settleMark(table: Table, mark: Tidy, by: TidyBy, lookAtMs?: number): Promise<void> {
  try {
    await table.write(seen(mark, by, lookAtMs));
  } catch (error) {
    if (!isRefusal(error)) throw error;
  }
}
