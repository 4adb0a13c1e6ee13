/** What a simulated queue and its topics are called, and what those who use them may meet. */
import { BrokerlessError } from "../../../lib/base/errors.ts";
import { isSetback } from "../clients.ts";

export const GROUP = "g";
export const TOPIC = "t";
/** A topic that goes and comes. */
export const OTHER = "u";
export const DEAD_LETTERS = "dead";

/** The code of an error that a worker may meet; throws any other. */
export function codeOf(error: unknown): string {
  if (isSetback(error)) return "setback";
  if (error instanceof BrokerlessError && EXPECTED.has(error.code)) return error.code;
  throw error;
}

const EXPECTED: ReadonlySet<string> = new Set([
  "group_busy",
  "invalid_record_state",
  "unknown_group",
  "unknown_topic",
  "unknown_partition",
]);
