/** A storage's error as the caller of the log sees it, in one place. */
import { BrokerlessError } from "../base/errors.ts";
import { StorageError } from "../ports/index.ts";

/** The error of the log for one of the storage; anything else passes through as it is. */
export function fromStorage(error: unknown, what: string): unknown {
  if (!(error instanceof StorageError)) return error;
  const message = `${what}: ${error.message}`;
  switch (error.kind) {
    case "throttled":
      return new BrokerlessError("throttled", message, { retryAfterMs: 1000, cause: error });
    case "full":
      return new BrokerlessError("storage_full", message, { retryAfterMs: 30_000, cause: error });
    case "too_large":
      return new BrokerlessError("request_too_large", message, { cause: error });
    case "unknown":
      return new BrokerlessError("outcome_unknown", message, { outcome: "unknown", cause: error });
    case "condition_failed":
    case "contended":
    case "not_reached":
    case "unavailable":
      return new BrokerlessError("unavailable", message, { retryAfterMs: 1000, cause: error });
  }
}

/** Runs a step and turns what the storage says into an error of the log. */
export async function storageStep<T>(what: string, step: () => Promise<T>): Promise<T> {
  try {
    return await step();
  } catch (error) {
    throw fromStorage(error, what);
  }
}

/** Is this the refusal of a condition? */
export function isRefusal(error: unknown): error is StorageError {
  return error instanceof StorageError && error.kind === "condition_failed";
}
