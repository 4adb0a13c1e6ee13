/**
 * What clients of transactions were told, and whether it is true of what the log and the groups hold in the end.
 *
 * - A transaction is there whole or not at all: its records in every partition, each once, and its offset.
 * - One that was answered as committed is there; one that never asked to commit is not.
 * - Offsets of a group only grow, as transactions of one transactional id follow each other.
 * - A reader of committed records sees every one of them, in order, none of others, and never less than was stable before.
 */
import type { Place } from "./names.ts";
import { placeName } from "./names.ts";

/** `aborted`: it was never asked to commit. */
export type Outcome = "committed" | "aborted" | "unknown";

export interface Transaction {
  /** `<client>/<number>`; its records are `<name>/<k>`. */
  readonly name: string;
  readonly client: string;
  readonly places: readonly { readonly place: Place; readonly records: number }[];
  /** Committed for the client's own group; undefined: none. */
  readonly offset: number | undefined;
  outcome: Outcome;
}

export interface Seen {
  readonly offset: number;
  readonly value: string;
}

export class TransactionHistory {
  readonly transactions: Transaction[] = [];
  readonly wrong: string[] = [];
  /** By reader: what it was shown of a place, and how far it is. */
  readonly readers: { readonly place: string; readonly seen: readonly Seen[]; next: number }[] = [];

  begin(transaction: Omit<Transaction, "outcome">): Transaction {
    const begun: Transaction = { ...transaction, outcome: "aborted" };
    this.transactions.push(begun);
    return begun;
  }

  /** By place: what `read_committed` and `read_uncommitted` show in the end; by client: the offset of its group. */
  judge(
    committed: ReadonlyMap<string, readonly Seen[]>,
    uncommitted: ReadonlyMap<string, readonly Seen[]>,
    offsets: ReadonlyMap<string, number>,
  ): string[] {
    const wrong = [...this.wrong];
    const times = counted(committed, wrong, "committed");
    counted(uncommitted, wrong, "uncommitted");
    const expected = new Map<string, number>();
    for (const { name, client, places, offset, outcome } of this.transactions) {
      const found = places.flatMap(({ place, records }) =>
        Array.from({ length: records }, (_, k) => times.get(`${placeName(place)} ${name}/${k}`) ?? 0),
      );
      const there = found[0] === 1;
      if (found.some((count) => count !== found[0])) wrong.push(`${name} (${outcome}) is there in part: ${found.join()}`);
      if (outcome === "committed" && !there) wrong.push(`${name} was committed and is not there`);
      if (outcome === "aborted" && there) wrong.push(`${name} was never committed and is there`);
      if (there && offset !== undefined) expected.set(client, Math.max(offset, expected.get(client) ?? -1));
    }
    for (const { client } of this.transactions) {
      const [has, should] = [offsets.get(client) ?? -1, expected.get(client) ?? -1];
      if (has !== should) wrong.push(`the group of ${client} is at ${has}, its last transaction commits ${should}`);
    }
    const known = new Set(
      this.transactions.flatMap(({ name, places }) => places.map(({ place }) => `${placeName(place)} ${name}`)),
    );
    for (const key of times.keys()) {
      if (!known.has(key.slice(0, key.lastIndexOf("/")))) wrong.push(`${key} was never sent there`);
    }
    for (const { place, seen, next } of this.readers) {
      const all = (committed.get(place) ?? []).filter(({ offset }) => offset < next).map(({ value }) => value);
      const shown = seen.map(({ value }) => value);
      if (shown.join() !== all.join()) wrong.push(`a reader of ${place} up to ${next} saw [${shown}], and there is [${all}]`);
    }
    return [...new Set(wrong)];
  }
}

function counted(shown: ReadonlyMap<string, readonly Seen[]>, wrong: string[], what: string): Map<string, number> {
  const times = new Map<string, number>();
  for (const [place, seen] of shown) {
    for (const { value } of seen) {
      const key = `${place} ${value}`;
      const count = (times.get(key) ?? 0) + 1;
      if (count > 1) wrong.push(`${key} is ${what} ${count} times`);
      times.set(key, count);
    }
  }
  return times;
}
