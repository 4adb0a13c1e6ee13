import { concatBytes } from "../../base/bytes.ts";
import { type Bucket, type ObjectInfo, StorageError } from "../../ports/index.ts";
import { checkObjectKey } from "../../ports/rules.ts";
import { compareText } from "../../ports/values.ts";

interface StoredObject {
  readonly bytes: Uint8Array;
  readonly modifiedAtMs: number;
}

const LIST_PAGE = 100;

export class MemoryBucket implements Bucket {
  readonly #objects = new Map<string, StoredObject>();
  readonly #nowMs: () => number;
  readonly #checkOpen: () => void;

  constructor(nowMs: () => number, checkOpen: () => void) {
    this.#nowMs = nowMs;
    this.#checkOpen = checkOpen;
  }

  async put(
    key: string,
    body: Uint8Array | readonly Uint8Array[],
    { ifAbsent = false }: { readonly ifAbsent?: boolean } = {},
  ): Promise<void> {
    this.#checkOpen();
    checkObjectKey(key);
    if (ifAbsent && this.#objects.has(key)) throw new StorageError("condition_failed", `object ${key} exists`);
    const bytes = new Uint8Array(body instanceof Uint8Array ? body : concatBytes(body));
    this.#objects.set(key, { bytes, modifiedAtMs: this.#nowMs() });
  }

  async putStream(key: string, pieces: AsyncIterable<Uint8Array>): Promise<void> {
    this.#checkOpen();
    checkObjectKey(key);
    const all: Uint8Array[] = [];
    for await (const piece of pieces) all.push(piece);
    await this.put(key, all);
  }

  async get(key: string, { from, to }: { readonly from?: number; readonly to?: number } = {}): Promise<Uint8Array | undefined> {
    this.#checkOpen();
    checkObjectKey(key);
    return this.#objects.get(key)?.bytes.slice(from, to);
  }

  async delete(keys: readonly string[]): Promise<void> {
    this.#checkOpen();
    for (const key of keys) checkObjectKey(key);
    for (const key of keys) this.#objects.delete(key);
  }

  async *list(prefix: string, { after }: { readonly after?: string } = {}): AsyncIterable<readonly ObjectInfo[]> {
    this.#checkOpen();
    const found: ObjectInfo[] = [];
    for (const [key, { bytes, modifiedAtMs }] of this.#objects) {
      if (!key.startsWith(prefix) || (after !== undefined && key <= after)) continue;
      found.push({ key, sizeBytes: bytes.byteLength, modifiedAtMs });
    }
    found.sort((a, b) => compareText(a.key, b.key));
    for (let i = 0; i < found.length; i += LIST_PAGE) {
      this.#checkOpen();
      yield found.slice(i, i + LIST_PAGE);
    }
  }

  async concat(keys: readonly string[], into: string): Promise<void> {
    this.#checkOpen();
    checkObjectKey(into);
    const parts = keys.map((key) => {
      checkObjectKey(key);
      const found = this.#objects.get(key);
      if (found === undefined) throw new StorageError("condition_failed", `object ${key} is not there`);
      return found.bytes;
    });
    this.#objects.set(into, { bytes: new Uint8Array(concatBytes(parts)), modifiedAtMs: this.#nowMs() });
  }

  async presign(): Promise<undefined> {
    return undefined;
  }
}
