import { expect, test } from "vitest";
import { decodeFooter, encodeBlobObject, readBlobMetadata } from "../../../../lib/storage/aws/blob-object.ts";

test("a blob object is its bytes, then the names of its partitions; the metadata says where they begin", () => {
  const partitions = Array.from({ length: 300 }, (_, i) => `topic-${i}#${i}`);
  const { body, metadata } = encodeBlobObject([new Uint8Array([1, 2]), new Uint8Array([3])], partitions);
  const { dataBytes } = readBlobMetadata("blobs/x", metadata);
  expect([...body.subarray(0, dataBytes)]).toEqual([1, 2, 3]);
  expect(decodeFooter("blobs/x", body.subarray(dataBytes))).toEqual(partitions);
});

test.each([
  [{ format: "2", "data-bytes": "3" }, "object blobs/x has format 2, which a newer version wrote: upgrade"],
  [{}, "object blobs/x has lost its metadata (format, data-bytes): copy it again with them"],
  [{ format: "1", "data-bytes": "many" }, "object blobs/x has lost its metadata"],
])("metadata %o is refused, with the way out", (metadata, message) => {
  expect(() => readBlobMetadata("blobs/x", metadata)).toThrow(message);
});

test("a footer that is none is refused", () => {
  for (const text of ["", "{}", "[1]", '["a"']) {
    expect(() => decodeFooter("blobs/x", new TextEncoder().encode(text))).toThrow("the footer of object blobs/x cannot be read");
  }
});
