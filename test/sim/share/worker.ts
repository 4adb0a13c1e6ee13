/** A worker: takes records, settles them, late or not at all or twice, through any process. */
import type { AcknowledgeType } from "../../../lib/groups/share/types.ts";
import { batchHeaders, decodeBatch } from "../../../lib/kafka/index.ts";
import { placeOf, type ShareHistory } from "./history.ts";
import { codeOf, GROUP } from "./names.ts";
import type { ShareSimulation } from "./simulation.ts";

const [ACCEPT, RELEASE, REJECT, RENEW] = [1, 2, 3, 4] as const;
export const LOCK_MS = 15_000;

interface Job {
  readonly topicId: string;
  readonly partition: number;
  readonly offset: number;
  readonly count: number;
  readonly value: string;
}

/** Works so many rounds; `calm`: accepts whatever it is given, until there is nothing for a while. */
export async function worker(sim: ShareSimulation, history: ShareHistory, name: string, rounds: number): Promise<void> {
  const { world } = sim;
  for (let i = 0; i < rounds; i++) {
    const holder = `${name}.${i}`;
    const jobs = await receive(sim, history, holder, 1 + world.below(6));
    // It dies, or is so slow that others have its records.
    if (world.chance(0.06)) continue;
    if (world.chance(0.08)) await sim.sleep(3 * LOCK_MS);
    for (const some of Map.groupBy(jobs, ({ topicId, partition }) => `${topicId} ${partition}`).values())
      await settleSome(sim, history, holder, some);
    await sim.sleep(world.pick([100, 500, 3000]));
  }
}

/** Accepts everything until nothing came for longer than any lock or delay lasts. */
export async function drain(sim: ShareSimulation, history: ShareHistory, name: string): Promise<void> {
  for (let [i, quiet] = [0, 0]; quiet < 8; i++) {
    const holder = `${name}.${i}`;
    const jobs = await receive(sim, history, holder, 50);
    quiet = jobs.length === 0 ? quiet + 1 : 0;
    for (const some of Map.groupBy(jobs, ({ topicId, partition }) => `${topicId} ${partition}`).values()) {
      await settle(sim, history, holder, some, ACCEPT);
    }
    if (jobs.length === 0) await sim.world.clock(undefined).sleep(LOCK_MS);
  }
}

async function receive(sim: ShareSimulation, history: ShareHistory, holder: string, maxRecords: number): Promise<Job[]> {
  const { world } = sim;
  const partitions = [...sim.topics].flatMap(([topicId, { partitions }]) =>
    Array.from({ length: partitions }, (_, partition) => ({ topicId, partition })),
  );
  const askedMs = world.nowMs;
  const order = world.pick(["turn", "priority"] as const);
  const maxWaitMs = world.pick([0, 0, 1000]);
  const maxBytes = world.pick([1, 200, 100_000]);
  history.unanswered++;
  try {
    const answer = await sim.call(({ shares }) =>
      shares.acquire({
        group: GROUP,
        holder,
        partitions,
        order,
        maxRecords,
        maxBytes,
        maxWaitMs,
        lockMs: LOCK_MS,
        firstFrom: "earliest",
      }),
    );
    const jobs: Job[] = [];
    let failed = false;
    for (const { topicId, partition, batches, acquired, error } of answer.partitions) {
      if (error !== undefined) {
        codeOf(error);
        failed = true;
        continue;
      }
      const found = new Map(batches.flatMap((bytes) => recordsOf(bytes)).map((one) => [one.offset, one]));
      for (const { firstOffset, lastOffset, deliveryCount: count } of acquired) {
        for (let offset = firstOffset; offset <= lastOffset; offset++) {
          const record = found.get(offset);
          const place = placeOf(topicId, partition, offset);
          if (record === undefined) history.wrong.push(`${place} was given, and its bytes are not there`);
          else {
            history.delivered(place, count, holder, askedMs + LOCK_MS, record.deliverAtMs);
            jobs.push({ topicId, partition, offset, count, value: record.value });
          }
        }
      }
    }
    if (!failed) history.unanswered--;
    if (jobs.length > maxRecords) history.wrong.push(`${holder} asked for ${maxRecords} and got ${jobs.length}`);
    return jobs;
  } catch (error) {
    codeOf(error);
    return [];
  }
}

interface Found {
  readonly offset: number;
  readonly value: string;
  readonly deliverAtMs: number;
}

export function recordsOf(bytes: Uint8Array): Found[] {
  return [...batchHeaders(bytes)].flatMap((header) =>
    decodeBatch(bytes, header.at, {}).map(({ offset, value, headers }) => {
      const at = headers.find(({ key }) => key === "brokerless-deliver-at")?.value;
      return { offset, value: textOf(value), deliverAtMs: at == null ? 0 : Number(textOf(at)) };
    }),
  );
}

export function textOf(value: Uint8Array | null): string {
  return new TextDecoder().decode(value ?? undefined);
}

async function settleSome(sim: ShareSimulation, history: ShareHistory, holder: string, jobs: readonly Job[]): Promise<void> {
  const { world } = sim;
  if (world.chance(0.1)) {
    const answer = await settle(sim, history, `${holder}x`, jobs.slice(0, 1), world.pick([ACCEPT, RELEASE, REJECT, RENEW]), true);
    if (answer === "ok") history.wrong.push(`K2: somebody settled what ${holder} was given`);
  }
  if (world.chance(0.15)) {
    await settle(sim, history, holder, jobs, RENEW);
    await sim.sleep(LOCK_MS);
  }
  const ways = Map.groupBy(jobs, ({ value }) => wayOf(sim, value));
  for (const [way, some] of ways) {
    // All at once, or one by one.
    const rows = world.chance(0.5) ? [some] : some.map((one) => [one]);
    for (const row of rows) {
      for (let tries = 0; tries < 4; tries++) {
        const answer = await settle(sim, history, holder, row, way);
        // A lost answer is asked for again, and now and then one that came.
        if (answer === "invalid_record_state" || (answer === "ok" && world.chance(0.9))) break;
        await sim.sleep(200);
      }
    }
  }
}

/** Poison is always rejected or given back. */
function wayOf({ world }: ShareSimulation, value: string): 1 | 2 | 3 {
  if (value.startsWith("poison")) return world.pick([RELEASE, RELEASE, REJECT]);
  return world.chance(0.1) ? RELEASE : ACCEPT;
}

/** `ok`, or the code of what went wrong. `stranger`: nothing may come of it. */
async function settle(
  sim: ShareSimulation,
  history: ShareHistory,
  holder: string,
  jobs: readonly Job[],
  type: AcknowledgeType,
  stranger = false,
): Promise<string> {
  const [first] = jobs;
  if (first === undefined) return "none";
  const { topicId, partition } = first;
  const names = { 1: "accept", 2: "release", 3: "reject" } as const;
  const places = jobs.map(({ offset, count }) => ({ place: placeOf(topicId, partition, offset), count }));
  const tried = places.some(({ place, count }) => history.wasTried(place, count));
  if (!stranger && type !== RENEW && type !== 0) for (const { place, count } of places) history.trying(place, count, names[type]);
  const askedMs = sim.world.nowMs;
  try {
    const batches = jobs.map(({ offset }) => ({ firstOffset: offset, lastOffset: offset, types: [type], lockMs: LOCK_MS }));
    const [answer] = await sim.call(({ shares }) =>
      shares.acknowledge({ group: GROUP, holder, partitions: [{ topicId, partition, batches }] }),
    );
    if (answer?.error !== undefined) {
      const code = codeOf(answer.error);
      const mayBe = stranger || sim.retained || !sim.topics.has(topicId);
      if (code === "invalid_record_state" && !mayBe) {
        if (!tried) history.refused(places);
        else if (type === ACCEPT || type === REJECT) history.refusedAgain(places, type === ACCEPT ? "accepted" : "rejected");
      }
      return code;
    }
    if (stranger) return "ok";
    for (const { place, count } of places) {
      if (type === RENEW) history.extended(place, count, askedMs + LOCK_MS);
      else if (type === ACCEPT || type === REJECT) history.settled(place, count, type === ACCEPT ? "accepted" : "rejected");
    }
    return "ok";
  } catch (error) {
    return codeOf(error);
  }
}
