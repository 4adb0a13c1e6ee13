import { concatBytes, totalBytes } from "../../base/bytes.ts";
import { compareUlids, ulidText } from "../../base/ulid.ts";
import type { BlobInfo, BlobName, BlobSlice, Blobs, Place, PutBlob } from "../../ports/index.ts";

interface StoredBlob {
  readonly bytes: Uint8Array;
  readonly info: BlobInfo;
}

const LIST_PAGE = 100;

export class MemoryBlobs implements Blobs {
  readonly separate = false;
  readonly #blobs = new Map<string, StoredBlob>();
  readonly #inlineMostBytes: number;
  readonly #checkOpen: () => void;

  constructor(inlineMostBytes: number, checkOpen: () => void) {
    this.#inlineMostBytes = inlineMostBytes;
    this.#checkOpen = checkOpen;
  }

  /** 0 up to a size, 1 above it; both mean the same here. */
  place(sizeBytes: number): Place {
    return sizeBytes <= this.#inlineMostBytes ? 0 : 1;
  }

  put({ id, pieces, partitions }: PutBlob): void {
    const sizeBytes = totalBytes(pieces);
    const info = { id: new Uint8Array(id), place: this.place(sizeBytes), sizeBytes, partitions: [...partitions] };
    this.#blobs.set(ulidText(id), { bytes: new Uint8Array(concatBytes(pieces)), info });
  }

  async read(slices: readonly BlobSlice[]): Promise<(Uint8Array | undefined)[]> {
    this.#checkOpen();
    return slices.map(({ id, from, to }) => this.#blobs.get(ulidText(id))?.bytes.slice(from, to));
  }

  async delete(names: readonly BlobName[]): Promise<void> {
    this.#checkOpen();
    for (const { id } of names) this.#blobs.delete(ulidText(id));
  }

  async *list(upTo: Uint8Array, which: "all" | "large" = "all"): AsyncIterable<readonly BlobInfo[]> {
    this.#checkOpen();
    const found: BlobInfo[] = [];
    for (const { info } of this.#blobs.values()) {
      if (compareUlids(info.id, upTo) <= 0 && (which === "all" || info.place === 1))
        found.push({ ...info, id: info.id.slice(), partitions: [...info.partitions] });
    }
    for (let i = 0; i < found.length; i += LIST_PAGE) {
      this.#checkOpen();
      yield found.slice(i, i + LIST_PAGE);
    }
  }
}
