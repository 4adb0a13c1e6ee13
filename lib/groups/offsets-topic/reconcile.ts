/** One partition of `__consumer_offsets` beside the groups that it is about: see J4 in `mirror.ts`. */
import { batchHeaders, forEachRecord } from "../../kafka/index.ts";
import { groupOfKey } from "../../kafka/protocol/consumer-offsets.ts";
import { OFFSETS_TOPIC } from "../../log/internal-topics.ts";
import { type JobRun, mayGoOn } from "../../log/jobs/job.ts";
import type { LogApi } from "../../log/types.ts";
import type { Clock, Storage } from "../../ports/index.ts";
import { keyBytes, keyText, type MirrorRecord, type Truth, truthOf } from "./records.ts";

const READ_BYTES = 4 * 1024 * 1024;
/** Rounds in which others commit to the very keys that are being put right. */
const ROUNDS = 10;

interface ReconcileParts {
  readonly storage: Storage;
  readonly log: LogApi;
  readonly clock: Clock;
}

/** The last value of each key. One pass over the log of the partition; what it keeps grows with the keys that are there. */
type Last = Map<string, Uint8Array | null>;

/** Appends what differs, and answers how many records that were. `groups`: those that belong to the partition. */
export async function reconcilePartition(
  parts: ReconcileParts,
  partition: number,
  groups: readonly string[],
  names: ReadonlyMap<string, string>,
  run: JobRun,
  append: (records: readonly MirrorRecord[]) => Promise<void>,
): Promise<number> {
  const { storage, clock } = parts;
  const last = await lastValues(parts.log, partition);
  let concerned: Iterable<string> = new Set([...groups, ...groupsIn(last)]);
  let appended = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const truths = new Map<string, Truth>();
    for (const group of concerned) truths.set(group, await truthOf(storage.table, group, names));
    const changes = differences(last, truths, clock.nowMs());
    if (changes.length === 0 || (round > 0 && !mayGoOn(run, clock))) break;
    for (const { key } of changes) run.say?.(`${OFFSETS_TOPIC}-${partition}: group "${groupOfKey(key)}" differs`);
    appended += changes.length;
    if (run.dryRun) break;
    await append(changes);
    for (const { key, value } of changes) last.set(keyText(key), value);
    concerned = new Set(changes.map(({ key }) => groupOfKey(key) as string));
  }
  return appended;
}

/** Also those that are gone. */
function groupsIn(last: Last): string[] {
  return [...last].flatMap(([text, value]) => (value === null ? [] : (groupOfKey(keyBytes(text)) ?? [])));
}

/** What has to be appended so that the topic says what is true of these groups. Pure. */
function differences(last: Last, truths: ReadonlyMap<string, Truth>, nowMs: number): MirrorRecord[] {
  const changes: MirrorRecord[] = [];
  for (const { records } of truths.values()) {
    for (const [text, record] of records) {
      const found = last.get(text);
      if (found === undefined || found === null || Buffer.compare(found, record.value as Uint8Array) !== 0) changes.push(record);
    }
  }
  for (const [text, value] of last) {
    if (value === null) continue;
    const key = keyBytes(text);
    const group = groupOfKey(key);
    if (group === undefined) continue;
    const truth = truths.get(group);
    if (truth !== undefined && !truth.records.has(text) && truth.open !== text)
      changes.push({ key, value: null, timestampMs: nowMs });
  }
  return changes;
}

async function lastValues(log: LogApi, partition: number): Promise<Last> {
  const last: Last = new Map();
  const [{ logStartOffset, logEndOffset } = { logStartOffset: 0, logEndOffset: 0 }] = await log.partitions(OFFSETS_TOPIC, [
    partition,
  ]);
  for (let offset = logStartOffset; offset < logEndOffset; ) {
    const read = await log.read({ topic: OFFSETS_TOPIC, partition, offset, maxBytes: READ_BYTES });
    for (const batch of read.batches) collect(batch, last);
    if (read.nextOffset === offset) break;
    offset = read.nextOffset;
  }
  return last;
}

/** Of one or more batches, which are written without compression. */
function collect(batches: Uint8Array, last: Last): void {
  for (const { at } of batchHeaders(batches)) {
    forEachRecord(batches, at, {}, (record) => {
      const key = record.key();
      if (key === null) return;
      const value = record.value();
      last.set(keyText(key), value === null ? null : value.slice());
    });
  }
}
