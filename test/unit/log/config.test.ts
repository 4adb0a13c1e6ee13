import { expect, test } from "vitest";
import { changedConfigs, checkConfigs, configNumber, describeConfigs } from "../../../lib/log/config.ts";

test("what is not set has Kafka's default", () => {
  expect(configNumber({}, "retention.ms")).toBe(604_800_000);
  expect(configNumber({}, "retention.bytes")).toBe(-1);
  expect(configNumber({}, "max.message.bytes")).toBe(1_048_588);
});

test("unknown names and impossible values are refused by name", () => {
  for (const [name, value] of [
    ["retention.hours", "1"],
    ["retention.ms", "-2"],
    ["retention.ms", "soon"],
    ["retention.ms", ""],
    ["cleanup.policy", "delete,delete"],
    ["cleanup.policy", "none"],
    ["message.timestamp.type", "createtime"],
    ["min.cleanable.dirty.ratio", "1.1"],
    ["segment.bytes", "10"],
    ["constructor", "1"],
  ] as const) {
    expect(() => checkConfigs({ [name]: value }), `${name}=${value}`).toThrow(name);
  }
});

test("null goes back to the default and leaves the others", () => {
  const configs = changedConfigs({ "retention.ms": "1", "retention.bytes": "5" }, { "retention.ms": null, "segment.ms": "7" });
  expect(configs).toEqual({ "retention.bytes": "5", "segment.ms": "7" });
  expect(describeConfigs(configs).find(({ name }) => name === "segment.ms")).toMatchObject({ value: "7", isDefault: false });
});

test("a compacting and deleting topic is legal", () => {
  expect(() => checkConfigs({ "cleanup.policy": "compact, delete" })).not.toThrow();
});
