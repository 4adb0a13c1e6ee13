/** What consumers of every kind do in a simulation: process the records that they have a right to, then commit. */
import { BrokerlessError } from "../../../lib/base/errors.ts";
import type { CommitRequest, MemberRef, PartitionAnswer, TopicPartition } from "../../../lib/groups/types.ts";
import { isSetback } from "../clients.ts";
import type { Tag } from "./history.ts";
import { GROUP } from "./names.ts";
import type { GroupSimulation, Running } from "./simulation.ts";

export interface Held extends TopicPartition {
  readonly topicId: string;
  /** The next to be processed. */
  offset: number;
  /** Generation or epoch at which it was learnt to be its own. */
  readonly claim: number;
  readonly life: number;
}

export class Consumer {
  readonly sim: GroupSimulation;
  readonly who: string;
  held: Held[] = [];
  #seq = 0;

  constructor(sim: GroupSimulation, who: string) {
    this.sim = sim;
    this.who = who;
  }

  /** A partition becomes its own; where it begins is asked for after. `life`: of the group, when it asked. */
  learnt({ topic, topicId, partition }: TopicPartition & { readonly topicId: string }, claim: number, life: number): Held {
    this.sim.history.learnt(topicId, partition, this.who, claim, life);
    return { topic, topicId, partition, offset: 0, claim, life };
  }

  /** Takes some records of some partition. */
  process(): void {
    const { world, history, records } = this.sim;
    if (this.held.length === 0) return;
    const one = world.pick(this.held);
    const end = records.get(one.topicId)?.[one.partition] ?? 0;
    // Now and then it goes back, as with a seek.
    if (world.chance(0.03)) one.offset = world.below(one.offset + 1);
    for (const upTo = Math.min(end, one.offset + 1 + world.below(5)); one.offset < upTo; one.offset++)
      history.processed(one.topicId, one.partition, one.offset);
  }

  /** Commits where it is in everything that it holds; throws what the commit throws. */
  async commit(member: MemberRef | undefined, held: readonly Held[] = this.held): Promise<void> {
    if (held.length === 0) return;
    const offsets = held.map(({ topic, topicId, partition, offset }) => ({ topic, topicId, partition, offset }));
    await this.sim.call((running) => this.tagged(running, { group: GROUP, member, offsets }, held));
  }

  /** A commit through a process, watched from where it begins to where it ends. */
  async tagged({ groups, process }: Running, request: CommitRequest, held: readonly Held[]): Promise<PartitionAnswer[]> {
    const { history } = this.sim;
    const seq = ++this.#seq;
    const known = request.offsets.map((one) => {
      const claim = request.member?.epoch ?? 0;
      const own = held.find((other) => other.topicId === one.topicId && other.partition === one.partition) ?? {
        topicId: one.topicId as string,
        partition: one.partition,
        claim,
        life: history.life,
      };
      const tag: Tag = { who: this.who, member: request.member?.memberId, seq, claim: own.claim, life: own.life };
      return { own, tag, before: history.of(own.topicId, own.partition).applied.length };
    });
    history.begun({ who: this.who, seq }, process);
    try {
      const offsets = request.offsets.map((one, i) => ({ ...one, metadata: JSON.stringify(known[i]?.tag) }));
      const answers = await groups.commit({ ...request, offsets });
      for (const [i, { error }] of answers.entries()) {
        const { own, tag, before } = known[i] as (typeof known)[number];
        if (error === undefined) history.acked(own.topicId, own.partition, tag, before);
      }
      return answers;
    } finally {
      history.settled({ who: this.who, seq });
    }
  }

  /** Sets where it begins in these partitions: what is committed, else the beginning. Throws what the fetch throws. */
  async place(held: readonly Held[], member: MemberRef | undefined): Promise<void> {
    if (held.length === 0) return;
    const { history } = this.sim;
    const before = held.map(({ topicId, partition }) => history.of(topicId, partition).applied.length);
    const topics = [...new Set(held.map(({ topic }) => topic))].map((topic) => ({
      topic,
      partitions: held.filter((one) => one.topic === topic).map(({ partition }) => partition),
    }));
    const answers = await this.sim.call(({ groups }) => groups.fetchOffsets({ group: GROUP, topics, ...(member && { member }) }));
    for (const [i, one] of held.entries()) {
      const answer = answers.find(({ topic, partition }) => topic === one.topic && partition === one.partition);
      if (answer?.error !== undefined) throw answer.error;
      const offset = answer?.offset ?? -1;
      history.fetched(one.topicId, one.partition, offset, before[i] as number);
      one.offset = Math.max(0, offset);
    }
  }
}

/** The code of an error that a member may meet; throws any other. */
export function codeOf(error: unknown): string {
  if (isSetback(error)) return "setback";
  if (error instanceof BrokerlessError && EXPECTED.has(error.code)) return error.code;
  throw error;
}

const EXPECTED: ReadonlySet<string> = new Set([
  "group_busy",
  "unknown_member",
  "illegal_generation",
  "rebalance_in_progress",
  "fenced_instance_id",
  "fenced_member_epoch",
  "stale_member_epoch",
  "inconsistent_group_protocol",
  "unknown_group",
  "member_id_required",
  "non_empty_group",
  "unknown_topic",
  "unknown_partition",
]);
