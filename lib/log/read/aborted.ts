/** The aborted transactions of a range of offsets, out of the index. */
import type { Table } from "../../ports/index.ts";
import { abortedFrom, decodeAborted } from "../items/aborted.ts";
import { partitionKey } from "../items/head.ts";
import { storageStep } from "../storage-errors.ts";
import type { AbortedTransaction } from "../types.ts";

const AT_ONCE = 100;

/** Those with records in [offset, end), all of which is below a last stable offset that was read before. */
export async function readAborted(
  table: Table,
  topicId: string,
  partition: number,
  offset: number,
  end: number,
): Promise<AbortedTransaction[]> {
  const found: AbortedTransaction[] = [];
  for (let from = offset; ; ) {
    const page = await storageStep("read the aborted transactions", () =>
      table.range(partitionKey(topicId, partition), { ...abortedFrom(from), limit: AT_ONCE }),
    );
    for (const one of page) {
      const { producerId, firstOffset, markerOffset, stableOffset } = decodeAborted(one);
      if (firstOffset < end) found.push({ producerId, firstOffset, markerOffset });
      // Those that come after it begin at or after it.
      if (stableOffset >= end) return found;
      from = markerOffset + 1;
    }
    if (page.length < AT_ONCE) return found;
  }
}
