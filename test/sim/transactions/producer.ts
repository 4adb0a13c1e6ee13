/**
 * A transactional producer as Kafka's clients are: it asks again what was not answered, in order, and gives up when it is fenced. The
 * next life of its transactional id may begin while this one goes on as a zombie.
 */
import { BrokerlessError } from "../../../lib/base/errors.ts";
import { encodeBatch } from "../../../lib/kafka/index.ts";
import type { TransactionalProducer } from "../../../lib/transactions/types.ts";
import type { Transaction } from "./history.ts";
import { INPUT, isOver, PLACES, type Place, placeName } from "./names.ts";
import type { Running, TransactionSimulation } from "./simulation.ts";

const LIVES = 4;
const TRIES = 10;

export async function transactionalProducer(sim: TransactionSimulation, client: string, bumps: boolean): Promise<void> {
  const { world } = sim;
  const lives: Promise<void>[] = [];
  const count = { transactions: 0 };
  for (let i = 0; i < LIVES; i++) {
    const life = new Life(sim, client, bumps, count).run(1 + world.below(6));
    lives.push(life);
    // The next one begins after it, or while it is at work.
    if (world.chance(0.6)) await life;
    else await sim.sleep(400);
  }
  await Promise.all(lives);
}

class Life {
  readonly #sim: TransactionSimulation;
  readonly #client: string;
  readonly #bumps: boolean;
  readonly #count: { transactions: number };
  readonly #sequences = new Map<string, number>();
  #me!: TransactionalProducer;

  constructor(sim: TransactionSimulation, client: string, bumps: boolean, count: { transactions: number }) {
    this.#sim = sim;
    this.#client = client;
    this.#bumps = bumps;
    this.#count = count;
  }

  async run(most: number): Promise<void> {
    const { world } = this.#sim;
    const timeoutMs = world.pick([300, 5_000, 60_000]);
    const found = await this.#ask(({ transactions }) => transactions.initProducer(this.#client, timeoutMs));
    this.#me = { transactionalId: this.#client, ...found };
    for (let i = 0; i < most; i++) {
      try {
        // It dies, and leaves the transaction as it is.
        if (!(await this.#transaction(this.#begin()))) return;
      } catch (error) {
        if (!isOver(error)) throw error;
        return;
      }
      await this.#sim.sleep(100);
    }
  }

  #begin(): Transaction {
    const { world, history } = this.#sim;
    const number = this.#count.transactions++;
    const places = PLACES.filter(() => world.chance(0.6)).map((place) => ({ place, records: 1 + world.below(3) }));
    if (places.length === 0) places.push({ place: world.pick(PLACES), records: 1 });
    const offset = world.chance(0.6) ? number + 1 : undefined;
    return history.begin({ name: `${this.#client}/${number}`, client: this.#client, places, offset });
  }

  /** False: the producer has died. */
  async #transaction(transaction: Transaction): Promise<boolean> {
    const { world } = this.#sim;
    const { places, offset, name } = transaction;
    const dies = world.chance(0.1);
    if (!this.#bumps) {
      const partitions = places.map(({ place }) => place);
      await this.#ask(({ transactions }) => transactions.addPartitions(this.#me, partitions));
    }
    for (const { place, records } of places) {
      for (let k = 0; k < records; k++) await this.#send(place, `${name}/${k}`);
      if (dies && world.chance(0.5)) return false;
    }
    if (offset !== undefined) await this.#commitOffset(offset);
    if (dies) return false;
    const commits = world.chance(0.7);
    if (commits) transaction.outcome = "unknown";
    const next = await this.#ask(({ transactions }) => transactions.end(this.#me, commits, this.#bumps));
    if (commits) transaction.outcome = "committed";
    if (next.epoch !== this.#me.epoch || next.producerId !== this.#me.producerId) this.#sequences.clear();
    this.#me = { ...this.#me, ...next };
    return true;
  }

  async #send(place: Place, value: string): Promise<void> {
    const { world } = this.#sim;
    const sequence = this.#sequences.get(placeName(place)) ?? 0;
    const { producerId, epoch } = this.#me;
    const text = new TextEncoder().encode(value);
    const batches = encodeBatch([{ key: text, value: text }], {
      timestampMs: world.nowMs,
      producerId,
      producerEpoch: epoch,
      baseSequence: sequence,
      transactional: true,
    });
    await this.#ask((running) => this.#append(running, place, batches));
    this.#sequences.set(placeName(place), sequence + 1);
  }

  /** As the server does it for Produce. */
  async #append({ log, transactions }: Running, place: Place, batches: Uint8Array): Promise<void> {
    for (let tries = 1; ; tries++) {
      const [transactionGuard] = await transactions.guards(this.#me, [place], this.#bumps);
      if (transactionGuard instanceof BrokerlessError) throw transactionGuard;
      try {
        await log.append({ ...place, batches: batches.slice(), transactionGuard });
        return;
      } catch (error) {
        if (!(error instanceof BrokerlessError)) throw error;
        // It was there already.
        if (error.code === "duplicate_sequence") return;
        if (error.code !== "concurrent_transactions" || tries === TRIES) throw error;
      }
    }
  }

  async #commitOffset(offset: number): Promise<void> {
    const group = this.#client;
    if (!this.#bumps) await this.#ask(({ transactions }) => transactions.addGroup(this.#me, group));
    const request = { group, offsets: [{ topic: INPUT, partition: 0, offset }] };
    await this.#ask(async ({ transactions }) => {
      const [answer] = await transactions.commitOffsets(this.#me, request, this.#bumps);
      if (answer?.error !== undefined) throw answer.error;
    });
  }

  /** In the first version of the protocol an attempt that was given up could meet the next transaction: it is waited for. */
  #ask<T>(use: (running: Running) => Promise<T>): Promise<T> {
    return this.#sim.untilAnswered(use, { patient: !this.#bumps });
  }
}
