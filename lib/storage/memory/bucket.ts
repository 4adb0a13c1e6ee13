import { concatBytes } from "../../base/bytes.ts";
import { type Bucket, type Clock, type ObjectInfo, StorageError } from "../../ports/index.ts";
import { checkObjectKey } from "../../ports/object-keys.ts";

export class MemoryBucket implements Bucket {
  readonly #clock: Clock;
  readonly #objects = new Map<string, { readonly bytes: Uint8Array; readonly modifiedAtMs: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  async put(key: string, body: Uint8Array | readonly Uint8Array[], options: { readonly ifAbsent?: boolean } = {}): Promise<void> {
    checkObjectKey(key);
    if (options.ifAbsent === true && this.#objects.has(key)) throw new StorageError("condition_failed", `object "${key}" exists`);
    const bytes = body instanceof Uint8Array ? body : concatBytes(body);
    this.#objects.set(key, { bytes: bytes.slice(), modifiedAtMs: this.#clock.nowMs() });
  }

  async get(key: string, slice: { readonly from?: number; readonly to?: number } = {}): Promise<Uint8Array | undefined> {
    checkObjectKey(key);
    return this.#objects.get(key)?.bytes.slice(slice.from ?? 0, slice.to);
  }

  async delete(keys: readonly string[]): Promise<void> {
    for (const key of keys) checkObjectKey(key);
    for (const key of keys) this.#objects.delete(key);
  }

  async *list(prefix: string, options: { readonly after?: string } = {}): AsyncIterable<readonly ObjectInfo[]> {
    const { after = "" } = options;
    yield [...this.#objects]
      .filter(([key]) => key.startsWith(prefix) && key > after)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, { bytes, modifiedAtMs }]) => ({ key, sizeBytes: bytes.byteLength, modifiedAtMs }));
  }

  async concat(keys: readonly string[], into: string): Promise<void> {
    const parts = await Promise.all(keys.map((key) => this.get(key)));
    const missing = parts.indexOf(undefined);
    if (missing >= 0) throw new StorageError("unavailable", `object "${keys[missing]}" is not there`);
    await this.put(into, parts as Uint8Array[]);
  }

  async presign(): Promise<undefined> {
    return undefined;
  }
}
