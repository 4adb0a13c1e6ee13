/** Records for one ShareFetch: what `acquire` of the share groups gives, gathered up to `minBytes` as Fetch does. */
import { totalBytes } from "../base/bytes.ts";
import type { AcquiredPartition, AcquiredRange, AcquireRequest, ShareGroupsApi } from "../groups/share/types.ts";
import { peekBatchHeader } from "../kafka/index.ts";
import type { Clock } from "../ports/index.ts";
import { partitionKey } from "./shares.ts";

export interface Gathered {
  readonly partitions: readonly AcquiredPartition[];
  /** So long from now is everything locked that is among the records. */
  readonly lockMs: number;
}

/**
 * Waits for `minBytes`, `maxWaitMs` long. What was acquired meanwhile is locked already, so it waits for half of the lock at most, and
 * the rest of the lock is what is answered.
 */
export async function acquireEnough(
  shares: ShareGroupsApi,
  request: AcquireRequest & { readonly minBytes: number },
  clock: Clock,
): Promise<Gathered> {
  const untilMs = clock.monotonicMs() + request.maxWaitMs;
  const found = await shares.acquire(request);
  let partitions = found.partitions;
  const firstAtMs = clock.monotonicMs();
  const endMs = Math.min(untilMs, firstAtMs + found.lockMs / 2);
  let heldMs = 0;
  for (;;) {
    const maxWaitMs = endMs - clock.monotonicMs();
    const bytes = bytesOf(partitions);
    const maxRecords = request.maxRecords - recordsOf(partitions);
    const enough = bytes >= request.minBytes || maxRecords <= 0 || bytes >= request.maxBytes;
    const isFailed = partitions.some(({ error }) => error !== undefined);
    if (enough || isFailed || partitions.length === 0 || maxWaitMs <= 0 || request.signal?.aborted === true) break;
    // What is locked already is answered, whatever becomes of more.
    const more = await shares
      .acquire({ ...request, maxRecords, maxBytes: request.maxBytes - bytes, maxWaitMs })
      .catch(() => undefined);
    partitions = more === undefined ? partitions : merge(partitions, more.partitions);
    heldMs = clock.monotonicMs() - firstAtMs;
    if (more === undefined) break;
  }
  return { partitions, lockMs: Math.floor(found.lockMs - heldMs) };
}

function bytesOf(partitions: readonly AcquiredPartition[]): number {
  return partitions.reduce((sum, { batches }) => sum + totalBytes(batches), 0);
}

function recordsOf(partitions: readonly AcquiredPartition[]): number {
  return partitions.reduce(
    (sum, { acquired }) => acquired.reduce((all, { firstOffset, lastOffset }) => all + lastOffset - firstOffset + 1, sum),
    0,
  );
}

/** What came later may lie before, and in batches that are there already. */
function merge(before: readonly AcquiredPartition[], after: readonly AcquiredPartition[]): AcquiredPartition[] {
  const merged = new Map(before.map((one) => [partitionKey(one), one]));
  for (const one of after) {
    const first = merged.get(partitionKey(one));
    if (first === undefined) merged.set(partitionKey(one), one);
    if (first === undefined || one.error !== undefined) continue;
    const batches = new Map([...first.batches, ...one.batches].map((batch) => [peekBatchHeader(batch, 0).baseOffset, batch]));
    merged.set(partitionKey(one), {
      ...first,
      ...one,
      batches: [...batches].sort(([a], [b]) => a - b).map(([, batch]) => batch),
      acquired: [...first.acquired, ...one.acquired].sort((a, b) => a.firstOffset - b.firstOffset),
    });
  }
  return [...merged.values()];
}

/** Ranges of at most so many records; 0: as they are. */
export function cutRanges(ranges: readonly AcquiredRange[], batchSize: number): AcquiredRange[] {
  if (batchSize <= 0) return [...ranges];
  return ranges.flatMap(({ firstOffset, lastOffset, deliveryCount }) => {
    const count = Math.ceil((lastOffset - firstOffset + 1) / batchSize);
    return Array.from({ length: count }, (_, i) => ({
      firstOffset: firstOffset + i * batchSize,
      lastOffset: Math.min(lastOffset, firstOffset + (i + 1) * batchSize - 1),
      deliveryCount,
    }));
  });
}
