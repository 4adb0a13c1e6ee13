/** Looks at the lag of every group, keeps the windows, and tells CloudWatch, by group and topic. */
import { signingFetch } from "../lib/client/aws/signing.ts";
import { nodeCodecs } from "../lib/kafka/codecs/node.ts";
import { publishLag } from "../lib/lag/publish.ts";
import { reportLag } from "../lib/lag/reporter.ts";
import { LAG_SETTINGS } from "../lib/lag/settings.ts";
import { createLog } from "../lib/log/index.ts";
import { CloudWatchMetrics } from "../lib/storage/aws/cloudwatch.ts";
import { pollingDoorbell } from "../lib/storage/polling/doorbell.ts";
import { setting } from "./environment.ts";
import { scheduled } from "./job.ts";
import { openGround } from "./storage.ts";

const ground = openGround();
const { clock, table } = ground;
const region = setting("AWS_REGION");
const log = createLog({ ...ground, codecs: nodeCodecs, doorbell: pollingDoorbell(clock) });
const metrics = new CloudWatchMetrics({
  clock,
  endpoint: process.env["AWS_ENDPOINT_URL"] ?? `https://monitoring.${region}.amazonaws.com`,
  fetch: signingFetch({ credentials, region, service: "monitoring", nowMs: () => clock.nowMs() }),
  namespace: "Brokerless/Lag",
  dimensions: { Table: table },
});

/** The role's, as Lambda hands them to the process. */
async function credentials() {
  const [accessKeyId, secretAccessKey] = [setting("AWS_ACCESS_KEY_ID"), setting("AWS_SECRET_ACCESS_KEY")];
  return { accessKeyId, secretAccessKey, sessionToken: process.env["AWS_SESSION_TOKEN"] };
}

export const handler = scheduled(ground, "lag", async (run) => {
  const parts = { ...ground, log, codecs: nodeCodecs, settings: LAG_SETTINGS };
  const report = await reportLag({ ...parts, publish: (lag) => publishLag(metrics, lag) }, run);
  return { ...report, metrics: await metrics.flush() };
});
