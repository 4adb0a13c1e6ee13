/**
 * What is known of an idempotent producer in one partition: in the head's maps `q` and `o` while it is active, in an
 * item `P#<topicId>#<p>`, `PID#<producer id>` once it was moved out.
 *
 * | attribute | what |
 * |---|---|
 * | `v` | format version |
 * | `q` | epoch and last sequence, as in the head |
 * | `o` | base offset of its last batch |
 *
 * P1  An item is put only over one with a smaller `o`: a late put never takes a producer back.
 * P2  A producer that is in the head is right there; its item, if any, is old.
 */
import type { Item, Key } from "../../ports/index.ts";
import { checkFormat, FORMAT_VERSION } from "./format.ts";
import type { Head } from "./head.ts";
import { partitionKey } from "./head.ts";

export interface ProducerState {
  readonly epoch: number;
  readonly lastSequence: number;
  /** Base offset of its last batch. */
  readonly baseOffset: number;
}

/** Epoch (15 bits) and last sequence (31 bits) as one number, which grows with both. */
export function packProducer(epoch: number, lastSequence: number): number {
  return epoch * 2 ** 31 + lastSequence;
}

function unpackProducer(packed: number, baseOffset: number): ProducerState {
  return { epoch: Math.floor(packed / 2 ** 31), lastSequence: packed % 2 ** 31, baseOffset };
}

export function producerInHead(head: Head, producerId: number): ProducerState | undefined {
  const packed = head.producers[String(producerId)];
  if (packed === undefined) return undefined;
  return unpackProducer(packed as number, head.producerBases[String(producerId)] as number);
}

export function producerKey(topicId: string, partition: number, producerId: number): Key {
  return { pk: partitionKey(topicId, partition), sk: `PID#${producerId}` };
}

export function encodeProducer(state: ProducerState): Item {
  return { v: FORMAT_VERSION, q: packProducer(state.epoch, state.lastSequence), o: state.baseOffset };
}

export function decodeProducer(item: Item): ProducerState {
  checkFormat(item, "a producer's state");
  return unpackProducer(item["q"] as number, item["o"] as number);
}
