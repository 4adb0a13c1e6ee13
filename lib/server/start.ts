/** The local server put together: a storage, a log over it, the HTTP surface over that. */
import { Tokens } from "../auth/index.ts";
import { BrokerlessError } from "../base/errors.ts";
import { createGroups } from "../groups/groups.ts";
import { OffsetsMirror } from "../groups/offsets-topic/mirror.ts";
import { offsetsTopicSpec } from "../groups/offsets-topic/topic.ts";
import { createShareGroups } from "../groups/share/share.ts";
import type { ShareGroupsApi } from "../groups/share/types.ts";
import type { GroupsApi } from "../groups/types.ts";
import { createHttpApp } from "../http/index.ts";
import type { Upkeep } from "../http/surface.ts";
import { nodeCodecs } from "../kafka/codecs/node.ts";
import { createLag } from "../lag/lag.ts";
import { lagSettings } from "../lag/settings.ts";
import type { LagApi } from "../lag/types.ts";
import { createLog, type LogApi } from "../log/index.ts";
import { OFFSETS_TOPIC } from "../log/internal-topics.ts";
import { storageStep } from "../log/storage-errors.ts";
import type { TopicSpec } from "../log/types.ts";
import type { Clock, Ids, Metrics } from "../ports/index.ts";
import { systemClock } from "../storage/system/clock.ts";
import { systemDigest } from "../storage/system/digest.ts";
import { systemIds } from "../storage/system/ids.ts";
import { createTransactions } from "../transactions/transactions.ts";
import type { TransactionsApi } from "../transactions/types.ts";
import { createKafkaApi } from "../wire/index.ts";
import { kafkaBody } from "../wire/service.ts";
import type { Listener } from "../wire/tcp/listener.ts";
import { authFor, formatAddress } from "./address.ts";
import { resolveConfig, type ServerConfig } from "./config.ts";
import { jobsFor, lookEveryMs, startJobs, upkeepOf } from "./jobs.ts";
import { listenKafka } from "./kafka.ts";
import { listen, stopListening } from "./listen.ts";
import { ProcessMetrics } from "./metrics.ts";
import { notifiersOf } from "./notifiers.ts";
import { doorbellOf, openStorage } from "./storage.ts";
import type { RunningServer, ServerOptions } from "./types.ts";
import { VERSION } from "./version.ts";

/** What a server stands on, and how that is let go. */
interface Ground {
  readonly log: LogApi;
  /** Undefined over a log that was given: there is no table to keep them in. */
  readonly groups: GroupsApi | undefined;
  readonly transactions: (() => Promise<TransactionsApi>) | undefined;
  readonly shares: ShareGroupsApi | undefined;
  readonly lag: LagApi | undefined;
  readonly upkeep: Upkeep | undefined;
  /** Undefined over a log that was given: there is no table to keep them in. */
  readonly tokens: Tokens | undefined;
  readonly durability: string;
  /** What Kafka clients may make by asking for it. */
  readonly internalTopics: ReadonlyMap<string, TopicSpec>;
  readonly ready: () => Promise<unknown>;
  readonly close: () => Promise<void>;
}

/**
 * Starts the server and resolves when it listens and its storage answers. Throws `invalid_config` when it may not or
 * cannot listen there, and what opening the storage throws.
 */
export async function startServer(options: ServerOptions = {}): Promise<RunningServer> {
  const kind = typeof options.storage === "string" ? options.storage : "embedded";
  const config: ServerConfig = { ...resolveConfig({}), kafka: undefined, ...withoutUndefined(options), storage: kind };
  const auth = authFor(config.http, config.auth, config.insecure);
  // One that asks over HTTP asks Kafka clients too; each asks where others can reach it.
  const kafkaAsked = config.auth ?? (auth === "token" ? "token" : undefined);
  const kafkaAuth = config.kafka === undefined ? auth : authFor(config.kafka, kafkaAsked, config.insecure, "kafka");
  if ((auth === "token" || kafkaAuth === "token") && options.log !== undefined) {
    throw new BrokerlessError("invalid_config", "auth token needs a storage to keep tokens in; a log alone was given", {
      field: "auth",
    });
  }
  const clock = options.clock ?? systemClock;
  const ids = options.ids ?? systemIds(clock);
  const metrics = new ProcessMetrics();
  const say = options.onLine ?? (() => {});
  const ground = await openGround(options, config, clock, ids, metrics, say);
  const stopping = new AbortController();
  const onInternalError = (error: unknown, request: string): void =>
    say(`internal error at ${request}: ${error instanceof Error ? error.stack : String(error)}`);
  let kafka: Listener | undefined;
  try {
    const clusterId = await ground.log.clusterId();
    const { autoCreateTopics, defaultPartitions } = config;
    const { groups, shares, lag } = ground;
    const api = createKafkaApi({
      log: ground.log,
      groups: ground.groups,
      transactions: ground.transactions,
      shares: shares === undefined ? undefined : async () => shares,
      clock,
      metrics,
      auth: kafkaAuth === "token" && ground.tokens !== undefined ? { tokens: ground.tokens, ids } : undefined,
      settings: { autoCreateTopics, defaultPartitions, internalTopics: ground.internalTopics },
      onInternalError,
    });
    const hasTokens = auth === "token" && (await ground.tokens?.exist()) === true;
    const app = createHttpApp({
      log: ground.log,
      clock,
      ids,
      codecs: nodeCodecs,
      metrics,
      metricsText: () => metrics.text(),
      tokens: ground.tokens,
      auth,
      cors: config.cors,
      limits: { bodyBytes: config.maxBodyBytes, inFlightBytes: config.maxInFlightBytes },
      outlivesAnswer: true,
      ...(ground.upkeep === undefined ? {} : { upkeep: ground.upkeep }),
      groups: groups === undefined ? undefined : async () => groups,
      shares: shares === undefined ? undefined : async () => shares,
      lag: lag === undefined ? undefined : async () => lag,
      ready: async () => {
        await ground.ready();
      },
      stopping: stopping.signal,
      version: VERSION,
      onInternalError,
      kafka: kafkaBody(api),
    });
    if (config.kafka !== undefined)
      kafka = await listenKafka(config.kafka, config, { api, clock, metrics, asks: kafkaAuth === "token" });
    const { server, port } = await listen({
      address: config.http,
      listener: app.listener,
      maxBodyBytes: config.maxBodyBytes,
      // A page that calls by another name has no token.
      anyHost: config.insecure || auth === "token",
    });
    const stop = async (): Promise<void> => {
      stopping.abort();
      await Promise.all([stopListening(server, config.shutdownTimeoutMs), kafka?.close(config.shutdownTimeoutMs)]);
      await ground.close();
    };
    let stopped: Promise<void> | undefined;
    return {
      url: `http://${formatAddress({ host: config.http.host, port })}`,
      host: config.http.host,
      port,
      kafka:
        config.kafka === undefined || kafka === undefined
          ? undefined
          : formatAddress({ host: config.kafka.host, port: kafka.port }),
      clusterId,
      durability: ground.durability,
      auth,
      hasTokens,
      log: ground.log,
      close: () => {
        stopped ??= stop();
        return stopped;
      },
    };
  } catch (error) {
    await kafka?.close(0);
    await ground.close();
    throw error;
  }
}

async function openGround(
  options: ServerOptions,
  config: ServerConfig,
  clock: Clock,
  ids: Ids,
  metrics: Metrics,
  say: (line: string) => void,
): Promise<Ground> {
  if (options.log !== undefined) {
    const { log } = options;
    return {
      log,
      groups: undefined,
      transactions: undefined,
      shares: undefined,
      lag: undefined,
      upkeep: undefined,
      tokens: undefined,
      durability: "as the log that was given keeps it",
      ready: () => log.listTopics(),
      internalTopics: new Map(),
      close: async () => {},
    };
  }
  const given = typeof options.storage === "object" ? options.storage : undefined;
  const notifiers = await notifiersOf(config, clock, options.sns);
  const storage = given ?? (await openStorage(config, { clock, ids, metrics }));
  const doorbell = doorbellOf(storage, clock);
  const log = createLog({ storage, clock, ids, metrics, codecs: nodeCodecs, doorbell, soon });
  const mirror =
    (config.offsetsTopicEnable ?? storage.kind !== "aws")
      ? new OffsetsMirror({ storage, log, clock, metrics, say, partitions: config.offsetsTopicNumPartitions })
      : undefined;
  const groups = createGroups(
    { storage, log, clock, ids, doorbell, metrics, mirror },
    { initialDelayMs: config.groupInitialRebalanceDelayMs },
  );
  const transactions = createTransactions({ storage, log, groups, clock, ids });
  const shares = createShareGroups({ storage, log, clock, ids, doorbell, metrics, codecs: nodeCodecs });
  const jobParts = { storage, clock, ids, codecs: nodeCodecs, digest: systemDigest };
  const lookMs = config.lagIntervalMs ?? lookEveryMs(storage.kind);
  const offsetsRetentionMs = config.offsetsRetentionMinutes * 60_000;
  const jobs = jobsFor({ offsetsRetentionMs, log, transactions, lookMs, mirror, notifiers, shares });
  const stopJobs = config.jobs ? startJobs(jobs, { ...jobParts, metrics, say }) : async () => {};
  return {
    log,
    groups,
    transactions: async () => transactions,
    shares,
    lag: createLag({ storage, log, groups, clock, codecs: nodeCodecs, settings: lagSettings(lookMs) }),
    upkeep: upkeepOf(jobs, jobParts),
    tokens: new Tokens({ table: storage.table, clock, ids }),
    durability: storage.durability,
    // Any key does: what counts is that the storage answers.
    ready: () => storageStep("storage", () => storage.table.get({ pk: "META", sk: "cluster" })),
    internalTopics: new Map(mirror === undefined ? [] : [[OFFSETS_TOPIC, offsetsTopicSpec(config.offsetsTopicNumPartitions)]]),
    close: async () => {
      await mirror?.close();
      await log.close();
      await stopJobs();
      await storage.close();
    },
  };
}

/** After what has arrived by now was read: so it goes into one commit. */
function soon(run: () => void): void {
  setImmediate(run);
}

/** An option that is undefined is one that was not config. */
function withoutUndefined(options: ServerOptions): Partial<ServerConfig> {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as Partial<ServerConfig>;
}
