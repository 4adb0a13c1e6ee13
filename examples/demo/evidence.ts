/** What was sent, or read: for each partition how many records, and a hash over their keys and values in order. */
import { createHash, type Hash } from "node:crypto";

interface PartitionEvidence {
  count: number;
  readonly hash: Hash;
}

export class Evidence {
  readonly #partitions: PartitionEvidence[];
  /** By key, the partition it was seen in. */
  readonly #keys = new Map<string, number>();
  #strayKeys = 0;

  constructor(partitions: number) {
    this.#partitions = Array.from({ length: partitions }, () => ({ count: 0, hash: createHash("sha256") }));
  }

  get count(): number {
    return this.#partitions.reduce((sum, { count }) => sum + count, 0);
  }

  get keys(): number {
    return this.#keys.size;
  }

  /** Keys that were seen in more than one partition, where their order would be lost. */
  get strayKeys(): number {
    return this.#strayKeys;
  }

  /** Answers how many records the partition had before. */
  add(partition: number, key: Uint8Array, value: Uint8Array): number {
    const evidence = this.#partitions[partition] as PartitionEvidence;
    // With their lengths, so that no two sequences of records have the same bytes.
    const lengths = new Uint32Array([key.byteLength, value.byteLength]);
    evidence.hash.update(lengths).update(key).update(value);
    const name = Buffer.from(key).toString();
    const before = this.#keys.get(name);
    if (before === undefined) this.#keys.set(name, partition);
    else if (before !== partition) this.#strayKeys++;
    return evidence.count++;
  }

  /** For each partition. The evidence can still grow after it. */
  summary(): { readonly count: number; readonly sha256: string }[] {
    return this.#partitions.map(({ count, hash }) => ({ count, sha256: hash.copy().digest("hex") }));
  }
}

export interface Verdict {
  readonly holds: boolean;
  /** For each partition: what was sent, and whether each reader read the same. */
  readonly partitions: readonly { readonly count: number; readonly sha256: string; readonly same: readonly boolean[] }[];
}

/** Does every reader have what was sent: as many records in each partition, the same bytes in the same order? */
export function compare(sent: Evidence, readers: readonly Evidence[]): Verdict {
  const read = readers.map((reader) => reader.summary());
  const partitions = sent.summary().map(({ count, sha256 }, partition) => ({
    count,
    sha256,
    same: read.map((reader) => reader[partition]?.count === count && reader[partition]?.sha256 === sha256),
  }));
  const ordered = [sent, ...readers].every(({ strayKeys }) => strayKeys === 0);
  return { holds: ordered && partitions.every(({ same }) => same.every(Boolean)), partitions };
}
