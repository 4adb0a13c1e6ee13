import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { createGroups } from "../../../lib/groups/groups.ts";
import { groupsOverMemory, withWrite } from "./support.ts";

const SESSION = "consumer.session.timeout.ms";
const HEARTBEAT = "consumer.heartbeat.interval.ms";
const client = { clientId: "c", clientHost: "/127.0.0.1" };

async function bench() {
  const b = groupsOverMemory();
  await b.log.createTopic({ name: "t", partitions: 2 });
  const beat = (memberId: string, epoch: number) =>
    b.groups.consumerHeartbeat({
      group: "g",
      memberId,
      epoch,
      client,
      ...(epoch === 0 ? { rebalanceTimeoutMs: 60_000, topics: ["t"], owned: [] } : {}),
    });
  const values = async () =>
    Object.fromEntries((await b.groups.configs("g")).flatMap(({ name, value, isDefault }) => (isDefault ? [] : [[name, value]])));
  return { ...b, beat, values };
}

describe("configs of a group", () => {
  test("are set before it is there, go back to the default with null, and outlive it", async () => {
    const { groups, values, log } = await bench();
    await groups.alterConfigs("g", { [SESSION]: "60000", [HEARTBEAT]: "10000" });
    expect(await values()).toEqual({ [SESSION]: "60000", [HEARTBEAT]: "10000" });
    expect(await groups.configured()).toEqual(["g"]);
    expect(await groups.list()).toEqual([]);
    await log.createTopic({ name: "u" });
    await groups.commit({ group: "g", offsets: [{ topic: "u", partition: 0, offset: 1 }] });
    await groups.delete("g");
    await groups.alterConfigs("g", { [HEARTBEAT]: null });
    expect(await values()).toEqual({ [SESSION]: "60000" });
    await groups.alterConfigs("g", { [SESSION]: null });
    expect(await groups.configured()).toEqual([]);
  });

  test("that are unknown, out of bounds, or do not fit each other are refused before anything is written", async () => {
    const { groups, values } = await bench();
    for (const [changes, message] of [
      [{ "consumer.sesion.timeout.ms": "1" }, 'unknown group config "consumer.sesion.timeout.ms"'],
      [{ [SESSION]: "5999" }, `group config ${SESSION} is "5999"; it takes a whole number from 6000 to 1800000`],
      [{ [HEARTBEAT]: "45000" }, `group config ${HEARTBEAT} is 45000; it takes less than ${SESSION}, 45000`],
    ] as const) {
      await expect(groups.alterConfigs("g", changes)).rejects.toMatchObject({
        code: "invalid_config",
        outcome: "not_applied",
        message: expect.stringContaining(message),
      });
    }
    await groups.alterConfigs("g", { [SESSION]: "60000" }, { validateOnly: true });
    expect(await values()).toEqual({});
    await expect(groups.alterConfigs("", { [SESSION]: "60000" })).rejects.toMatchObject({ code: "invalid_group" });
  });

  test("rule the server-driven protocol: the interval that is answered, and when a silent member is out", async () => {
    const { groups, beat, clock } = await bench();
    await groups.alterConfigs("g", { [SESSION]: "10000", [HEARTBEAT]: "2000" });
    expect((await beat("a", 0)).heartbeatIntervalMs).toBe(2_000);
    const second = await beat("b", 0);
    clock.ms += 9_999;
    expect((await beat("b", second.epoch)).epoch).toBe(2);
    clock.ms += 1;
    const after = await beat("b", second.epoch);
    expect(after.assignment?.flatMap(({ partitions }) => partitions)).toEqual([0, 1]);
    await expect(beat("a", 1)).rejects.toMatchObject({ code: "unknown_member" });
  });

  test("hold within 30 s in a process that did not change them", async () => {
    const { parts, groups, beat, clock } = await bench();
    const { epoch } = await beat("a", 0);
    await createGroups(parts).alterConfigs("g", { [HEARTBEAT]: "7000" });
    expect((await beat("a", epoch)).heartbeatIntervalMs).toBe(5_000);
    clock.ms += 30_000;
    expect((await beat("a", epoch)).heartbeatIntervalMs).toBe(7_000);
    expect((await groups.configs("g")).find(({ name }) => name === HEARTBEAT)?.value).toBe("7000");
  });

  test("changed by two at once are both changed", async () => {
    const { parts, groups, values } = await bench();
    let between = async () => {
      between = async () => {};
      await groups.alterConfigs("g", { [HEARTBEAT]: "7000" });
    };
    const storage = withWrite(parts.storage, async (write, op) => {
      await between();
      return write(op);
    });
    await createGroups({ ...parts, storage }).alterConfigs("g", { [SESSION]: "60000" });
    expect(await values()).toEqual({ [SESSION]: "60000", [HEARTBEAT]: "7000" });
  });

  test("are all in docs/kafka.md, with their defaults", async () => {
    const { groups } = await bench();
    const page = readFileSync(new URL("../../../docs/kafka.md", import.meta.url), "utf8");
    for (const { name, defaultValue } of await groups.configs("g")) expect(page).toContain(`| \`${name}\` | ${defaultValue} |`);
  });
});
