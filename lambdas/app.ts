/** What the functions have in common: the log over the deployment's table and bucket, and the HTTP app over the log. */
import { Tokens } from "../lib/auth/index.ts";
import type { ShareGroupsApi } from "../lib/groups/share/types.ts";
import type { GroupsApi } from "../lib/groups/types.ts";
import { createHttpApp } from "../lib/http/index.ts";
import type { LambdaParts } from "../lib/http/lambda/handler.ts";
import type { KafkaFrames } from "../lib/http/surface.ts";
import { nodeCodecs } from "../lib/kafka/codecs/node.ts";
import { createLog } from "../lib/log/index.ts";
import { storageStep } from "../lib/log/storage-errors.ts";
import { pollingDoorbell } from "../lib/storage/polling/doorbell.ts";
import { AUTH, LIMITS, line } from "./environment.ts";
import { openGround } from "./storage.ts";

export function openApp(): LambdaParts {
  const { storage, clock, ids, usage, table } = openGround();
  const doorbell = pollingDoorbell(clock);
  const log = createLog({ storage, clock, ids, codecs: nodeCodecs, doorbell });
  const onInternalError = (error: unknown, request: string): void =>
    line(
      JSON.stringify({ level: "ERROR", message: "internal error", request, stack: error instanceof Error ? error.stack : error }),
    );
  let kafka: Promise<KafkaFrames> | undefined;
  let groups: Promise<GroupsApi> | undefined;
  let shares: Promise<ShareGroupsApi> | undefined;
  const openGroups = (): Promise<GroupsApi> => {
    groups ??= import("../lib/groups/groups.ts").then(({ createGroups }) => createGroups({ storage, log, clock, ids, doorbell }));
    return groups;
  };
  const openShares = (): Promise<ShareGroupsApi> => {
    shares ??= import("../lib/groups/share/share.ts").then(({ createShareGroups }) =>
      createShareGroups({ storage, log, clock, ids, doorbell, codecs: nodeCodecs }),
    );
    return shares;
  };
  const app = createHttpApp({
    log,
    clock,
    ids,
    codecs: nodeCodecs,
    tokens: new Tokens({ table: storage.table, clock, ids }),
    auth: AUTH,
    cors: process.env["BROKERLESS_CORS"]?.split(",") ?? [],
    limits: LIMITS,
    outlivesAnswer: false,
    // Any key does: what counts is that the storage answers.
    ready: async () => void (await storageStep("storage", () => storage.table.get({ pk: "META", sk: "cluster" }))),
    version: process.env.BROKERLESS_VERSION ?? "0.0.0",
    onInternalError,
    groups: openGroups,
    shares: openShares,
    async lag() {
      const { openLag } = await import("./consumer-lag.ts");
      return openLag({ storage, log, clock, codecs: nodeCodecs, groups: await openGroups() });
    },
    async kafka(body, call, signal) {
      kafka ??= import("./kafka.ts").then(({ openKafka }) =>
        openKafka({ storage, log, clock, ids, doorbell, shares: openShares, onInternalError }),
      );
      return (await kafka)(body, call, signal);
    },
  });
  return {
    dispatch: app.dispatch,
    clock,
    line,
    facts: () => usage.takeAsMetrics(table, clock.nowMs()),
    streamUrl: process.env["BROKERLESS_STREAM_URL"],
  };
}
