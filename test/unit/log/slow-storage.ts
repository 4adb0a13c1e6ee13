/** A storage whose every trip passes a gate, and is counted: what the log asks for, and how much of it in sequence. */
import type { Blobs, PutBlob, Settled, Storage, StorageErrorKind, Table, Write } from "../../../lib/ports/index.ts";
import { StorageError } from "../../../lib/ports/index.ts";

export interface Trip {
  /** `get`, `range`, `read blobs`, or the operations of a stage: `putBlob`, `append HEAD`, `put R#..`. */
  readonly what: string;
  /** Of each operation that was refused. */
  readonly refused: readonly StorageErrorKind[];
}

/** Waits at both ends of a trip: the way there and the way back. */
export type Gate = () => Promise<void>;

/** Each call is a trip, each stage of `inOrder` one of its own. Every trip that ended is handed to `seen`. */
export function slowStorage(storage: Storage, gate: Gate, seen: (trip: Trip) => void): Storage {
  const trip = async <T>(what: string, run: () => Promise<T>, refusedIn: (answer: T) => StorageErrorKind[] = () => []) => {
    await gate();
    try {
      const answer = await run();
      seen({ what, refused: refusedIn(answer) });
      return answer;
    } catch (error) {
      if (error instanceof StorageError) seen({ what, refused: [error.kind] });
      throw error;
    } finally {
      await gate();
    }
  };
  const inner = storage.table;
  const table: Table = {
    get: (key) => trip("get", () => inner.get(key)),
    getMany: (keys) => trip("getMany", () => inner.getMany(keys)),
    range: (pk, query) => trip("range", () => inner.range(pk, query)),
    scan: (prefix) => inner.scan(prefix),
    write: (op) => trip(nameOf(op), () => inner.write(op)),
    atomically: (ops) => trip("atomically", () => inner.atomically(ops)),
    async inOrder(stages) {
      const answers: Settled[][] = [];
      for (const stage of stages) {
        if (answers.flat().some((one) => !one.ok)) {
          answers.push(stage.map(() => ({ ok: false, error: new StorageError("not_reached", "an earlier stage failed") })));
          continue;
        }
        const what = [...new Set(stage.map(nameOf))].join(", ");
        const [settled = []] = await trip(
          what,
          () => inner.inOrder([stage]),
          ([one = []]) => one.flatMap((each) => (each.ok ? [] : [each.error.kind])),
        );
        answers.push(settled);
      }
      return answers;
    },
  };
  const blobs: Blobs = {
    separate: storage.blobs.separate,
    place: (sizeBytes) => storage.blobs.place(sizeBytes),
    read: (slices) => trip("read blobs", () => storage.blobs.read(slices)),
    delete: (names) => trip("delete blobs", () => storage.blobs.delete(names)),
    list: (upTo, which) => storage.blobs.list(upTo, which),
  };
  return { ...storage, table, blobs };
}

/** The operation and its sort key; an update that appends to a list is an `append`. */
function nameOf(op: Write | PutBlob): string {
  if (op.op === "putBlob") return op.op;
  const appends = op.op === "update" && op.changes.some((change) => "append" in change);
  return `${appends ? "append" : op.op} ${op.key.sk}`;
}

/** Some turns of the event loop, after which whatever could go on has gone on. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve));
}

/**
 * Makes trips in lockstep: those that wait at the same time go together. So the number of rounds until something is
 * answered is the number of trips that waited for each other.
 */
export class Lockstep {
  #waiting: (() => void)[] = [];
  #legs = 0;

  readonly gate: Gate = () =>
    new Promise((resolve) => {
      this.#waiting.push(resolve);
    });

  /** The sequential trips that `run` takes. */
  async tripsOf<T>(run: () => Promise<T>): Promise<{ readonly answer: T; readonly trips: number }> {
    const before = this.#legs;
    let legs = 0;
    let over = false;
    const answer = run().finally(() => {
      legs = this.#legs - before;
      over = true;
    });
    await this.until(() => over);
    return { answer: await answer, trips: legs / 2 };
  }

  /** Lets trips go on until this holds, or, without it, until none is under way. */
  async until(done: () => boolean = () => false): Promise<void> {
    for (;;) {
      await settle();
      if (done() || this.#waiting.length === 0) return;
      this.#legs++;
      for (const go of this.#waiting.splice(0)) go();
    }
  }
}
