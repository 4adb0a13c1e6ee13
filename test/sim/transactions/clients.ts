/** Those beside the transactional producers: atomic requests, and readers of both isolation levels. */
import { encodeBatch } from "../../../lib/kafka/index.ts";
import type { Seen } from "./history.ts";
import { INPUT, isBusy, PLACES, type Place, placeName } from "./names.ts";
import { shown } from "./show.ts";
import type { Running, TransactionSimulation } from "./simulation.ts";

/** Records of all places and an offset, in one request, which is sent again under its key until it is answered, or not. */
export async function atomicClient(sim: TransactionSimulation, client: string, requests: number): Promise<void> {
  const { world, history } = sim;
  for (let i = 0; i < requests; i++) {
    const name = `${client}/${i}`;
    const places = PLACES.map((place) => ({ place, records: 1 }));
    const transaction = history.begin({ name, client, places, offset: i + 1 });
    const text = new TextEncoder().encode(`${name}/0`);
    const batches = encodeBatch([{ key: text, value: text }], { timestampMs: world.nowMs });
    const request = { group: client, offsets: [{ topic: INPUT, partition: 0, offset: i + 1 }] };
    transaction.outcome = "unknown";
    const tries = world.chance(0.3) ? 1 : Number.POSITIVE_INFINITY;
    const send = ({ log, groups }: Running): Promise<unknown> =>
      log.appendAtomically(
        PLACES.map((place) => ({ ...place, batches: batches.slice() })),
        { idempotencyKey: name, requestHash: name, with: groups.commitWith(request) },
      );
    try {
      await sim.untilAnswered(send, { tries });
      transaction.outcome = "committed";
    } catch (error) {
      if (!isBusy(error)) throw error;
    }
    await sim.sleep(200);
  }
}

/** Reads what is committed, from the beginning, until told to stop. */
export async function committedReader(sim: TransactionSimulation, place: Place): Promise<void> {
  const { world, history } = sim;
  const seen: Seen[] = [];
  const progress = { place: placeName(place), seen, next: 0 };
  history.readers.push(progress);
  let stable = 0;
  while (!sim.stopping) {
    const offset = progress.next;
    const maxBytes = 1 + world.below(2000);
    const read = await sim.untilAnswered(({ log }) =>
      log.read({ ...place, offset, maxBytes, maxWaitMs: world.below(50), isolation: "read_committed" }),
    );
    if (read.nextOffset > read.lastStableOffset) history.wrong.push(`a reader of ${placeName(place)} read past what is stable`);
    if (read.lastStableOffset < stable) history.wrong.push(`what is stable of ${placeName(place)} went back`);
    stable = read.lastStableOffset;
    seen.push(...shown(read, offset));
    progress.next = read.nextOffset;
    await sim.sleep(100);
  }
}

/** Looks at the offset of a group again and again: it only grows. */
export async function offsetWatcher(sim: TransactionSimulation, group: string): Promise<void> {
  let last = -1;
  while (!sim.stopping) {
    const offset = await sim.committed(group);
    if (offset < last) sim.history.wrong.push(`the offset of ${group} went from ${last} to ${offset}`);
    last = offset;
    await sim.sleep(400);
  }
}
