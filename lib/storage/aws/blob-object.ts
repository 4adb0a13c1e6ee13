/**
 * A large blob as an object: its bytes, then a footer with the names of the partitions that are in it, as JSON. Object
 * metadata says where the footer begins: it comes with every read, and has no room for the names themselves (2 KB).
 * Pure.
 */
import { concatBytes, totalBytes } from "../../base/bytes.ts";
import { StorageError } from "../../ports/table.ts";

/** Version of what is written here; a newer one is refused. */
export const BLOB_FORMAT = 1;
/** Nearly every footer is shorter. */
export const FOOTER_GUESS_BYTES = 4096;

const FORMAT = "format";
const DATA_BYTES = "data-bytes";

export function encodeBlobObject(
  pieces: readonly Uint8Array[],
  partitions: readonly string[],
): { readonly body: Uint8Array; readonly metadata: Record<string, string> } {
  const footer = new TextEncoder().encode(JSON.stringify(partitions));
  return {
    body: concatBytes([...pieces, footer]),
    metadata: { [FORMAT]: String(BLOB_FORMAT), [DATA_BYTES]: String(totalBytes(pieces)) },
  };
}

/** How many bytes of the object are the blob's own. Throws `unavailable` for what another version or program wrote. */
export function readBlobMetadata(key: string, metadata: Readonly<Record<string, string>>): { readonly dataBytes: number } {
  const format = metadata[FORMAT];
  if (format !== undefined && format !== String(BLOB_FORMAT)) {
    throw new StorageError("unavailable", `object ${key} has format ${format}, which a newer version wrote: upgrade`);
  }
  const dataBytes = Number(metadata[DATA_BYTES] ?? Number.NaN);
  if (format === undefined || !Number.isSafeInteger(dataBytes)) {
    throw new StorageError(
      "unavailable",
      `object ${key} has lost its metadata (${FORMAT}, ${DATA_BYTES}): copy it again with them`,
    );
  }
  return { dataBytes };
}

/** The names of the partitions. */
export function decodeFooter(key: string, footer: Uint8Array): string[] {
  try {
    const names: unknown = JSON.parse(new TextDecoder().decode(footer));
    if (Array.isArray(names) && names.every((name) => typeof name === "string")) return names;
  } catch {
    // Said below.
  }
  throw new StorageError("unavailable", `the footer of object ${key} cannot be read`);
}
