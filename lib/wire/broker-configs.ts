/** What Kafka's tools ask a broker's configs for, as far as it holds here. Set where the server is started, not by requests. */
import { BrokerlessError } from "../base/errors.ts";
import type { ConfigEntry } from "../log/types.ts";
import { NODE_ID } from "./broker.ts";
import type { Call } from "./call.ts";

/** Name (empty: of all brokers, of which none are set) to configs. Throws `invalid_request` for a broker that is not there. */
export function brokerConfigs(name: string, { surface: { settings }, connection }: Call): ConfigEntry[] {
  if (name === "") return [];
  if (name !== String(NODE_ID)) {
    throw new BrokerlessError("invalid_request", `broker is "${name.slice(0, 60)}"; there is one, ${NODE_ID}`);
  }
  const { advertised, limits } = connection;
  return [
    entry("advertised.listeners", "string", "", `//${advertised.host}:${advertised.port}`, "Where clients reach the one broker."),
    entry(
      "auto.create.topics.enable",
      "boolean",
      "true",
      String(settings.autoCreateTopics),
      "Whether a topic that a client asks for is created.",
    ),
    entry("broker.id", "int", "-1", String(NODE_ID), "The id of the one broker."),
    entry("default.replication.factor", "int", "1", "1", "What is kept of each record is the storage's (docs/durability.md)."),
    entry("fetch.max.bytes", "int", "57671680", String(limits.responseBytes), "The most that one fetch answers, about."),
    entry("num.partitions", "int", "1", String(settings.defaultPartitions), "Partitions of a topic created without a number."),
  ];
}

function entry(name: string, type: string, defaultValue: string, value: string, documentation: string): ConfigEntry {
  return { name, type, defaultValue, value, isDefault: value === defaultValue, documentation };
}
