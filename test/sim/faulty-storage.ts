/** A storage as one simulated process sees it: every call of it is a step of the world. */
import type { Item, Settled, Storage, Table } from "../../lib/ports/index.ts";
import { StorageError } from "../../lib/ports/index.ts";
import type { Process, World } from "./world.ts";

export function faultyStorage(truth: Storage, world: World, process: Process): Storage {
  const { table, blobs, bucket } = truth;
  const read = <T>(name: string, run: () => Promise<T>): Promise<T> => world.step(process, name, false, run);
  const write = <T>(name: string, run: () => Promise<T>): Promise<T> => world.step(process, name, true, run);

  async function* paged<T>(name: string, pages: AsyncIterable<T>): AsyncIterable<T> {
    const each = pages[Symbol.asyncIterator]();
    for (;;) {
      const page = await read(name, () => each.next());
      if (page.done === true) return;
      yield page.value;
    }
  }

  const steps: Table = {
    get: (key) => read(`get ${key.pk} ${key.sk}`, () => table.get(key)),
    getMany: async (keys) => Promise.all(keys.map((key) => steps.get(key))),
    range: (pk, query) => read(`range ${pk} ${query?.from ?? ""}`, () => table.range(pk, query)),
    scan: (prefix) => paged(`scan ${prefix}`, table.scan(prefix)),
    write: (op) => write(`${op.op} ${op.key.pk} ${op.key.sk}`, () => table.write(op)),
    atomically: (ops) => write(`atomically ${ops.length}`, () => table.atomically(ops)),
    inOrder: async (stages) => {
      const answers: Settled[][] = [];
      let reached = true;
      for (const stage of stages) {
        if (!reached) {
          answers.push(stage.map(() => ({ ok: false, error: new StorageError("not_reached", "an earlier stage failed") })));
          continue;
        }
        const settled = await Promise.all(
          stage.map(async (op): Promise<Settled> => {
            try {
              if (op.op !== "putBlob") return { ok: true, item: await steps.write(op) };
              const item = await write("putBlob", async (): Promise<Item | undefined> => {
                const one = (await table.inOrder([[op]]))[0]?.[0];
                if (one?.ok === false) throw one.error;
                return undefined;
              });
              return { ok: true, item };
            } catch (error) {
              if (!(error instanceof StorageError)) throw error;
              return { ok: false, error };
            }
          }),
        );
        reached = settled.every((one) => one.ok);
        answers.push(settled);
      }
      return answers;
    },
  };
  return {
    ...truth,
    maxConcurrentCommits: 2,
    bucket: {
      put: (key, body, options) => write(`put ${key}`, () => bucket.put(key, body, options)),
      // What comes is read by steps of its own; the object is there all at once.
      putStream: async (key, pieces) => {
        const all: Uint8Array[] = [];
        for await (const piece of pieces) all.push(piece);
        await write(`put ${key}`, () => bucket.put(key, all));
      },
      get: (key, slice) => read(`get ${key}`, () => bucket.get(key, slice)),
      delete: (keys) => write("delete objects", () => bucket.delete(keys)),
      list: (prefix, options) => paged(`list ${prefix}`, bucket.list(prefix, options)),
      concat: (keys, into) => write(`concat ${into}`, () => bucket.concat(keys, into)),
      presign: (key, method, ttlMs) => bucket.presign(key, method, ttlMs),
    },
    table: steps,
    blobs: {
      separate: false,
      place: (sizeBytes) => (sizeBytes > 150 ? 1 : 0),
      read: (slices) => read("read blobs", () => blobs.read(slices.map((slice) => ({ ...slice, place: 0 })))),
      delete: (names) => write("delete blobs", () => blobs.delete(names)),
      list: (upTo, which) => paged("list blobs", blobs.list(upTo, which)),
    },
  };
}
