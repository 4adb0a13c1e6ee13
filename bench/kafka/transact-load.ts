/** Transactions in a process of their own. */
import { answering } from "../support/processes.ts";
import { transact } from "./transact.ts";

answering(transact);
