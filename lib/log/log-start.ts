/** Moving the log start of a partition, by DeleteRecords or by policy. */
import type { Table } from "../ports/index.ts";
import { decodeHead, type Head, headKey } from "./items/head.ts";
import { isRefusal } from "./storage-errors.ts";

/** Moves it, unless it is not where it was any more; answers the head after it, or undefined. Throws `StorageError`. */
export async function moveLogStart(
  table: Table,
  topicId: string,
  partition: number,
  from: number,
  to: number,
): Promise<Head | undefined> {
  try {
    const item = await table.write({
      op: "update",
      key: headKey(topicId, partition),
      changes: [{ set: "s", to }],
      when: [{ item: "exists" }, { path: "s", is: "=", value: from }],
    });
    return item && decodeHead(item);
  } catch (error) {
    if (isRefusal(error)) return undefined;
    throw error;
  }
}
