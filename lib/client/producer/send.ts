/** One batch to the server, and where it was written. */
import { BrokerlessError } from "../../base/errors.ts";
import type { Http } from "../http.ts";
import { RECORD_BATCH_TYPE } from "../media-type.ts";
import type { Batch } from "./batch.ts";
import type { Written } from "./types.ts";

/** One attempt. Throws `BrokerlessError` with what became of it. */
export async function appendBatch(http: Http, batch: Batch, acks: 0 | 1 | "all"): Promise<Written> {
  const answer = await http.json({
    method: "POST",
    path: ["topics", batch.topic, "partitions", batch.partition, "records"],
    query: acks === "all" ? undefined : { acks },
    headers: { "content-type": RECORD_BATCH_TYPE },
    body: batch.bytes,
  });
  if (acks === 0) return { baseOffset: -1, logAppendTimeMs: undefined };
  const { base_offset: baseOffset, log_append_time: logAppendTimeMs } = (answer ?? {}) as Record<string, unknown>;
  if (!Number.isSafeInteger(baseOffset)) {
    throw new BrokerlessError("outcome_unknown", `${http.baseUrl} answered without base_offset: is it a Brokerless server?`, {
      outcome: "unknown",
    });
  }
  return {
    baseOffset: baseOffset as number,
    logAppendTimeMs: typeof logAppendTimeMs === "number" && logAppendTimeMs >= 0 ? logAppendTimeMs : undefined,
  };
}
