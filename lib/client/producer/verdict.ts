/**
 * What to do about a batch that was sent and answered with an error. A pure rule.
 *
 * V1  A batch that may have been written is sent again only as the very same bytes, by an idempotent producer.
 * V2  A batch gets another number only when it was certainly not written under the one it has.
 * V3  A failure that is told says `not_applied` only when no attempt is in doubt.
 */
import { BrokerlessError } from "../../base/errors.ts";

export interface Attempt {
  readonly error: BrokerlessError;
  readonly idempotent: boolean;
  /** Every batch before it was answered when this attempt was sent. */
  readonly wasFirst: boolean;
  /** An earlier attempt may have been written. */
  readonly inDoubt: boolean;
  /** A batch before it was given up in doubt, so a gap in front of it proves nothing. */
  readonly afterDoubt: boolean;
  readonly recordCount: number;
  /** Its time for delivery is over. */
  readonly expired: boolean;
}

export type Verdict =
  /** The same bytes again, after a pause. */
  | { readonly kind: "retry" }
  /** The same bytes again, once everything before it is answered. */
  | { readonly kind: "hold" }
  /** Again under a new number. */
  | { readonly kind: "renumber" }
  /** In two halves, under new numbers. */
  | { readonly kind: "split" }
  /** It is written; where is not known. */
  | { readonly kind: "written" }
  | { readonly kind: "fail"; readonly error: BrokerlessError };

export function judge(attempt: Attempt): Verdict {
  const { error, idempotent, expired } = attempt;
  if (error.code === "duplicate_sequence") return { kind: "written" };
  if (error.outcome !== "not_applied") {
    return idempotent && !expired ? { kind: "retry" } : { kind: "fail", error };
  }
  if (idempotent && (error.code === "out_of_order_sequence" || error.code === "unknown_producer")) {
    if (!attempt.wasFirst) return { kind: "hold" };
    if (!attempt.inDoubt && (attempt.afterDoubt || error.code === "unknown_producer")) return { kind: "renumber" };
  } else if (error.retriable && !expired) {
    return { kind: "retry" };
  } else if (TOO_LARGE.has(error.code) && attempt.recordCount > 1 && !attempt.inDoubt) {
    return { kind: "split" };
  }
  return { kind: "fail", error: attempt.inDoubt ? inDoubt(error) : error };
}

const TOO_LARGE: ReadonlySet<string> = new Set(["record_too_large", "request_too_large"]);

function inDoubt(error: BrokerlessError): BrokerlessError {
  return new BrokerlessError(
    "outcome_unknown",
    `${error.message}; an earlier attempt was not answered, so the records may or may not be written`,
    { outcome: "unknown", cause: error },
  );
}
