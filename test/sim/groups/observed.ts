/** The storage of a simulation, which tells the history of each change of the group's items at the moment that it is applied. */
import type { Key, Storage, Table } from "../../../lib/ports/index.ts";
import type { GroupHistory } from "./history.ts";

export function observed(storage: Storage, group: string, history: GroupHistory): Storage {
  const { table } = storage;
  const told = async <T>(keys: readonly Key[], run: () => Promise<T>): Promise<T> => {
    const mine = keys.filter(({ pk }) => pk === `G#${group}`);
    const before = await Promise.all(mine.map((key) => table.get(key)));
    const result = await run();
    for (const [i, key] of mine.entries()) history.wrote(key, before[i], await table.get(key));
    return result;
  };
  const seen: Table = {
    get: (key) => table.get(key),
    getMany: (keys) => table.getMany(keys),
    range: (pk, query) => table.range(pk, query),
    scan: (prefix) => table.scan(prefix),
    write: (op) => told([op.key], () => table.write(op)),
    // Of groups, nothing is written so: the faulty storage makes single writes of it.
    inOrder: (stages) => table.inOrder(stages),
    atomically: (ops) =>
      told(
        ops.map(({ key }) => key),
        () => table.atomically(ops),
      ),
  };
  return { ...storage, table: seen };
}
