/** What operators and tools ask: health, metrics, the description of the API. */
import * as z from "zod";
import { BrokerlessError } from "../../base/errors.ts";
import type { QueueDepth } from "../../lag/queues.ts";
import type { GroupLag } from "../../lag/types.ts";
import { onCluster } from "../access.ts";
import { json, jsonText } from "../call.ts";
import type { OpenApiDocument } from "../openapi.ts";
import { type Operation, operation } from "../operation.ts";
import type { Surface } from "../surface.ts";

const READY_WITHIN_MS = 3000;

export function serviceOperations(describe: () => Promise<OpenApiDocument>, withMetrics: boolean): Operation[] {
  let description: string | undefined;
  const operations = [
    operation({
      id: "health",
      method: "GET",
      path: "/health",
      tag: "service",
      summary: "Ready? Asks the storage",
      access: "open",
      responses: {
        200: {
          description: "ready",
          content: { "application/json": z.object({ status: z.literal("ok"), cluster_id: z.string() }) },
        },
      },
      async handle({ surface }) {
        const timer = new AbortController();
        const late = surface.clock.sleep(READY_WITHIN_MS, timer.signal).then(() => {
          throw new BrokerlessError("unavailable", `the storage did not answer within ${READY_WITHIN_MS} ms`);
        });
        late.catch(() => {});
        try {
          await Promise.race([surface.ready(), late]);
        } catch (error) {
          if (error instanceof BrokerlessError) throw error;
          throw new BrokerlessError("unavailable", "the storage does not answer", { cause: error });
        } finally {
          timer.abort();
        }
        return json({ status: "ok", cluster_id: await surface.log.clusterId() }, 200, { "cache-control": "no-store" });
      },
    }),
    operation({
      id: "openapi",
      method: "GET",
      path: "/openapi.json",
      tag: "service",
      summary: "This description",
      access: "open",
      responses: { 200: { description: "OpenAPI 3.1", content: { "application/json": z.looseObject({ openapi: z.string() }) } } },
      async handle() {
        description ??= JSON.stringify(await describe());
        return jsonText(description);
      },
    }),
  ];
  if (withMetrics) {
    operations.push(
      operation({
        id: "metrics",
        method: "GET",
        path: "/metrics",
        tag: "service",
        summary: "Metrics in Prometheus's text format",
        access: onCluster("read"),
        responses: { 200: { description: "the metrics", content: { "text/plain": z.string() } } },
        async handle({ surface }) {
          const text = (surface.metricsText?.() ?? "") + (await lagMetrics(surface)) + (await queueMetrics(surface));
          return jsonText(text, 200, "text/plain; version=0.0.4; charset=utf-8");
        },
      }),
    );
  }
  return operations;
}

async function queueMetrics({ shares, clock }: Surface): Promise<string> {
  if (shares === undefined) return "";
  const [{ queueText }, { queueDepths }] = await Promise.all([import("../lag/prometheus.ts"), import("../../lag/queues.ts")]);
  const queues: QueueDepth[] = [];
  for await (const topics of queueDepths({ clock, shares: await shares() })) queues.push(...topics);
  return queueText(queues, clock.nowMs());
}

/** Looked at anew with every scrape. */
async function lagMetrics({ lag, log }: Surface): Promise<string> {
  if (lag === undefined) return "";
  const { lagText } = await import("../lag/prometheus.ts");
  const groups: GroupLag[] = [];
  for await (const some of (await lag()).all({ owners: true })) groups.push(...some.filter(({ expired }) => !expired));
  return lagText(await log.clusterId(), groups);
}
