/**
 * Transaction markers: a control batch of one record that ends a producer's transaction in a partition (KIP-98,
 * `EndTransactionMarker`). Its key is version 0 and the type (0 abort, 1 commit), its value version 0 and the coordinator's epoch.
 */
import { forEachRecord } from "./decode.ts";
import { encodeBatch } from "./encode.ts";
import { readInt16, writeInt16, writeInt32 } from "./layout.ts";

export interface TransactionMarker {
  readonly producerId: number;
  readonly producerEpoch: number;
  readonly commit: boolean;
  readonly timestampMs: number;
}

/** There is one coordinator, the table: its epoch never changes. */
const COORDINATOR_EPOCH = 0;
const ABORT = 0;
const COMMIT = 1;

/** The batch, with base offset 0. */
export function encodeTransactionMarker({ producerId, producerEpoch, commit, timestampMs }: TransactionMarker): Uint8Array {
  const key = new Uint8Array(4);
  writeInt16(key, 2, commit ? COMMIT : ABORT);
  const value = new Uint8Array(6);
  writeInt32(value, 2, COORDINATOR_EPOCH);
  return encodeBatch([{ key, value }], { timestampMs, producerId, producerEpoch, transactional: true, control: true });
}

/** Does the control batch at byte `at` commit a transaction? False for aborts, and for what else there may be. */
export function markerCommits(bytes: Uint8Array, at: number): boolean {
  let commits = false;
  forEachRecord(bytes, at, {}, (record) => {
    const key = record.key();
    commits = key !== null && key.byteLength >= 4 && readInt16(key, 2) === COMMIT;
  });
  return commits;
}
