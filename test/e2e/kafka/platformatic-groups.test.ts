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

  test.each(["classic", "consumer"] as const)(
    "two members of the %s protocol share the partitions, one goes on for the other, a later one where they stopped",
    async (protocol) => {
      const [topic, group] = [`p-${protocol}`, `g-${protocol}`];
      await way.server.log.createTopic({ name: topic, partitions: PARTITIONS });
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
      // Each partition has one owner, and each member two.
      const owned = async (): Promise<number[]> => {
        const reply = await fetch(`${way.server.url}/v1/groups/${group}`);
        const { members } = (await reply.json()) as { members: { assignment: { partitions: number[] }[] }[] };
        return members.map(({ assignment }) => assignment.flatMap(({ partitions }) => partitions).length);
      };
      await expect.poll(owned, PATIENCE).toEqual([2, 2]);
      const later = await produce(100, 20);
      await expect.poll(() => seen(first, second), PATIENCE).toEqual([...early, ...later].sort());
      expect(second.values.length).toBeGreaterThan(0);
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
});
