/**
 * Which batches of transactions may be appended: pure.
 *
 * X1  The first one of a producer in a partition only where its transaction was found open after the guard was read, and no
 *     transaction was marked or closed there since (005, T3). The ones that follow only while the very same transaction is open.
 * X2  While a producer has a transaction open in a partition, all that it sends there is part of it.
 */
import { BrokerlessError } from "../../base/errors.ts";
import { type BatchSummary, TRANSACTIONAL_BIT } from "../../kafka/index.ts";
import type { Change, Condition } from "../../ports/index.ts";
import { type Head, openTransactionOf } from "../items/head.ts";
import type { Verdict } from "./plan.ts";

/** Of one partition: they are in its head. */
const OPEN_MOST = 64;

export function isTransactional({ attributes }: BatchSummary): boolean {
  return (attributes & TRANSACTIONAL_BIT) !== 0;
}

/** What is against a batch; undefined when nothing is. `opening`: producers whose transactions this commit opens. */
export function judgeTransaction(
  batch: BatchSummary,
  head: Head,
  guard: number | undefined,
  opening: ReadonlySet<number>,
): Verdict | undefined {
  const { producerId } = batch;
  const isOpen = openTransactionOf(head, producerId) !== undefined || opening.has(producerId);
  if (!isTransactional(batch)) {
    if (!isOpen) return undefined;
    return refused(
      "invalid_txn_state",
      `producer ${producerId} has a transaction open here, and the batch is not part of it`,
      false,
    );
  }
  if (guard === undefined) {
    return refused("invalid_txn_state", `producer ${producerId} sends a batch of a transaction; none was begun`, true);
  }
  if (isOpen) return undefined;
  if (guard !== head.transactionChanges) {
    return refused("concurrent_transactions", `a transaction ended in the partition meanwhile: look again`, false);
  }
  if (Object.keys(head.openTransactions).length + opening.size >= OPEN_MOST) {
    return refused("concurrent_transactions", `the partition has ${OPEN_MOST} open transactions, the most that it takes`, false);
  }
  return undefined;
}

/** What an update that appends batches of a producer's transaction is held to, and what it changes. */
export function transactionUpdate(
  head: Head,
  producerId: number,
  firstRecord: number,
  guard: number,
): { readonly when: Condition[]; readonly changes: Change[] } {
  const path = ["x", String(producerId)] as const;
  const open = openTransactionOf(head, producerId);
  if (open !== undefined) return { when: [{ path, is: "=", value: open }], changes: [] };
  return {
    when: [
      { path, is: "absent" },
      { path: "k", is: "=", value: guard },
    ],
    changes: [{ copy: path, from: "n", plus: firstRecord }],
  };
}

function refused(code: "invalid_txn_state" | "concurrent_transactions", message: string, final: boolean): Verdict {
  return { kind: "refused", error: new BrokerlessError(code, message), final };
}
