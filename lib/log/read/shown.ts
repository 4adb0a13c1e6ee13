/**
 * Reading for applications: only what they are to see. Control batches are never shown; with `read_committed`, which is the
 * default here, neither is what was aborted, and the log ends where the first transaction that is open begins.
 */
import { batchHeaders, CONTROL_BIT, peekAttributes, TRANSACTIONAL_BIT } from "../../kafka/index.ts";
import { abortedAmong } from "../markers/aborted.ts";
import type { Isolation, LogApi, ReadRequest, ReadResult } from "../types.ts";

/** As `log.read`; the batches that are left out leave gaps, `nextOffset` goes past them, and `logEndOffset` is how far may be read. */
export async function readShown(log: LogApi, request: ReadRequest): Promise<ReadResult> {
  const isolation = request.isolation ?? "read_committed";
  return shown(await log.read({ ...request, isolation }), isolation);
}

export function shown(result: ReadResult, isolation: Isolation): ReadResult {
  const logEndOffset = isolation === "read_committed" ? result.lastStableOffset : result.logEndOffset;
  if (!result.batches.some(mayHide)) return { ...result, logEndOffset };
  const isAborted = abortedAmong(result.aborted);
  const batches: Uint8Array[] = [];
  let sizeBytes = 0;
  for (const bytes of result.batches) {
    // What is shown goes on in one piece.
    let from = 0;
    const pass = (to: number): void => {
      if (to > from) batches.push(bytes.subarray(from, to));
      sizeBytes += Math.max(0, to - from);
    };
    for (const batch of batchHeaders(bytes)) {
      if (!batch.isControl && !isAborted(batch)) continue;
      pass(batch.at);
      from = batch.at + batch.sizeBytes;
    }
    pass(bytes.byteLength);
  }
  return { ...result, batches, sizeBytes, logEndOffset };
}

/** Is a batch of a transaction among them? Most have none, and are not looked at any further. */
function mayHide(bytes: Uint8Array): boolean {
  for (const attributes of peekAttributes(bytes)) if ((attributes & (TRANSACTIONAL_BIT | CONTROL_BIT)) !== 0) return true;
  return false;
}
