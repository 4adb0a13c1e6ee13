/**
 * A replay of one source partition into the target: slice by slice, each written exactly once however often the replay
 * is stopped, killed and started again with the same state.
 *
 * P1  The state says which slice is being sent, and under which numbers, before the first byte of it is sent.
 * P2  A slice is sent again with the same sequences until the server says that it has it.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { type Brokerless, BrokerlessError, type ReadRecord } from "../../client/index.ts";
import { nodeCodecs } from "../../kafka/codecs/node.ts";
import { type CompressionName, encodeBatch } from "../../kafka/index.ts";
import { groupByTarget, type Route, type Slice } from "./slices.ts";
import type { SourceProgress, Writer } from "./state.ts";

export interface TargetSettings {
  readonly client: Brokerless;
  readonly topic: string;
  readonly route: Route;
  readonly compression: CompressionName;
  readonly signal: AbortSignal;
  /** Saves the state; resolves when it is kept. */
  readonly save: () => Promise<void>;
}

const SEQUENCES = 2 ** 31;
/** How long a slice is tried again without an answer. */
const PATIENCE_MS = 120_000;

export async function writeSlice(progress: SourceProgress, slice: Slice, settings: TargetSettings): Promise<void> {
  const groups = groupByTarget(slice.records, settings.route);
  const before = progress.sending?.records;
  if (before === undefined) {
    for (const target of groups.keys()) {
      progress.writers[target] ??= {
        ...(await persist(() => settings.client.admin.allocateProducerId(), settings)),
        sequence: 0,
      };
    }
    const records = Object.fromEntries([...groups].map(([target, group]) => [target, group.length]));
    progress.sending = { to: slice.to, records };
    await settings.save();
  }
  const after: Record<string, Writer> = { ...progress.writers };
  for (const [target, records] of groups) {
    const writer = progress.writers[target] as Writer;
    const duplicate = await writeGroup(target, records, writer, settings);
    // What was written before may have been more than there is now, where compaction went over the source.
    const written = duplicate ? (before?.[target] ?? records.length) : records.length;
    after[target] = { ...writer, sequence: (writer.sequence + written) % SEQUENCES };
  }
  // Records of the slice are gone, and whether they had been written cannot be asked any more: number anew.
  for (const target of Object.keys(before ?? {})) if (!groups.has(Number(target))) delete after[target];
  // One step, so that a save for another partition never sees half of it.
  progress.writers = after;
  progress.next = slice.to;
  delete progress.sending;
}

/** One batch. True where the target had it already. */
async function writeGroup(
  target: number,
  records: readonly ReadRecord[],
  writer: Writer,
  settings: TargetSettings,
): Promise<boolean> {
  const bytes = encodeBatch(records, {
    timestampMs: 0,
    compression: settings.compression,
    codecs: nodeCodecs,
    producerId: writer.producerId,
    producerEpoch: writer.producerEpoch,
    baseSequence: writer.sequence,
  });
  try {
    return (await persist(() => settings.client.append(settings.topic, target, bytes), settings)).duplicate;
  } catch (error) {
    // Written so long ago that the server does not know where.
    if (error instanceof BrokerlessError && error.code === "duplicate_sequence") return true;
    throw error;
  }
}

/** Again and again until there is an answer: of which nothing can be written twice. */
async function persist<T>(call: () => Promise<T>, { signal }: TargetSettings): Promise<T> {
  const startedAtMs = performance.now();
  for (let attempt = 0; ; attempt++) {
    try {
      return await call();
    } catch (error) {
      if (!(error instanceof BrokerlessError) || (!error.retriable && error.outcome !== "unknown")) throw error;
      const pauseMs = Math.max(Math.min(1000, 100 * 2 ** attempt), error.retryAfterMs ?? 0);
      if (signal.aborted || performance.now() - startedAtMs + pauseMs > PATIENCE_MS) throw error;
      // Ctrl-C ends the pause; the attempt after it is the last.
      await sleep(pauseMs, undefined, { signal }).catch(() => {});
    }
  }
}
