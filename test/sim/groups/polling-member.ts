/** A consumer over HTTP, one poll after the other; whoever serves it holds nothing of it. */
import type { Cursor } from "../../../lib/groups/poll/cursor.ts";
import { leaveGroup, returned } from "../../../lib/groups/poll/poll.ts";
import type { PollRequest } from "../../../lib/groups/poll/types.ts";
import type { GroupsApi } from "../../../lib/groups/types.ts";
import { Consumer, codeOf, type Held } from "./consumer.ts";
import { GROUP, OTHER, TOPIC } from "./names.ts";
import type { GroupSimulation, Running } from "./simulation.ts";

/** What a consumer goes on from. */
interface Standing {
  readonly cursor: Cursor | undefined;
  readonly held: readonly Held[];
}

export async function pollingMember(sim: GroupSimulation, name: string, rounds: number): Promise<void> {
  const { world } = sim;
  let [left, lives] = [rounds, 0];
  while (left > 0 && !isOver(sim)) {
    const member = new PollingMember(sim, `${name}.${lives++}`);
    left = await member.work(left);
    if (world.chance(0.5)) await member.leave();
    await sim.sleep(500);
  }
}

function isOver(sim: GroupSimulation): boolean {
  return sim.draining && sim.drained();
}

class PollingMember extends Consumer {
  #now: Standing = { cursor: undefined, held: [] };

  async work(rounds: number): Promise<number> {
    const { sim } = this;
    const { world } = sim;
    let left = rounds;
    while (left > 0 && !isOver(sim)) {
      left--;
      try {
        const before = this.#now;
        await this.#poll(before);
        // A reply that it did not get: it goes on from the one before.
        if (!sim.draining && world.chance(0.08)) this.#now = before;
        if (!sim.draining && world.chance(0.04)) await sim.sleep(120_000);
      } catch (error) {
        codeOf(error);
      }
      if (!sim.draining && world.chance(0.03)) return left;
      await sim.sleep(400);
    }
    return left;
  }

  async #poll({ cursor, held }: Standing): Promise<void> {
    const { sim } = this;
    const { world } = sim;
    // By name, so only where the name stays the same topic's.
    const seek =
      cursor?.positions.filter(({ topic, offset }) => topic === TOPIC && offset > 0 && !sim.draining && world.chance(0.03)) ?? [];
    const request: PollRequest = {
      group: GROUP,
      client: { clientId: this.who, clientHost: "" },
      cursor,
      ...(cursor === undefined ? { topics: [TOPIC, OTHER] } : {}),
      reset: "earliest",
      commit: sim.draining || world.chance(0.9),
      seek: seek.map(({ topic, partition, offset }) => ({ topic, partition, offset: world.below(offset) })),
      pause: [],
      resume: [],
      maxBytes: sim.draining ? 10_000 : 1 + world.below(300),
      maxWaitMs: 0,
    };
    const poll = { joined: false };
    const { life } = sim.history;
    const answer = await sim.call((running) =>
      sim.poll({ groups: this.#watched(running, held, poll), log: running.log }, request),
    );
    const mine = answer.cursor.positions.map(({ topic, topicId, partition }) => {
      // A member that joined anew was given all of it anew.
      const known = poll.joined ? undefined : held.find((one) => one.topicId === topicId && one.partition === partition);
      return known ?? this.learnt({ topic, topicId, partition }, answer.cursor.epoch, life);
    });
    const next = answer.polled.map(({ topic, topicId, partition, offset, result }) => {
      for (let at = offset; at < result.nextOffset; at++) sim.history.processed(topicId, partition, at);
      return { topic, partition, offset: result.nextOffset };
    });
    this.#now = { cursor: returned(answer.cursor, next), held: mine };
  }

  /** Groups, where a commit says whose it is, and a poll whether it has joined. */
  #watched(running: Running, held: readonly Held[], poll: { joined: boolean }): GroupsApi {
    const commit: GroupsApi["commit"] = (request) => this.tagged(running, request, held);
    const heartbeat: GroupsApi["consumerHeartbeat"] = (request) => {
      poll.joined ||= request.epoch === 0;
      return running.groups.consumerHeartbeat(request);
    };
    return new Proxy(running.groups, {
      get: (groups, name) => {
        if (name === "commit") return commit;
        if (name === "consumerHeartbeat") return heartbeat;
        const value = groups[name as keyof GroupsApi];
        return typeof value === "function" ? value.bind(groups) : value;
      },
    });
  }

  async leave(): Promise<void> {
    const { cursor } = this.#now;
    if (cursor === undefined) return;
    try {
      await this.sim.call(({ groups }) => leaveGroup({ groups }, cursor, { clientId: this.who, clientHost: "" }));
    } catch (error) {
      codeOf(error);
    }
  }
}
