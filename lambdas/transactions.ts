/** Aborts transactions that are open for too long, and ends those that a process which died has left prepared. */
import { createGroups } from "../lib/groups/groups.ts";
import { createLog } from "../lib/log/index.ts";
import { pollingDoorbell } from "../lib/storage/polling/doorbell.ts";
import { settleTransactions } from "../lib/transactions/job.ts";
import { createTransactions } from "../lib/transactions/transactions.ts";
import { scheduled } from "./job.ts";
import { openGround } from "./storage.ts";

const ground = openGround();
const parts = { ...ground, codecs: {}, doorbell: pollingDoorbell(ground.clock) };
const log = createLog(parts);
const transactions = createTransactions({ ...parts, log, groups: createGroups({ ...parts, log }) });

export const handler = scheduled(ground, "transactions", (run) => settleTransactions({ ...ground, transactions }, run));
