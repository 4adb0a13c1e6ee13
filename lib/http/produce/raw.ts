/** Raw batches without a partition: their records, so that each can go where its key belongs. */
import { BrokerlessError } from "../../base/errors.ts";
import { batchHeaders, decodeBatch, prepareBatches } from "../../kafka/index.ts";
import { ParsedRecord } from "../json/records.ts";
import type { Surface } from "../surface.ts";
import { requireBatches } from "./to-partition.ts";

/** Checks the batches whole. Throws `corrupt_record`, and `invalid_request` for batches that only one partition can take. */
export function recordsOfBatches(bytes: Uint8Array, surface: Surface): ParsedRecord[] {
  const { codecs, clock, limits } = surface;
  requireBatches(bytes);
  // The topic's own limit is checked again when the records are encoded for their partitions.
  prepareBatches(bytes, {
    maxBatchBytes: bytes.byteLength,
    codecs,
    nowMs: clock.nowMs(),
    maxDecompressedBytes: limits.bodyBytes,
  });
  const records: ParsedRecord[] = [];
  let roomBytes = limits.bodyBytes;
  for (const header of batchHeaders(bytes)) {
    if (header.producerId >= 0 || header.isTransactional || header.isControl) {
      throw new BrokerlessError(
        "invalid_request",
        "a batch of an idempotent producer goes to one partition: send it to /topics/{topic}/partitions/{partition}/records",
        { field: "body" },
      );
    }
    for (const one of decodeBatch(bytes, header.at, codecs, { maxDecompressedBytes: roomBytes })) {
      const record = new ParsedRecord();
      record.key = one.key;
      record.value = one.value;
      record.headers = one.headers as ParsedRecord["headers"];
      record.timestampMs = one.timestampMs;
      roomBytes -= (one.key?.byteLength ?? 0) + (one.value?.byteLength ?? 0);
      records.push(record);
      if (records.length > limits.recordsPerRequest) {
        throw new BrokerlessError(
          "request_too_large",
          `the request has more than ${limits.recordsPerRequest} records, the most that one may have`,
          {
            field: "body",
          },
        );
      }
    }
    if (roomBytes < 0) {
      throw new BrokerlessError(
        "request_too_large",
        `the records are larger than the limit of ${limits.bodyBytes} bytes when decompressed`,
        {
          field: "body",
        },
      );
    }
  }
  return records;
}
