/** How far consumer groups are behind, and whether they are well. */
import * as z from "zod";
import { onCluster, onGroup } from "../access.ts";
import { json } from "../call.ts";
import { groupLagJson, groupLagSchema, lagOf, lagRowSchema, lagRows } from "../lag/json.ts";
import { type Operation, operation } from "../operation.ts";
import { flag, wholeNumber } from "../query.ts";

const JSON_TYPE = "application/json";
const LIMIT = wholeNumber(0, Number.MAX_SAFE_INTEGER);
const healthSchema = z.object({
  group: z.string(),
  healthy: z.boolean(),
  status: z.string(),
  total_lag: z.int(),
  lag_seconds: z.number(),
  reasons: z.array(z.string()),
});

export function lagOperations(): Operation[] {
  return [
    operation({
      id: "listLag",
      method: "GET",
      path: "/v1/lag",
      tag: "groups",
      summary: "How far every group is behind, topic by topic",
      access: onCluster("describe"),
      responses: {
        200: { description: "a row a group and topic", content: { [JSON_TYPE]: z.object({ lag: z.array(lagRowSchema) }) } },
      },
      async handle(exchange) {
        const rows: z.infer<typeof lagRowSchema>[] = [];
        for await (const groups of (await lagOf(exchange)).all()) {
          for (const one of groups) {
            if (exchange.may({ resource: "group", operation: "describe", name: one.group })) rows.push(...lagRows(one));
          }
        }
        return json({ lag: rows });
      },
    }),
  ];
}

export function groupLagOperations(): Operation[] {
  return [
    operation({
      id: "groupLag",
      method: "GET",
      path: "/v1/groups/{group}/lag",
      tag: "groups",
      summary: "How far a group is behind, partition by partition",
      access: onGroup("describe", "group"),
      query: z.strictObject({
        exact: flag.optional().describe("read the first unread record of each partition, where its time is not known"),
      }),
      responses: { 200: { description: "the lag", content: { [JSON_TYPE]: groupLagSchema } } },
      async handle(exchange) {
        const { exact = false } = exchange.query;
        return json(groupLagJson(await (await lagOf(exchange)).groupLag(exchange.param("group"), { exact })));
      },
    }),
    operation({
      id: "groupHealth",
      method: "GET",
      path: "/v1/groups/{group}/health",
      tag: "groups",
      summary: "Is a group well? 200 or 503, for load balancers and uptime checks",
      access: onGroup("describe", "group"),
      query: z.strictObject({
        max_lag: LIMIT.optional().describe("more records behind, in all, are not healthy"),
        max_lag_seconds: LIMIT.optional().describe("a longer wait is not healthy"),
      }),
      responses: {
        200: { description: "it is: OK or WARN, and within the limits", content: { [JSON_TYPE]: healthSchema } },
        503: { description: "it is not: some partition is ERR, STOP, STALL or REWIND", content: { [JSON_TYPE]: healthSchema } },
      },
      async handle(exchange) {
        const { max_lag, max_lag_seconds } = exchange.query;
        const exact = max_lag_seconds !== undefined;
        const lag = await (await lagOf(exchange)).groupLag(exchange.param("group"), { exact });
        const reasons = lag.partitions
          .filter(({ status }) => status !== "OK" && status !== "WARN")
          .map(({ status, topic, partition }) => `${status} ${topic}[${partition}]`);
        if (max_lag !== undefined && lag.totalLag > max_lag) reasons.push(`${lag.totalLag} records behind; at most ${max_lag}`);
        const { seconds } = lag.maxTime;
        if (max_lag_seconds !== undefined && seconds > max_lag_seconds)
          reasons.push(`${seconds} s behind; at most ${max_lag_seconds}`);
        const healthy = reasons.length === 0;
        const facts = { group: lag.group, healthy, status: lag.status, total_lag: lag.totalLag, lag_seconds: seconds, reasons };
        return json(facts, healthy ? 200 : 503, { "cache-control": "no-store" });
      },
    }),
  ];
}
