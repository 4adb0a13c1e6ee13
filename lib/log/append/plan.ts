/**
 * What to do with a waiting request, given what is known of its producers: pure rules, as Kafka's
 * ProducerAppendInfo has them (KIP-98, KIP-360), with one that is stricter: a producer that nothing is known of must
 * begin with sequence 0, or its order could not be kept.
 *
 * S1  A batch is appended only right after its producer's last one: the sequence after it in the same epoch, or
 *     sequence 0 in a higher epoch.
 * S2  A batch that repeats an earlier one is never appended again.
 */
import { BrokerlessError } from "../../base/errors.ts";
import type { BatchSummary } from "../../kafka/index.ts";
import type { ProducerState } from "../items/producer.ts";

const SEQUENCES = 2 ** 31;

export type Verdict =
  | { readonly kind: "append" }
  /** Repeats what was written; its offset is to be looked up. */
  | { readonly kind: "duplicate"; readonly state: ProducerState }
  /** Refused, if what is known is the latest: it may be old where another process writes too. */
  | { readonly kind: "refused"; readonly error: BrokerlessError; readonly final: boolean };

/** The sequence that follows; it wraps to 0. */
function nextSequence(sequence: number): number {
  return (sequence + 1) % SEQUENCES;
}

/** Is `sequence` at or behind `last`, allowing for the wrap? */
function isBehind(sequence: number, last: number): boolean {
  return (last - sequence + SEQUENCES) % SEQUENCES < SEQUENCES / 2;
}

/** Judges one batch of a producer against the producer's state (undefined: nothing is known of it). */
export function judgeBatch(batch: BatchSummary, state: ProducerState | undefined): Verdict {
  const { producerId, producerEpoch, baseSequence } = batch;
  if (state === undefined) {
    if (baseSequence === 0) return { kind: "append" };
    return refused(
      "unknown_producer",
      `producer ${producerId} begins with sequence ${baseSequence}, and nothing is known of it here: begin with 0, or with a new producer id`,
      false,
    );
  }
  if (producerEpoch < state.epoch) {
    return refused(
      "invalid_producer_epoch",
      `producer ${producerId} has epoch ${producerEpoch}; its epoch is ${state.epoch} by now`,
      true,
    );
  }
  if (producerEpoch > state.epoch) {
    if (baseSequence === 0) return { kind: "append" };
    return refused(
      "out_of_order_sequence",
      `producer ${producerId} begins epoch ${producerEpoch} with sequence ${baseSequence}; it begins with 0`,
      true,
    );
  }
  if (baseSequence === nextSequence(state.lastSequence)) return { kind: "append" };
  if (isBehind(baseSequence, state.lastSequence)) return { kind: "duplicate", state };
  return refused(
    "out_of_order_sequence",
    `producer ${producerId} sends sequence ${baseSequence}; ${nextSequence(state.lastSequence)} is next`,
    false,
  );
}

function refused(
  code: "unknown_producer" | "out_of_order_sequence" | "invalid_producer_epoch",
  message: string,
  final: boolean,
): Verdict {
  return { kind: "refused", error: new BrokerlessError(code, message), final };
}

/** The state of a producer after this batch, of which the base offset is not yet known. */
export function stateAfter(batch: BatchSummary): ProducerState {
  return { epoch: batch.producerEpoch, lastSequence: batch.lastSequence, baseOffset: -1 };
}
