/** What an `Idempotency-Key` may be: one rule for every surface. */
import { BrokerlessError } from "../base/errors.ts";

/** Throws `invalid_request` unless the key is 1 to 255 printable ASCII characters without spaces. */
export function checkIdempotencyKey(key: string): void {
  if (/^[\x21-\x7e]{1,255}$/.test(key)) return;
  throw new BrokerlessError(
    "invalid_request",
    `Idempotency-Key must be 1 to 255 printable ASCII characters without spaces; it has ${key.length}`,
    { field: "Idempotency-Key" },
  );
}
