/** How errors name a batch, and numbers in them. */
import { BrokerlessError, type ErrorCode } from "../../base/errors.ts";

/** Which batch of a request is spoken of. */
export interface BatchPlace {
  readonly at: number;
  /** From 0; undefined where one batch was read alone. */
  readonly index?: number;
  readonly total?: number;
}

/** With thousands separated by commas, in every locale. */
export function grouped(n: number): string {
  return n.toLocaleString("en-US");
}

function batchName(place: BatchPlace): string {
  if (place.index === undefined) return `record batch at byte ${grouped(place.at)}`;
  return `record batch ${place.index + 1} of ${place.total ?? "?"}`;
}

/** An error about one batch. The index from 0 is in `details.batchIndex`, the first byte in `details.at`. */
export function batchError(code: ErrorCode, place: BatchPlace, what: string, cause?: unknown): BrokerlessError {
  return new BrokerlessError(code, `${batchName(place)} ${what}`, {
    ...(place.index === undefined ? {} : { field: `batches[${place.index}]` }),
    details: { at: place.at, ...(place.index === undefined ? {} : { batchIndex: place.index }) },
    cause,
  });
}

/** An error about one record of a batch, counted from 0 in `details.recordIndex`, from 1 in the text. */
export function recordError(
  code: ErrorCode,
  place: BatchPlace,
  recordIndex: number,
  recordCount: number,
  what: string,
): BrokerlessError {
  return new BrokerlessError(code, `record ${recordIndex + 1} of ${recordCount} in ${batchName(place)} ${what}`, {
    field: place.index === undefined ? `records[${recordIndex}]` : `batches[${place.index}].records[${recordIndex}]`,
    details: { at: place.at, recordIndex, ...(place.index === undefined ? {} : { batchIndex: place.index }) },
  });
}
