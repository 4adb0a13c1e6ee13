/** Raising the floor of a partition: blob ids at or below it can never enter its head again (H5 in `items/head.ts`). */
import type { Item, Table } from "../ports/index.ts";
import { headKey } from "./items/head.ts";
import { isRefusal } from "./storage-errors.ts";

/** Raises it to this id, unless it is there already; answers the head, or undefined when there is none. Throws `StorageError`. */
export async function raiseFloor(
  table: Table,
  topicId: string,
  partition: number,
  blobId: Uint8Array,
): Promise<Item | undefined> {
  try {
    return await table.write({
      op: "update",
      key: headKey(topicId, partition),
      changes: [{ set: "f", to: blobId }],
      when: [{ item: "exists" }, { path: "f", is: "<", value: blobId }],
    });
  } catch (error) {
    if (isRefusal(error)) return error.item;
    throw error;
  }
}
