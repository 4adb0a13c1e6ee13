/** What the clients of a simulation were told, and the check of it against the log as it is at the end. */
import type { KafkaRecord } from "../../lib/kafka/index.ts";

export interface Acked {
  readonly client: string;
  readonly text: string;
  readonly partition: number;
  readonly offset: number;
}

export class History {
  readonly acked: Acked[] = [];
  /** Records whose sender was told that they are not written. */
  readonly refused = new Set<string>();
  /** Records that may be written once at most. */
  readonly once = new Set<string>();
  /** Texts that are written together or not at all. */
  readonly together: (readonly string[])[] = [];
  /** For each partition, the offset up to which records were ever asked to be deleted. */
  readonly deletedTo: number[] = [];
  /** Acknowledged records of the compacted topic. */
  readonly compacted: { readonly key: string; readonly value: string | null; readonly offset: number }[] = [];
  /** Keys of the compacted topic with a tombstone of which nobody knows whether it was written. */
  readonly lostTombstones = new Set<string>();
  /** What a client saw that must not be, in words. */
  readonly wrong: string[] = [];
  readonly seen: { readonly partition: number; readonly offset: number; readonly text: string }[] = [];

  /** Answers every violation, in words. Each log is by offset, and has nothing below its start. */
  violations(logs: readonly (readonly KafkaRecord[])[]): string[] {
    const wrong = [...this.wrong];
    const starts = logs.map((records) =>
      Math.max(
        0,
        records.findIndex((record) => record !== undefined),
      ),
    );
    for (const [p, records] of logs.entries()) if (records[starts[p] as number] === undefined) starts[p] = records.length;
    const count = new Map<string, number>();
    const lastOfClient = new Map<string, number>();
    const isGone = (partition: number, offset: number): boolean => offset < (starts[partition] as number);
    for (const [partition, records] of logs.entries()) {
      for (let i = starts[partition] as number; i < records.length; i++) {
        const record = records[i] as KafkaRecord;
        if (record.offset !== i) wrong.push(`partition ${partition}: record ${i} has offset ${record.offset}`);
        const text = textOf(record);
        count.set(text, (count.get(text) ?? 0) + 1);
        const [client, sequence] = text.split(":") as [string, string];
        if (!this.once.has(text)) continue;
        const order = `${client}@${partition}`;
        if (Number(sequence) <= (lastOfClient.get(order) ?? -1))
          wrong.push(`${text} is out of order or doubled in partition ${partition}`);
        lastOfClient.set(order, Number(sequence));
      }
    }
    for (const { text, partition, offset } of this.acked) {
      if (isGone(partition, offset)) continue;
      const record = logs[partition]?.[offset];
      if (record === undefined) wrong.push(`${text} was acknowledged at ${partition}/${offset}, which is not there`);
      else if (textOf(record) !== text)
        wrong.push(`${text} was acknowledged at ${partition}/${offset}, which holds ${textOf(record)}`);
    }
    for (const text of this.once) if ((count.get(text) ?? 0) > 1) wrong.push(`${text} is there ${count.get(text)} times`);
    for (const text of this.refused)
      if (count.has(text)) wrong.push(`${text} is there though its sender was told that it is not`);
    for (const group of this.together) {
      const there = group.filter((text) => count.has(text));
      if (starts.some((start) => start > 0)) continue;
      if (there.length !== 0 && there.length !== group.length)
        wrong.push(`of ${group.join(", ")} only ${there.join(", ")} are there`);
    }
    for (const { partition, offset, text } of this.seen) {
      if (isGone(partition, offset)) continue;
      const record = logs[partition]?.[offset];
      if (record === undefined || textOf(record) !== text) {
        wrong.push(
          `a reader saw ${text} at ${partition}/${offset}, which holds ${record === undefined ? "nothing" : textOf(record)}`,
        );
      }
    }
    return wrong;
  }
}

export function textOf(record: KafkaRecord): string {
  return new TextDecoder().decode(record.value ?? new Uint8Array());
}
