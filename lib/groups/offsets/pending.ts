/**
 * Offsets of transactions: noted while the transaction is open, applied when it commits (docs/decisions/005-transactions.md, T5).
 *
 * A crash before `note` writes leaves nothing; while `finish` applies, offsets that are applied and out of the note, and others
 * that are still in it: whoever finishes goes on with those.
 */
import { BrokerlessError } from "../../base/errors.ts";
import { isRefusal, storageStep } from "../../log/storage-errors.ts";
import { type Check, type Item, StorageError, type Write } from "../../ports/index.ts";
import { blockKey, blockOf, guardOf, stampOf, writeEntries } from "../items/offsets.ts";
import { decodePending, type Pending, type PendingOffset, pendingKey, putPending } from "../items/pending.ts";
import { decodeState, stateKey } from "../items/state.ts";
import { emptyGroup, firstEpoch, makeGroup } from "../new-group.ts";
import type { GroupParts } from "../parts.ts";
import type { CommitRequest, PartitionAnswer, TransactionRef } from "../types.ts";
import { type Admitted, admitOffsets } from "./commit.ts";
import { nextGuard } from "./plan-commit.ts";

const ATTEMPTS_MOST = 20;
/** Of one storage transaction, besides the note and the check of the group. */
const BLOCKS_AT_ONCE = 90;

/** Notes offsets: answered as a commit. A transaction that has ended: `invalid_txn_state`. */
export async function noteOffsets(parts: GroupParts, request: CommitRequest, of: TransactionRef): Promise<PartitionAnswer[]> {
  const { admitted, answers } = await admitOffsets(parts, request);
  if (admitted.length === 0) return answers;
  const key = pendingKey(request.group, of.producerId);
  await changing(parts, request.group, async () => {
    const before = decodePending(await parts.storage.table.get(key));
    if (before !== undefined && (before.number > of.number || (before.number === of.number && before.ended))) {
      throw new BrokerlessError("invalid_txn_state", `the transaction of producer ${of.producerId} has ended`);
    }
    const nowMs = parts.clock.nowMs();
    const offsets = merged(before?.number === of.number ? before.offsets : [], admitted, nowMs);
    await parts.storage.table.write(putPending(key, { number: of.number, ended: false, offsets }, before, nowMs));
  });
  return answers;
}

/** The last offset of a partition counts. */
function merged(have: readonly PendingOffset[], more: readonly Admitted[], nowMs: number): PendingOffset[] {
  const all = new Map(have.map((one) => [`${one.topicId}#${one.partition}`, one]));
  for (const { topicId, partition, offset, leaderEpoch = -1, metadata = "" } of more) {
    all.set(`${topicId}#${partition}`, { topicId, partition, offset, leaderEpoch, metadata, committedAtMs: nowMs });
  }
  return [...all.values()];
}

/** Applies what was noted, or drops it. Done already: nothing. */
export async function finishOffsets(parts: GroupParts, group: string, of: TransactionRef, commit: boolean): Promise<void> {
  const key = pendingKey(group, of.producerId);
  for (let whole = false; !whole; ) {
    whole = await changing(parts, group, async () => {
      const before = decodePending(await parts.storage.table.get(key));
      if (before !== undefined && (before.number > of.number || (before.number === of.number && before.ended))) return true;
      const noted = commit && before?.number === of.number ? before.offsets : [];
      return apply(parts, group, of, key, before, noted);
    });
  }
  if (commit) parts.mirror?.stale(group);
}

/** True when nothing is left in the note. */
async function apply(
  parts: GroupParts,
  group: string,
  of: TransactionRef,
  key: ReturnType<typeof pendingKey>,
  before: Pending | undefined,
  noted: readonly PendingOffset[],
): Promise<boolean> {
  const { table } = parts.storage;
  const nowMs = parts.clock.nowMs();
  const byBlock = Map.groupBy(noted, ({ topicId, partition }) => blockKey(group, topicId, blockOf(partition)).sk);
  const blocks = [...byBlock.values()].slice(0, BLOCKS_AT_ONCE);
  const left = [...byBlock.values()].slice(BLOCKS_AT_ONCE).flat();
  const ended = left.length === 0;
  const note = putPending(key, { number: of.number, ended, offsets: left }, before, nowMs);
  if (blocks.length === 0) {
    await table.write(note);
    return true;
  }
  const keys = blocks.map(([first]) =>
    blockKey(group, (first as PendingOffset).topicId, blockOf((first as PendingOffset).partition)),
  );
  const [stateItem, ...items] = await table.getMany([stateKey(group), ...keys]);
  const state = decodeState(stateItem)?.state;
  if (state === undefined) {
    await makeGroup(parts, group, emptyGroup(await firstEpoch(parts, group), nowMs));
    return false;
  }
  const writes: (Write | Check)[] = [note];
  if (items.some((item) => item === undefined)) {
    writes.push({ op: "check", key: stateKey(group), when: [{ path: "e", is: "=", value: state.epoch }] });
  }
  for (const [i, block] of blocks.entries())
    writes.push(entriesOf(keys[i] as ReturnType<typeof blockKey>, block, items[i], nowMs));
  await table.atomically(writes);
  return ended;
}

/** Whoever owns the partition by now: the transaction was admitted when its offsets were noted. */
function entriesOf(
  key: ReturnType<typeof blockKey>,
  block: readonly PendingOffset[],
  item: Item | undefined,
  nowMs: number,
): Write {
  return writeEntries(
    key,
    block.map(({ partition, offset, leaderEpoch, committedAtMs, metadata }) => ({
      partition,
      epoch: stampOf(item, partition) ?? 0,
      guard: nextGuard(guardOf(item, partition), nowMs),
      entry: { offset, leaderEpoch, committedAtMs, metadata, expiresAtMs: -1 },
    })),
    item,
  );
}

/** Again where somebody else was faster, or it is not known whether it was written: every step may be repeated. */
async function changing<T>(parts: GroupParts, group: string, step: () => Promise<T>): Promise<T> {
  const { clock, ids } = parts;
  for (let attempt = 0; ; attempt++) {
    try {
      return await step();
    } catch (error) {
      const again =
        isRefusal(error) || (error instanceof StorageError && (error.kind === "contended" || error.kind === "unknown"));
      if (!again || attempt >= ATTEMPTS_MOST) {
        return storageStep(`offsets of a transaction in group "${group}"`, () => Promise.reject(error));
      }
    }
    await clock.sleep(Math.ceil(2 ** Math.min(attempt, 8) * ids.random()));
  }
}
