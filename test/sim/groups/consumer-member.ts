/** A member of the server-driven protocol (KIP-848), as Kafka's clients are: it commits what it gives up before it says so. */
import type { ConsumerHeartbeatAnswer, MemberRef } from "../../../lib/groups/types.ts";
import { Consumer, codeOf, type Held } from "./consumer.ts";
import { GROUP, TOPIC } from "./names.ts";
import type { GroupSimulation } from "./simulation.ts";

/** So many rounds of work; then it leaves, or is silent. */
export async function consumerMember(sim: GroupSimulation, name: string, rounds: number): Promise<void> {
  const { world } = sim;
  let [left, lives] = [rounds, 0];
  while (left > 0 && !isOver(sim)) {
    const member = new ConsumerMember(sim, `${name}.${lives++}`);
    left = await member.work(left);
    if (world.chance(0.5)) await member.leave();
    await sim.sleep(500);
  }
}

function isOver(sim: GroupSimulation): boolean {
  return sim.draining && sim.drained();
}

class ConsumerMember extends Consumer {
  #epoch = 0;
  /** An epoch that it had: a late commit may still be of it. */
  #former: MemberRef | undefined;

  async work(rounds: number): Promise<number> {
    const { world } = this.sim;
    let left = rounds;
    while (left > 0 && !isOver(this.sim)) {
      left--;
      try {
        await this.#heartbeat();
        this.process();
        if (!this.sim.draining && world.chance(0.04)) await this.sim.sleep(120_000);
        if (world.chance(0.7)) await this.commit(this.#ref);
        if (this.#former !== undefined && world.chance(0.1)) await this.commit(this.#former);
      } catch (error) {
        const code = codeOf(error);
        if (code === "unknown_member" || code === "fenced_member_epoch" || code === "unknown_group") await this.#fenced();
      }
      if (!this.sim.draining && world.chance(0.03)) return left;
      await this.sim.sleep(400);
    }
    return left;
  }

  get #ref(): MemberRef {
    return { memberId: this.who, epoch: this.#epoch };
  }

  /** Everything is lost; some try to commit it all the same. */
  async #fenced(): Promise<void> {
    if (this.sim.world.chance(0.5)) await this.#commitAnyway(this.held);
    this.held = [];
    this.#epoch = 0;
  }

  async #commitAnyway(held: readonly Held[]): Promise<void> {
    try {
      await this.commit(this.#ref, held);
    } catch (error) {
      codeOf(error);
    }
  }

  async #heartbeat(): Promise<void> {
    const joins = this.#epoch === 0;
    const owned = joins ? [] : ownedOf(this.held);
    const { life } = this.sim.history;
    const answer = await this.sim.call(({ groups }) =>
      groups.consumerHeartbeat({
        group: GROUP,
        memberId: this.who,
        epoch: this.#epoch,
        client: { clientId: this.who, clientHost: "" },
        ...(joins ? { rebalanceTimeoutMs: 20_000, topics: [TOPIC] } : {}),
        owned,
      }),
    );
    this.#former = this.#epoch > 0 && this.#epoch !== answer.epoch ? this.#ref : this.#former;
    await this.#takeOver(answer, life);
  }

  async #takeOver({ epoch, assignment }: ConsumerHeartbeatAnswer, life: number): Promise<void> {
    const before = this.held;
    if (assignment !== undefined) {
      const is = (one: Held): boolean =>
        assignment.some(({ topicId, partitions }) => topicId === one.topicId && partitions.includes(one.partition));
      const gone = before.filter((one) => !is(one));
      this.held = before.filter(is);
      this.#epoch = epoch;
      if (gone.length > 0 && this.sim.world.chance(0.8)) await this.#commitAnyway(gone);
      const fresh = assignment.flatMap(({ topic, topicId, partitions }) =>
        partitions
          .filter((p) => !before.some((one) => one.topicId === topicId && one.partition === p))
          .map((partition) => this.learnt({ topic, topicId, partition }, epoch, life)),
      );
      // Not its own before it knows where to begin: it says nothing of it, and is told again.
      await this.#begin(fresh);
    }
    this.#epoch = epoch;
  }

  async #begin(fresh: readonly Held[]): Promise<void> {
    for (;;) {
      try {
        await this.place(fresh, undefined);
        this.held = [...this.held, ...fresh];
        return;
      } catch (error) {
        // A process that has not heard of a new partition yet may be asked, too.
        const code = codeOf(error);
        if (code !== "setback" && code !== "unknown_partition") throw error;
        await this.sim.sleep(60);
      }
    }
  }

  async leave(): Promise<void> {
    try {
      await this.sim.call(({ groups }) =>
        groups.consumerHeartbeat({ group: GROUP, memberId: this.who, epoch: -1, client: { clientId: this.who, clientHost: "" } }),
      );
    } catch (error) {
      codeOf(error);
    }
  }
}

function ownedOf(held: readonly Held[]): { topicId: string; partitions: number[] }[] {
  const ids = [...new Set(held.map(({ topicId }) => topicId))];
  return ids.map((topicId) => ({
    topicId,
    partitions: held.filter((one) => one.topicId === topicId).map(({ partition }) => partition),
  }));
}
