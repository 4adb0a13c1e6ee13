/** What an acknowledgement says of the records that it names. Pure. */
import { BrokerlessError } from "../../base/errors.ts";
import type { AcknowledgeBatch } from "./types.ts";
import type { Judgement, Verdict } from "./window.ts";

const OFFSETS_MOST = 100_000;
/** By acknowledgement type. */
const VERDICTS: readonly Verdict[] = ["finish", "finish", "release", "reject", "renew"];

/** Throws `invalid_request`. */
export function judgementsOf({ firstOffset, lastOffset, types }: AcknowledgeBatch, holder: string, untilMs: number): Judgement[] {
  const count = lastOffset - firstOffset + 1;
  const fits = Number.isSafeInteger(firstOffset) && Number.isSafeInteger(lastOffset) && firstOffset >= 0 && count >= 1;
  if (!fits || count > OFFSETS_MOST || (types.length !== 1 && types.length !== count)) {
    const what = `offsets ${firstOffset} to ${lastOffset} with ${types.length} acknowledgement types; it takes one type, or one for each offset`;
    throw new BrokerlessError("invalid_request", what, { field: "acknowledge_types" });
  }
  const judgements: Judgement[] = [];
  for (const [i, type] of types.entries()) {
    const verdict = VERDICTS[type];
    if (verdict === undefined) {
      throw new BrokerlessError("invalid_request", `acknowledgement type ${type}; 0 to 4 are known`, {
        field: "acknowledge_types",
      });
    }
    const [first, last] = types.length === 1 ? [firstOffset, lastOffset] : [firstOffset + i, firstOffset + i];
    const before = judgements.at(-1);
    if (before !== undefined && before.verdict === verdict && before.gap === (type === 0)) {
      judgements[judgements.length - 1] = { ...before, last };
    } else judgements.push({ first, last, verdict, holder, untilMs, gap: type === 0 });
  }
  return judgements;
}
