/** Who works on the group and its topics from outside: resets offsets, deletes the group, adds partitions, makes topics anew. */
import { Consumer, codeOf } from "./consumer.ts";
import { GROUP, OTHER, TOPIC } from "./names.ts";
import type { GroupSimulation } from "./simulation.ts";

export async function administrator(sim: GroupSimulation): Promise<void> {
  const { world, history } = sim;
  for (let i = 0; !sim.stopping; i++) {
    await sim.sleep(15_000);
    const [topicId, counts] = [...sim.records][0] as [string, number[]];
    const partition = world.below(counts.length);
    try {
      if (world.chance(0.25)) await sim.call(({ groups }) => groups.delete(GROUP));
      else {
        const { owner, from } = history.of(topicId, partition);
        const offset = world.below(from + 1);
        const held = { topic: TOPIC, topicId, partition, offset, claim: owner?.epoch ?? 0, life: history.life };
        await new Consumer(sim, `admin${i}`).commit(undefined, [held]);
      }
    } catch (error) {
      codeOf(error);
    }
  }
}

/** Adds partitions to the one topic; deletes the other and makes it again under the same name. */
export async function topicMaker(sim: GroupSimulation): Promise<void> {
  const { world } = sim;
  let other: string | undefined;
  const remove = async (topicId: string): Promise<void> => {
    sim.records.delete(topicId);
    await sim.untilAnswered(({ log }) =>
      log.deleteTopic(OTHER).catch((error) => {
        if (error.code !== "unknown_topic") throw error;
      }),
    );
  };
  while (!sim.stopping) {
    await sim.sleep(15_000);
    const [topicId, counts] = [...sim.records][0] as [string, number[]];
    if (world.chance(0.2) && counts.length < 5) await sim.grow(TOPIC, topicId);
    if (other !== undefined && world.chance(0.3)) await remove(other);
    if (world.chance(0.5)) other = await sim.fill(OTHER, 1);
  }
  if (other !== undefined) await remove(other);
}
