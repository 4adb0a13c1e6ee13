/** Burrow's HTTP API, path by path, so that what was made for it works here (https://github.com/linkedin/Burrow/wiki/HTTP-Endpoint). */
import * as z from "zod";
import { BrokerlessError } from "../../base/errors.ts";
import { LAG_SETTINGS } from "../../lag/settings.ts";
import type { GroupLag } from "../../lag/types.ts";
import { type Access, onCluster, onGroup, onTopic } from "../access.ts";
import { json, jsonText, type Reply } from "../call.ts";
import type { Exchange } from "../exchange.ts";
import { burrowConsumer, burrowNotFound, burrowStatus } from "../lag/burrow.ts";
import { lagOf } from "../lag/json.ts";
import { type Operation, operation } from "../operation.ts";

const envelope = z.looseObject({
  error: z.boolean(),
  message: z.string(),
  request: z.object({ url: z.string(), host: z.string() }),
});

/** What a route answers: Burrow's words, and its payload; or why not. */
type Payload = { readonly message: string; readonly status?: number; readonly error?: boolean } & Readonly<
  Record<string, unknown>
>;

interface Route {
  readonly id: string;
  readonly method?: "GET" | "DELETE";
  readonly path: string;
  readonly summary: string;
  readonly access: Access;
  readonly answer: (exchange: Exchange, cluster: string) => Promise<Payload>;
}

const CLUSTER = "/v3/kafka/{cluster_id}";
const CONSUMER = `${CLUSTER}/consumer/{group}`;
const notFound = (message: string): Payload => ({ message, status: 404, error: true });

const ROUTES: readonly Route[] = [
  {
    id: "burrowClusters",
    path: "/v3/kafka",
    summary: "The one cluster there is",
    access: onCluster("describe"),
    answer: async (_, cluster) => ({ message: "cluster list returned", clusters: [cluster] }),
  },
  {
    id: "burrowCluster",
    path: CLUSTER,
    summary: "What Burrow would be configured with",
    access: onCluster("describe"),
    answer: async ({ call }) => ({
      message: "cluster module detail returned",
      module: {
        "class-name": "brokerless",
        servers: [call.origin],
        "topic-refresh": 0,
        "offset-refresh": 0,
        "client-profile": { name: "", "client-id": "", "kafka-version": "", tls: null, sasl: null },
      },
    }),
  },
  {
    id: "burrowTopics",
    path: `${CLUSTER}/topic`,
    summary: "The topics",
    access: onCluster("describe"),
    async answer(exchange) {
      const names = (await exchange.surface.log.listTopics()).map(({ name }) => name);
      const topics = names.filter((name) => exchange.may({ resource: "topic", operation: "describe", name }));
      return { message: "topic list returned", topics };
    },
  },
  {
    id: "burrowTopic",
    path: `${CLUSTER}/topic/{topic}`,
    summary: "The log end offsets of a topic",
    access: onTopic("describe", "topic"),
    async answer({ surface, params }) {
      const found = await orUndefined(surface.log.partitions(params["topic"] as string));
      if (found === undefined) return notFound("cluster or topic not found");
      return { message: "topic offsets returned", offsets: found.map(({ logEndOffset }) => logEndOffset) };
    },
  },
  {
    id: "burrowTopicConsumers",
    path: `${CLUSTER}/topic/{topic}/consumers`,
    summary: "The groups that have committed offsets of a topic",
    access: onTopic("describe", "topic"),
    async answer(exchange) {
      const consumers: string[] = [];
      for await (const groups of (await lagOf(exchange)).all()) {
        for (const { group, partitions, expired } of groups) {
          const reads = !expired && partitions.some(({ topic }) => topic === exchange.param("topic"));
          if (reads && maySee(exchange, group)) consumers.push(group);
        }
      }
      return { message: "consumers of topic returned", consumers };
    },
  },
  {
    id: "burrowConsumers",
    path: `${CLUSTER}/consumer`,
    summary: "The groups",
    access: onCluster("describe"),
    async answer(exchange) {
      const names = await (await lagOf(exchange)).groups();
      return { message: "consumer list returned", consumers: names.filter((name) => maySee(exchange, name)) };
    },
  },
  {
    id: "burrowConsumer",
    path: CONSUMER,
    summary: "The windows of a group",
    access: onGroup("describe", "group"),
    async answer(exchange) {
      const lag = await known(exchange);
      if (lag === undefined) return notFound("cluster or consumer not found");
      return { message: "consumer detail returned", topics: burrowConsumer(lag, LAG_SETTINGS.intervals) };
    },
  },
  {
    id: "burrowConsumerStatus",
    path: `${CONSUMER}/status`,
    summary: "The status of a group, with the partitions that are not OK",
    access: onGroup("describe", "group"),
    answer: (exchange, cluster) => status(exchange, cluster, false),
  },
  {
    id: "burrowConsumerLag",
    path: `${CONSUMER}/lag`,
    summary: "The status of a group, with all its partitions",
    access: onGroup("describe", "group"),
    answer: (exchange, cluster) => status(exchange, cluster, true),
  },
  {
    id: "burrowForgetConsumer",
    method: "DELETE",
    path: CONSUMER,
    summary: "Forget the windows of a group; its offsets stay",
    access: onGroup("admin", "group"),
    async answer(exchange) {
      await (await lagOf(exchange)).forget(exchange.param("group"));
      return { message: "consumer group removed" };
    },
  },
];

/** Under `/v3/kafka`. */
export function burrowOperations(): Operation[] {
  return ROUTES.map(({ id, method = "GET", path, summary, access, answer }) =>
    operation({
      id,
      method,
      path,
      tag: "groups",
      summary: `Burrow: ${summary}`,
      access,
      responses: { 200: { description: "as Burrow answers", content: { "application/json": envelope } } },
      async handle(exchange) {
        const ours = await exchange.surface.log.clusterId();
        const asked = exchange.params["cluster_id"] ?? ours;
        return reply(exchange, asked === ours ? await answer(exchange, ours) : notFound("cluster not found"));
      },
    }),
  );
}

/** Under `/burrow`: what its health checks ask. */
export function burrowAdminOperations(): Operation[] {
  const plain = (text: string, code = 200): Reply => jsonText(text, code, "text/plain; charset=utf-8");
  const responses = { 200: { description: "a word", content: { "text/plain": z.string() } } };
  return [
    operation({
      id: "burrowAdmin",
      method: "GET",
      path: "/burrow/admin",
      tag: "service",
      summary: "Burrow: alive",
      access: "open",
      responses,
      handle: () => plain("GOOD"),
    }),
    operation({
      id: "burrowReady",
      method: "GET",
      path: "/burrow/admin/ready",
      tag: "service",
      summary: "Burrow: ready? Asks the storage",
      access: "open",
      responses,
      async handle({ surface }) {
        try {
          await surface.ready();
          return plain("READY");
        } catch {
          return plain("STARTING", 503);
        }
      },
    }),
  ];
}

async function status(exchange: Exchange, cluster: string, all: boolean): Promise<Payload> {
  const lag = await known(exchange);
  const group = exchange.param("group");
  if (lag === undefined)
    return { message: "consumer status returned", status: 404, error: false, payload: burrowNotFound(cluster, group) };
  return { message: "consumer status returned", payload: burrowStatus(cluster, lag, all) };
}

/** A group that Burrow would know. */
async function known(exchange: Exchange): Promise<GroupLag | undefined> {
  const lag = await orUndefined((await lagOf(exchange)).groupLag(exchange.param("group")));
  return lag === undefined || lag.expired || lag.partitions.length === 0 ? undefined : lag;
}

function maySee(exchange: Exchange, group: string): boolean {
  return exchange.may({ resource: "group", operation: "describe", name: group });
}

async function orUndefined<T>(found: Promise<T>): Promise<T | undefined> {
  try {
    return await found;
  } catch (error) {
    if (error instanceof BrokerlessError && (error.code === "unknown_topic" || error.code === "unknown_group")) return undefined;
    throw error;
  }
}

/** Burrow's envelope; the payload of a status is called `status` in it, as everywhere else the HTTP status is. */
function reply({ call }: Exchange, { message, status: code = 200, error = false, payload, ...more }: Payload): Reply {
  const request = { url: call.path, host: new URL(call.origin).host };
  return json({ error, message, ...more, ...(payload === undefined ? {} : { status: payload }), request }, code);
}
