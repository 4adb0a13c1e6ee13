import { totalBytes } from "../../base/bytes.ts";
import type { Check, Item, Key, KeyedItem, PutBlob, RangeQuery, Settled, Table, Write } from "../../ports/index.ts";
import { StorageError } from "../../ports/index.ts";
import { checkAtomic, checkKey, checkOperation, checkOperations } from "../../ports/rules.ts";
import type { EmbeddedBlobs } from "./blobs.ts";
import type { ByteReader, ByteWriter, Encodable } from "./codec.ts";
import type { Gate } from "./gate.ts";
import type { Link } from "./link.ts";
import { BLOB, type FilePlace, REQUEST, readError, readItem, STATUS, writePlace } from "./protocol.ts";
import type { SharedFiles } from "./shared-files.ts";

/** Where the bytes of a call's blobs are before its transaction; none: they go into the table. */
type Places = ReadonlyMap<PutBlob, FilePlace> | undefined;

/** Asks the worker for everything; the bytes of large blobs are durable in a shared file before it is asked. */
export class EmbeddedTable implements Table {
  readonly #link: Link;
  readonly #files: SharedFiles;
  readonly #blobs: EmbeddedBlobs;
  readonly #gate: Gate;
  readonly #inlineMostBytes: number;

  constructor(link: Link, files: SharedFiles, blobs: EmbeddedBlobs, gate: Gate, inlineMostBytes: number) {
    this.#link = link;
    this.#files = files;
    this.#blobs = blobs;
    this.#gate = gate;
    this.#inlineMostBytes = inlineMostBytes;
  }

  async get(key: Key): Promise<Item | undefined> {
    return (await this.getMany([key]))[0];
  }

  getMany(keys: readonly Key[]): Promise<(Item | undefined)[]> {
    return this.#gate.read(async () => {
      for (const key of keys) checkKey(key);
      if (keys.length === 0) return [];
      return this.#link.call(
        REQUEST.getMany,
        (to) => {
          to.varint(keys.length);
          for (const { pk, sk } of keys) {
            to.text(pk);
            to.text(sk);
          }
        },
        (from) => keys.map(() => readItem(from)),
      );
    });
  }

  range(pk: string, query: RangeQuery = {}): Promise<KeyedItem[]> {
    return this.#gate.read(async () => {
      const { limit = Number.POSITIVE_INFINITY } = query;
      const found: KeyedItem[] = [];
      for (let more = limit > 0; more; ) {
        const page = await this.#rangePage(pk, query, found.at(-1)?.key.sk, limit - found.length);
        for (const one of page.found) found.push(one);
        more = page.more;
      }
      return found;
    });
  }

  #rangePage(
    pk: string,
    { from: low, to: high, reverse = false }: RangeQuery,
    after: string | undefined,
    limit: number,
  ): Promise<{ readonly found: readonly KeyedItem[]; readonly more: boolean }> {
    return this.#link.call(
      REQUEST.range,
      (to) => {
        to.text(pk);
        for (const bound of [low, high, after]) writeOptionalText(to, bound);
        to.byte(reverse ? 1 : 0);
        to.varint(Math.min(limit, 2 ** 31));
      },
      (from) => {
        const found: KeyedItem[] = [];
        let how = from.byte();
        for (; how === 1; how = from.byte()) {
          found.push({ key: { pk, sk: from.text() }, item: readItem(from) as Item });
        }
        return { found, more: how === 2 };
      },
    );
  }

  write(op: Write): Promise<Item | undefined> {
    return this.#gate.write(async () => {
      checkOperation(op);
      return this.#link.call(REQUEST.write, (to) => to.value(op as unknown as Encodable), readItem);
    });
  }

  async inOrder(stages: readonly (readonly (Write | PutBlob)[])[]): Promise<Settled[][]> {
    for (const stage of stages) checkOperations(stage);
    try {
      return await this.#gate.write(() => this.#inOrder(stages));
    } catch (error) {
      if (!(error instanceof StorageError)) throw error;
      return refused(stages, error);
    }
  }

  async #inOrder(stages: readonly (readonly (Write | PutBlob)[])[]): Promise<Settled[][]> {
    const blobs = stages.flat().filter((op) => op.op === "putBlob");
    let sizeBytes = 0;
    for (const { pieces } of blobs) sizeBytes += totalBytes(pieces);
    if (sizeBytes <= this.#inlineMostBytes) return this.#ask(stages, undefined);
    return this.#files.append(
      blobs.map(({ pieces }) => pieces),
      (places) => this.#ask(stages, new Map(blobs.map((op, i) => [op, places[i] as FilePlace]))),
    );
  }

  #ask(stages: readonly (readonly (Write | PutBlob)[])[], places: Places): Promise<Settled[][]> {
    return this.#link.call(
      REQUEST.inOrder,
      (to) => writeStages(to, stages, places),
      (from) => stages.map((stage) => stage.map((op) => this.#settled(from, op, places))),
    );
  }

  #settled(from: ByteReader, op: Write | PutBlob, places: Places): Settled {
    const status = from.byte();
    if (status === STATUS.error) return { ok: false, error: readError(from) };
    if (status === STATUS.notReached) return { ok: false, error: notReached() };
    if (op.op === "putBlob") this.#blobs.wrote(op.id, op.pieces, places?.get(op));
    return { ok: true, item: readItem(from) };
  }

  atomically(ops: readonly (Write | Check)[]): Promise<void> {
    return this.#gate.write(async () => {
      checkAtomic(ops);
      return this.#link.call(
        REQUEST.atomically,
        (to) => to.value(ops as unknown as Encodable),
        () => undefined,
      );
    });
  }

  async *scan(prefix: string): AsyncIterable<readonly string[]> {
    let after: string | undefined;
    do {
      const page: string[] = await this.#gate.read(() => this.#scanPage(prefix, after));
      if (page.length > 0) yield page;
      after = page.at(-1);
    } while (after !== undefined);
  }

  #scanPage(prefix: string, after: string | undefined): Promise<string[]> {
    return this.#link.call(
      REQUEST.scan,
      (to) => {
        to.text(prefix);
        writeOptionalText(to, after);
      },
      (from) => from.value() as string[],
    );
  }
}

function writeOptionalText(to: ByteWriter, text: string | undefined): void {
  to.byte(text === undefined ? 0 : 1);
  if (text !== undefined) to.text(text);
}

function writeStages(to: ByteWriter, stages: readonly (readonly (Write | PutBlob)[])[], places: Places): void {
  to.varint(stages.length);
  for (const stage of stages) {
    to.varint(stage.length);
    for (const op of stage) {
      if (op.op === "putBlob") writeBlob(to, op, places?.get(op));
      else {
        to.byte(BLOB.absent);
        to.value(op as unknown as Encodable);
      }
    }
  }
}

function writeBlob(to: ByteWriter, { id, partitions, pieces }: PutBlob, place: FilePlace | undefined): void {
  to.byte(place === undefined ? BLOB.inline : BLOB.inFile);
  to.bytes(id);
  to.encoded(partitions);
  if (place !== undefined) writePlace(to, place);
  else {
    to.varint(totalBytes(pieces));
    for (const piece of pieces) to.raw(piece);
  }
}

/** Nothing of a call was done, or nobody knows whether all of it was. */
function refused(stages: readonly (readonly (Write | PutBlob)[])[], error: StorageError): Settled[][] {
  const first = stages.findIndex((stage) => stage.length > 0);
  return stages.map((stage, i) =>
    stage.map(() => ({ ok: false, error: i === first || error.outcome === "unknown" ? error : notReached() })),
  );
}

function notReached(): StorageError {
  return new StorageError("not_reached", "an earlier stage failed");
}
