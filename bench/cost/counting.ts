/**
 * A storage in memory that counts what DynamoDB and S3 would charge for the same calls: write units by begun KB of the larger
 * of the item before and after it, strongly consistent read units by begun 4 KB, twice as much in transactions.
 */
import type { Blobs, Bucket, Check, Clock, Item, Key, PutBlob, Storage, Table, Write } from "../../lib/ports/index.ts";
import { itemSizeBytes } from "../../lib/ports/values.ts";
import { memoryStorage } from "../../lib/storage/memory/index.ts";

export interface Counts {
  writeUnits: number;
  readUnits: number;
  s3Puts: number;
  s3Gets: number;
  /** Storage calls that had to wait for the one before, where they are made one after another. */
  trips: number;
}

export interface CountingStorage extends Storage {
  /** What was counted since it was last asked. */
  take(): Counts;
}

/** As in `lib/storage/aws/blobs.ts`: from 4 KB on a blob is an object. */
const INLINE_MOST_BYTES = 4095;
const OBJECT = 1;
const LIST_PAGE_KEYS = 1000;

/** `inner`: what keeps it. Default: memory, which puts blobs where AWS would. */
export function countingStorage(
  clock: Clock,
  inner: Storage = memoryStorage({ clock, inlineMostBytes: INLINE_MOST_BYTES, maxConcurrentCommits: 4 }),
): CountingStorage {
  let counts = none();
  return {
    ...inner,
    kind: "counting",
    table: countTable(inner, () => counts),
    blobs: countBlobs(inner.blobs, () => counts),
    bucket: countBucket(inner.bucket, () => counts),
    take() {
      const taken = counts;
      counts = none();
      return taken;
    },
  };
}

function none(): Counts {
  return { writeUnits: 0, readUnits: 0, s3Puts: 0, s3Gets: 0, trips: 0 };
}

function writeUnits(sizeBytes: number): number {
  return Math.max(1, Math.ceil(sizeBytes / 1024));
}

function readUnits(sizeBytes: number): number {
  return Math.max(1, Math.ceil(sizeBytes / 4096));
}

function sizeOf(key: Key, item: Item | undefined): number {
  return item === undefined ? 0 : itemSizeBytes(key, item, undefined);
}

function countTable({ table, blobs }: Storage, counts: () => Counts): Table {
  /** The larger of what was and what is. */
  const around = async <T>(
    keys: readonly Key[],
    work: () => Promise<T>,
  ): Promise<{ readonly done: T; readonly units: number }> => {
    const before = await table.getMany(keys);
    const done = await work();
    const after = await table.getMany(keys);
    const units = keys.reduce((sum, key, i) => sum + writeUnits(Math.max(sizeOf(key, before[i]), sizeOf(key, after[i]))), 0);
    return { done, units };
  };
  const keysOf = (ops: readonly (Write | Check | PutBlob)[]): Key[] => ops.flatMap((op) => (op.op === "putBlob" ? [] : [op.key]));
  const putBlob = ({ pieces, partitions }: PutBlob): void => {
    const sizeBytes = pieces.reduce((sum, piece) => sum + piece.byteLength, 0);
    if (blobs.place(sizeBytes) === OBJECT) counts().s3Puts++;
    else {
      // The item that `lib/storage/aws/blobs.ts` writes.
      const key = { pk: `B#${"0".repeat(26)}`, sk: "." };
      const item = { v: 1, n: sizeBytes, p: [...partitions], d: new Uint8Array(sizeBytes) };
      counts().writeUnits += writeUnits(sizeOf(key, item));
    }
  };
  return {
    async get(key) {
      const item = await table.get(key);
      counts().trips++;
      counts().readUnits += readUnits(sizeOf(key, item));
      return item;
    },
    async getMany(keys) {
      const items = await table.getMany(keys);
      counts().trips++;
      for (const [i, key] of keys.entries()) counts().readUnits += readUnits(sizeOf(key, items[i]));
      return items;
    },
    async range(pk, query) {
      const items = await table.range(pk, query);
      counts().trips++;
      counts().readUnits += readUnits(items.reduce((sum, { key, item }) => sum + sizeOf(key, item), 0));
      return items;
    },
    async write(op) {
      const { done, units } = await around([op.key], () => table.write(op));
      counts().trips++;
      counts().writeUnits += units;
      return done;
    },
    async inOrder(stages) {
      const { done, units } = await around(keysOf(stages.flat()), () => table.inOrder(stages));
      for (const op of stages.flat()) if (op.op === "putBlob") putBlob(op);
      counts().trips += stages.length;
      counts().writeUnits += units;
      return done;
    },
    async atomically(ops) {
      const { done, units } = await around(keysOf(ops), () => table.atomically(ops));
      counts().trips++;
      counts().writeUnits += 2 * units;
      return done;
    },
    async *scan(prefix) {
      for await (const page of table.scan(prefix)) {
        counts().readUnits++;
        yield page;
      }
    },
  };
}

function countBlobs(blobs: Blobs, counts: () => Counts): Blobs {
  return {
    separate: blobs.separate,
    place: (sizeBytes) => blobs.place(sizeBytes),
    async read(slices) {
      const found = await blobs.read(slices);
      if (slices.length > 0) counts().trips++;
      for (const { place, to } of slices) {
        if (place === OBJECT) counts().s3Gets++;
        // The whole item is read, of which this is a part.
        else counts().readUnits += readUnits(to + 200);
      }
      return found;
    },
    async delete(names) {
      await blobs.delete(names);
      // S3 asks nothing for a delete; DynamoDB as much as for a put, and these are two KB as a rule.
      for (const { place } of names) if (place !== OBJECT) counts().writeUnits += 2;
    },
    async *list(upTo, which) {
      counts().s3Puts++;
      yield* blobs.list(upTo, which);
    },
  };
}

/** Of a stream that is written to S3. */
const PART_BYTES = 8 * 2 ** 20;

function countBucket(bucket: Bucket, counts: () => Counts): Bucket {
  return {
    async put(key, body, options) {
      await bucket.put(key, body, options);
      counts().trips++;
      counts().s3Puts++;
    },
    async putStream(key, pieces) {
      let sizeBytes = 0;
      await bucket.putStream(
        key,
        (async function* () {
          for await (const piece of pieces) {
            sizeBytes += piece.byteLength;
            yield piece;
          }
        })(),
      );
      counts().trips++;
      // Beyond one part: one request for each, one to begin and one to end.
      counts().s3Puts += sizeBytes <= PART_BYTES ? 1 : Math.ceil(sizeBytes / PART_BYTES) + 2;
    },
    async get(key, range) {
      const bytes = await bucket.get(key, range);
      counts().trips++;
      counts().s3Gets++;
      return bytes;
    },
    delete: (keys) => bucket.delete(keys),
    async *list(prefix, options) {
      counts().s3Puts++;
      let keys = 0;
      for await (const page of bucket.list(prefix, options)) {
        keys += page.length;
        yield page;
      }
      counts().s3Puts += Math.floor(keys / LIST_PAGE_KEYS);
    },
    async concat(keys, into) {
      await bucket.concat(keys, into);
      // Begun, a part for each, completed.
      counts().s3Puts += keys.length + 2;
    },
    presign: (key, method, ttlMs) => bucket.presign(key, method, ttlMs),
  };
}
