/** Which batches belong to aborted transactions: pure, over what the index has of them. */
import type { BatchHeader } from "../../kafka/index.ts";
import type { AbortedTransaction } from "../types.ts";

/** Tells of each batch whether its transaction was aborted. Control batches are not. */
export function abortedAmong(aborted: readonly AbortedTransaction[]): (batch: BatchHeader) => boolean {
  if (aborted.length === 0) return () => false;
  const byProducer = Map.groupBy(aborted, ({ producerId }) => producerId);
  return ({ producerId, baseOffset, isTransactional, isControl }) =>
    isTransactional &&
    !isControl &&
    byProducer.get(producerId)?.some((one) => one.firstOffset <= baseOffset && baseOffset < one.markerOffset) === true;
}
