/** A member of the classic protocol, as Kafka's clients are: eager, commits what it has before it joins again. */
import { assignedPartitions } from "../../../lib/groups/classic/consumer-protocol.ts";
import type { JoinAnswer, MemberRef } from "../../../lib/groups/types.ts";
import { Consumer, codeOf } from "./consumer.ts";
import { GROUP, TOPIC } from "./names.ts";
import type { GroupSimulation } from "./simulation.ts";

const SESSION_MS = 10_000;

/** So many rounds of work; then it leaves, or is silent. */
export async function classicMember(sim: GroupSimulation, name: string, rounds: number): Promise<void> {
  const { world } = sim;
  let [left, lives] = [rounds, 0];
  while (left > 0 && !isOver(sim)) {
    const member = new ClassicMember(sim, `${name}.${lives++}`);
    // Some go down and come back as somebody else.
    left = await member.work(left);
    if (world.chance(0.5)) await member.leave();
    await sim.sleep(500);
  }
}

function isOver(sim: GroupSimulation): boolean {
  return sim.draining && sim.drained();
}

class ClassicMember extends Consumer {
  #memberId = "";
  #generation = -1;
  /** What it was before: a late commit of it may still come. */
  #former: MemberRef | undefined;

  async work(rounds: number): Promise<number> {
    const { world } = this.sim;
    let left = rounds;
    while (left > 0 && !isOver(this.sim)) {
      left--;
      try {
        if (this.#generation < 0 && !(await this.#join())) continue;
        this.process();
        // A long pause, after which others have its partitions.
        if (!this.sim.draining && world.chance(0.04)) await this.sim.sleep(60_000);
        if (world.chance(0.7)) await this.commit(this.#ref);
        if (world.chance(0.7)) await this.sim.call(({ groups }) => groups.heartbeat(GROUP, this.#ref));
      } catch (error) {
        const code = codeOf(error);
        if (code !== "setback" && code !== "group_busy") await this.#rejoin(code);
      }
      if (!this.sim.draining && world.chance(0.03)) return left;
      await this.sim.sleep(400);
    }
    return left;
  }

  get #ref(): MemberRef {
    return { memberId: this.#memberId, epoch: this.#generation };
  }

  /** What is not committed is tried once more under the generation that was. */
  async #rejoin(code: string): Promise<void> {
    this.#former = this.#ref;
    if (this.sim.world.chance(0.7)) await this.#commitAs(this.#former);
    this.#generation = -1;
    if (code === "unknown_member" || code === "fenced_instance_id") this.#memberId = "";
    else if (code === "illegal_generation" && this.sim.world.chance(0.5)) this.#memberId = "";
  }

  async #commitAs(ref: MemberRef): Promise<void> {
    try {
      await this.commit(ref);
    } catch (error) {
      codeOf(error);
    }
  }

  async #join(): Promise<boolean> {
    const { sim } = this;
    try {
      const joined = await sim.call(({ groups }) =>
        groups.join({
          group: GROUP,
          memberId: this.#memberId,
          client: { clientId: this.who, clientHost: "" },
          sessionTimeoutMs: SESSION_MS,
          rebalanceTimeoutMs: 2000,
          protocolType: "consumer",
          protocols: [{ name: "range", metadata: new Uint8Array(0) }],
          requireMemberId: true,
          maxWaitMs: 4000,
        }),
      );
      this.#memberId = joined.memberId;
      // While it joined, what it had was others'.
      if (this.#former !== undefined && sim.world.chance(0.2)) await this.#commitAs(this.#former);
      return await this.#sync(joined);
    } catch (error) {
      const code = codeOf(error);
      if (code === "member_id_required") this.#memberId = (error as { details: { memberId: string } }).details.memberId;
      else if (code === "unknown_member" || code === "illegal_generation") this.#memberId = "";
      await sim.sleep(300);
      return false;
    }
  }

  async #sync({ generation, members }: JoinAnswer): Promise<boolean> {
    const { sim } = this;
    const [topicId, counts] = [...sim.records][0] as [string, number[]];
    const given = new Map(members.map(({ memberId }) => [memberId, [] as number[]]));
    const lists = [...given.values()];
    for (const p of counts.keys()) lists[p % lists.length]?.push(p);
    const assignments = [...given].map(([memberId, partitions]) => ({ memberId, assignment: encodeAssignment(partitions) }));
    const member = { memberId: this.#memberId, epoch: generation };
    const { life } = sim.history;
    const { assignment } = await sim.call(({ groups }) => groups.sync({ group: GROUP, member, assignments, maxWaitMs: 4000 }));
    const held = decodeAssignment(assignment).map((p) => this.learnt({ topic: TOPIC, topicId, partition: p }, generation, life));
    await this.place(held, member);
    this.#generation = generation;
    this.held = held;
    return true;
  }

  async leave(): Promise<void> {
    try {
      await this.sim.call(({ groups }) => groups.leave(GROUP, [{ memberId: this.#memberId }]));
    } catch (error) {
      codeOf(error);
    }
  }
}

/** ConsumerProtocolAssignment, version 0, of the one topic. */
function encodeAssignment(partitions: readonly number[]): Uint8Array {
  const name = new TextEncoder().encode(TOPIC);
  const view = new DataView(new ArrayBuffer(2 + 4 + 2 + name.length + 4 + 4 * partitions.length));
  view.setInt32(2, 1);
  view.setInt16(6, name.length);
  new Uint8Array(view.buffer).set(name, 8);
  view.setInt32(8 + name.length, partitions.length);
  for (const [i, p] of partitions.entries()) view.setInt32(12 + name.length + 4 * i, p);
  return new Uint8Array(view.buffer);
}

function decodeAssignment(bytes: Uint8Array): number[] {
  return (assignedPartitions(bytes) ?? []).flatMap(({ partitions }) => partitions);
}
