/** Looks at the lag of every group and at every queue, keeps the windows, tells CloudWatch, by group and topic, and whom the notifiers name. */
import { signingFetch } from "../lib/client/aws/signing.ts";
import { shareGroupNames } from "../lib/groups/share/names.ts";
import type { ShareGroupsApi } from "../lib/groups/share/types.ts";
import { nodeCodecs } from "../lib/kafka/codecs/node.ts";
import { type Notifier, reportAndNotify } from "../lib/lag/notify/notify.ts";
import { publishLag } from "../lib/lag/publish.ts";
import { reportQueues } from "../lib/lag/queues.ts";
import { LAG_SETTINGS } from "../lib/lag/settings.ts";
import { createLog } from "../lib/log/index.ts";
import { CloudWatchMetrics } from "../lib/storage/aws/cloudwatch.ts";
import { pollingDoorbell } from "../lib/storage/polling/doorbell.ts";
import { setting } from "./environment.ts";
import { scheduled } from "./job.ts";
import type { Service } from "./notifiers.ts";
import { openGround } from "./storage.ts";

const ground = openGround();
const { clock, table } = ground;
const region = setting("AWS_REGION");
const logParts = { ...ground, codecs: nodeCodecs, doorbell: pollingDoorbell(clock) };
const log = createLog(logParts);
const { endpoint, send: fetch } = service("monitoring", region);
const metrics = new CloudWatchMetrics({ clock, endpoint, fetch, namespace: "Brokerless/Lag", dimensions: { Table: table } });
let notifiers: Promise<readonly Notifier[]> | undefined;

let shares: Promise<ShareGroupsApi> | undefined;

/** Loaded where there is a queue to look at. */
function openShares(): Promise<ShareGroupsApi> {
  shares ??= import("../lib/groups/share/share.ts").then(({ createShareGroups }) => createShareGroups({ ...logParts, log }));
  return shares;
}

const queueLook: Pick<ShareGroupsApi, "names" | "depths"> = {
  names: () => shareGroupNames(ground.storage),
  depths: async (group) => (await openShares()).depths(group),
};

/** The role's, as Lambda hands them to the process. */
async function credentials() {
  const [accessKeyId, secretAccessKey] = [setting("AWS_ACCESS_KEY_ID"), setting("AWS_SECRET_ACCESS_KEY")];
  return { accessKeyId, secretAccessKey, sessionToken: process.env["AWS_SESSION_TOKEN"] };
}

function service(name: string, where: string): ReturnType<Service> {
  return {
    endpoint: process.env["AWS_ENDPOINT_URL"] ?? `https://${name}.${where}.amazonaws.com`,
    send: signingFetch({ credentials, region: where, service: name, nowMs: () => clock.nowMs() }),
  };
}

async function openNotifiers(): Promise<readonly Notifier[]> {
  const text = process.env["BROKERLESS_NOTIFIERS"];
  if (text === undefined) return [];
  const { configuredNotifiers } = await import("./notifiers.ts");
  return configuredNotifiers(text, clock, service, region);
}

export const handler = scheduled(ground, "lag", async (run) => {
  notifiers ??= openNotifiers();
  // What is wrong with them keeps nobody from the metrics, and is tried again.
  const told = await notifiers.catch((error: unknown) => {
    notifiers = undefined;
    run.warn?.(`nobody is told of lag: ${error instanceof Error ? error.message : String(error)}`);
    return [];
  });
  const parts = { ...ground, log, codecs: nodeCodecs, settings: LAG_SETTINGS };
  const report = await reportAndNotify({ ...parts, publish: (lag) => publishLag(metrics, lag) }, told, run);
  const { queues, left } = await reportQueues({ clock, shares: queueLook, metrics }, run);
  return { ...report, queues, left: report.left || left, metrics: await metrics.flush() };
});
