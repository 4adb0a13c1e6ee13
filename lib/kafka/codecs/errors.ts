/** What a codec throws for input from outside. */
import { BrokerlessError } from "../../base/errors.ts";

export function corruptInput(what: string, cause?: unknown): BrokerlessError {
  return new BrokerlessError("corrupt_record", what, { cause });
}

export function overLimit(limitBytes: number): BrokerlessError {
  return new BrokerlessError("record_too_large", `decompresses to more than ${limitBytes} bytes`);
}
