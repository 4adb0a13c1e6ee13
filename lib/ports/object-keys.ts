/** Which object keys are legal: the same in every backend, so that what works here works there. */
import { StorageError } from "./table.ts";

/** Throws `StorageError` (`unavailable`) unless the key is 1 to 1024 bytes of letters, digits and `/ . _ -` in proper parts. */
export function checkObjectKey(key: string): void {
  const legal =
    /^[A-Za-z0-9._/-]{1,1024}$/.test(key) && key.split("/").every((part) => part !== "" && part !== "." && part !== "..");
  if (!legal) {
    throw new StorageError(
      "unavailable",
      `object key "${key.slice(0, 80)}" is not legal: 1 to 1024 of A-Z a-z 0-9 / . _ - with no part empty, . or ..`,
    );
  }
}
