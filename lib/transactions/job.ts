/**
 * The job `transactions`: aborts what is open beyond its time-out, and ends what a process that died left prepared. Whoever meets such
 * a transaction does the same; this is for those that nobody meets, which hold the last stable offset. It can die at any point and be run
 * again, or twice at once.
 */

import type { JobReport, JobRun } from "../log/jobs/index.ts";
import { mayGoOn } from "../log/jobs/job.ts";
import type { Clock, Storage } from "../ports/index.ts";
import { decodeTransaction, TRANSACTION_SHARDS } from "./items/transaction.ts";
import { isOverdue, isPrepared } from "./machine.ts";
import type { Transactions } from "./transactions.ts";

export interface TransactionsJobParts {
  readonly storage: Storage;
  readonly clock: Clock;
  readonly transactions: Transactions;
}

export interface TransactionsReport extends JobReport {
  readonly aborted: number;
  readonly completed: number;
}

/** Whoever prepared it is at work on it for so long. */
const PREPARED_MS = 5_000;
const PAGE = 200;

export async function settleTransactions(parts: TransactionsJobParts, run: JobRun): Promise<TransactionsReport> {
  const { storage, clock, transactions } = parts;
  const total = { aborted: 0, completed: 0, left: false };
  for (const shard of TRANSACTION_SHARDS) {
    for (let from = ""; ; ) {
      const page = await storage.table.range(shard, { ...(from === "" ? {} : { from }), limit: PAGE });
      for (const { key, item } of page) {
        const { state } = decodeTransaction(item);
        const nowMs = clock.nowMs();
        const due = isPrepared(state) ? nowMs - state.updatedMs > PREPARED_MS || run.byHand === true : isOverdue(state, nowMs);
        if (!due) continue;
        if (!mayGoOn(run, clock)) return { ...total, left: true };
        const what = isPrepared(state) ? "is ended" : `is aborted: it is open for more than ${state.timeoutMs} ms`;
        run.say?.(`transactional id ${key.sk}: its transaction ${run.dryRun === true ? what.replace("is", "would be") : what}`);
        if (run.dryRun === true) continue;
        const done = await transactions.settle(key.sk);
        if (done !== "nothing") total[done]++;
      }
      const last = page.at(-1);
      if (last === undefined || page.length < PAGE) break;
      from = `${last.key.sk}\0`;
    }
  }
  return total;
}
