/** What a consumer of Kafka's shows of what it read: aborted transactions are left out from their first record to their marker. */
import { batchHeaders, decodeBatch } from "../../../lib/kafka/index.ts";
import type { ReadResult } from "../../../lib/log/types.ts";
import type { Seen } from "./history.ts";

const ABORT = 0;

export function shown({ batches, aborted, nextOffset }: ReadResult, from: number): Seen[] {
  const waiting = aborted.toSorted((a, b) => a.firstOffset - b.firstOffset);
  const open = new Set<number>();
  const seen: Seen[] = [];
  for (const bytes of batches) {
    for (const batch of batchHeaders(bytes)) {
      for (
        let next = waiting[0];
        next !== undefined && next.firstOffset <= batch.baseOffset + batch.lastOffsetDelta;
        next = waiting[0]
      ) {
        open.add(next.producerId);
        waiting.shift();
      }
      const records = decodeBatch(bytes, batch.at, {});
      if (batch.isControl) {
        const [marker] = records;
        if (marker?.key?.[3] === ABORT) open.delete(batch.producerId);
        continue;
      }
      if (batch.isTransactional && open.has(batch.producerId)) continue;
      for (const { offset, value } of records) {
        if (offset >= from && offset < nextOffset) seen.push({ offset, value: new TextDecoder().decode(value ?? undefined) });
      }
    }
  }
  return seen;
}
