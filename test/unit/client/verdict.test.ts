import { describe, expect, test } from "vitest";
import { BrokerlessError, type ErrorCode, type Outcome } from "../../../lib/client/index.ts";
import { type Attempt, judge } from "../../../lib/client/producer/verdict.ts";

function attempt(code: ErrorCode, outcome: Outcome, more: Partial<Attempt> = {}): Attempt {
  return {
    error: new BrokerlessError(code, "said the server", { outcome }),
    idempotent: true,
    wasFirst: true,
    inDoubt: false,
    afterDoubt: false,
    recordCount: 10,
    expired: false,
    ...more,
  };
}

describe("what follows from a failed attempt", () => {
  test.each<[string, Attempt, ReturnType<typeof judge>["kind"]]>([
    ["no answer: the same bytes again", attempt("outcome_unknown", "unknown"), "retry"],
    ["no answer, and no time left", attempt("outcome_unknown", "unknown", { expired: true }), "fail"],
    ["no answer to a plain producer: never again", attempt("outcome_unknown", "unknown", { idempotent: false }), "fail"],
    ["written, but the offset was not told: ask again", attempt("unavailable", "applied"), "retry"],
    ["the server is busy", attempt("throttled", "not_applied"), "retry"],
    ["the server is busy, a plain producer", attempt("throttled", "not_applied", { idempotent: false }), "retry"],
    ["the server is busy, and no time left", attempt("throttled", "not_applied", { expired: true }), "fail"],
    ["written before, and its place forgotten", attempt("duplicate_sequence", "not_applied"), "written"],
    ["it overtook the batch before it", attempt("out_of_order_sequence", "not_applied", { wasFirst: false }), "hold"],
    ["it overtook the very first batch", attempt("unknown_producer", "not_applied", { wasFirst: false }), "hold"],
    ["the server forgot the producer", attempt("unknown_producer", "not_applied"), "renumber"],
    ["the server forgot the producer after a doubt", attempt("unknown_producer", "not_applied", { inDoubt: true }), "fail"],
    ["a gap that nothing explains", attempt("out_of_order_sequence", "not_applied"), "fail"],
    [
      "a gap after a batch that was given up in doubt",
      attempt("out_of_order_sequence", "not_applied", { afterDoubt: true }),
      "renumber",
    ],
    [
      "such a gap, and the batch itself in doubt",
      attempt("out_of_order_sequence", "not_applied", { afterDoubt: true, inDoubt: true }),
      "fail",
    ],
    ["too large", attempt("record_too_large", "not_applied"), "split"],
    ["too large, one record", attempt("record_too_large", "not_applied", { recordCount: 1 }), "fail"],
    ["too large after a doubt", attempt("record_too_large", "not_applied", { inDoubt: true }), "fail"],
    ["no such topic", attempt("unknown_topic", "not_applied"), "fail"],
    ["a newer producer took over", attempt("invalid_producer_epoch", "not_applied"), "fail"],
  ])("%s", (_name, given, kind) => {
    expect(judge(given).kind).toBe(kind);
  });

  test("a failure after an attempt in doubt is told as unknown, whatever the last answer was", () => {
    for (const code of ["unknown_topic", "out_of_order_sequence", "record_too_large"] as const) {
      const verdict = judge(attempt(code, "not_applied", { inDoubt: true }));
      expect(verdict).toMatchObject({ kind: "fail", error: { code: "outcome_unknown", outcome: "unknown" } });
    }
  });
});
