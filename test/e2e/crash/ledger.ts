/** What was acknowledged in all rounds, and whether a log still keeps it. */
import { expect } from "vitest";
import { nodeCodecs } from "../../../lib/kafka/codecs/node.ts";
import { batchHeaders, crcMatches, decodeBatch } from "../../../lib/kafka/index.ts";
import { type Acknowledged, digestOf, PARTITIONS } from "./load.ts";

/** Reads a partition from an offset on: whole batches, where to read on, and where the log ends. */
export type Read = (
  partition: number,
  offset: number,
) => Promise<{ readonly batches: readonly Uint8Array[]; readonly nextOffset: number; readonly logEndOffset: number }>;

export class Ledger {
  readonly #acknowledged: Map<number, Acknowledged>[] = Array.from({ length: PARTITIONS }, () => new Map());
  /** By writer: the batches that were acknowledged; of a repeated batch the answer may come after that of a later one. */
  readonly #numbers = new Map<string, Set<number>>();
  /** In all partitions. */
  records = 0;

  /** By writer: the first batch that was not acknowledged. */
  get progress(): Record<string, number> {
    return Object.fromEntries(
      [...this.#numbers].map(([writer, numbers]) => {
        let first = 0;
        while (numbers.has(first)) first++;
        return [writer, first];
      }),
    );
  }

  get acknowledged(): number {
    return this.#acknowledged.reduce((sum, { size }) => sum + size, 0);
  }

  note(one: Acknowledged): void {
    const at = this.#acknowledged[one.partition] as Map<number, Acknowledged>;
    const before = at.get(one.offset);
    if (before !== undefined) expect(one, "an offset is acknowledged to one batch alone").toEqual(before);
    at.set(one.offset, one);
    const [writer, n] = split(one.label);
    const numbers = this.#numbers.get(writer) ?? new Set();
    this.#numbers.set(writer, numbers);
    expect(before !== undefined || !numbers.has(n), `${one.label} was acknowledged at another offset before`).toBe(true);
    numbers.add(n);
  }

  /**
   * Every acknowledged batch is at its offset, byte for byte; offsets are dense; no batch is there twice; and each
   * writer's batches are there in their order without a gap.
   */
  async check(read: Read): Promise<void> {
    const found = new Map<string, number>();
    this.records = 0;
    for (const [partition, acknowledged] of this.#acknowledged.entries()) {
      const missing = new Map(acknowledged);
      let next = 0;
      for (let end = 1; next < end; ) {
        const page = await read(partition, next);
        end = page.logEndOffset;
        if (next < end) expect(page.nextOffset, "a read before the end brings something").toBeGreaterThan(next);
        for (const bytes of page.batches) {
          for (const { at, sizeBytes, baseOffset, recordCount } of batchHeaders(bytes)) {
            expect(baseOffset, `partition ${partition}: offsets are dense`).toBe(next);
            expect(crcMatches(bytes, at), `partition ${partition} offset ${baseOffset}: checksum`).toBe(true);
            const batch = bytes.subarray(at, at + sizeBytes);
            const one = acknowledged.get(baseOffset);
            if (one !== undefined) {
              expect(digestOf(batch), `partition ${partition} offset ${baseOffset} is ${one.label}`).toBe(one.digest);
              missing.delete(baseOffset);
            }
            const [first] = decodeBatch(bytes, at, nodeCodecs);
            const [writer, n] = split(Buffer.from(first?.key as Uint8Array).toString());
            expect(n, `partition ${partition} offset ${baseOffset}: ${writer} neither doubled nor with a gap`).toBe(
              found.get(writer) ?? 0,
            );
            found.set(writer, n + 1);
            next += recordCount;
          }
        }
        expect(next).toBe(page.nextOffset);
      }
      expect([...missing.values()].slice(0, 3), `partition ${partition}: ${missing.size} acknowledged batches are lost`).toEqual(
        [],
      );
      this.records += next;
    }
  }
}

function split(label: string): [writer: string, n: number] {
  const slash = label.indexOf("/");
  return [label.slice(0, slash), Number(label.slice(slash + 1))];
}
