/**
 * Blobs: small ones as items of the table, others as objects. S3 asks the same for a put of any size and nothing for a
 * delete, DynamoDB for each begun KB of both: from 4 KB on the object is cheaper.
 *
 * | place | where | the list of partitions |
 * |---|---|---|
 * | 0 | item `B#<ulid>`, `.`: `v` version, `d` bytes, `n` their number, `p` partitions | attribute `p` |
 * | 1 | object `blobs/<ulid>`: the bytes, then the footer; metadata `format`, `data-bytes` | the footer (`blob-object.ts`) |
 *
 * B3  Bytes under a fresh ULID may be written again when the answer was lost: the same bytes under the same name, which
 *     nobody else uses and no ref names before the write was answered. The worst that a late one does is to leave a blob
 *     that nothing refers to, which the sweeper takes.
 */
import { BatchWriteItemCommand, PutItemCommand } from "@aws-sdk/client-dynamodb";
import { concatBytes, totalBytes } from "../../base/bytes.ts";
import { inParallel } from "../../base/parallel.ts";
import { parseUlid, ulidText } from "../../base/ulid.ts";
import {
  type BlobInfo,
  type BlobName,
  type BlobSlice,
  type Blobs,
  type Place,
  type PutBlob,
  StorageError,
} from "../../ports/index.ts";
import { BLOB_FORMAT, decodeFooter, encodeBlobObject, FOOTER_GUESS_BYTES, readBlobMetadata } from "./blob-object.ts";
import { type Operation, operation } from "./calls.ts";
import { type Attributes, fromStored, keyOf, toKey, toStored } from "./marshal.ts";
import type { Objects } from "./objects.ts";
import { type TableParts, unitsOf } from "./parts.ts";
import type { TableReads } from "./reads.ts";

const INLINE_BELOW_BYTES = 4096;
const INLINE_PREFIX = "B#";
const OBJECT_PREFIX = "blobs/";
/** DynamoDB's limit of one batch. */
const BATCH_MOST_DELETES = 25;
/** So many footers are read at once while listing. */
const FOOTERS_AT_ONCE = 32;

const INLINE: Place = 0;
const OBJECT: Place = 1;

export class AwsBlobs implements Blobs {
  /** One object for many partitions is what makes writing to many of them cheap. */
  readonly separate = false;
  readonly #parts: TableParts;
  readonly #reads: TableReads;
  readonly #objects: Objects;
  readonly #putItem: Operation;
  readonly #deleteItems: Operation;

  constructor(parts: TableParts, reads: TableReads, objects: Objects) {
    this.#parts = parts;
    this.#reads = reads;
    this.#objects = objects;
    const target = { service: "DynamoDB", name: parts.tableName, region: parts.region } as const;
    this.#putItem = operation({ ...target, operation: "PutItem" }, "repeatable");
    this.#deleteItems = operation({ ...target, operation: "BatchWriteItem" }, "repeatable");
  }

  place(sizeBytes: number): Place {
    return sizeBytes < INLINE_BELOW_BYTES ? INLINE : OBJECT;
  }

  async put({ id, pieces, partitions }: PutBlob, untilMs: number): Promise<void> {
    const sizeBytes = totalBytes(pieces);
    if (this.place(sizeBytes) === OBJECT) {
      const { body, metadata } = encodeBlobObject(pieces, partitions);
      return this.#objects.put(objectKey(id), body, untilMs, { metadata });
    }
    const item = { v: BLOB_FORMAT, d: concatBytes(pieces), n: sizeBytes, p: [...partitions] };
    const { calls, client, tableName, metrics } = this.#parts;
    const command = new PutItemCommand({
      TableName: tableName,
      Item: toStored(itemKey(id), { item, expiresAtS: undefined }),
      ReturnConsumedCapacity: "TOTAL",
    });
    const answer = await calls.send(this.#putItem, untilMs, (options) => client.send(command, options));
    metrics.count("dynamodb_write_units_total", unitsOf(answer.ConsumedCapacity));
  }

  async read(slices: readonly BlobSlice[]): Promise<(Uint8Array | undefined)[]> {
    return this.#parts.calls.run(async () => {
      const inline = slices.filter(({ place }) => place === INLINE);
      const [items, objects] = await Promise.all([
        inline.length === 0 ? [] : this.#reads.getMany(inline.map(({ id }) => itemKey(id))),
        Promise.all(slices.map((slice) => (slice.place === INLINE ? undefined : this.#readObject(slice)))),
      ]);
      let next = 0;
      return slices.map((slice, i) => (slice.place === INLINE ? sliceOf(items[next++], slice) : objects[i]));
    });
  }

  async #readObject({ id, from, to }: BlobSlice): Promise<Uint8Array | undefined> {
    // A range of nothing cannot be asked for.
    const found = await this.#objects.get(objectKey(id), { from, to: Math.max(to, from + 1) });
    if (found === undefined || found.bytes.byteLength === 0) return found?.bytes;
    const { dataBytes } = readBlobMetadata(objectKey(id), found.metadata);
    return found.bytes.subarray(0, Math.max(0, Math.min(to, dataBytes) - from));
  }

  async delete(names: readonly BlobName[]): Promise<void> {
    const { calls } = this.#parts;
    return calls.run(async () => {
      const untilMs = calls.writeDeadline();
      const inline = names.filter(({ place }) => place === INLINE);
      const others = names.filter(({ place }) => place !== INLINE);
      await Promise.all([
        this.#deleteInline([...new Set(inline.map(({ id }) => ulidText(id)))], untilMs),
        this.#objects.delete([...new Set(others.map(({ id }) => objectKey(id)))], untilMs),
      ]);
    });
  }

  async #deleteInline(ulids: readonly string[], untilMs: number): Promise<void> {
    for (let i = 0; i < ulids.length; i += BATCH_MOST_DELETES) {
      const keys = ulids.slice(i, i + BATCH_MOST_DELETES).map((ulid) => toKey({ pk: INLINE_PREFIX + ulid, sk: "." }));
      await this.#deleteBatch(keys, untilMs);
    }
  }

  async #deleteBatch(keys: readonly Attributes[], untilMs: number): Promise<void> {
    const { calls, client, tableName, metrics, clock, ids } = this.#parts;
    let left = keys;
    for (let pauseMs = 20; ; pauseMs = Math.min(pauseMs * 2, 1000)) {
      const command = new BatchWriteItemCommand({
        RequestItems: { [tableName]: left.map((Key) => ({ DeleteRequest: { Key } })) },
        ReturnConsumedCapacity: "TOTAL",
      });
      const answer = await calls.send(this.#deleteItems, untilMs, (options) => client.send(command, options));
      metrics.count("dynamodb_write_units_total", unitsOf(answer.ConsumedCapacity));
      left = (answer.UnprocessedItems?.[tableName] ?? []).flatMap(({ DeleteRequest }) =>
        DeleteRequest?.Key === undefined ? [] : [DeleteRequest.Key],
      );
      if (left.length === 0) return;
      if (clock.monotonicMs() + pauseMs > untilMs) throw new StorageError("throttled", "DynamoDB asks for fewer writes");
      await clock.sleep(pauseMs * (0.5 + ids.random() / 2));
    }
  }

  async *list(upTo: Uint8Array, which: "all" | "large" = "all"): AsyncIterable<readonly BlobInfo[]> {
    if (which === "all") yield* this.#listInline(ulidText(upTo));
    yield* this.#listObjects(ulidText(upTo));
  }

  async *#listInline(upTo: string): AsyncIterable<readonly BlobInfo[]> {
    const values = { ":from": { S: INLINE_PREFIX }, ":to": { S: INLINE_PREFIX + upTo } };
    let after: Attributes | undefined;
    do {
      const page = await this.#parts.calls.run(() => this.#reads.scan("pk BETWEEN :from AND :to", values, "pk, sk, n, p", after));
      const infos = page.items.flatMap((attributes): BlobInfo[] => {
        const id = parseUlid(keyOf(attributes).pk.slice(INLINE_PREFIX.length));
        if (id === undefined) return [];
        const { n, p } = fromStored(attributes).item;
        return [{ id, place: INLINE, sizeBytes: n as number, partitions: p as string[] }];
      });
      if (infos.length > 0) yield infos;
      after = page.after;
    } while (after !== undefined);
  }

  async *#listObjects(upTo: string): AsyncIterable<readonly BlobInfo[]> {
    for await (const page of this.#objects.list(OBJECT_PREFIX)) {
      const ulids = page.map(({ Key = "" }) => Key.slice(OBJECT_PREFIX.length));
      const wanted = ulids.filter((ulid) => ulid <= upTo);
      const infos = await this.#parts.calls.run(() => inParallel(wanted, FOOTERS_AT_ONCE, (ulid) => this.#objectInfo(ulid)));
      const found = infos.filter((info) => info !== undefined);
      if (found.length > 0) yield found;
      if (wanted.length < ulids.length) return;
    }
  }

  /** Undefined when the object is gone, or is none of ours. */
  async #objectInfo(ulid: string): Promise<BlobInfo | undefined> {
    const id = parseUlid(ulid);
    if (id === undefined) return undefined;
    const key = OBJECT_PREFIX + ulid;
    const found = await this.#objects.get(key, { last: FOOTER_GUESS_BYTES });
    if (found === undefined) return undefined;
    const { dataBytes } = readBlobMetadata(key, found.metadata);
    const footerBytes = found.sizeBytes - dataBytes;
    let tail: Uint8Array | undefined = found.bytes;
    if (footerBytes > tail.byteLength) tail = (await this.#objects.get(key, { from: dataBytes }))?.bytes;
    if (tail === undefined) return undefined;
    const partitions = decodeFooter(key, tail.subarray(tail.byteLength - footerBytes));
    return { id, place: OBJECT, sizeBytes: dataBytes, partitions };
  }
}

function itemKey(id: Uint8Array): { readonly pk: string; readonly sk: string } {
  return { pk: INLINE_PREFIX + ulidText(id), sk: "." };
}

function objectKey(id: Uint8Array): string {
  return OBJECT_PREFIX + ulidText(id);
}

/** A copy, since two slices may be of one item. */
function sliceOf(attributes: Attributes | undefined, { from, to }: BlobSlice): Uint8Array | undefined {
  if (attributes === undefined) return undefined;
  const { item } = fromStored(attributes);
  if (item["v"] !== BLOB_FORMAT) {
    throw new StorageError(
      "unavailable",
      `blob ${keyOf(attributes).pk} has format ${item["v"]}, which a newer version wrote: upgrade`,
    );
  }
  return (item["d"] as Uint8Array).slice(from, to);
}
