/** The time of the first record that a group has not consumed: read once for each commit, and kept in its window. */
import { BrokerlessError } from "../base/errors.ts";
import { inParallel } from "../base/parallel.ts";
import { batchHeaders, type Codecs, forEachRecord } from "../kafka/index.ts";
import type { Head } from "../log/items/head.ts";
import type { LogApi } from "../log/types.ts";
import type { PartitionLook } from "./look.ts";

export interface UnreadParts {
  readonly log: LogApi;
  readonly codecs: Codecs;
}

const READS_AT_ONCE = 8;
/** Batches that compaction has emptied are stepped over, so many times. */
const STEPS_MOST = 4;

/** Does anything of it wait, and since when is not known? */
export function isUnknown({ entry, head, window }: PartitionLook): boolean {
  return head !== undefined && entry.offset < head.next && window.unreadSinceMs === undefined;
}

/**
 * Is one read worth it for a reporter? Where the tail tells nothing of the record any more; and where the consumer stands
 * still, so that the answer holds for the next looks too.
 */
export function isWorthReading(look: PartitionLook, nowMs: number): boolean {
  if (!isUnknown(look)) return false;
  const { observedAtMs } = look.window.observations.at(-1) ?? { observedAtMs: nowMs };
  return look.entry.offset < (look.head as Head).tailBase || observedAtMs < nowMs;
}

/** Reads for each, and notes it in its window. What cannot be read stays unknown. Answers how many were read. */
export async function readUnread(parts: UnreadParts, looks: readonly PartitionLook[], goOn: () => boolean): Promise<number> {
  let read = 0;
  await inParallel(looks, READS_AT_ONCE, async (look) => {
    if (!goOn()) return;
    const unreadSinceMs = await firstTimestamp(parts, look);
    if (unreadSinceMs === undefined) return;
    look.window = { ...look.window, unreadSinceMs };
    read++;
  });
  return read;
}

async function firstTimestamp({ log, codecs }: UnreadParts, { topic, partition, entry, head }: PartitionLook) {
  let offset = Math.max(entry.offset, head?.start ?? 0);
  try {
    for (let step = 0; step < STEPS_MOST; step++) {
      const { batches, nextOffset } = await log.read({ topic: topic.name, topicId: topic.id, partition, offset, maxBytes: 1 });
      for (const bytes of batches) {
        for (const batch of batchHeaders(bytes)) {
          if (batch.isControl) continue;
          let found: number | undefined;
          forEachRecord(bytes, batch.at, codecs, (record) => {
            if (record.offset >= offset) found ??= record.timestampMs;
          });
          if (found !== undefined) return found;
        }
      }
      if (nextOffset <= offset) return undefined;
      offset = nextOffset;
    }
  } catch (error) {
    // Retention went past it, or it is damaged: the bound stands.
    if (!(error instanceof BrokerlessError)) throw error;
  }
  return undefined;
}
