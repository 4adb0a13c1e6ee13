/** Whole record batches to the server, and where they were written. */
import { BrokerlessError } from "../../base/errors.ts";
import type { Http } from "../http.ts";
import { RECORD_BATCH_TYPE } from "../media-type.ts";
import type { Appended } from "./types.ts";

/** One attempt. Throws `BrokerlessError` with what became of it. */
export async function appendBatches(
  http: Http,
  topic: string,
  partition: number,
  batches: Uint8Array,
  acks: 0 | 1 | "all",
): Promise<Appended> {
  const answer = await http.json({
    method: "POST",
    path: ["topics", topic, "partitions", partition, "records"],
    query: acks === "all" ? undefined : { acks },
    headers: { "content-type": RECORD_BATCH_TYPE },
    body: batches,
  });
  if (acks === 0) return { baseOffset: -1, logAppendTimeMs: undefined, duplicate: false };
  const { base_offset: baseOffset, log_append_time: logAppendTimeMs, duplicate } = (answer ?? {}) as Record<string, unknown>;
  if (!Number.isSafeInteger(baseOffset)) {
    throw new BrokerlessError("outcome_unknown", `${http.baseUrl} answered without base_offset: is it a Brokerless server?`, {
      outcome: "unknown",
    });
  }
  return {
    baseOffset: baseOffset as number,
    logAppendTimeMs: typeof logAppendTimeMs === "number" && logAppendTimeMs >= 0 ? logAppendTimeMs : undefined,
    duplicate: duplicate === true,
  };
}
