/** The format version that every item carries in `v`, and how it is checked. */
import { BrokerlessError } from "../../base/errors.ts";
import type { Item } from "../../ports/index.ts";

/** Grows only when an older program would misread an item. */
export const FORMAT_VERSION = 1;

/** Refuses an item that a newer program wrote. */
export function checkFormat(item: Item, what: string): void {
  const version = item["v"];
  if (typeof version !== "number" || version > FORMAT_VERSION) {
    throw new BrokerlessError(
      "unsupported_version",
      `${what} has format version ${String(version)}; this program reads up to ${FORMAT_VERSION}: run a newer one`,
    );
  }
}

/** Offsets in sort keys: 20 digits, so that they sort as numbers. */
export function offsetKey(offset: number): string {
  return String(offset).padStart(20, "0");
}
