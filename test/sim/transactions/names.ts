/** What simulated transactions write to, and what their clients may meet. */
import { BrokerlessError } from "../../../lib/base/errors.ts";
import { isSetback } from "../clients.ts";

export const INPUT = "input";
/** The second one is compacted, under keys that are all different. */
export const TOPICS = ["plain", "compacted"] as const;
export const PLACES = [
  { topic: "plain", partition: 0 },
  { topic: "plain", partition: 1 },
  { topic: "compacted", partition: 0 },
] as const;
export type Place = (typeof PLACES)[number];

export function placeName({ topic, partition }: { readonly topic: string; readonly partition: number }): string {
  return `${topic}-${partition}`;
}

/** Nothing is wrong: it is to be asked again. */
export function isBusy(error: unknown): boolean {
  if (isSetback(error)) return true;
  return error instanceof BrokerlessError && (error.code === "concurrent_transactions" || error.code === "group_busy");
}

/** Somebody else has the transactional id, or the transaction took too long: a client begins anew. */
export function isOver(error: unknown): boolean {
  return error instanceof BrokerlessError && OVER.has(error.code);
}

const OVER: ReadonlySet<string> = new Set([
  "producer_fenced",
  "invalid_producer_epoch",
  "invalid_producer_id_mapping",
  "invalid_txn_state",
]);
