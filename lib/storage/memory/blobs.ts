import { concatBytes } from "../../base/bytes.ts";
import { parseUlid, ulidText } from "../../base/ulid.ts";
import type { BlobInfo, BlobName, BlobSlice, Blobs, Place, PutBlob } from "../../ports/index.ts";

export class MemoryBlobs implements Blobs {
  readonly #blobs = new Map<string, { readonly bytes: Uint8Array; readonly partitions: readonly string[] }>();

  put({ id, pieces, partitions }: PutBlob): void {
    this.#blobs.set(ulidText(id), { bytes: concatBytes(pieces).slice(), partitions: [...partitions] });
  }

  place(): Place {
    return 0;
  }

  async read(slices: readonly BlobSlice[]): Promise<(Uint8Array | undefined)[]> {
    return slices.map(({ id, from, to }) => this.#blobs.get(ulidText(id))?.bytes.slice(from, to));
  }

  async delete(names: readonly BlobName[]): Promise<void> {
    for (const { id } of names) this.#blobs.delete(ulidText(id));
  }

  async *list(upTo: Uint8Array): AsyncIterable<readonly BlobInfo[]> {
    const last = ulidText(upTo);
    yield [...this.#blobs]
      .filter(([text]) => text <= last)
      .map(([text, { bytes, partitions }]) => ({
        id: parseUlid(text) as Uint8Array,
        place: 0,
        sizeBytes: bytes.byteLength,
        partitions,
      }));
  }
}
