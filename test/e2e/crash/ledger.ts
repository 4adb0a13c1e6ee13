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
  #starts: readonly number[] = Array.from({ length: PARTITIONS }, () => 0);

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
    return [...this.#numbers.values()].reduce((sum, { size }) => sum + size, 0);
  }

  note(one: Acknowledged): void {
    if (one.offset === undefined) {
      this.#count(one.label);
      return;
    }
    const at = this.#acknowledged[one.partition] as Map<number, Acknowledged>;
    const before = at.get(one.offset);
    if (before !== undefined) expect(one, "an offset is acknowledged to one batch alone").toEqual(before);
    at.set(one.offset, one);
    const isNew = this.#count(one.label);
    expect(before !== undefined || isNew, `${one.label} was acknowledged at another offset before`).toBe(true);
  }

  #count(label: string): boolean {
    const [writer, n] = split(label);
    const numbers = this.#numbers.get(writer) ?? new Set();
    this.#numbers.set(writer, numbers);
    const isNew = !numbers.has(n);
    numbers.add(n);
    return isNew;
  }

  /** It goes on with this log: the log starts stay where they are, or move forward. */
  goOn(starts: readonly number[]): void {
    this.#starts = starts;
  }

  /**
   * Every acknowledged batch is at its offset, byte for byte; offsets are dense; no batch is there twice; and each
   * writer's batches are there in their order without a gap: all of it from the log start on, which only moves forward.
   * Answers how many bytes each partition has.
   */
  async check(read: Read, starts: readonly number[] = this.#starts): Promise<number[]> {
    const found = new Map<string, number>();
    const sizes: number[] = [];
    this.records = 0;
    for (const [partition, acknowledged] of this.#acknowledged.entries()) {
      const start = starts[partition] as number;
      expect(start, `partition ${partition}: the log start`).toBeGreaterThanOrEqual(this.#starts[partition] as number);
      const missing = new Map([...acknowledged].filter(([offset]) => offset >= start));
      let next = start;
      let keptBytes = 0;
      for (let end = start + 1; next < end; ) {
        const page = await read(partition, next);
        end = page.logEndOffset;
        if (next < end) expect(page.nextOffset, "a read before the end brings something").toBeGreaterThan(next);
        for (const bytes of page.batches) {
          for (const { at, sizeBytes, baseOffset, recordCount } of batchHeaders(bytes)) {
            // The first batch may begin below the log start, and is whole.
            if (next === start && baseOffset < start) next = baseOffset;
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
              found.get(writer) ?? (start === 0 ? 0 : n),
            );
            found.set(writer, n + 1);
            next += recordCount;
            keptBytes += batch.byteLength;
          }
        }
        expect(next).toBe(page.nextOffset);
      }
      expect([...missing.values()].slice(0, 3), `partition ${partition}: ${missing.size} acknowledged batches are lost`).toEqual(
        [],
      );
      this.records += next - start;
      sizes.push(keptBytes);
    }
    return sizes;
  }
}

function split(label: string): [writer: string, n: number] {
  const slash = label.indexOf("/");
  return [label.slice(0, slash), Number(label.slice(slash + 1))];
}
