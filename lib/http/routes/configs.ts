/** Topic configs, as Confluent's REST API v3 has them. */
import * as z from "zod";
import { BrokerlessError } from "../../base/errors.ts";
import type { ConfigEntry } from "../../log/types.ts";
import { onTopic } from "../access.ts";
import { json, noContent } from "../call.ts";
import type { Exchange } from "../exchange.ts";
import { type Operation, operation } from "../operation.ts";
import { linksOf } from "./cluster.ts";
import { configSchema, listOf } from "./resources.ts";
import { jsonBody } from "./topics.ts";

const CONFIGS = "/v3/clusters/{cluster_id}/topics/{topic_name}/configs";

const valueSchema = z.object({ value: z.string() });

export const alterSchema = z.object({
  data: z
    .array(
      z.object({
        name: z.string(),
        value: z.string().nullable().optional(),
        operation: z.enum(["SET", "DELETE"]).nullable().optional(),
      }),
    )
    .min(1),
  validate_only: z.boolean().optional(),
});

export function changesOf({ data }: z.infer<typeof alterSchema>): Record<string, string | null> {
  const changes: Record<string, string | null> = {};
  for (const [i, { name, value, operation }] of data.entries()) {
    if (Object.hasOwn(changes, name)) {
      throw new BrokerlessError("invalid_config", `config ${name} is given twice`, { field: `data[${i}].name` });
    }
    if (operation !== "DELETE" && (value === null || value === undefined)) {
      throw new BrokerlessError("invalid_config", `config ${name} is to be set and has no value`, { field: `data[${i}].value` });
    }
    changes[name] = operation === "DELETE" ? null : (value as string);
  }
  return changes;
}

async function entryOf(exchange: Exchange): Promise<ConfigEntry> {
  const { log } = exchange.surface;
  const name = exchange.param("name");
  const entries = log.topicConfigs(await log.topic(exchange.param("topic_name")));
  const entry = entries.find((one) => one.name === name);
  if (entry !== undefined) return entry;
  const known = entries.map((one) => one.name).join(", ");
  throw new BrokerlessError("not_found", `unknown topic config ${JSON.stringify(name)}; known: ${known}`, { field: "name" });
}

export function configOperations(): Operation[] {
  return [
    operation({
      id: "listTopicConfigs",
      method: "GET",
      path: CONFIGS,
      tag: "topics",
      summary: "All configs of a topic, with what holds",
      access: onTopic("describe", "topic_name"),
      responses: {
        200: { description: "the configs", content: { "application/json": listOf("KafkaTopicConfig", configSchema) } },
      },
      async handle(exchange) {
        const links = await linksOf(exchange);
        const { log } = exchange.surface;
        const topic = await log.topic(exchange.param("topic_name"));
        const configs = log.topicConfigs(topic).map((entry) => links.configResource(topic.name, entry));
        return json(links.list("KafkaTopicConfig", exchange.call.path, configs));
      },
    }),
    operation({
      id: "alterTopicConfigs",
      method: "POST",
      path: `${CONFIGS}:alter`,
      tag: "topics",
      summary: "Set and reset several configs, all or none",
      access: onTopic("admin", "topic_name"),
      body: { "application/json": alterSchema },
      responses: { 204: { description: "done" } },
      async handle(exchange) {
        await linksOf(exchange);
        const body = await jsonBody(exchange, alterSchema);
        await exchange.surface.log.alterConfigs(exchange.param("topic_name"), changesOf(body), {
          validateOnly: body.validate_only === true,
        });
        return noContent();
      },
    }),
    operation({
      id: "getTopicConfig",
      method: "GET",
      path: `${CONFIGS}/{name}`,
      tag: "topics",
      summary: "One config",
      access: onTopic("describe", "topic_name"),
      responses: { 200: { description: "the config", content: { "application/json": configSchema } } },
      async handle(exchange) {
        const links = await linksOf(exchange);
        return json(links.configResource(exchange.param("topic_name"), await entryOf(exchange)));
      },
    }),
    operation({
      id: "setTopicConfig",
      method: "PUT",
      path: `${CONFIGS}/{name}`,
      tag: "topics",
      summary: "Set one config",
      access: onTopic("admin", "topic_name"),
      body: { "application/json": valueSchema },
      responses: { 204: { description: "set" } },
      async handle(exchange) {
        await linksOf(exchange);
        const { name } = await entryOf(exchange);
        const { value } = await jsonBody(exchange, valueSchema);
        await exchange.surface.log.alterConfigs(exchange.param("topic_name"), { [name]: value });
        return noContent();
      },
    }),
    operation({
      id: "resetTopicConfig",
      method: "DELETE",
      path: `${CONFIGS}/{name}`,
      tag: "topics",
      summary: "Reset one config to its default",
      access: onTopic("admin", "topic_name"),
      responses: { 204: { description: "reset" } },
      async handle(exchange) {
        await linksOf(exchange);
        const { name } = await entryOf(exchange);
        await exchange.surface.log.alterConfigs(exchange.param("topic_name"), { [name]: null });
        return noContent();
      },
    }),
  ];
}
