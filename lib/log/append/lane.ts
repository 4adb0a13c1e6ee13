/**
 * A lane: what one process knows of one partition, and the requests that wait for it. One commit of a lane is under
 * way at a time, so requests are appended in the order in which they came.
 */
import type { PreparedBatches } from "../../kafka/index.ts";
import type { Item, Key, Table } from "../../ports/index.ts";
import { decodeHead, type Head, headKey, partitionKey, partitionName } from "../items/head.ts";
import { decodeProducer, type ProducerState, producerInHead, producerKey } from "../items/producer.ts";
import type { AppendResult, Topic } from "../types.ts";
import type { Claim } from "./claim.ts";

export interface Pending {
  readonly topic: Topic;
  readonly prepared: PreparedBatches;
  readonly logAppendTime: boolean;
  readonly claim: Claim | undefined;
  /** For batches of a transaction: the head's count of transaction changes from before the transaction was found open. */
  readonly transactionGuard?: number | undefined;
  readonly resolve: (result: AppendResult) => void;
  readonly reject: (error: unknown) => void;
  /** Commits of it that were refused or lost. */
  attempts: number;
  /** When its first commit began, on the clock's `monotonicMs`. */
  triedAtMs?: number;
  /** The head was read after this request was first judged: a refusal is final. */
  judgedAfresh: boolean;
}

/** The idempotent producers of a request. */
export function producersOf(prepared: PreparedBatches): number[] {
  return prepared.batches.map(({ producerId }) => producerId).filter((id) => id >= 0);
}

export class Lane {
  readonly topicId: string;
  readonly partition: number;
  readonly pk: string;
  readonly headKey: Key;
  /** `<topicId>#<p>` */
  readonly name: string;
  readonly queue: Pending[] = [];
  /** A commit, a look-up or a seal that must come first is under way. */
  busy = false;
  /** The seal that is under way. */
  sealing: Promise<void> | undefined;
  #head: Head | undefined;
  /** Producers that were looked up outside the head, valid at this count of evictions. */
  readonly #outside = new Map<number, { readonly state: ProducerState | undefined; readonly evictions: number }>();

  constructor(topicId: string, partition: number) {
    this.topicId = topicId;
    this.partition = partition;
    this.pk = partitionKey(topicId, partition);
    this.headKey = headKey(topicId, partition);
    this.name = partitionName(topicId, partition);
  }

  /** The newest head that this process has seen. */
  get head(): Head | undefined {
    return this.#head;
  }

  /** Takes note of a head, unless it is older than the one that is known. */
  saw(item: Item): Head {
    const head = decodeHead(item);
    const known = this.#head;
    if (known === undefined || isAtLeast(head, known)) {
      if (known === undefined || known.evictions !== head.evictions) this.#outside.clear();
      this.#head = head;
    }
    return head;
  }

  /** Is this producer's state known, in or outside the head? */
  knows(producerId: number): boolean {
    const head = this.#head;
    if (head === undefined) return false;
    return Object.hasOwn(head.producers, String(producerId)) || this.#outside.get(producerId)?.evictions === head.evictions;
  }

  /** What is known of it; call when `knows`. */
  producer(producerId: number): { readonly state: ProducerState | undefined; readonly inHead: boolean } {
    const inHead = this.#head && producerInHead(this.#head, producerId);
    if (inHead !== undefined) return { state: inHead, inHead: true };
    return { state: this.#outside.get(producerId)?.state, inHead: false };
  }

  /** Reads the head (when `afresh`, or when none is known), then the producers that are not in it, in this order. */
  async lookUp(table: Table, producerIds: Iterable<number>, afresh: boolean): Promise<void> {
    if (afresh || this.#head === undefined) {
      const item = await table.get(this.headKey);
      if (item === undefined) {
        this.#head = undefined;
        return;
      }
      this.saw(item);
    }
    const head = this.#head as Head;
    const missing = [...producerIds].filter((id) => !Object.hasOwn(head.producers, String(id)));
    if (missing.length === 0) return;
    const found = await table.getMany(missing.map((id) => producerKey(this.topicId, this.partition, id)));
    for (const [i, id] of missing.entries()) {
      const item = found[i];
      this.#outside.set(id, { state: item && decodeProducer(item), evictions: head.evictions });
    }
  }

  /** The head is not there any more. */
  forgetHead(): void {
    this.#head = undefined;
    this.#outside.clear();
  }
}

function isAtLeast(head: Head, known: Head): boolean {
  return (
    head.next >= known.next &&
    head.tailBase >= known.tailBase &&
    head.evictions >= known.evictions &&
    head.transactionChanges >= known.transactionChanges
  );
}
