/** @platformatic/kafka's consumers in groups of both protocols: over TCP, and through the tunnel. */
import {
  type Admin,
  Admin as AdminClient,
  Consumer,
  type Message,
  type MessagesStream,
  stringDeserializers,
} from "@platformatic/kafka";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { batchOf } from "../../unit/log/support.ts";
import { startChild } from "../crash/child.ts";
import { overTcp, throughTunnel, type Way } from "./ways.ts";

type Text = Message<string, string, string, string>;
const PARTITIONS = 4;
const PATIENCE = { timeout: 30_000, interval: 100 };

describe.each([
  ["over TCP", overTcp],
  ["through the tunnel", throughTunnel],
])("@platformatic/kafka %s", (_name, open) => {
  let way: Way;
  let admin: Admin;
  const living: Member[] = [];
  beforeAll(async () => {
    way = await open();
    admin = new AdminClient({ clientId: "admin", bootstrapBrokers: [way.broker], retries: 1 });
  });
  afterEach(async () => {
    await Promise.all(living.splice(0).map((member) => member.leave()));
  });
  afterAll(async () => {
    await admin.close();
    await way.close();
  });

  class Member {
    readonly values: string[] = [];
    readonly #consumer: Consumer<string, string, string, string>;
    #stream: MessagesStream<string, string, string, string> | undefined;
    #reading: Promise<void> | undefined;

    constructor(groupId: string, groupProtocol: "classic" | "consumer") {
      this.#consumer = new Consumer({
        clientId: "member",
        groupId,
        groupProtocol,
        bootstrapBrokers: [way.broker],
        deserializers: stringDeserializers,
        ...(groupProtocol === "classic" ? { sessionTimeout: 6000, heartbeatInterval: 500 } : {}),
        maxWaitTime: 200,
        retries: 3,
      });
    }

    async read(topic: string): Promise<this> {
      living.push(this);
      this.#stream = await this.#consumer.consume({
        topics: [topic],
        mode: "committed",
        fallbackMode: "earliest",
        autocommit: false,
      });
      const take = async (): Promise<void> => {
        for await (const message of this.#stream as AsyncIterable<Text>) {
          this.values.push(message.value);
          await message.commit();
        }
      };
      this.#reading = take().catch(() => undefined);
      return this;
    }

    async leave(): Promise<void> {
      await this.#stream?.close();
      await this.#reading;
      await this.#consumer.close(true);
    }
  }

  /** Of the server-driven protocol: who has gone is missed after 6 s, what has changed is told after one. */
  async function hasten(group: string): Promise<void> {
    const data = [
      { name: "consumer.session.timeout.ms", value: "6000" },
      { name: "consumer.heartbeat.interval.ms", value: "1000" },
    ];
    const headers = { "content-type": "application/json" };
    const init = { method: "POST", headers, body: JSON.stringify({ data }) };
    expect((await fetch(`${way.server.url}/v1/groups/${group}/configs:alter`, init)).status).toBe(204);
  }

  /** Partitions of each member, as the group has it. */
  async function owned(group: string): Promise<number[]> {
    const reply = await fetch(`${way.server.url}/v1/groups/${group}`);
    const { members } = (await reply.json()) as { members: { assignment: { partitions: number[] }[] }[] };
    return members.map(({ assignment }) => assignment.flatMap(({ partitions }) => partitions).length);
  }

  test.each(["classic", "consumer"] as const)(
    "two members of the %s protocol share the partitions, one goes on for the other, a later one where they stopped",
    async (protocol) => {
      const [topic, group] = [`p-${protocol}`, `g-${protocol}`];
      await way.server.log.createTopic({ name: topic, partitions: PARTITIONS });
      await hasten(group);
      const produce = async (from: number, count: number): Promise<string[]> => {
        const values = Array.from({ length: count }, (_, i) => `v${from + i}`);
        for (const [i, value] of values.entries()) {
          await way.server.log.append({ topic, partition: i % PARTITIONS, batches: batchOf([value]) });
        }
        return values.sort();
      };
      const seen = (...members: readonly Member[]): string[] => [...new Set(members.flatMap(({ values }) => values))].sort();
      const early = await produce(0, 20);
      const first = await new Member(group, protocol).read(topic);
      await expect.poll(() => seen(first), PATIENCE).toEqual(early);
      const second = await new Member(group, protocol).read(topic);
      // Each partition has one owner, and each member two. This library shows what a fetch brings that was under way when the
      // partition went to the other; behind that each record comes once, to one of them.
      await expect.poll(() => owned(group), PATIENCE).toEqual([2, 2]);
      const moved = await produce(50, PARTITIONS);
      await expect.poll(() => seen(first, second), PATIENCE).toEqual([...early, ...moved].sort());
      const from = [first, second].map(({ values }) => values.length);
      const later = await produce(100, 20);
      await expect.poll(() => seen(first, second), PATIENCE).toEqual([...early, ...moved, ...later].sort());
      const [ofFirst = [], ofSecond = []] = [first, second].map(({ values }, i) => values.slice(from[i]));
      expect([...ofFirst, ...ofSecond].sort()).toEqual(later);
      expect([ofFirst.length, ofSecond.length]).toEqual([10, 10]);
      living.splice(living.indexOf(first), 1);
      await first.leave();
      const last = await produce(200, 20);
      await expect.poll(() => seen(second).filter((value) => last.includes(value)), PATIENCE).toEqual(last);
      living.splice(living.indexOf(second), 1);
      await second.leave();
      const after = await produce(300, 4);
      const heir = await new Member(group, protocol).read(topic);
      await expect.poll(() => seen(heir), PATIENCE).toEqual(after);
    },
    90_000,
  );

  test.each(["classic", "consumer"] as const)(
    "a member of the %s protocol that is killed: its partitions go to the other one, and nothing is missed",
    async (protocol) => {
      const [topic, group] = [`killed-${protocol}`, `of-killed-${protocol}`];
      await way.server.log.createTopic({ name: topic, partitions: PARTITIONS });
      await hasten(group);
      const produce = async (name: string): Promise<string[]> => {
        const values = Array.from({ length: PARTITIONS }, (_, partition) => `${name}${partition}`);
        for (const [partition, value] of values.entries()) {
          await way.server.log.append({ topic, partition, batches: batchOf([value]) });
        }
        return values;
      };
      const theirs: string[] = [];
      const other = startChild(
        new URL("member.ts", import.meta.url).pathname,
        [protocol, way.broker, group, topic],
        (line) => theirs.push(line),
        (line) => line === "joined",
      );
      try {
        await other.ready;
        const one = await new Member(group, protocol).read(topic);
        await expect.poll(() => owned(group), PATIENCE).toEqual([2, 2]);
        const seen = (): string[] => [...new Set([...one.values, ...theirs])].sort();
        const shared = await produce("shared");
        await expect.poll(seen, PATIENCE).toEqual(shared);
        expect(theirs.length).toBeGreaterThan(0);
        other.kill();
        await other.ended;
        const after = await produce("after");
        await expect.poll(() => one.values.filter((value) => after.includes(value)).sort(), PATIENCE).toEqual(after);
        expect(await owned(group)).toEqual([4]);
      } finally {
        other.kill();
      }
    },
    90_000,
  );
});
